"""Parent CPU: what a spawn costs the process that does it, user and system, all threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .figures import Bound, Figure
from .harness import column, interleave_workers

if TYPE_CHECKING:
    from .harness import Bench

_CONTENDERS: Final = (
    "vfork",
    "vfork_reused",
    "posix_spawn",
    "fork",
    "trio",
    "trio_devnull",
    "anyio",
    "asyncio",
    "subprocess",
    "floor",
)
_CAPTURED: Final = ("nothing captured", "stdout captured", "both streams captured")
_BOUNDS: Final = {
    0: (Bound(0.6), (Bound(0.4),)),
    2: (Bound(0.7), (Bound(0.45),)),
}


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    results = interleave_workers(
        bench.present(*_CONTENDERS),
        bench.pick(full=7, quick=5, tiny=1),
        "storm:run",
        [
            {
                "spawns": bench.pick(full=300, quick=60, tiny=4),
                "at_a_time": 8,
                "streams": streams,
                "floor": bench.floor_path,
            }
            for streams in range(3)
        ],
        warm_up={"spawns": bench.pick(full=100, quick=16, tiny=1)},
    )
    return [_figure(streams, case) for streams, case in enumerate(results)]


def _figure(streams: int, results: dict[str, list[dict[str, Any]]]) -> Figure:
    if streams > 0:
        results.pop("floor", None)  # the C program captures nothing
    must, aims = _BOUNDS.get(streams, (None, ()))
    return Figure(
        name=f"cpu-{streams}",
        title=f"parent CPU per spawn, {_CAPTURED[streams]}",
        unit="us",
        samples=column(results, "cpu_us"),
        must=must,
        aims=aims,
    )
