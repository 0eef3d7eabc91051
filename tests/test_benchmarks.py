"""The benchmarks: their arithmetic, and that what they measure with works."""

from pathlib import Path

import pytest

from benchmarks import import_time, storm, table
from benchmarks.delay import percentiles
from benchmarks.figures import Bound, Figure, Report
from benchmarks.harness import Bench, Scale, interleave
from benchmarks.worker import call_fresh


def _figure(*, higher_is_better: bool = False, must: Bound | None = None) -> Figure:
    return Figure(
        name="fake",
        title="something made up",
        unit="us",
        higher_is_better=higher_is_better,
        samples={"vfork": [50.0, 300.0, 80.0], "trio": [100.0, 400.0, 200.0], "absent": []},
        must=must,
    )


def test_ratio_is_taken_within_each_round() -> None:
    """A ratio is that of two samples of one round, summed up by median and extremes."""
    ratio = _figure().ratio("vfork", "trio")

    assert _figure().ratios("vfork", "trio") == [0.5, 0.75, 0.4]
    assert ratio is not None
    assert (ratio.median, ratio.low, ratio.high) == (0.5, 0.4, 0.75)


def test_ratio_to_nobody_is_none() -> None:
    """Whoever took no part, or needed nothing at all, gives no ratio and no error."""
    nothing = Figure(name="n", title="n", unit="ms", samples={"vfork": [1.0], "trio": [0.0]})

    assert _figure().ratio("vfork", "absent") is None
    assert _figure().ratio("vfork", "unknown") is None
    assert nothing.ratio("vfork", "trio") is None


@pytest.mark.parametrize(
    ("higher_is_better", "bound", "met"),
    [
        (False, Bound(0.5), True),
        (False, Bound(0.49), False),
        (True, Bound(0.5), True),
        (True, Bound(0.51), False),
        (False, Bound(80, None), True),
        (False, Bound(79, None), False),
        (True, Bound(1.0, "floor"), None),
    ],
)
def test_bound_is_met_by_the_median(
    *, higher_is_better: bool, bound: Bound, met: bool | None
) -> None:
    """A bound is held against the median, in the direction that is better, if there is one."""
    assert _figure(higher_is_better=higher_is_better).meets(bound) is met


def test_rounds_interleave_and_rotate() -> None:
    """Each round measures every contender once, in another order; warm-ups come before."""
    calls: list[str] = []

    def measure(contender: str) -> int:
        calls.append(contender)
        return len(calls)

    results = interleave("abc", 3, measure, lambda contender: calls.append(f"warm {contender}"))

    assert calls == ["warm a", "warm b", "warm c", *"abc", *"bca", *"cab"]
    assert results == {"a": [4, 9, 11], "b": [5, 7, 12], "c": [6, 8, 10]}


def test_percentiles_reach_from_the_least_to_the_most() -> None:
    """Percentiles are samples: the least, the middle, the most."""
    curve = percentiles(list(range(1000, -1, -1)))

    assert len(curve) == 101
    assert (curve[0], curve[50], curve[99], curve[100]) == (0, 500, 990, 1000)


def test_report_survives_its_json_file(tmp_path: Path) -> None:
    """What is read from the JSON file is what was written, and tells what follows from it."""
    report = Report(machine={"CPU": "fast"}, scale="tiny", figures=[_figure(must=Bound(0.45))])
    report.save(tmp_path / "folder" / "report.json")

    loaded = Report.load(tmp_path / "folder" / "report.json")

    assert loaded == report
    assert report.figures[0].to_json()["ratios"]["vfork"]["median"] == 0.5
    assert report.figures[0].to_json()["must_met"] is False


def test_tables_show_ratio_and_verdict() -> None:
    """Both tables show the median ratio with its extremes, and whether the bound is met."""
    report = Report(machine={"CPU": "fast"}, scale="tiny", figures=[_figure(must=Bound(0.45))])

    (row,) = (line for line in table.text_table(report).splitlines() if line.startswith("fake"))

    assert row.split()[:7] == ["fake", "us", "80.0", "200", "0.50", "0.40", "0.75"]
    assert "<=0.45x trio MISS" in row
    assert "     - **0.50** (0.40 to 0.75)" in table.rst_tables(report).splitlines()


def test_cheapest_figure_is_measured() -> None:
    """The import time is measured for ours and for trio's, once each where that is asked for."""
    (figure,) = import_time.measure(Bench(Scale.TINY))

    assert all(len(figure.samples[name]) == 1 for name in ("vfork", "trio"))
    assert min(*figure.samples["vfork"], *figure.samples["trio"]) > 0


@pytest.mark.parametrize("contender", ["vfork", "vfork_reused", "posix_spawn", "fork", "trio"])
def test_storm_measures_each_contender(contender: str) -> None:
    """A storm has a rate, a price and, where it is probed, ticks that were never early."""
    result = storm.run(contender, 4, 2, 2, probe=True)

    assert result["rate"] > 0
    assert result["cpu_us"] > 0
    assert all(late >= 0 for late in result["late_ms"])


def test_worker_measures_in_a_process_of_its_own() -> None:
    """What a worker measures comes back as it was returned."""
    arguments = {"contender": "subprocess", "spawns": 1, "at_a_time": 1}

    assert call_fresh("storm:run", arguments).keys() == {"rate", "cpu_us", "late_ms"}


def test_contenders_that_are_missing_are_left_out() -> None:
    """Without a compiler there is no floor, and the others are measured all the same."""
    assert Bench(Scale.TINY).present("vfork", "floor", "trio") == ["vfork", "trio"]
