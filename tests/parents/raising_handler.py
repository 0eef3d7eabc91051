"""Spawn while a signal arrives whose handler raises, and print what was left.

Usage: raising_handler BACKEND

The signal arrives between the blocking of signals and the fork, so it is delivered when they are
unblocked. The JSON object has ``raised``, ``left`` (children and descriptors) and ``mask``.
"""

import json
import os
import signal
import sys

import trio

from tests.support import fd_table
from tests.support.procfs import children_of_ours
from trio_coreshift import SpawnBackend, SpawnOptions, spawn


class RaisedError(Exception):
    """What the handler raises."""


def handler(_number: int, _frame: object) -> None:
    """Raise."""
    raise RaisedError


async def main() -> dict[str, object]:
    """Spawn once."""
    signal.signal(signal.SIGUSR1, handler)
    os.register_at_fork(before=lambda: os.kill(os.getpid(), signal.SIGUSR1))
    before = fd_table()
    raised = ""
    try:
        await spawn(
            SpawnOptions(
                ("/bin/sleep", "60"),
                backend=SpawnBackend[sys.argv[1]],
                capture_stdout=True,
                timeout=5,
            )
        )
    except RaisedError as exc:
        raised = type(exc).__name__
    left = [str(info.pid) for info in children_of_ours()]
    left += [path for fd, path in fd_table().items() if fd not in before]
    mask = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    for info in children_of_ours():
        os.kill(info.pid, 9)
    return {"raised": raised, "left": left, "mask": mask}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
