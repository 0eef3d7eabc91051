"""Write each CHUNK (hexadecimal) with one write, having read a line before each but the first.

So the reader decides, by a line on stdin per chunk, where the chunks of its stream begin.

Usage: emit CHUNK...
"""

import os
import sys

for position, chunk in enumerate(sys.argv[1:]):
    while position and os.read(0, 1) not in {b"\n", b""}:
        pass
    os.write(1, bytes.fromhex(chunk))
