"""Write N bytes of the known pattern to each of stdout and stderr, in turns, and exit 0.

A parent that reads only one of the two leaves it blocked for ever once N is more than a pipe holds.

Usage: fill_both N
"""

import os
import signal
import sys

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
left = int(sys.argv[1])
block = memoryview(bytes(range(251)) * 16)
while left > 0:
    for fd in (1, 2):
        piece = block[:left]
        while piece:
            piece = piece[os.write(fd, piece) :]
    left -= len(block)
