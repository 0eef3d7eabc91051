"""The errors: what they can be caught as, what they tell and what they keep."""

import copy
import errno
import os
import pickle
import subprocess

import attrs
import pytest

from trio_coreshift import (
    CoreError,
    Exited,
    ExitStatusError,
    Output,
    OutputLimitError,
    ProcessAbandonedError,
    Signaled,
    Unknown,
)
from trio_coreshift._errors import core_error, invalid, syscall
from trio_coreshift._status import ExitStatus

BUILTINS = [
    (errno.EINVAL, ValueError),
    (errno.ENOENT, FileNotFoundError),
    (errno.EACCES, PermissionError),
    (errno.EPERM, PermissionError),
    (errno.ENOTDIR, NotADirectoryError),
    (errno.EISDIR, IsADirectoryError),
    (errno.ECHILD, ChildProcessError),
    (errno.ESRCH, ProcessLookupError),
    (errno.EAGAIN, BlockingIOError),
]


def output_of(status: ExitStatus | None = None, stderr: bytes = b"") -> Output:
    """Return an output as a run leaves it."""
    return Output(pid=4711, program="prog", status=status, stdout=b"out", stderr=stderr)


@pytest.mark.parametrize(("code", "builtin"), BUILTINS)
def test_core_error_is_the_builtin_of_its_errno(code: int, builtin: type[Exception]) -> None:
    """A CoreError can be caught as the built-in class that its errno belongs to."""
    error = CoreError(code, "some op")
    assert isinstance(error, builtin)
    assert isinstance(error, CoreError)
    assert isinstance(error, OSError)
    assert (error.errno, error.op, error.strerror) == (code, "some op", os.strerror(code))
    assert error.filename is None
    assert type(error).__name__ == "CoreError"


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOEXEC, errno.ENOSYS, errno.E2BIG])
def test_core_error_of_any_other_errno_is_just_that(code: int) -> None:
    """An errno without a built-in class gives a plain CoreError, and no ValueError."""
    error = CoreError(code, "some op")
    assert type(error) is CoreError
    assert not isinstance(error, ValueError)


