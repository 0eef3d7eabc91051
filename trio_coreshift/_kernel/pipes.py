"""Reading and feeding our ends of a child's pipes, without blocking."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# A pipe holds 64 KiB until told otherwise (pipe(7)).
_CHUNK: Final = 65536
_LARGE_CHUNK: Final = 1 << 20
# Reads per wake-up: bounds how long a child that writes without end keeps the loop.
_READS: Final = 4


class PipeReader:
    """The read end of a pipe, read until its end.

    Each chunk goes to ``take``; if that returns something true, it wants no more for now.

    Attributes:
        fd: The descriptor; None once it is closed.
    """

    __slots__ = ("_chunk", "_take", "fd")

    def __init__(self, fd: int, take: Callable[[bytes], object]) -> None:
        self.fd: int | None = fd
        self._take = take
        self._chunk = _CHUNK

    def read_some(self, reads: int = _READS) -> bool:
        """Pass on what is there, in at most ``reads`` chunks; return whether it was the end."""
        assert self.fd is not None
        for _ in range(reads):
            try:
                chunk = os.read(self.fd, self._chunk)
            except BlockingIOError:
                return False
            if not chunk:
                return True
            if self._take(chunk) or len(chunk) < self._chunk:
                # The pipe was emptied; if this was the end, the next event will say so.
                return False
            self._grow()
        return False

    def read_rest(self) -> bool:
        """Pass on what is in the pipe now and no more; return whether the end was reached."""
        assert self.fd is not None
        # One byte more than it can hold, so that its end is seen behind a full pipe, too.
        left = fcntl.fcntl(self.fd, fcntl.F_GETPIPE_SZ) + 1
        while left > 0:
            try:
                chunk = os.read(self.fd, min(left, self._chunk))
            except BlockingIOError:
                return False
            if not chunk:
                return True
            left -= len(chunk)
            if self._take(chunk):
                return False
        return False

    def _grow(self) -> None:
        # The child fills the pipe faster than we empty it: fewer, larger reads. Beyond the user's
        # soft limit the kernel refuses (EPERM, pipe(7)), and all goes on as it was.
        if self._chunk < _LARGE_CHUNK:
            self._chunk = _LARGE_CHUNK
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.fd or -1, fcntl.F_SETPIPE_SZ, _LARGE_CHUNK)

    def close(self) -> None:
        """Close the descriptor."""
        if self.fd is not None:
            fd, self.fd = self.fd, None
            os.close(fd)


class PipeFeeder:
    """The write end of the child's stdin, fed until all is written or nobody reads it.

    Attributes:
        fd: The descriptor; None once it is closed.
    """

    __slots__ = ("_rest", "fd")

    def __init__(self, fd: int, data: bytes) -> None:
        self.fd: int | None = fd
        self._rest = memoryview(data)

    def write_some(self) -> bool:
        """Write what fits; return whether it is over."""
        assert self.fd is not None
        try:
            written = os.write(self.fd, self._rest[:_LARGE_CHUNK])
        except BlockingIOError:
            return False
        except BrokenPipeError:
            # The child does not want it all. That is its right; its status says how it ended.
            return True
        self._rest = self._rest[written:]
        return not self._rest

    def close(self) -> None:
        """Close the descriptor: the child sees the end."""
        if self.fd is not None:
            fd, self.fd = self.fd, None
            self._rest = memoryview(b"")
            os.close(fd)
