"""Print "ready"; on SIGTERM write N bytes of the known pattern to stdout, then exit 0.

Usage: term_writes N
"""

import os
import signal
import sys

signal.alarm(120)
# Blocked and waited for: a handler could miss a signal that comes just before the pause.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(1, b"ready\n")
signal.sigwait([signal.SIGTERM])
size = int(sys.argv[1])
piece = memoryview((bytes(range(251)) * (size // 251 + 1))[:size])
while piece:
    piece = piece[os.write(1, piece) :]
