"""Spawn where pidfd_open(2) fails, and print how it went.

Usage: no_pidfd BACKEND ERRNO

ERRNO is a name, such as EPERM. The JSON object has what each way to run a child gave, and ``left``:
what was left open or unreaped.
"""

import errno
import json
import os
import subprocess
import sys
from functools import partial
from typing import Any

import trio

from tests.support import fd_table, process_info, sh, until
from tests.support.procfs import children_of_ours
from tests.support.seccomp import PIDFD_OPEN, refuse
from trio_coreshift import (
    CoreError,
    Process,
    ProcessGroup,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
options_of = partial(SpawnOptions, backend=SpawnBackend[sys.argv[1]])


def refused() -> list[Any]:
    """The errno that pidfd_open gives."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as exc:
        return [errno.errorcode[exc.errno or 0]]
    return []


def left(before: dict[int, str]) -> list[Any]:
    """What is open or unreaped that was not there before."""
    after = fd_table()
    found = [f"{fd} {after[fd]}" for fd in after.keys() - before.keys()]
    return found + [f"child {info.pid}" for info in children_of_ours()]


async def failed() -> list[Any]:
    """A program that does not exist."""
    try:
        await spawn(options_of(("/nonexistent/x",)))
    except CoreError as exc:
        return [exc.errno, exc.op]
    return []


async def cancelled() -> list[Any]:
    """A child whose scope is cancelled when it has said that it runs."""
    with trio.CancelScope() as scope:
        async with spawn_start(options_of(sh("echo x; cat"), stdin=PIPE, stdout=PIPE)) as running:
            assert running.stdout is not None
            await running.stdout.receive_some()
            scope.cancel()
            await trio.sleep_forever()
    output = running.output
    assert output is not None
    return [output.returncode, output.shutdown is not None and len(output.shutdown.signals)]


async def background() -> list[Any]:
    """A child that nobody waits for."""
    output = await spawn(options_of(("/bin/true",), wait=False))
    await until(lambda: process_info(output.pid) is None)
    return [output.returncode]


async def by_pid() -> list[Any]:
    """`Process` of a child of someone else in this process."""
    popen = subprocess.Popen(sh("exit 3"))  # noqa: ASYNC220 - not ours is the point
    status = str(await Process(popen.pid).wait())
    popen.returncode = 3
    return [status]


async def main() -> dict[str, list[Any]]:
    """Make the tour."""
    refuse(PIDFD_OPEN, getattr(errno, sys.argv[2]))
    before = fd_table()
    captured = await spawn(
        options_of(sh("cat; exit 7"), stdin=b"in", capture_stdout=True, pgroup=ProcessGroup(0))
    )
    report: dict[str, list[Any]] = {
        "refused": refused(),
        "captured": [captured.stdout.decode(), captured.returncode],
        "failed": await failed(),
        "cancelled": await cancelled(),
        "background": await background(),
        "by pid": await by_pid(),
    }
    report["left"] = left(before)
    return report


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
