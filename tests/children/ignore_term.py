"""Ignore SIGTERM, print "ready", and live until something stronger comes.

Usage: ignore_term
"""

import os
import signal

signal.alarm(120)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b"ready\n")
while True:
    signal.pause()
