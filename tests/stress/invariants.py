"""What must hold after any run, however it went, and how long the stress tests go on."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.support import fd_table, live_with_cookie, wait_gone, wait_until

# All stress tests of an ordinary run together.
_SECONDS = 20.0
_SHARES = 6


def seconds() -> float:
    """How long one stress test of one backend goes on."""
    knob = os.environ.get("CORESHIFT_STRESS_SECONDS")
    return _SECONDS / _SHARES if knob is None else float(knob)


def seeds() -> Iterator[int]:
    """Seeds until the time is over; just one if CORESHIFT_STRESS_SEED gives it."""
    fixed = os.environ.get("CORESHIFT_STRESS_SEED")
    if fixed is not None:
        yield int(fixed)
        return
    deadline = time.monotonic() + seconds()
    while time.monotonic() < deadline:
        yield int.from_bytes(os.urandom(4), "big")


def disposition() -> dict[int, object]:
    """Who handles each signal."""
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


@dataclass(frozen=True, slots=True)
class Before:
    """What a run must leave as it was."""

    fds: dict[int, str]
    mask: frozenset[int]
    handlers: dict[int, object]
    wakeup_fd: int

    @classmethod
    def take(cls) -> "Before":
        """Return the present state."""
        wakeup_fd = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakeup_fd)
        mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        return cls(fd_table(), mask, disposition(), wakeup_fd)

    def check(self, patience: float = 0.0) -> None:
        """Fail unless everything is as it was and no child of ours is left, zombies included.

        Args:
            patience: For children that nobody has waited for: how long they may take.
        """
        if patience:
            wait_until(_childless, patience)
        assert _childless()
        assert Before.take() == self


def _childless() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def survivors(cookie: str) -> list[tuple[int, int, int]]:
    """Return pid, group and session of what lives of a run. Zombies do not live."""
    return [(info.pid, info.pgid, info.sid) for info in live_with_cookie(cookie)]


def kill(cookie: str) -> None:
    """Kill what is left of a run on purpose."""
    while left := live_with_cookie(cookie):
        for info in left:
            with suppress(ProcessLookupError):
                os.kill(info.pid, signal.SIGKILL)
        for info in left:
            wait_gone(info.pid)
