"""Spawn by fork a child that takes its time before exec, and print whether the loop goes on.

Usage: slow_fork

The child waits, in a hook of `os.register_at_fork`, for a byte that another task of the parent
writes. The JSON object has ``turns``, how often that task ran meanwhile, and ``status``.
"""

import json
import os
import sys

import trio

from trio_coreshift import SpawnBackend, SpawnOptions, spawn


async def main() -> dict[str, object]:
    """Spawn, with a task beside."""
    read_fd, write_fd = os.pipe()
    os.register_at_fork(after_in_child=lambda: os.read(read_fd, 1))
    turns = 0
    statuses: list[str] = []

    async def run() -> None:
        output = await spawn(SpawnOptions(("/bin/true",), backend=SpawnBackend.FORK))
        statuses.append(str(output.status))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        for _ in range(10):
            await trio.sleep(0.002)
            turns += 1
        early = list(statuses)
        os.write(write_fd, b"x")
    return {"turns": turns, "early": early, "status": statuses}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
