"""Learns of a child's exit: by its pidfd, by a thread where there is none, by looking at worst."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from typing import TYPE_CHECKING

import trio

from ._kernel.poller import LOOK_AGAIN, READ, is_readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._kernel.child import Child
    from ._kernel.poller import Poller


def call_at_exit(pid: int, callback: Callable[[], object]) -> None:
    """Call ``callback`` in the loop when our child ``pid`` has ended (or is no longer ours).

    The thread leaves the child unreaped (WNOWAIT), so the number stays the child's.

    Raises:
        RuntimeError: No thread can be started.
    """
    token = trio.lowlevel.current_trio_token()

    def wait() -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(trio.RunFinishedError):
            token.run_sync_soon(callback)

    # A daemon, so that a child that never ends does not keep the interpreter.
    threading.Thread(target=wait, name=f"trio_coreshift waits for {pid}", daemon=True).start()


class ExitWatch:
    """Watches for the end of one child that is ours to reap.

    Attributes:
        seen: Whether the end was seen.
    """

    __slots__ = ("_by_looking", "_by_pidfd", "_child", "_poller", "_wake", "seen")

    def __init__(self, child: Child, poller: Poller) -> None:
        self.seen = False
        self._child = child
        self._poller = poller
        self._wake: Callable[[], None] | None = None
        self._by_pidfd = False
        self._by_looking = False

    def begin(self, wake: Callable[[], None]) -> None:
        """Start watching; ``wake`` has the loop call `look`.

        Raises:
            OSError: The pidfd cannot be watched. `look_at` says when to look then.
        """
        self._wake = wake
        if self._child.status is not None:
            wake()  # ended and lost before its launch was over: nothing will tell
        elif self._child.pidfd is None:
            self._use_thread()
        else:
            self._by_looking = True  # unless the next line succeeds
            self._poller.add(self._child.pidfd, READ, self._pidfd_event)
            self._by_looking = False
            self._by_pidfd = True

    def _use_thread(self) -> None:
        assert self._wake is not None
        try:
            call_at_exit(self._child.pid, self._wake)
        except RuntimeError:
            # Not even a thread can be had: what is left is to look again and again.
            self._by_looking = True

    def look_at(self) -> float:
        """When to look without an event."""
        if self._by_looking and not self.seen:
            return trio.current_time() + LOOK_AGAIN
        return math.inf

    def look(self) -> None:
        """See whether it has ended, if no event of the poller will tell."""
        if not self.seen and not self._by_pidfd:
            self._see()

    def _see(self) -> None:
        if self._child.poll() is not None:
            self._forget_pidfd()
            self.seen = True
            # It belongs to who owns us: their memory would wait for the garbage collector.
            self._wake = None

    def _pidfd_event(self) -> None:
        self._see()
        if self.seen:
            return
        assert self._child.pidfd is not None
        if is_readable(self._child.pidfd):
            # Ended but not to be reaped: a tracer comes first (tokio issue 7144). Waiting for a
            # descriptor that stays readable would spin; the thread waits for the reaping.
            self._forget_pidfd()
            self._use_thread()

    def _forget_pidfd(self) -> None:
        if self._by_pidfd:
            assert self._child.pidfd is not None
            self._poller.remove(self._child.pidfd)
            self._by_pidfd = False
