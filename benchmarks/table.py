"""The table: for the terminal, and for the documentation.

``python -m benchmarks.table FILE.json`` prints it again, ``--rst`` as reStructuredText.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .figures import OURS, TRIO, Bound, Figure, Report, Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MARKS: Final = {True: "ok", False: "MISS", None: "not measured"}
_HEADER: Final = ("figure", "unit", "ours", "trio", "ratio", "low", "high", "must", "aim", "others")


def number(value: float) -> str:
    """Three significant digits, never in scientific notation."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def text_table(report: Report) -> str:
    """Return the table for a terminal."""
    rows = [_HEADER, *(_row(figure) for figure in report.figures)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADER))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    facts = [f"{label}: {text}" for label, text in report.machine.items()]
    legend = (
        "ours is VFORK; ratio is ours to trio's of the same round; all are medians, with the",
        "lowest and the highest ratio beside; 'others' are ratios to trio's, or plain values where",
        "ratios make no sense.",
    )
    return "\n".join([*facts, f"scale: {report.scale}", "", *lines, "", *legend])


def _row(figure: Figure) -> tuple[str, ...]:
    ours, trio = figure.spread(OURS), figure.spread(TRIO)
    ratio = None if figure.baseline is None else figure.ratio(OURS, figure.baseline)
    return (
        figure.name,
        figure.unit,
        _median(ours),
        _median(trio),
        _median(ratio),
        "" if ratio is None else number(ratio.low),
        "" if ratio is None else number(ratio.high),
        "" if figure.must is None else _verdict(figure, figure.must),
        ", ".join(_verdict(figure, bound) for bound in figure.aims),
        ", ".join(_others(figure)),
    )


def _median(spread: Spread | None) -> str:
    return "" if spread is None else number(spread.median)


def _verdict(figure: Figure, bound: Bound) -> str:
    return f"{_bound_text(figure, bound)} {_MARKS[figure.meets(bound)]}"


def _bound_text(figure: Figure, bound: Bound) -> str:
    if bound.text:
        return bound.text
    relation = ">=" if figure.higher_is_better else "<="
    if bound.against is None:
        return f"{relation}{number(bound.limit)} {figure.unit}"
    return f"{relation}{number(bound.limit)}x {bound.against}"


def _others(figure: Figure) -> Iterable[str]:
    for name in figure.samples:
        if name in {OURS, TRIO}:
            continue
        if figure.baseline is None:
            yield f"{name} {_median(figure.spread(name))}"
        else:
            yield f"{name} {_median(figure.ratio(name, figure.baseline))}x"


def rst_tables(report: Report) -> str:
    """Return what the page of the documentation includes."""
    contenders = list(dict.fromkeys(name for each in report.figures for name in each.samples))
    goals = [figure for figure in report.figures if figure.must or figure.aims]
    return (
        "\n".join(
            [
                ".. Made by python -m benchmarks --docs; do not edit.",
                "",
                "Measured on:",
                "",
                *(f"- {label}: {text}" for label, text in report.machine.items()),
                f"- sizes: {report.scale}",
                "",
                *_list_table(
                    "Against the contract: ours (VFORK) beside trio, medians",
                    ("what", "ours", "trio", "ratio (lowest to highest)", "must", "aim"),
                    [_goal_row(figure) for figure in goals],
                ),
                "",
                *_list_table(
                    "Everything: medians (lowest to highest) of the samples",
                    ("figure", *contenders),
                    [_all_row(figure, contenders) for figure in report.figures],
                ),
            ]
        )
        + "\n"
    )


def _goal_row(figure: Figure) -> list[str]:
    ratio = None if figure.baseline is None else figure.ratio(OURS, figure.baseline)
    return [
        figure.title,
        _with_unit(figure, OURS),
        _with_unit(figure, TRIO),
        "" if ratio is None else f"**{number(ratio.median)}** {_range(ratio)}",
        "" if figure.must is None else _verdict(figure, figure.must),
        "; ".join(_verdict(figure, bound) for bound in figure.aims),
    ]


def _with_unit(figure: Figure, contender: str) -> str:
    spread = figure.spread(contender)
    return "" if spread is None else f"{number(spread.median)} {figure.unit}"


def _all_row(figure: Figure, contenders: Sequence[str]) -> list[str]:
    spreads = [figure.spread(name) for name in contenders]
    cells = ["" if each is None else f"{number(each.median)} {_range(each)}" for each in spreads]
    return [f"{figure.name} [{figure.unit}]", *cells]


def _range(spread: Spread) -> str:
    return f"({number(spread.low)} to {number(spread.high)})"


def _list_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    for row in (header, *rows):
        for place, cell in enumerate(row):
            lines.append(f"   {'*' if place == 0 else ' '} - {cell}".rstrip())
    return lines


def main() -> None:
    """Print the table of a JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.table", description=main.__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rst", action="store_true", help="as the documentation has it")
    arguments = parser.parse_args()
    report = Report.load(arguments.file)
    print(rst_tables(report) if arguments.rst else text_table(report))


if __name__ == "__main__":
    main()
