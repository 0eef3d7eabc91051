"""Live children: what many of them at once cost their parent."""

from __future__ import annotations

import asyncio
import gc
import mmap
import resource
import subprocess
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio

from trio_coreshift import SpawnBackend, SpawnOptions, spawn

from .figures import Bound, Figure
from .harness import column, interleave
from .worker import call_fresh

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from .harness import Bench

# Nobody is left behind for longer than this, should the benchmarks be killed.
_ARGV: Final = ("sleep", "300")
# Descriptors that a child may take, and some for everybody else.
_PER_CHILD: Final = 5
_SPARE: Final = 200


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    children = bench.pick(full=500, quick=100, tiny=2)
    many = bench.pick(full=2000, quick=200, tiny=3)
    return [
        *_measure(bench, children, 0, ("vfork", "trio", "asyncio")),
        *_measure(bench, children, 2, ("vfork", "trio", "asyncio")),
        *_measure(bench, many, 0, ("vfork", "trio")),
    ]


def _measure(
    bench: Bench, children: int, streams: int, contenders: tuple[str, ...]
) -> list[Figure]:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if children * _PER_CHILD + _SPARE > hard:
        bench.say(f"  not with {children} live children: the limit is {hard} descriptors")
        return []

    def once(contender: str) -> dict[str, Any]:
        # Fresh: memory that was used once and is free again would hide what is needed.
        arguments = {
            "contender": contender,
            "children": children,
            "streams": streams,
            "seconds": bench.pick(full=1.0, quick=0.5, tiny=0.1),
        }
        return call_fresh("live:run", arguments)

    results = interleave(contenders, bench.pick(full=3, quick=1, tiny=1), once)
    captured = ", both streams captured" if streams else ""
    name = f"live-{children}" + ("-captured" if streams else "")
    title = f"{children} live children{captured}"
    return [
        Figure(
            name=f"{name}-memory",
            title=f"{title}: memory per child",
            unit="KiB",
            samples=column(results, "memory_kib"),
            must=Bound(1.0),
            aims=(Bound(0.5),),
        ),
        Figure(
            name=f"{name}-fds",
            title=f"{title}: descriptors per child",
            unit="fds",
            samples=column(results, "fds"),
        ),
        Figure(
            name=f"{name}-idle",
            title=f"{title}: CPU in one idle second",
            unit="ms",
            samples=column(results, "idle_ms"),
            baseline=None,
            must=Bound(1.0, None, "none (1 ms or less)"),
        ),
    ]


def run(contender: str, children: int, streams: int, seconds: float) -> dict[str, float]:
    """Hold many children for a while and return what that takes; run inside a worker."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if contender == "asyncio":
        return asyncio.run(_asyncio_run(children, streams, seconds))
    return trio.run(_trio_run, _HOLDS[contender], children, streams, seconds)


def _resident_kib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * mmap.PAGESIZE / 1024


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class _Before:
    """What was before the children."""

    def __init__(self) -> None:
        self._kib = _resident_kib()
        self._fds = _descriptors()

    def growth(self, children: int) -> dict[str, float]:
        return {
            "memory_kib": (_resident_kib() - self._kib) / children,
            "fds": (_descriptors() - self._fds) / children,
        }


async def _trio_run(
    hold: Callable[..., Any], children: int, streams: int, seconds: float
) -> dict[str, float]:
    async with hold(2, streams):
        pass  # what is imported or allocated once is not a child's
    before = _Before()
    async with hold(children, streams):
        growth = before.growth(children)
        cpu = time.process_time()
        await trio.sleep(seconds)
        return {**growth, "idle_ms": (time.process_time() - cpu) * 1e3 / seconds}
    raise AssertionError  # pragma: no cover - no exception is swallowed


@asynccontextmanager
async def _hold_ours(children: int, streams: int) -> AsyncGenerator[None, None]:
    async with trio.open_nursery() as nursery:
        for _ in range(children):
            # Options of its own for each, as different programs would have.
            options = SpawnOptions(
                _ARGV,
                backend=SpawnBackend.VFORK,
                capture_stdout=streams > 0,
                capture_stderr=streams > 1,
            )
            await nursery.start(spawn, options)
        yield
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _hold_trio(children: int, streams: int) -> AsyncGenerator[None, None]:
    async def run_one(task_status: trio.TaskStatus[trio.Process]) -> None:
        await trio.run_process(
            _ARGV,
            capture_stdout=streams > 0,
            capture_stderr=streams > 1,
            task_status=task_status,
        )

    async with trio.open_nursery() as nursery:
        for _ in range(children):
            await nursery.start(run_one)
        yield
        nursery.cancel_scope.cancel()


_HOLDS: Final = {"vfork": _hold_ours, "trio": _hold_trio}


@asynccontextmanager
async def _hold_asyncio(children: int, streams: int) -> AsyncGenerator[None, None]:
    processes = [
        await asyncio.create_subprocess_exec(
            *_ARGV,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if streams > 0 else None,
            stderr=subprocess.PIPE if streams > 1 else None,
        )
        for _ in range(children)
    ]
    tasks = [asyncio.create_task(process.communicate()) for process in processes]
    await asyncio.sleep(0)  # until each of them waits
    yield
    for process in processes:
        process.kill()
    await asyncio.gather(*tasks)


async def _asyncio_run(children: int, streams: int, seconds: float) -> dict[str, float]:
    async with _hold_asyncio(2, streams):
        pass
    before = _Before()
    async with _hold_asyncio(children, streams):
        growth = before.growth(children)
        cpu = time.process_time()
        await asyncio.sleep(seconds)
        return {**growth, "idle_ms": (time.process_time() - cpu) * 1e3 / seconds}
    raise AssertionError  # pragma: no cover - no exception is swallowed
