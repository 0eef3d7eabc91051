"""Spawn with exactly 0, 1, 2, ... free descriptors, and print how each attempt went.

Usage: few_descriptors BACKEND LIMIT

The JSON object has a list for each shape of options, and in it an object for each number of free
descriptors below LIMIT: ``ok``, the exit code, or ``error`` and ``op``; ``started``: how many
children were started; ``left``: what was left open or unreaped; ``next``: what the next spawn
wrote, with the descriptors free again.
"""

import json
import logging
import os
import resource
import subprocess
import sys
from functools import partial
from typing import Any

import trio

from tests.support import fd_table
from tests.support.procfs import children_of_ours
from trio_coreshift import (
    CloseFrom3,
    CoreError,
    ProcessGroup,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

LOG = logging.getLogger("trio_coreshift")
PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
BACKEND = SpawnBackend[sys.argv[1]]
OUR_GROUP = ProcessGroup(leader=0)
options_of = partial(SpawnOptions, backend=BACKEND)
# The child itself needs descriptors to load its libraries: true is the smallest there is.
TRUE = ("/bin/true",)
SHAPES = {
    "bare": options_of(TRUE, stdin=None),
    "devnull": options_of(TRUE, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL),
    "captured": options_of(TRUE, stdin=b"x", capture_stdout=True, capture_stderr=True),
    "fed": options_of(TRUE, stdin=b"x" * 100_000, capture_stdout=True, pgroup=OUR_GROUP),
    "swapped": options_of(TRUE, stdin=1, stdout=2, stderr=0),
    "piped": options_of(TRUE, stdin=PIPE, stdout=PIPE, stderr=PIPE),
    "policy": options_of(TRUE, capture_stdout=True, fd_policy=CloseFrom3())
    if BACKEND is not SpawnBackend.POSIX_SPAWN
    else options_of(TRUE, capture_stdout=True),
}


class Starts(logging.Handler):
    """Counts the children that were started."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one message."""
        self.count += "started as process" in record.getMessage()


def limit_to(free: int) -> list[int]:
    """Leave exactly ``free`` numbers to be opened; return what was opened for that."""
    highest = max(fd_table())
    fillers = []
    while (fd := os.dup(0)) < highest:
        fillers.append(fd)
    os.close(fd)
    # One that is above `highest` is the first free one: no number below it is.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (fd + free, hard))
    return fillers


async def run(options: SpawnOptions) -> Any:  # noqa: ANN401 - JSON
    """Run a program through the door that fits."""
    if PIPE not in (options.stdin, options.stdout):
        return (await spawn(options)).returncode
    async with spawn_start(options) as running:
        pass
    output = running.output
    assert output is not None
    return output.returncode


async def attempt(free: int, options: SpawnOptions) -> dict[str, Any]:
    """Spawn with ``free`` descriptors, and look what is left."""
    before = fd_table()
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)
    starts = Starts()
    LOG.addHandler(starts)
    fillers = limit_to(free)
    report: dict[str, Any] = {}
    try:
        report["ok"] = await run(options)
    except CoreError as exc:
        report.update(error=exc.errno, op=exc.op)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, soft)
        for fd in fillers:
            os.close(fd)
    LOG.removeHandler(starts)
    report["started"] = starts.count
    after = fd_table()
    report["left"] = [f"{fd} {after[fd]}" for fd in after.keys() - before.keys()]
    report["left"] += [f"child {info.pid}" for info in children_of_ours()]
    output = await spawn(options_of(("/bin/echo", "next"), capture_stdout=True))
    report["next"] = output.stdout.decode()
    return report


async def main() -> dict[str, list[dict[str, Any]]]:
    """Try one number of descriptors after the other."""
    LOG.setLevel(logging.DEBUG)
    LOG.propagate = False
    limit = int(sys.argv[2])
    return {
        shape: [await attempt(free, options) for free in range(limit)]
        for shape, options in SHAPES.items()
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
