"""Spawn latency against the memory that the parent has touched."""

from __future__ import annotations

import mmap
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from .figures import Bound, Figure
from .harness import Scale
from .storm import latencies, trio_once
from .worker import call_fresh

if TYPE_CHECKING:
    from .harness import Bench

_CONTENDERS: Final = ("vfork", "posix_spawn", "fork", "trio")
_SIZES: Final = (0, 256, 1024, 2048, 4096)
_SPARE_MIB: Final = 1024
# Where the bound of the contract is.
_BOUND_MIB: Final = 2048
_MIB: Final = 1024 * 1024


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    sizes = _affordable(bench)
    rounds = bench.pick(full=5, quick=2, tiny=1)
    spawns = bench.pick(full=20, quick=10, tiny=1)
    samples: dict[int, dict[str, list[float]]] = {
        mib: {name: [] for name in _CONTENDERS} for mib in sizes
    }
    for number in range(rounds):
        for mib in sizes:
            # A process of its own, so that the memory goes away.
            medians = call_fresh(
                "memory_latency:run", {"mib": mib, "spawns": spawns, "first": number}
            )
            for name, median in medians.items():
                samples[mib][name].append(median)
    figures = [
        Figure(
            name=f"memory-{mib}",
            title=f"latency with {mib} MiB touched in the parent",
            unit="us",
            samples=samples[mib],
        )
        for mib in sizes
    ]
    return [*figures, _growth(samples, max(mib for mib in sizes if mib <= _BOUND_MIB))]


def _growth(samples: dict[int, dict[str, list[float]]], mib: int) -> Figure:
    return Figure(
        name="memory-growth",
        title=f"latency with {mib} MiB more, as a multiple of one's own without",
        unit="x",
        samples={
            name: [
                large / small
                for large, small in zip(samples[mib][name], samples[0][name], strict=True)
            ]
            for name in _CONTENDERS
        },
        baseline=None,
        must=Bound(1.25, None),
        aims=(Bound(1.1, None, "flat (1.10 or less)"),),
    )


def _affordable(bench: Bench) -> list[int]:
    limit = min(_available_mib() - _SPARE_MIB, bench.pick(full=4096, quick=1024, tiny=1))
    sizes = [mib for mib in _SIZES if mib <= limit] or [0]
    if bench.scale is Scale.FULL and sizes[-1] < _SIZES[-1]:
        bench.say(f"  no more than {sizes[-1]} MiB: MemAvailable allows no more")
    return sizes


def _available_mib() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def run(mib: int, spawns: int, first: int) -> dict[str, float]:
    """Return every contender's median latency in microseconds; run inside a worker."""
    memory = _touched(mib) if mib else None
    try:
        medians = {}
        place = first % len(_CONTENDERS)
        for name in (*_CONTENDERS[place:], *_CONTENDERS[:place]):
            once = trio_once(name, 0)
            few = max(1, spawns // 4)
            trio.run(latencies, once, few)
            # With much memory, FORK takes so long that a few are enough.
            taken = trio.run(latencies, once, few if name == "fork" else spawns)
            medians[name] = statistics.median(taken)
        return medians
    finally:
        if memory is not None:
            memory.close()


def _touched(mib: int) -> mmap.mmap:
    memory = mmap.mmap(-1, mib * _MIB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # Small pages, as a heap of small objects has: with huge ones fork(2) would have 512 times less
    # to copy, and whether there are any differs from machine to machine.
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    for offset in range(0, len(memory), mmap.PAGESIZE):
        memory[offset] = 1
    return memory
