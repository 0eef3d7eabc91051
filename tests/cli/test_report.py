"""The two reports: values in, text or a JSON object out."""

import json

import attrs
import pytest

from trio_coreshift import (
    Exited,
    ExitStatus,
    Output,
    ResourceUsage,
    Shutdown,
    ShutdownReason,
    Signaled,
    SignalSent,
    Unknown,
)
from trio_coreshift._report import Ended, as_json, timeline

NATURAL = Output(
    pid=4711,
    program="make",
    status=Exited(0),
    duration=1.25,
    usage=ResourceUsage(user=0.5, system=0.125, max_rss=12 * 1024 * 1024),
)
COSTS = "  took 1.250 s; CPU 0.500 s user and 0.125 s system; memory at most 12.0 MiB"
TIMED_OUT = attrs.evolve(
    NATURAL,
    status=Signaled(15),
    timed_out=True,
    shutdown=Shutdown(
        ShutdownReason.TIMEOUT,
        (
            SignalSent(15, "group 4711", 1.0),
            SignalSent(18, "group 4711", 1.0, refused=True),
            SignalSent(9, "group 4711", 1.2),
        ),
    ),
)


def stopped_by(reason: ShutdownReason) -> Output:
    """Return the output of a run that one SIGKILL has ended."""
    return attrs.evolve(NATURAL, shutdown=Shutdown(reason, (SignalSent(9, "process 4711", 0.5),)))


@pytest.mark.parametrize(
    ("status", "timed_out", "interrupted_by", "expected"),
    [
        (Exited(0), False, None, 0),
        (Exited(7), False, None, 7),
        (Signaled(9), False, None, 137),
        (Signaled(41), False, None, 169),
        (Unknown(), False, None, 125),
        (Exited(0), True, None, 124),
        (Signaled(15), True, None, 124),
        (Exited(0), False, 2, 130),
        (Exited(0), True, 15, 143),
    ],
)
def test_exit_code(
    status: ExitStatus,
    timed_out: bool,  # noqa: FBT001 - a parameter of the test
    interrupted_by: int | None,
    expected: int,
) -> None:
    """An interruption counts before a timeout, and a timeout before the program's own status."""
    output = attrs.evolve(NATURAL, status=status, timed_out=timed_out)
    assert Ended(output, interrupted_by).exit_code == expected


def test_timeline_of_a_natural_end() -> None:
    """A run that nobody touched is three moments and its costs."""
    assert timeline(Ended(NATURAL)).splitlines() == [
        "'make' exited with code 0",
        "      0.000 s  started as process 4711",
        "      1.250 s  nothing of it is left",
        f"{COSTS}; exit status 0",
    ]


def test_timeline_of_a_timeout() -> None:
    """Each signal stands with its time and target, the first with its reason, a refusal as such."""
    assert timeline(Ended(TIMED_OUT)).splitlines() == [
        "'make' was ended by SIGTERM after its timeout",
        "      0.000 s  started as process 4711",
        "      1.000 s  SIGTERM to group 4711 (the timeout expired)",
        "      1.000 s  SIGCONT to group 4711, refused by the kernel",
        "      1.200 s  SIGKILL to group 4711",
        "      1.250 s  nothing of it is left",
        f"{COSTS}; exit status 124",
    ]


@pytest.mark.parametrize(
    ("reason", "interrupted_by", "expected"),
    [
        (ShutdownReason.SWEEP, None, "something of its group was left"),
        (ShutdownReason.STOP, 2, "SIGINT arrived"),
        (ShutdownReason.CANCELLED, 15, "SIGTERM arrived"),
        (ShutdownReason.STOP, None, "stopped"),
    ],
)
def test_timeline_says_why(
    reason: ShutdownReason, interrupted_by: int | None, expected: str
) -> None:
    """The reason for the first signal is told in words."""
    text = timeline(Ended(stopped_by(reason), interrupted_by))
    assert f"SIGKILL to process 4711 ({expected})\n" in text


def test_timeline_of_an_interruption_without_signals() -> None:
    """Under the policy NONE the headline alone tells of the interruption."""
    output = attrs.evolve(NATURAL, shutdown=Shutdown(ShutdownReason.STOP))
    text = timeline(Ended(output, 2))
    assert text.startswith("'make' exited with code 0, interrupted by SIGINT\n")
    assert text.endswith("exit status 130")


def test_timeline_without_usage() -> None:
    """What the kernel did not tell is left out."""
    text = timeline(Ended(attrs.evolve(NATURAL, usage=None, status=Unknown())))
    assert text.splitlines()[-1] == "  took 1.250 s; exit status 125"


def test_timeline_keeps_a_program_name_on_its_line() -> None:
    """Control characters in the program's name cannot forge lines of the report."""
    text = timeline(Ended(attrs.evolve(NATURAL, program="a\n\x1b[2J")))
    assert text.splitlines()[0] == r"'a\n\x1b[2J' exited with code 0"


def test_json_of_a_timeout() -> None:
    """The object holds the same facts under the documented keys."""
    assert as_json(Ended(TIMED_OUT)) == {
        "program": "make",
        "pid": 4711,
        "exit_code": 124,
        "status": "signaled",
        "returncode": -15,
        "signal": "SIGTERM",
        "timed_out": True,
        "interrupted_by": None,
        "duration": 1.25,
        "usage": {"user": 0.5, "system": 0.125, "max_rss": 12582912},
        "shutdown": {
            "reason": "timeout",
            "signals": [
                {
                    "signal": name,
                    "number": number,
                    "target": "group 4711",
                    "seconds": seconds,
                    "refused": refused,
                }
                for name, number, seconds, refused in (
                    ("SIGTERM", 15, 1.0, False),
                    ("SIGCONT", 18, 1.0, True),
                    ("SIGKILL", 9, 1.2, False),
                )
            ],
        },
    }


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (Exited(3), ("exited", 3, None)),
        (Signaled(41), ("signaled", -41, "signal 41")),
        (Unknown(), ("unknown", None, None)),
    ],
)
def test_json_keys_are_always_the_same(
    status: ExitStatus, expected: tuple[str, int | None, str | None]
) -> None:
    """Whatever happened, no key is missing, and what is not is null."""
    report = as_json(Ended(attrs.evolve(NATURAL, status=status, usage=None), 2))
    assert report.keys() == as_json(Ended(TIMED_OUT)).keys()
    assert (report["status"], report["returncode"], report["signal"]) == expected
    assert (report["usage"], report["shutdown"], report["interrupted_by"]) == (None, None, "SIGINT")


def test_json_is_one_line_of_ascii() -> None:
    """A name that is no text, or has a newline in it, still makes one line."""
    report = as_json(Ended(attrs.evolve(NATURAL, program="\udcff\n")))
    line = json.dumps(report)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == report
