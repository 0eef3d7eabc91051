"""Spawn rate: how many programs that do nothing can be run per second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .figures import Bound, Figure
from .harness import column, interleave_workers

if TYPE_CHECKING:
    from .harness import Bench

_AT_A_TIME: Final = (1, 8, 32)
_CONTENDERS: Final = (
    "vfork",
    "vfork_reused",
    "posix_spawn",
    "fork",
    "trio",
    "anyio",
    "asyncio",
    "subprocess",
    "floor",
)


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    results = interleave_workers(
        bench.present(*_CONTENDERS),
        bench.pick(full=7, quick=3, tiny=1),
        "storm:run",
        [
            {
                "spawns": bench.pick(full=300, quick=80, tiny=4),
                "at_a_time": at_a_time,
                "floor": bench.floor_path,
            }
            for at_a_time in _AT_A_TIME
        ],
        warm_up={"spawns": bench.pick(full=100, quick=16, tiny=1)},
    )
    return [_figure(at_a_time, case) for at_a_time, case in zip(_AT_A_TIME, results, strict=True)]


def _figure(at_a_time: int, results: dict[str, list[dict[str, Any]]]) -> Figure:
    storm = at_a_time == 32
    return Figure(
        name=f"rate-{at_a_time}",
        title=f"spawn and wait, {at_a_time} at a time",
        unit="1/s",
        higher_is_better=True,
        samples=column(results, "rate"),
        must=Bound(1.0) if storm else None,
        aims=(Bound(1.25), Bound(0.85, "floor")) if storm else (),
    )
