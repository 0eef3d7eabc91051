"""Print "ready" and live until any signal kills it, without ever reading stdin.

Usage: never_reads
"""

import os
import signal

signal.alarm(120)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.write(1, b"ready\n")
while True:
    signal.pause()
