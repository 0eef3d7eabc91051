"""Fork a grandchild that lives on, print its pid once it is set up, and exit 0 at once.

Options, any of them:
    setsid    the grandchild leaves into a session of its own
    holds     it keeps stdin, stdout and stderr open (else they become /dev/null)
    ignores   it ignores SIGTERM (else SIGTERM kills it)
    stays     the parent does not exit but lives until killed
    code=N    the parent exits with N

Usage: spawn_grandchild [OPTION...]
"""

import os
import signal
import sys

options = set(sys.argv[1:])
signal.alarm(120)
ready_r, ready_w = os.pipe()
pid = os.fork()
if pid == 0:
    signal.alarm(120)
    if "setsid" in options:
        os.setsid()
    if "holds" not in options:
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        os.close(null)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "ignores" in options else signal.SIG_DFL)
    os.close(ready_r)
    os.close(ready_w)
    while True:
        signal.pause()
os.close(ready_w)
os.read(ready_r, 1)  # the end: the grandchild is set up
os.write(1, b"%d\n" % pid)
while "stays" in options:
    signal.pause()
codes = [int(option[5:]) for option in options if option.startswith("code=")]
os._exit(codes[0] if codes else 0)
