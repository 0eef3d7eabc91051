"""Exit 3 when told to by one pipe; a grandchild of the same group acts when told to by another.

Before it exits the child writes TEXT to stdout. The grandchild ignores SIGTERM. Told to act, it

    speaks    writes LASTWORDS to stdout
    reads     reads 64 KiB of stdin

then says so on the third pipe, and lives until the second one is closed. One that reads then reads
stdin to its end, and writes to stdout how many bytes there were.

Usage: last_words EXIT_FD ACT_FD DONE_FD speaks|reads [TEXT]
"""

import os
import signal
import sys

exit_fd, act_fd, done_fd = map(int, sys.argv[1:4])
reads = sys.argv[4] == "reads"
text = "".join(sys.argv[5:])
signal.alarm(120)
if os.fork() == 0:
    signal.alarm(120)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    size = 0
    os.read(act_fd, 1)
    while reads and size < 65_536:
        size += len(os.read(0, 65_536 - size))
    if not reads:
        os.write(1, b"LASTWORDS")
    os.write(done_fd, b".")
    os.read(act_fd, 1)
    while reads and (more := os.read(0, 65_536)):
        size += len(more)
    if reads:
        os.write(1, b"%d" % size)
    os._exit(0)
os.read(exit_fd, 1)
os.write(1, text.encode())
os._exit(3)
