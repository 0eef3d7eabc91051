"""Run programs while SIGCHLD is ignored, so that the kernel throws their statuses away.

Prints, for each backend, the set of the statuses that were reported.
"""

import json
import signal

import trio

from trio_coreshift import SpawnBackend, SpawnOptions, spawn

signal.signal(signal.SIGCHLD, signal.SIG_IGN)


async def main() -> None:
    """Run a program that fails a few times, and one that is killed."""
    found = {}
    for backend in SpawnBackend:
        runs = [await spawn(SpawnOptions(["false"], backend=backend)) for _ in range(5)]
        runs.append(await spawn(SpawnOptions(["sleep", "60"], backend=backend, timeout=0.01)))
        found[backend.name] = sorted({f"{run.status} {run.returncode}" for run in runs})
    print(json.dumps(found))  # noqa: T201


trio.run(main)
