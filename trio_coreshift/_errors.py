"""Every error of the library, and the one place that makes a `CoreError`.

It imports nothing of ours but the exit statuses, and never touches the kernel.
"""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Self, TypeVar

from ._status import describe_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._output import Output

_P = ParamSpec("_P")
_T = TypeVar("_T")

# How much of the end of stderr an `ExitStatusError` shows, in bytes.
_STDERR_TAIL: Final = 2000


class CoreError(OSError):
    """An operation of the kernel, or of ours, failed.

    Calling ``CoreError(code, op)`` gives an instance that is also the built-in class of that
    errno (`FileNotFoundError` for ENOENT, `PermissionError` for EACCES, ...) and, for EINVAL, a
    `ValueError`, so that it can be caught as either.

    Attributes:
        errno: The error number.
        strerror: The system's text for it.
        op: The operation that failed, one of the texts in the documentation's table.
        filename: The path the operation was about, or None.
    """

    op: str

    if TYPE_CHECKING:

        def __init__(self, code: int, op: str, filename: str | bytes | None = None) -> None: ...

    def __new__(cls, code: int, op: str, filename: str | bytes | None = None) -> Self:
        """Make the subclass that fits ``code``."""
        # OSError fills itself from what its __new__ is given as long as no class of ours defines
        # __init__ as well (Objects/exceptions.c, oserror_use_init); so there is no __init__ here.
        kind: Any = _BY_ERRNO.get(code, cls) if cls is CoreError else cls
        path = None if filename is None else os.fsdecode(filename)
        self: Self = super().__new__(kind, code, os.strerror(code), path)
        self.op = op
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by what the constructor takes."""
        return (CoreError, (self.errno, self.op, self.filename))

    def __str__(self) -> str:
        """Name the operation, the system's text and the path."""
        where = "" if self.filename is None else f": {self.filename!r}"
        return f"{self.op}: {self.strerror} (errno {self.errno}){where}"


def _also(builtin: type[Exception]) -> type[CoreError]:
    # Named like its base: people see and catch CoreError, or the built-in class.
    return type("CoreError", (CoreError, builtin), {"__module__": CoreError.__module__})


_PERMISSION: Final = _also(PermissionError)
_BY_ERRNO: Final[dict[int, type[CoreError]]] = {
    errno.EINVAL: _also(ValueError),
    errno.ENOENT: _also(FileNotFoundError),
    errno.EACCES: _PERMISSION,
    errno.EPERM: _PERMISSION,
    errno.ENOTDIR: _also(NotADirectoryError),
    errno.EISDIR: _also(IsADirectoryError),
    errno.ECHILD: _also(ChildProcessError),
    errno.ESRCH: _also(ProcessLookupError),
    errno.EAGAIN: _also(BlockingIOError),
}


def core_error(exc: OSError, op: str, filename: str | bytes | None = None) -> CoreError:
    """Translate an `OSError` of the standard library into ours."""
    return CoreError(exc.errno or errno.EIO, op, filename)


def syscall(op: str, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call into the kernel; an `OSError` comes out as a `CoreError` of that ``op``."""
    try:
        return call(*args, **kwargs)
    except OSError as exc:
        raise core_error(exc, op) from exc


def invalid(op: str, filename: str | bytes | None = None) -> CoreError:
    """The error for options that cannot be honoured."""
    return CoreError(errno.EINVAL, op, filename)


class OutputLimitError(CoreError):
    """A child wrote more than the caller allows.

    Attributes:
        output: What `spawn` would have returned, with the first ``max_output`` bytes; None when it
            is a line that was too long.
        head: The beginning of a line that was too long, else empty.
    """

    output: Output | None
    head: bytes

    if TYPE_CHECKING:

        def __init__(self, op: str, output: Output | None = None, head: bytes = b"") -> None: ...

    def __new__(cls, op: str, output: Output | None = None, head: bytes = b"") -> Self:
        """Make the error; its errno is EOVERFLOW."""
        self = super().__new__(cls, errno.EOVERFLOW, op)
        self.output = output
        self.head = head
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by what the constructor takes."""
        return (OutputLimitError, (self.op, self.output, self.head))


class ProcessAbandonedError(CoreError):
    """A child, or its group, did not end within ``abandon_after`` seconds of its SIGKILL.

    It is still reaped in the background when it ends.

    Attributes:
        pid: The child's process id.
        output: What is known of the run; its ``status`` is None if it is the child that is left.
    """

    pid: int
    output: Output

    if TYPE_CHECKING:

        def __init__(self, output: Output) -> None: ...

    def __new__(cls, output: Output) -> Self:
        """Make the error; its errno is ETIMEDOUT."""
        self = super().__new__(cls, errno.ETIMEDOUT, "wait after SIGKILL")
        self.pid = output.pid
        self.output = output
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by what the constructor takes."""
        return (ProcessAbandonedError, (self.output,))

    def __str__(self) -> str:
        """Name the child that was given up."""
        how = "has not ended"
        if self.output.status is not None:
            how = "has ended, but not all of its group"
        return f"{self.op}: process {self.pid} {how}"


class ExitStatusError(subprocess.CalledProcessError):
    """A program did not end as it should have.

    The text names the program, how it ended and the end of its stderr. The other arguments and
    the environment, where secrets live, are never part of it.

    Attributes:
        result: The whole `Output`.
        cmd: The program, without its arguments.
        returncode: As `subprocess` has it; None when the status is not known.
    """

    result: Output

    def __init__(self, result: Output) -> None:
        super().__init__(
            result.returncode,  # type: ignore[arg-type]  # None: the status is not known
            result.program,
            result.stdout,
            result.stderr,
        )
        self.result = result

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by what the constructor takes."""
        return (ExitStatusError, (self.result,))

    def __str__(self) -> str:
        """Name the program, its status and the end of stderr."""
        result = self.result
        how = describe_status(result.status)
        text = f"{result.program!r} {how}"
        if result.timed_out:
            text += " after its timeout"
        if result.stderr:
            tail = result.stderr[-_STDERR_TAIL:].decode(errors="replace").rstrip()
            dots = "..." if len(result.stderr) > _STDERR_TAIL else ""
            text += f"; the end of its stderr:\n{dots}{tail}"
        return text
