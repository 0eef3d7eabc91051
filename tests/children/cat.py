"""Copy stdin to stdout until stdin ends.

Usage: cat
"""

import os

while chunk := os.read(0, 65536):
    while chunk:
        chunk = chunk[os.write(1, chunk) :]
