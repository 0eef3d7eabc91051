"""Descriptors that are close-on-exec from birth and never take the place of stdio."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING, Final

from trio_coreshift._errors import syscall

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_FREE: Final = 3


def above_stdio(fd: int, op: str) -> int:
    """Move ``fd`` to 3 or above, closing the original; needed where 0, 1 or 2 was closed."""
    if fd >= FIRST_FREE:
        return fd
    try:
        return syscall(op, fcntl.fcntl, fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
    finally:
        os.close(fd)


def make_pipe() -> tuple[int, int]:
    """Make a pipe (read end, write end), both close-on-exec, blocking, and 3 or above.

    Raises:
        CoreError: ``op`` "pipe2".
    """
    read_fd, write_fd = syscall("pipe2", os.pipe2, os.O_CLOEXEC)
    try:
        read_fd = above_stdio(read_fd, "pipe2")
    except OSError:
        os.close(write_fd)
        raise
    try:
        write_fd = above_stdio(write_fd, "pipe2")
    except OSError:
        os.close(read_fd)
        raise
    return read_fd, write_fd


def duplicate(fd: int, op: str) -> int:
    """Duplicate ``fd`` to a close-on-exec descriptor that is 3 or above."""
    return syscall(op, fcntl.fcntl, fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)


def check_open(fd: int, op: str) -> None:
    """Raise a `CoreError` (EBADF) unless ``fd`` is an open descriptor."""
    syscall(f"{op} fcntl(F_GETFD)", fcntl.fcntl, fd, fcntl.F_GETFD)


def close_all(fds: Iterable[int]) -> None:
    """Close every one, whatever happens with the others."""
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def gaps(keep: Iterable[int]) -> tuple[list[tuple[int, int]], int]:
    """The ranges from 3 on that hold none of ``keep``, and where the open-ended one begins."""
    ranges: list[tuple[int, int]] = []
    start = FIRST_FREE
    for fd in sorted(set(keep)):
        if fd > start:
            ranges.append((start, fd))
        start = max(start, fd + 1)
    return ranges, start
