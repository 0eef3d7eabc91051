"""Opens what a child's standard streams are connected to, and keeps account of both sides."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from ._errors import syscall
from ._kernel.fds import FIRST_FREE, check_open, close_all, duplicate, make_pipe
from ._policy import descriptor

if TYPE_CHECKING:
    from ._option_values import HasFileno
    from ._options import SpawnOptions

_NAMES = ("stdin", "stdout", "stderr")


class Stdio:
    """The descriptors of one launch.

    Attributes:
        has_pipes: Whether there are any pipes.
        sources: What the plan puts at 0, 1 and 2.
        stdin: Our end of the child's stdin (non-blocking), or None.
        stdout: Our end of its stdout (non-blocking), or None.
        stderr: Our end of its stderr (non-blocking), or None.
    """

    __slots__ = ("_child_ends", "has_pipes", "sources", "stderr", "stdin", "stdout")

    def __init__(self, options: SpawnOptions) -> None:
        self.sources: tuple[int | None, int | None, int | None] = (None, None, None)
        self.has_pipes = False
        self.stdin: int | None = None
        self.stdout: int | None = None
        self.stderr: int | None = None
        self._child_ends: list[int] = []
        try:
            self._open(options)
        except BaseException:
            self.close()
            raise

    def _open(self, options: SpawnOptions) -> None:
        stdin = options.stdin
        if isinstance(stdin, bytes):
            stdin = subprocess.PIPE if stdin else subprocess.DEVNULL
        stdout = options.stdout
        if options.capture_stdout or options.stdout_sink is not None:
            stdout = subprocess.PIPE
        stderr = options.stderr
        if options.capture_stderr or options.stderr_sink is not None:
            stderr = subprocess.PIPE
        self.sources = (
            None if stdin is None else self._source(0, stdin),
            None if stdout is None else self._source(1, stdout),
            None if stderr is None else self._source(2, stderr),
        )

    def _source(self, target: int, redirect: int | HasFileno) -> int:
        match redirect:
            case subprocess.DEVNULL:
                return redirect
            case subprocess.PIPE:
                return self._pipe(target)
            case subprocess.STDOUT:
                return 1
            case int():
                return self._given(target, redirect)
            case _:
                op = f"spawn {_NAMES[target]}"
                return self._given(target, descriptor(redirect.fileno(), op))

    def _pipe(self, target: int) -> int:
        self.has_pipes = True
        read_fd, write_fd = make_pipe()
        ours, theirs = (write_fd, read_fd) if target == 0 else (read_fd, write_fd)
        setattr(self, _NAMES[target], ours)
        self._child_ends.append(theirs)
        # Each end of a pipe is an open file description of its own, so the child's stays blocking.
        os.set_blocking(ours, False)
        return theirs

    def _given(self, target: int, fd: int) -> int:
        op = f"spawn {_NAMES[target]}"
        check_open(fd, op)
        if fd >= FIRST_FREE or fd == target:
            return fd
        # One of 0 to 2 at another place: by the time it is its turn, it may have been replaced.
        # 1. stdout=2 puts the old stderr at 1; 2. stderr=1 then means the old stdout, not that.
        copy = duplicate(fd, f"{op} fcntl(F_DUPFD_CLOEXEC)")
        self._child_ends.append(copy)
        return copy

    def feed_now(self, data: bytes) -> bytes:
        """Write what fits into the stdin pipe; close it if that was all. Return the rest."""
        assert self.stdin is not None
        written = syscall("write stdin", os.write, self.stdin, data)
        if written == len(data):
            os.close(self.stdin)
            self.stdin = None
        return data[written:]

    def release_child_ends(self) -> None:
        """After the launch: close what only the child needs."""
        if self._child_ends:
            fds, self._child_ends = self._child_ends, []
            close_all(fds)

    def close(self) -> None:
        """Close everything that is still open here."""
        self.release_child_ends()
        if self.has_pipes:
            close_all(fd for fd in (self.stdin, self.stdout, self.stderr) if fd is not None)
            self.stdin = self.stdout = self.stderr = None
