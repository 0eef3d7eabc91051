"""Spawn many programs under a low limit of descriptors, and print how that went.

Usage: storm BACKEND SPAWNS LIMIT LIMITER

Every child reads one byte of a pipe that they all share, which this program closes when no spawn is
under way any more; with LIMITER above 0 at once, and no more than LIMITER spawns go on at a time.

The JSON object has ``ok``, how many ran and said so; ``errors``, how often which errno with which
``op`` came; ``others``, everything else that was raised; ``held``, the most that were running;
``left``, what was left open or unreaped; ``next``, what a spawn after the storm wrote.
"""

import errno
import json
import os
import resource
import sys
from collections import Counter
from contextlib import AbstractAsyncContextManager, nullcontext

import trio

from tests.support import fd_table
from tests.support.procfs import children_of_ours
from trio_coreshift import CoreError, Exited, Output, SpawnBackend, SpawnOptions, spawn

BACKEND = SpawnBackend[sys.argv[1]]
SPAWNS, LIMIT, LIMITER = map(int, sys.argv[2:])
# It cannot end before it has read, so none that was started makes room for another.
ARGV = ("/bin/sh", "-c", "read line; echo ran; echo too >&2")


class Storm:
    """Many spawns and what became of them."""

    def __init__(self) -> None:
        self.ok = self.held = self.most = 0
        self.errors: Counter[str] = Counter()
        self.others: list[str] = []
        self._settled = 0
        self._all_settled = trio.Event()

    def _settle(self) -> None:
        self._settled += 1
        if self._settled == SPAWNS:
            self._all_settled.set()

    async def _once(self, stdin: int, limit: AbstractAsyncContextManager[object]) -> None:
        options = SpawnOptions(
            ARGV, backend=BACKEND, stdin=stdin, capture_stdout=True, capture_stderr=True
        )
        async with limit, trio.open_nursery() as nursery:
            try:
                running = await nursery.start(spawn, options)
            except CoreError as exc:
                self.errors[f"{errno.errorcode[exc.errno or 0]} {exc.op}"] += 1
                return
            except Exception as exc:  # noqa: BLE001 - reported
                self.others.append(repr(exc))
                return
            finally:
                self._settle()
            self.held += 1
            self.most = max(self.most, self.held)
            self._count(await running.wait())
            self.held -= 1

    def _count(self, output: Output) -> None:
        said = (output.status, output.stdout, output.stderr, output.complete)
        if said == (Exited(0), b"ran\n", b"too\n", True):
            self.ok += 1
        else:
            self.others.append(repr(said))

    async def run(self) -> None:
        """Spawn them all and wait for the end of each that runs."""
        stdin_r, stdin_w = os.pipe()
        limiter = trio.CapacityLimiter(LIMITER) if LIMITER else None
        try:
            async with trio.open_nursery() as nursery:
                for _ in range(SPAWNS):
                    nursery.start_soon(self._once, stdin_r, limiter or nullcontext())
                if limiter is None:
                    await self._all_settled.wait()
                os.close(stdin_w)
        finally:
            os.close(stdin_r)


async def main() -> dict[str, object]:
    """Run the storm inside a run of trio that goes on after it."""
    before = fd_table()
    storm = Storm()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))
    await storm.run()
    after = fd_table()
    left = [f"{fd} {name}" for fd, name in after.items() if before.get(fd) != name]
    left += [f"child {info}" for info in children_of_ours()]
    options = SpawnOptions(("/bin/echo", "next"), backend=BACKEND, capture_stdout=True)
    return {
        "ok": storm.ok,
        "errors": dict(storm.errors),
        "others": storm.others,
        "held": storm.most,
        "left": left,
        "next": (await spawn(options)).stdout.decode(),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
