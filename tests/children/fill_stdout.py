"""Write N bytes of the known pattern to stdout, or to another descriptor, and exit 0.

SIGPIPE is at its default, so a closed pipe kills the program as it would kill most others.

Usage: fill_stdout N [FD]
"""

import os
import signal
import sys

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
left = int(sys.argv[1])
fd = int(sys.argv[2]) if len(sys.argv) > 2 else 1
block = memoryview(bytes(range(251)) * 4096)
while left > 0:
    piece = block[:left]
    left -= len(piece)
    while piece:
        piece = piece[os.write(fd, piece) :]
