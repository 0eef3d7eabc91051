"""How a child ended: values only, and their decoding from what the kernel reports."""

from __future__ import annotations

import functools
import os
import signal
from typing import assert_never

import attrs


@attrs.frozen
class Exited:
    """The program ended by itself.

    Attributes:
        code: Its exit code, 0 to 255.
    """

    code: int


@attrs.frozen
class Signaled:
    """A signal ended the program.

    Attributes:
        signal: The number of the signal; a `signal.Signals` where Python has a name for it.
    """

    signal: int


@attrs.frozen
class Unknown:
    """The child is gone, but how it ended cannot be known.

    Somebody else in this process took the exit status (``waitpid(-1)``), or SIGCHLD is ignored,
    for which the kernel throws statuses away (wait(2), NOTES). This is never a success.
    """


ExitStatus = Exited | Signaled | Unknown


@functools.lru_cache(maxsize=16)
def decode_wait_status(raw: int) -> ExitStatus:
    """Decode the status word of wait4(2)."""
    if os.WIFEXITED(raw):
        return Exited(os.WEXITSTATUS(raw))
    if os.WIFSIGNALED(raw):
        return Signaled(named_signal(os.WTERMSIG(raw)))
    return Unknown()


def decode_waitid(result: os.waitid_result) -> ExitStatus:
    """Decode the siginfo of waitid(2) called with WEXITED."""
    if result.si_code == os.CLD_EXITED:
        return Exited(result.si_status)
    return Signaled(named_signal(result.si_status))


def named_signal(number: int) -> int:
    """The `signal.Signals` member for ``number``; realtime signals mostly have none."""
    try:
        return signal.Signals(number)
    except ValueError:
        return number


def signal_name(number: int) -> str:
    """A name for people: ``SIGTERM``, or ``signal 41``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def describe_status(status: ExitStatus | None) -> str:
    """A phrase for people that follows the program's name."""
    match status:
        case None:
            return "has not ended"
        case Exited(code):
            return f"exited with code {code}"
        case Signaled(number):
            return f"was ended by {signal_name(number)}"
        case Unknown():
            return "ended, but its status was taken by someone else"
        case _:
            assert_never(status)


def returncode_of(status: ExitStatus | None) -> int | None:
    """The status as `subprocess` has it: minus the signal; None when not known."""
    match status:
        case Exited(code):
            return code
        case Signaled(number):
            return -number
        case _:
            return None
