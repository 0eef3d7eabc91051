"""What a run tells: values only."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

from ._errors import ExitStatusError
from ._status import Exited, returncode_of

if TYPE_CHECKING:
    from ._status import ExitStatus


class ShutdownReason(enum.Enum):
    """Why a child was not left to its natural end. The first reason is the one recorded."""

    CANCELLED = "cancelled"
    """The cancel scope around it was cancelled."""
    ERROR = "error"
    """An exception in the body, in a callback of the caller's, or a second interruption."""
    TIMEOUT = "timeout"
    """Its ``timeout`` expired."""
    EARLY_EXIT = "early_exit"
    """``early_exit`` matched and stdout was closed."""
    OVERFLOW = "overflow"
    """It wrote more than ``max_output`` under `OverflowPolicy.STOP`."""
    STOP = "stop"
    """`RunningProcess.stop` was called."""
    SWEEP = "sweep"
    """It ended by itself, and something of its group was left to be killed."""


@attrs.frozen
class SignalSent:
    """One signal of ours.

    Attributes:
        signal: Its number (a `signal.Signals`).
        target: What it was sent to: ``"process 4711"`` or ``"group 4711"``.
        seconds: When, in seconds since the start.
        refused: Whether the kernel refused it (EPERM).
    """

    signal: int
    target: str
    seconds: float
    refused: bool = False


@attrs.frozen
class Shutdown:
    """Why and how a child was brought to its end.

    Attributes:
        reason: The reason that came first.
        signals: Every signal sent, in order; empty when none was needed.
    """

    reason: ShutdownReason
    signals: tuple[SignalSent, ...] = ()


@attrs.frozen
class ResourceUsage:
    """What the child and the descendants it waited for used, from wait4(2).

    Attributes:
        user: Seconds of CPU time in user mode.
        system: Seconds of CPU time in the kernel.
        max_rss: The largest resident set, in bytes. The kernel never puts it below what the
            process had before exec, which after fork or vfork is what the parent has.
    """

    user: float
    system: float
    max_rss: int


@attrs.frozen(kw_only=True)
class Output:
    """How a run went.

    Attributes:
        pid: The child's process id. Not a handle: the number may have been used again.
        program: ``argv[0]``, for messages.
        status: How it ended; None when it was not waited for (``wait=False``) or was abandoned.
        stdout: What was captured of stdout.
        stderr: What was captured of stderr.
        timed_out: Whether the ``timeout`` expired while it ran.
        stdout_early_exited: Whether stdout was closed because ``early_exit`` matched.
        truncated: Whether more was written than ``max_output`` allowed to keep.
        complete: Whether every captured pipe was read to its end.
        duration: Seconds from the start to the end of everything.
        usage: CPU time and memory; None when the kernel did not tell.
        shutdown: Why and how it was ended by us; None after a natural end.
    """

    pid: int
    program: str
    status: ExitStatus | None
    stdout: bytes = b""
    stderr: bytes = b""
    timed_out: bool = False
    stdout_early_exited: bool = False
    truncated: bool = False
    complete: bool = True
    duration: float = 0.0
    usage: ResourceUsage | None = None
    shutdown: Shutdown | None = None

    @property
    def returncode(self) -> int | None:
        """The exit code, minus the number of the signal, or None if not known."""
        return returncode_of(self.status)

    def check(self) -> Output:
        """Return self if the program ended with exit code 0.

        A program that a timeout made us signal has not done its work, even if it then chose to
        exit with 0.

        Raises:
            ExitStatusError: In every other case, an unknown status included.
        """
        cut_short = self.timed_out and self.shutdown is not None and bool(self.shutdown.signals)
        if self.status == Exited(0) and not cut_short:
            return self
        raise ExitStatusError(self)
