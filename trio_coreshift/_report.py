"""What the command line says of a finished run: pure functions of values, without I/O."""

from __future__ import annotations

from typing import Final, TypedDict

import attrs

from ._output import Output, ShutdownReason, SignalSent
from ._status import Exited, Signaled, describe_status, signal_name

TIMED_OUT: Final = 124
FAILED: Final = 125
NOT_RUNNABLE: Final = 126
NOT_FOUND: Final = 127
# Added to the number of a signal, as shells do.
BY_SIGNAL: Final = 128

_MIB: Final = 1024 * 1024


class SignalReport(TypedDict):
    """One signal of ours in `RunReport`."""

    signal: str
    number: int
    target: str
    seconds: float
    refused: bool


class ShutdownReport(TypedDict):
    """The shutdown in `RunReport`."""

    reason: str
    signals: list[SignalReport]


class UsageReport(TypedDict):
    """CPU time and memory in `RunReport`."""

    user: float
    system: float
    max_rss: int


class RunReport(TypedDict):
    """The JSON object of ``--json``: every key is always there, with null for what is not."""

    program: str
    pid: int
    exit_code: int
    status: str
    returncode: int | None
    signal: str | None
    timed_out: bool
    interrupted_by: str | None
    duration: float
    usage: UsageReport | None
    shutdown: ShutdownReport | None


@attrs.frozen
class Ended:
    """A run of the command line that is over.

    Attributes:
        output: How it went.
        interrupted_by: The first signal that asked us to stop, or None.
    """

    output: Output
    interrupted_by: int | None = None

    @property
    def exit_code(self) -> int:
        """What the command exits with: an interruption counts first, then a timeout."""
        if self.interrupted_by is not None:
            return BY_SIGNAL + self.interrupted_by
        if self.output.timed_out:
            return TIMED_OUT
        match self.output.status:
            case Exited(code):
                return code
            case Signaled(number):
                return BY_SIGNAL + number
            case _:
                return FAILED


def timeline(ended: Ended) -> str:
    """The report for people, in several lines."""
    output = ended.output
    signals = () if output.shutdown is None else output.shutdown.signals
    lines = [
        _headline(ended),
        _moment(0.0, f"started as process {output.pid}"),
        *(_moment(sent.seconds, _sending(sent)) for sent in signals),
        _moment(output.duration, "nothing of it is left"),
        f"  {_costs(ended)}",
    ]
    if signals:
        lines[2] += f" ({_why(ended)})"
    return "\n".join(lines)


def _headline(ended: Ended) -> str:
    output = ended.output
    text = f"{output.program!r} {describe_status(output.status)}"
    if output.timed_out:
        text += " after its timeout"
    if ended.interrupted_by is not None:
        text += f", interrupted by {signal_name(ended.interrupted_by)}"
    return text


def _moment(seconds: float, what: str) -> str:
    return f"  {seconds:9.3f} s  {what}"


def _sending(sent: SignalSent) -> str:
    refused = ", refused by the kernel" if sent.refused else ""
    return f"{signal_name(sent.signal)} to {sent.target}{refused}"


def _why(ended: Ended) -> str:
    shutdown, interrupted_by = ended.output.shutdown, ended.interrupted_by
    reason = None if shutdown is None else shutdown.reason
    if reason is ShutdownReason.TIMEOUT:
        return "the timeout expired"
    if reason is ShutdownReason.SWEEP:
        return "something of its group was left"
    return "stopped" if interrupted_by is None else f"{signal_name(interrupted_by)} arrived"


def _costs(ended: Ended) -> str:
    usage = ended.output.usage
    parts = [f"took {ended.output.duration:.3f} s"]
    if usage is not None:
        parts += [
            f"CPU {usage.user:.3f} s user and {usage.system:.3f} s system",
            f"memory at most {usage.max_rss / _MIB:.1f} MiB",
        ]
    return "; ".join([*parts, f"exit status {ended.exit_code}"])


def as_json(ended: Ended) -> RunReport:
    """The same for programs."""
    output, interrupted_by = ended.output, ended.interrupted_by
    match output.status:
        case Exited():
            kind, killer = "exited", None
        case Signaled(number):
            kind, killer = "signaled", signal_name(number)
        case _:
            kind, killer = "unknown", None
    return {
        "program": output.program,
        "pid": output.pid,
        "exit_code": ended.exit_code,
        "status": kind,
        "returncode": output.returncode,
        "signal": killer,
        "timed_out": output.timed_out,
        "interrupted_by": None if interrupted_by is None else signal_name(interrupted_by),
        "duration": output.duration,
        "usage": _usage(output),
        "shutdown": _shutdown(output),
    }


def _usage(output: Output) -> UsageReport | None:
    usage = output.usage
    if usage is None:
        return None
    return {"user": usage.user, "system": usage.system, "max_rss": usage.max_rss}


def _shutdown(output: Output) -> ShutdownReport | None:
    if output.shutdown is None:
        return None
    signals: list[SignalReport] = [
        {
            "signal": signal_name(sent.signal),
            "number": int(sent.signal),
            "target": sent.target,
            "seconds": sent.seconds,
            "refused": sent.refused,
        }
        for sent in output.shutdown.signals
    ]
    return {"reason": output.shutdown.reason.value, "signals": signals}
