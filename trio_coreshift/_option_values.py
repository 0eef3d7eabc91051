"""The checks of single option values: what comes in may be anything, what comes out is right.

A value of the wrong kind is a `TypeError`; one of the right kind that cannot be honoured is a
`CoreError` with EINVAL.
"""

from __future__ import annotations

import math
import subprocess
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from ._errors import invalid
from ._policy import INT_MAX, distinct_descriptors

if TYPE_CHECKING:
    from ._running import RunningProcess


class HasFileno(Protocol):
    """Anything with a file descriptor."""

    def fileno(self) -> int:
        """Return the descriptor's number."""
        ...  # pragma: no cover - a protocol has no body to run


BytesLike = bytes | bytearray | memoryview
Redirect = int | HasFileno | None
EarlyExit = Callable[[bytes], bool] | bytes
Sink = Callable[[bytes], Awaitable[object]]
Ready = Callable[["RunningProcess"], Awaitable[object]] | bytes

_FIRST_BEYOND_STDIO: Final = 3


def wrong_kind(name: str, expected: str, value: object) -> TypeError:
    """The error for a value that can never be right."""
    return TypeError(f"{name} must be {expected}, not {type(value).__name__}")


def _redirect(value: Redirect, name: str, *special: int) -> Redirect:
    if value is None:
        return None
    if isinstance(value, int):
        if isinstance(value, bool):
            raise wrong_kind(name, "a descriptor", value)
        if value not in special and not 0 <= value <= INT_MAX:
            raise invalid(f"spawn {name} invalid")
    elif not callable(getattr(value, "fileno", None)):
        raise wrong_kind(name, "a descriptor or have a fileno()", value)
    return value


def stdin(value: BytesLike | Redirect) -> bytes | Redirect:
    """Bytes are copied, so that a buffer may be changed afterwards."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return _redirect(value, "stdin", subprocess.PIPE, subprocess.DEVNULL)


def stdout(value: Redirect) -> Redirect:
    """A descriptor, or one of ``PIPE`` and ``DEVNULL``."""
    return _redirect(value, "stdout", subprocess.PIPE, subprocess.DEVNULL)


def stderr(value: Redirect) -> Redirect:
    """The same, or ``STDOUT``."""
    return _redirect(value, "stderr", subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT)


def _seconds(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_kind(name, "a number of seconds", value)
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf if value > 0 else -math.inf  # an int that no float holds
    if math.isnan(seconds) or seconds < 0:
        raise invalid(f"spawn {name} invalid")
    return seconds


def timeout(value: float | None) -> float | None:
    """Seconds or None."""
    return None if value is None else _seconds(value, "timeout")


def kill_grace(value: float) -> float:
    """Seconds."""
    return _seconds(value, "kill_grace")


def drain_grace(value: float | None) -> float | None:
    """Seconds or None."""
    return None if value is None else _seconds(value, "drain_grace")


def abandon_after(value: float | None) -> float | None:
    """Seconds or None."""
    return None if value is None else _seconds(value, "abandon_after")


def max_output(value: int) -> int:
    """A number of bytes."""
    given: object = value
    if isinstance(given, bool) or not isinstance(given, int):
        raise wrong_kind("max_output", "a number of bytes", given)
    if given < 0:
        raise invalid("spawn max_output invalid")
    return given


def pass_fds(fds: Iterable[int]) -> tuple[int, ...]:
    """Descriptors beyond stdio, which has options of its own."""
    result = distinct_descriptors(fds, "spawn pass_fds")
    if result and min(result) < _FIRST_BEYOND_STDIO:
        raise invalid("spawn pass_fds invalid")
    return result


def _pattern(value: BytesLike, name: str) -> bytes:
    pattern = bytes(value)
    if not pattern:
        raise invalid(f"spawn {name} pattern empty")
    return pattern


def early_exit(value: Callable[[bytes], bool] | BytesLike | None) -> EarlyExit | None:
    """A predicate or a pattern."""
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _pattern(value, "early_exit")
    if not callable(value):
        raise wrong_kind("early_exit", "callable or a bytes pattern", value)
    return value


def ready(
    value: Callable[[RunningProcess], Awaitable[object]] | BytesLike | None,
) -> Ready | None:
    """An async function or a pattern."""
    if value is None:
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _pattern(value, "ready")
    if not callable(value):
        raise wrong_kind("ready", "an async function or a bytes pattern", value)
    return value
