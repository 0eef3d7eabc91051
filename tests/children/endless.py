"""Write the known pattern to stdout, or to another descriptor, for ever; a closed pipe kills it.

Usage: endless [FD]
"""

import os
import signal
import sys

signal.alarm(120)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
fd = int(sys.argv[1]) if len(sys.argv) > 1 else 1
block = memoryview(bytes(range(251)) * 256)
while True:
    piece = block
    while piece:
        piece = piece[os.write(fd, piece) :]
