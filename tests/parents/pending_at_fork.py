"""Let a signal be pending in each forked child, for which the parent has a handler in Python.

Usage: pending_at_fork SIGNAL

Prints how the child ended. A handler of the parent's that ran in it would have written to stderr.
"""

import json
import os
import signal
import sys
import types

import trio

from trio_coreshift import Signaled, SpawnBackend, SpawnOptions, spawn

NUMBER = int(sys.argv[1])
PARENT = os.getpid()


def handler(number: int, _frame: types.FrameType | None) -> None:
    """Tell where it ran."""
    os.write(2, b"signal %d handled in a child: %d\n" % (number, os.getpid() != PARENT))


signal.signal(NUMBER, handler)
os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), NUMBER))
output = trio.run(spawn, SpawnOptions(["true"], backend=SpawnBackend.FORK))
match output.status:
    case Signaled(ended_by):
        print(json.dumps(int(ended_by)))  # noqa: T201
    case status:
        print(json.dumps(repr(status)))  # noqa: T201
