"""The plots: ``python -m benchmarks.plot FILE.json [--out FOLDER]``; needs matplotlib."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from .figures import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS: Final = {
    "vfork": "trio_coreshift, VFORK",
    "posix_spawn": "trio_coreshift, POSIX_SPAWN",
    "fork": "trio_coreshift, FORK",
    "trio": "trio.run_process",
    "anyio": "anyio.run_process on trio",
    "asyncio": "asyncio",
}
_COLOURS: Final = {
    "vfork": "#0b6e4f",
    "posix_spawn": "#3aa17e",
    "fork": "#7fb8a4",
    "trio": "#c1440e",
    "anyio": "#e08e45",
    "asyncio": "#5b6c9e",
}
_DASHES: Final = {"posix_spawn": "--", "fork": ":", "anyio": "--", "asyncio": "-."}


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw what the report has data for and return the files."""
    # The same data give the same bytes: no date, no random ids, no font outlines.
    mpl.rcParams["svg.hashsalt"] = "benchmarks"
    mpl.rcParams["svg.fonttype"] = "none"
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, plot in (("latency", _latency), ("delay", _delay)):
        canvas = Canvas(figsize=(7.2, 4.2), layout="constrained")
        axes = canvas.add_subplot()
        if plot(report, axes):
            axes.grid(visible=True, alpha=0.3)
            axes.legend(frameon=False, fontsize=8)
            path = folder / f"{name}.svg"
            canvas.savefig(path, format="svg", metadata={"Date": None})
            drawn.append(path)
    return drawn


def _latency(report: Report, axes: Axes) -> bool:
    sizes = {
        int(figure.name.removeprefix("memory-")): figure
        for figure in report.figures
        if figure.name.startswith("memory-") and figure.name != "memory-growth"
    }
    if not sizes:
        return False
    for name in next(iter(sizes.values())).samples:
        spreads = [figure.spread(name) for figure in sizes.values()]
        known = [
            (mib, spread) for mib, spread in zip(sizes, spreads, strict=True) if spread is not None
        ]
        places = [mib / 1024 for mib, _spread in known]
        medians = [spread.median / 1000 for _mib, spread in known]
        axes.plot(places, medians, marker="o", **_style(name))
        axes.fill_between(
            places,
            [spread.low / 1000 for _mib, spread in known],
            [spread.high / 1000 for _mib, spread in known],
            color=_COLOURS[name],
            alpha=0.15,
        )
    axes.set_yscale("log")
    axes.set_xlabel("memory touched in the parent [GiB]")
    axes.set_ylabel("spawn and wait, one at a time [ms]")
    axes.set_title("Spawn latency against the parent's memory")
    return True


def _delay(report: Report, axes: Axes) -> bool:
    curves = next((each.curves for each in report.figures if each.name == "delay-p99"), {})
    if not curves:
        return False
    for name, curve in curves.items():
        axes.plot(curve, range(len(curve)), **_style(name))
    axes.set_xscale("log")
    axes.set_xlim(left=0.05)
    axes.axhline(99, color="grey", linewidth=0.6)
    axes.set_xlabel("how late a task runs [ms]")
    axes.set_ylabel("share of the ticks of a 1 ms clock [%]")
    axes.set_title("Loop delay while 32 programs at a time are spawned")
    return True


def _style(name: str) -> dict[str, Any]:
    return {
        "label": _LABELS[name],
        "color": _COLOURS[name],
        "linestyle": _DASHES.get(name, "-"),
        "linewidth": 1.4 if name in _DASHES else 2.2,
    }


def main() -> None:
    """Draw the plots of a JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plot", description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, help="folder; that of the file unless given")
    arguments = parser.parse_args()
    for path in draw(Report.load(arguments.file), arguments.out or arguments.file.parent):
        print(path)


if __name__ == "__main__":
    main()
