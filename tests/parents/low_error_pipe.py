"""Fail to spawn by fork with some of 0, 1 and 2 closed, and print what was reported.

Usage: low_error_pipe CLOSED...

The JSON object has, for each CLOSED (some of the digits 0, 1 and 2), errno and op of: a missing
program; a missing directory; a missing program whose descriptors from 3 on are closed.
"""

import json
import os
import sys
from functools import partial

import trio

from trio_coreshift import CloseFrom3, CoreError, SpawnBackend, SpawnOptions, spawn

options_of = partial(SpawnOptions, backend=SpawnBackend.FORK)
FAILING = (
    options_of(("/nonexistent/prog",), stdin=None),
    options_of(("/bin/true",), stdin=None, cwd="/nonexistent"),
    options_of(("/nonexistent/prog",), capture_stdout=True, fd_policy=CloseFrom3()),
)


async def failure(options: SpawnOptions) -> list[object]:
    """The error of a spawn."""
    try:
        await spawn(options)
    except CoreError as exc:
        return [exc.errno, exc.op]
    return []


async def tour(closed: str) -> list[list[object]]:
    """Fail in each way."""
    saved = [os.dup(fd) for fd in range(3)]
    for fd in map(int, closed):
        os.close(fd)
    found = [await failure(options) for options in FAILING]
    for fd, copy in enumerate(saved):
        os.dup2(copy, fd)
        os.close(copy)
    return found


async def main() -> dict[str, list[list[object]]]:
    """Make the tour for each."""
    return {closed: await tour(closed) for closed in sys.argv[1:]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
