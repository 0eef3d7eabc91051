"""``python -m benchmarks``: measure, print the table, keep the numbers."""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from . import (
    cpu,
    delay,
    group_kill,
    import_time,
    live,
    machine,
    memory_latency,
    rate,
    table,
    throughput,
)
from .figures import Report
from .harness import Bench, Scale, build_floor

if TYPE_CHECKING:
    from .figures import Figure

_FAMILIES: Final = {
    "rate": rate.measure,
    "delay": delay.measure,
    "cpu": cpu.measure,
    "memory": memory_latency.measure,
    "throughput": throughput.measure,
    "live": live.measure,
    "group": group_kill.measure,
    "import": import_time.measure,
}
_PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"


def main() -> None:
    """Measure trio_coreshift against its peers; needs a machine that does nothing else."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: less than a minute")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(_FAMILIES),
        metavar="NAME",
        default=list(_FAMILIES),
        help=f"of {', '.join(_FAMILIES)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the numbers")
    parser.add_argument(
        "--docs",
        action="store_true",
        help="make the numbers, tables and plots of the documentation anew",
    )
    arguments = parser.parse_args()
    if arguments.docs and importlib.util.find_spec("matplotlib") is None:
        parser.error("--docs needs matplotlib")

    report = measure(Scale.QUICK if arguments.quick else Scale.FULL, arguments.only)
    if arguments.json is not None:
        report.save(arguments.json)
    if arguments.docs:
        write_docs(report)
    print(table.text_table(report))


def measure(scale: Scale, families: list[str]) -> Report:
    """Take the figures of some families."""
    facts = machine.facts()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="coreshift-bench-") as folder:
        bench = Bench(scale, build_floor(Path(folder)))
        if bench.floor is None:
            bench.say("no floor: there is no C compiler")
        for name in families:
            began = time.monotonic()
            figures += _FAMILIES[name](bench)
            bench.say(f"{name}: {time.monotonic() - began:.1f} s")
    return Report(machine=facts, scale=scale.value, figures=figures)


def write_docs(report: Report) -> None:
    """Write what docs/benchmarks.rst shows."""
    from . import plot  # noqa: PLC0415 - matplotlib is only needed here

    report.save(_PAGE / "results.json")
    # Not .rst: Sphinx would take it for a page of its own.
    (_PAGE / "table.txt").write_text(table.rst_tables(report))
    plot.draw(report, _PAGE)


if __name__ == "__main__":
    main()
