"""Print "ready" and stop itself; continued and sent SIGTERM, print "term" and exit 3.

Usage: stop_self
"""

import os
import signal

signal.alarm(120)
# Blocked and waited for: a handler could miss a signal that comes just before the pause.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.write(1, b"ready\n")
os.kill(os.getpid(), signal.SIGSTOP)
signal.sigwait([signal.SIGTERM])
os.write(1, b"term\n")
os._exit(3)
