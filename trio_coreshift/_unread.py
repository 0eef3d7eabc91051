"""The caller's pipes that nobody reads any more: read to nowhere, so that the child can end.

A child that writes to a full pipe stands still. It cannot act on SIGTERM then, and under
`CancelPolicy.NONE` it would never end.
"""

from __future__ import annotations

import fcntl
import math
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trio.lowlevel import FdStream

    from ._running import RunningProcess
    from ._streams import ChildStreams

# Seconds between two looks at whether somebody still reads.
_LOOK_AFTER = 0.1
_COUNT = struct.Struct("i")


def _unread_bytes(fd: int) -> int:
    count: int = _COUNT.unpack(fcntl.ioctl(fd, termios.FIONREAD, bytes(_COUNT.size)))[0]
    return count


class UnreadStreams:
    """Decides which of the caller's pipes nobody is left to read.

    Attributes:
        look_at: When to look at them again.
    """

    __slots__ = ("_discard", "_suspects", "look_at")

    def __init__(self, streams: ChildStreams) -> None:
        self._discard = streams
        self._suspects: dict[FdStream, int] = {}
        self.look_at = math.inf

    def abandon(self, running: RunningProcess, now: float, *, at_once: bool) -> None:
        """Nobody reads them any more; not ``at_once``: perhaps another task still does."""
        for stream in (running.stdout, running.stderr):
            if stream is None or stream.fileno() < 0:
                continue
            if at_once:
                self._take(stream)
            else:
                self._suspects[stream] = 0
                self.look_at = now + _LOOK_AFTER

    def look(self, now: float) -> None:
        """Take those in which the same bytes have been waiting since the last look.

        Only from half full on: before that the child does not stand still, and what is not taken
        stays readable. A pipe of many short writes is full when half of its bytes are used.
        """
        for stream, before in list(self._suspects.items()):
            fd = stream.fileno()
            waiting = -1 if fd < 0 else _unread_bytes(fd)
            if waiting < 0:
                del self._suspects[stream]
            elif waiting == before and 2 * waiting >= fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ):
                del self._suspects[stream]
                self._take(stream)
            else:
                self._suspects[stream] = waiting
        self.look_at = now + _LOOK_AFTER if self._suspects else math.inf

    def _take(self, stream: FdStream) -> None:
        try:
            self._discard.discard(stream)
        except OSError:
            # It cannot be watched (no descriptor left for an epoll): the child gets SIGPIPE.
            stream.close()

    def stop(self) -> None:
        """The child has ended: what it wrote and nobody took is the caller's again."""
        self._suspects.clear()
        self.look_at = math.inf
        self._discard.stop_discarding()
