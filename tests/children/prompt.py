"""Write "name? " without a newline, read a line, write "hello LINE", and exit 0.

Usage: prompt
"""

import os

os.write(1, b"name? ")
line = b""
while (byte := os.read(0, 1)) not in {b"", b"\n"}:
    line += byte
os.write(1, b"hello " + line + b"\n")
