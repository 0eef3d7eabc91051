"""`RunningProcess`: the caller's handle on a child that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, final, overload

import trio

from ._errors import invalid
from ._lines import LineIterator, LineSource
from ._policy import CancelPolicy
from ._splitlines import check_encoding
from ._status import describe_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ._output import Output
    from ._process import Process

_MIB: Final = 1024 * 1024


class Owner(Protocol):
    """What a handle needs of the supervisor."""

    @property
    def output(self) -> Output | None:
        """How it went; None until it is over."""
        ...  # pragma: no cover - a protocol has no body to run

    @property
    def io_done(self) -> bool:
        """Whether every pipe of ours is closed."""
        ...  # pragma: no cover - a protocol has no body to run

    async def wait(self) -> Output:
        """Wait for the end of everything."""
        ...  # pragma: no cover - a protocol has no body to run

    def stop(self, policy: CancelPolicy | None) -> None:
        """Apply a policy."""
        ...  # pragma: no cover - a protocol has no body to run


@final
class RunningProcess:
    """A child that runs, or has run.

    Made by `spawn_start` and by ``nursery.start(spawn, options)``.

    Attributes:
        process: The process itself, to be signalled.
        stdin: The child's stdin, where the options say ``PIPE``; else None.
        stdout: The child's stdout, where the options say ``PIPE``; else None.
        stderr: The child's stderr, where the options say ``PIPE``; else None.
    """

    __slots__ = (
        "__weakref__",
        "_owner",
        "_program",
        "_sources",
        "process",
        "stderr",
        "stdin",
        "stdout",
    )

    def __init__(  # noqa: PLR0913 - three of them are the streams
        self,
        owner: Owner,
        process: Process,
        program: str,
        *,
        stdin: trio.lowlevel.FdStream | None,
        stdout: trio.lowlevel.FdStream | None,
        stderr: trio.lowlevel.FdStream | None,
    ) -> None:
        self.process: Final[Process] = process
        self.stdin: Final[trio.lowlevel.FdStream | None] = stdin
        self.stdout: Final[trio.lowlevel.FdStream | None] = stdout
        self.stderr: Final[trio.lowlevel.FdStream | None] = stderr
        self._owner = owner
        self._program = program
        self._sources: dict[str, LineSource] = {}

    def __repr__(self) -> str:
        """Show the program, without its arguments, the pid and how it ended."""
        output = self._owner.output
        how = "is running" if output is None else describe_status(output.status)
        return f"<RunningProcess {self._program!r}, pid {self.pid}: {how}>"

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self.process.pid

    @property
    def output(self) -> Output | None:
        """How it went; None until it is over. Also set when the caller was cancelled."""
        return self._owner.output

    @property
    def io_done(self) -> bool:
        """Whether everything captured was read, and everything to be fed was written."""
        return self._owner.io_done

    async def wait(self) -> Output:
        """Wait until nothing of the child is left; any number of tasks may.

        Raises:
            ProcessAbandonedError: It did not end within ``abandon_after`` of its SIGKILL.

        Cancellation:
            Ends the waiting and does nothing to the child.
        """
        return await self._owner.wait()

    @trio.lowlevel.enable_ki_protection
    async def stop(self, policy: CancelPolicy | None = None) -> Output:
        """Apply a policy (that of the options by default), without cancelling anything, and wait.

        Raises:
            CoreError: ``op`` "stop needs wait", EINVAL: after ``wait=False`` nobody owns the child.
            ProcessAbandonedError: It did not end within ``abandon_after`` of its SIGKILL.

        Cancellation:
            Ends the waiting; the child is still brought to its end.
        """
        given: object = policy
        if given is not None and not isinstance(given, CancelPolicy):
            # To the supervisor it would be no policy at all, and this a wait for the natural end.
            msg = f"policy must be a CancelPolicy or None, not {type(given).__name__}"
            raise TypeError(msg)
        self._owner.stop(policy)
        return await self._owner.wait()

    @overload
    def lines(
        self, encoding: str = "utf-8", errors: str = "replace", max_line: int = _MIB
    ) -> AsyncIterator[str]: ...
    @overload
    def lines(
        self, encoding: None, errors: str = "replace", max_line: int = _MIB
    ) -> AsyncIterator[bytes]: ...
    def lines(
        self, encoding: str | None = "utf-8", errors: str = "replace", max_line: int = _MIB
    ) -> AsyncIterator[str] | AsyncIterator[bytes]:
        r"""Iterate over the lines of stdout.

        A line comes without its end, which is LF or CR LF; a CR elsewhere is text. A last line
        without an end is a line. A later call goes on where the loop before was left.

        Args:
            encoding: How to decode; None for bytes.
            errors: What to do with bytes that cannot be decoded, as for `bytes.decode`.
            max_line: The longest line, in bytes.

        Raises:
            OutputLimitError: ``op`` "read line limit", from the loop: a line is longer.
            CoreError: ``op`` "lines need stdout PIPE", EINVAL: there is no such stream.
            ValueError: Lines in this encoding do not end with a byte 10.

        Cancellation:
            Loses nothing of the stream and does nothing to the child.
        """
        return self._lines("stdout", self.stdout, encoding, errors, max_line)

    @overload
    def stderr_lines(
        self, encoding: str = "utf-8", errors: str = "replace", max_line: int = _MIB
    ) -> AsyncIterator[str]: ...
    @overload
    def stderr_lines(
        self, encoding: None, errors: str = "replace", max_line: int = _MIB
    ) -> AsyncIterator[bytes]: ...
    def stderr_lines(
        self, encoding: str | None = "utf-8", errors: str = "replace", max_line: int = _MIB
    ) -> AsyncIterator[str] | AsyncIterator[bytes]:
        """Iterate over the lines of stderr; see `lines`."""
        return self._lines("stderr", self.stderr, encoding, errors, max_line)

    def _lines(
        self,
        name: str,
        stream: trio.lowlevel.FdStream | None,
        encoding: str | None,
        errors: str,
        max_line: int,
    ) -> AsyncIterator[str] | AsyncIterator[bytes]:
        if stream is None:
            raise invalid(f"lines need {name} PIPE")
        source = self._sources.get(name)
        if source is None:
            source = self._sources[name] = LineSource(stream)
        if encoding is None:
            return LineIterator(source, bytes, max_line)
        check_encoding(encoding, errors)
        return LineIterator(source, lambda line: line.decode(encoding, errors), max_line)
