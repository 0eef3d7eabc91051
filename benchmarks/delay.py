"""Loop delay: how late every other task runs while 32 programs at a time are spawned."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

from .figures import Bound, Figure
from .harness import interleave_workers

if TYPE_CHECKING:
    from .harness import Bench

# subprocess.run and the C program have no loop.
_CONTENDERS: Final = ("vfork", "posix_spawn", "fork", "trio", "anyio", "asyncio")


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    (results,) = interleave_workers(
        bench.present(*_CONTENDERS),
        bench.pick(full=7, quick=3, tiny=1),
        "storm:run",
        [
            {
                "spawns": bench.pick(full=1000, quick=200, tiny=32),
                "at_a_time": 32,
                "probe": True,
            }
        ],
        warm_up={"spawns": bench.pick(full=100, quick=32, tiny=1)},
    )
    curves = {name: [percentiles(each["late_ms"]) for each in of] for name, of in results.items()}
    return [
        Figure(
            name="delay-p50",
            title="loop delay during a storm of 32, median",
            unit="ms",
            samples={name: [curve[50] for curve in of] for name, of in curves.items()},
        ),
        Figure(
            name="delay-p99",
            title="loop delay during a storm of 32, 99th percentile",
            unit="ms",
            samples={name: [curve[99] for curve in of] for name, of in curves.items()},
            must=Bound(0.4),
            aims=(Bound(2.0, None, "under 2 ms"),),
            curves={
                name: [statistics.median(at) for at in zip(*of, strict=True)]
                for name, of in curves.items()
            },
        ),
    ]


def percentiles(values: list[Any]) -> list[float]:
    """Return the percentiles 0 to 100, by the nearest rank."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return [float(ordered[round(last * percent / 100)]) for percent in range(101)]
