"""Leave a zombie in the group whose parent has left it and never reaps; print the parent's pid.

With `stays` the program itself does not exit 0 but lives until SIGTERM ends it.

Usage: zombie_in_group [stays]
"""

import os
import signal
import sys

signal.alarm(120)
ready_r, ready_w = os.pipe()
pid = os.fork()
if pid == 0:
    signal.alarm(120)
    zombie = os.fork()
    if zombie == 0:
        os._exit(0)
    os.waitid(os.P_PID, zombie, os.WEXITED | os.WNOWAIT)
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(ready_w)
    while True:
        signal.pause()
os.close(ready_w)
os.read(ready_r, 1)  # the end: the zombie is there, and its parent has left
os.write(1, b"%d\n" % pid)
while "stays" in sys.argv:
    signal.pause()
os._exit(0)
