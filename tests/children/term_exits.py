"""Print "ready"; on SIGTERM exit with CODE.

Usage: term_exits CODE
"""

import os
import signal
import sys

signal.alarm(120)
# Blocked and waited for: a handler could miss a signal that comes just before the pause.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(1, b"ready\n")
signal.sigwait([signal.SIGTERM])
os._exit(int(sys.argv[1]))