@pytest.mark.parametrize("code", [code for code, _ in BUILTINS] + [errno.EMFILE])
@pytest.mark.parametrize("filename", [None, "/some/path"])
def test_core_error_survives_pickle_and_copy(code: int, filename: str | None) -> None:
    """A CoreError comes through pickle and copy as what it was, class and all."""
    error = CoreError(code, "some op", filename)
    twins: list[CoreError] = [copy.copy(error), copy.deepcopy(error)]
    twins += [
        pickle.loads(pickle.dumps(error, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for twin in twins:
        assert type(twin) is type(error)
        assert (twin.errno, twin.op, twin.filename) == (code, "some op", filename)
        assert str(twin) == str(error)


def test_core_error_names_operation_text_and_path() -> None:
    """The text has the operation, the system's words, the number and the path."""
    assert str(CoreError(errno.ENOENT, "fork child execve", "/no/such")) == (
        f"fork child execve: {os.strerror(errno.ENOENT)} (errno {errno.ENOENT}): '/no/such'"
    )
    assert str(CoreError(errno.EMFILE, "pipe2")) == (
        f"pipe2: {os.strerror(errno.EMFILE)} (errno {errno.EMFILE})"
    )


def test_core_error_takes_a_path_as_bytes() -> None:
    """A path that is no UTF-8 is kept so that it can be opened, and does not spoil the text."""
    error = CoreError(errno.ENOENT, "op", b"/\xff")
    assert error.filename == os.fsdecode(b"/\xff")
    assert "udcff" in str(error)
    assert str(error).isprintable()


def test_translation_keeps_errno_and_cause() -> None:
    """An OSError of the standard library is translated, and stays visible as the cause."""
    with pytest.raises(CoreError) as caught:
        syscall("open it", os.open, "/nonexistent/x", os.O_RDONLY)
    assert (caught.value.errno, caught.value.op) == (errno.ENOENT, "open it")
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert syscall("open it", os.getpid) == os.getpid()


def test_translation_of_an_error_without_errno() -> None:
    """An OSError that says nothing becomes EIO, never an error without a number."""
    assert core_error(OSError("?"), "op").errno == errno.EIO


def test_other_errors_are_not_translated() -> None:
    """What is no OSError passes through as it is."""
    with pytest.raises(TypeError):
        syscall("op", os.getpid, 1)  # type: ignore[call-arg]  # wrong on purpose


def test_invalid_is_einval_and_value_error() -> None:
    """The error for options that cannot be honoured is both."""
    error = invalid("posix_spawn cwd unsupported")
    assert isinstance(error, ValueError)
    assert (error.errno, error.op) == (errno.EINVAL, "posix_spawn cwd unsupported")


def test_output_limit_error_keeps_what_was_captured() -> None:
    """An OutputLimitError is a CoreError with EOVERFLOW, and has the output."""
    output = output_of(Exited(0))
    error = OutputLimitError("spawn output limit", output, b"head")
    assert isinstance(error, CoreError)
    assert (error.errno, error.op) == (errno.EOVERFLOW, "spawn output limit")
    for twin in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is OutputLimitError
        assert (twin.output, twin.head, twin.op) == (output, b"head", "spawn output limit")
    assert OutputLimitError("read line limit").output is None


def test_process_abandoned_error_names_the_child() -> None:
    """A ProcessAbandonedError is a CoreError with ETIMEDOUT, and has pid and output."""
    output = output_of(Exited(0))
    error = ProcessAbandonedError(output)
    assert isinstance(error, CoreError)
    assert error.errno == errno.ETIMEDOUT
    assert not isinstance(error, ValueError)
    for twin in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is ProcessAbandonedError
        assert (twin.pid, twin.output, twin.op) == (4711, output, "wait after SIGKILL")
        assert str(twin) == ("wait after SIGKILL: process 4711 has ended, but not all of its group")
    still_there = ProcessAbandonedError(attrs.evolve(output, status=None))
    assert str(still_there) == "wait after SIGKILL: process 4711 has not ended"


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (Exited(3), "'prog' exited with code 3"),
        (Signaled(15), "'prog' was ended by SIGTERM"),
        (Signaled(41), "'prog' was ended by signal 41"),
        (Unknown(), "'prog' ended, but its status was taken by someone else"),
        (None, "'prog' has not ended"),
    ],
)
def test_exit_status_error_says_how_it_ended(status: ExitStatus | None, text: str) -> None:
    """The text names the program and its status, in words."""
    assert str(ExitStatusError(output_of(status))) == text


def test_exit_status_error_shows_the_end_of_stderr() -> None:
    """A long stderr is cut at its beginning, and bytes that are no UTF-8 do no harm."""
    short = str(ExitStatusError(output_of(Exited(1), b"what went wrong\n")))
    assert short == "'prog' exited with code 1; the end of its stderr:\nwhat went wrong"
    long = str(ExitStatusError(output_of(Exited(1), b"first" + b"x" * 5000 + b"\xfflast\n")))
    assert long.endswith("last")
    assert "first" not in long
    assert len(long) < 2200


def test_exit_status_error_is_a_called_process_error() -> None:
    """It has the fields of subprocess's error, and comes through pickle and copy."""
    output = output_of(Signaled(9), b"err")
    error = ExitStatusError(output)
    assert isinstance(error, subprocess.CalledProcessError)
    for twin in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is ExitStatusError
        assert (twin.cmd, twin.returncode, twin.stdout, twin.stderr) == ("prog", -9, b"out", b"err")
        assert twin.output == b"out"
        assert twin.result == output
        assert str(twin) == str(error)


def test_exit_status_error_after_a_timeout_says_so() -> None:
    """That a timeout was the reason is in the text."""
    output = Output(pid=1, program="prog", status=Signaled(9), timed_out=True)
    assert str(ExitStatusError(output)) == "'prog' was ended by SIGKILL after its timeout"
