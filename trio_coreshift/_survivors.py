"""Waits for the living members of a group, which are not our children, to be gone."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from ._kernel import pidfd as _pidfd, procfs
from ._kernel.poller import LOOK_AGAIN, READ

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._kernel.poller import Poller


class SurvivorWatch:
    """Watches one member at a time through a pidfd of its own.

    Attributes:
        look_at: When to look again without an event; infinity while a pidfd is watched.
    """

    __slots__ = ("_ended", "_fd", "_poller", "look_at")

    def __init__(self, poller: Poller, ended: Callable[[], None]) -> None:
        self._poller = poller
        self._ended = ended
        self._fd: int | None = None
        self.look_at = math.inf

    def watch(self, pids: list[int], pgid: int, now: float) -> bool:
        """Watch the last of ``pids`` that lives; those after it are dropped from the list.

        Returns:
            Whether there is one.
        """
        self.stop()
        while pids:
            if self._watch_one(pids[-1], pgid, now):
                return True
            pids.pop()
        return False

    def _watch_one(self, pid: int, pgid: int, now: float) -> bool:
        try:
            fd = _pidfd.open_pidfd(pid)
        except ProcessLookupError:
            return False
        # Looked at after the opening: the number may have been given to someone else before.
        lives = False
        try:
            lives = procfs.is_living_member(pid, pgid)
        finally:
            if not lives and fd is not None:
                os.close(fd)
        if not lives:
            return False
        if fd is None or not self._add(fd):
            self.look_at = now + LOOK_AGAIN
        return True

    def _add(self, fd: int) -> bool:
        try:
            self._poller.add(fd, READ, self._ended)
        except OSError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def stop(self) -> None:
        """Watch nothing."""
        self.look_at = math.inf
        if self._fd is not None:
            self._poller.remove(self._fd)
            os.close(self._fd)
            self._fd = None
