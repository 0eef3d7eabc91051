"""Spawn as a user who may have no more processes, and print how it went.

Usage: no_processes BACKEND

The JSON object has ``error`` and ``op`` of the spawn, ``unchanged``: whether descriptors, signal
mask, handlers and the garbage collector are as they were, ``left``: whether there is a child, and
``next``: the exit code of a spawn with the limit lifted.
"""

import gc
import json
import os
import resource
import signal
import sys
from functools import partial
from typing import Any

import trio

from tests.support import fd_table
from tests.support.procfs import children_of_ours
from trio_coreshift import CoreError, SpawnBackend, SpawnOptions, spawn

NOBODY = 65_000
OPTIONS = partial(SpawnOptions, ("/bin/true",), backend=SpawnBackend[sys.argv[1]])


def state() -> list[Any]:
    """What a spawn that fails must leave alone."""
    handlers = [str(signal.getsignal(number)) for number in signal.valid_signals()]
    mask = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    return [fd_table(), handlers, mask, gc.isenabled()]


async def main() -> dict[str, Any]:
    """Fail, then succeed."""
    gc.collect()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    # Two at once, so that nothing is loaded for the first time later, by a user who may not.
    await spawn(OPTIONS(stdin=b"x", capture_stdout=True))
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
    if os.getuid() == 0:
        # Limits do not count for root. The effective user id comes back at the end.
        os.setresuid(NOBODY, NOBODY, 0)
    before = state()
    report: dict[str, Any] = {}
    try:
        await spawn(OPTIONS(stdin=b"x", capture_stdout=True))
    except CoreError as exc:
        report.update(error=exc.errno, op=exc.op)
    report["unchanged"] = state() == before
    report["left"] = bool(children_of_ours())
    resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
    report["next"] = (await spawn(OPTIONS())).returncode
    return report


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
