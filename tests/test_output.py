"""`Output` and its parts as values."""

import pickle
import signal

import attrs
import pytest

from trio_coreshift import (
    Exited,
    ExitStatusError,
    Output,
    ResourceUsage,
    Shutdown,
    ShutdownReason,
    Signaled,
    SignalSent,
    Unknown,
)
from trio_coreshift._status import ExitStatus

TERM = SignalSent(signal.SIGTERM, "process 4711", 0.5)
TIMED_OUT = Shutdown(ShutdownReason.TIMEOUT, (TERM,))


def output_of(
    status: ExitStatus | None, *, timed_out: bool = False, shutdown: Shutdown | None = None
) -> Output:
    """Return an output as a run leaves it."""
    return Output(pid=4711, program="prog", status=status, timed_out=timed_out, shutdown=shutdown)


def test_check_returns_itself_after_a_success() -> None:
    """A program that exited with 0 passes, and the same object comes back."""
    output = output_of(Exited(0))
    assert output.check() is output


@pytest.mark.parametrize("status", [Exited(1), Exited(255), Signaled(15), Unknown(), None])
def test_check_raises_after_anything_else(status: ExitStatus | None) -> None:
    """Every other end, an unknown one too, raises with the output in it."""
    output = output_of(status)
    with pytest.raises(ExitStatusError) as caught:
        output.check()
    assert caught.value.result is output


def test_check_raises_after_a_timeout_that_cut_it_short() -> None:
    """A program that chose 0 as its code when a timeout had it signalled has not done its work."""
    with pytest.raises(ExitStatusError, match="after its timeout"):
        output_of(Exited(0), timed_out=True, shutdown=TIMED_OUT).check()


@pytest.mark.parametrize("shutdown", [None, Shutdown(ShutdownReason.TIMEOUT)])
def test_check_passes_after_a_timeout_that_changed_nothing(shutdown: Shutdown | None) -> None:
    """A program that ended by itself when its timeout expired has done its work."""
    output_of(Exited(0), timed_out=True, shutdown=shutdown).check()


@pytest.mark.parametrize(
    "reason", [ShutdownReason.SWEEP, ShutdownReason.STOP, ShutdownReason.EARLY_EXIT]
)
def test_check_looks_at_the_status_after_other_reasons(reason: ShutdownReason) -> None:
    """What was done on purpose is no failure: the exit code decides."""
    output_of(Exited(0), shutdown=Shutdown(reason, (TERM,))).check()


@pytest.mark.parametrize(
    ("status", "expected"),
    [(Exited(7), 7), (Signaled(9), -9), (Unknown(), None), (None, None)],
)
def test_returncode_is_that_of_subprocess(status: ExitStatus | None, expected: int | None) -> None:
    """The code, minus the signal, or None where it is not known."""
    assert output_of(status).returncode == expected


def test_defaults_are_those_of_a_run_without_anything() -> None:
    """An output of a run that captured nothing says so in each field."""
    output = output_of(Exited(0))
    assert attrs.asdict(output, recurse=False) == {
        "pid": 4711,
        "program": "prog",
        "status": Exited(0),
        "stdout": b"",
        "stderr": b"",
        "timed_out": False,
        "stdout_early_exited": False,
        "truncated": False,
        "complete": True,
        "duration": 0.0,
        "usage": None,
        "shutdown": None,
    }


def test_the_reasons_are_those_of_the_contract() -> None:
    """There are seven reasons for a shutdown."""
    assert [reason.name for reason in ShutdownReason] == [
        "CANCELLED",
        "ERROR",
        "TIMEOUT",
        "EARLY_EXIT",
        "OVERFLOW",
        "STOP",
        "SWEEP",
    ]


@pytest.mark.parametrize(
    "value",
    [
        TERM,
        TIMED_OUT,
        ResourceUsage(0.1, 0.2, 1024),
        output_of(Exited(0), timed_out=True, shutdown=TIMED_OUT),
    ],
    ids=lambda value: type(value).__name__,
)
def test_outputs_are_values(value: Output | Shutdown | SignalSent | ResourceUsage) -> None:
    """An output and its parts are frozen, slotted, equal by content, and come through pickle."""
    twin = pickle.loads(pickle.dumps(value))
    assert twin == value
    assert hash(twin) == hash(value)
    assert not hasattr(value, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        value.pid = 1  # type: ignore[misc,union-attr]  # frozen is the point


def test_a_signal_is_not_refused_by_default() -> None:
    """A record of a signal says so only where the kernel refused it."""
    assert not TERM.refused
    assert SignalSent(15, "group 1", 0.0, refused=True) != SignalSent(15, "group 1", 0.0)
