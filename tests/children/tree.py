"""Grow a tree of processes, each of which misbehaves in its own way, and print "ready N".

SEED decides everything: each process has up to three children down to DEPTH levels, and one of
these behaviours. `ready N` (N processes, this one included) is printed once all are set up; then
this one waits until it is killed, or exits 0 if told so.

    waits      until killed                     ignores    waits, ignoring SIGTERM
    stops      stops itself                     closes     closes 0, 1, 2 and waits
    writes     writes to stdout for ever        quits      writes a line and exits
    shell      is a /bin/sh with a background job in it
    escapes    leaves into a session of its own and waits (only with the option `escape`)

Usage: tree SEED DEPTH [escape] [exit]
"""

import os
import signal
import sys

BEHAVIOURS = ["waits", "ignores", "stops", "closes", "writes", "quits", "shell"]


class Dice:
    """Repeatable random numbers; the module random takes longer to import than the rest to run."""

    def __init__(self, seed: int) -> None:
        """Start from a seed."""
        self.state = (seed * 2654435761 + 12345) % 2**32

    def roll(self, sides: int) -> int:
        """Return a number from 0 to sides - 1."""
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 16) % sides


def wait_for_ever() -> None:
    """Live until killed."""
    while True:
        signal.pause()


def plant(seed: int, depth: int, ready_w: int) -> None:
    """Fork children, each of which writes a byte to `ready_w` when it is set up."""
    dice = Dice(seed)
    for number in range(dice.roll(3) + 1 if depth else 0):
        if os.fork() == 0:
            grow(seed * 31 + number + 1, depth - 1, ready_w)


def grow(seed: int, depth: int, ready_w: int) -> None:
    """Be one process of the tree below the root; never return."""
    signal.alarm(120)
    plant(seed, depth, ready_w)
    behaviour = BEHAVIOURS[Dice(seed + 1).roll(len(BEHAVIOURS))]
    if behaviour == "escapes":
        os.setsid()
    if behaviour == "ignores":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "closes":
        for fd in range(3):
            os.close(fd)
    os.write(ready_w, b".")
    os.close(ready_w)
    if behaviour == "stops":
        os.kill(os.getpid(), signal.SIGSTOP)
    if behaviour == "writes":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        while True:
            os.write(1, b"w" * 4096)
    if behaviour == "quits":
        os.write(1, b"quit\n")
        os._exit(0)
    if behaviour == "shell":
        os.execv("/bin/sh", ["sh", "-c", "sleep 120 & wait"])  # noqa: S606 - no shell is the point
    wait_for_ever()


def main() -> None:
    """Be the root of the tree."""
    signal.alarm(120)
    options = set(sys.argv[3:])
    if "escape" in options:
        BEHAVIOURS.append("escapes")
    ready_r, ready_w = os.pipe()
    plant(int(sys.argv[1]), int(sys.argv[2]), ready_w)
    os.close(ready_w)
    count = 1
    while more := os.read(ready_r, 4096):
        count += len(more)
    os.write(1, b"ready %d\n" % count)
    if "exit" in options:
        os._exit(0)
    wait_for_ever()


main()
