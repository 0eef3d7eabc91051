"""Starts programs with `os.fork` and Python code in the child.

The child reports why it could not become the program over a close-on-exec pipe: four bytes of
errno and one that names the stage. When the program runs, the kernel closes the pipe.

Between fork and exec the child is a copy of a Python process in which one thread is left. All it
may do is what `_become_program` does, in that order; every way out of it is `os._exit`.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import gc
import os
import signal
import struct
from typing import TYPE_CHECKING, Final, NoReturn

import attrs

from trio_coreshift._errors import CoreError, core_error
from trio_coreshift._kernel.fds import gaps, make_pipe

from .plan import DEVNULL, RESTORED_SIGNALS, Launched

if TYPE_CHECKING:
    from .plan import LaunchPlan

_REPORT: Final = struct.Struct("=iB")
_EXIT_SETUP_FAILED: Final = 127


class Stage(enum.IntEnum):
    """What the child was doing when it failed. Its ``op`` is API."""

    STDIN = 1
    STDOUT = 2
    STDERR = 3
    SETSID = 4
    CHDIR = 5
    SETPGID = 6
    SIGNALS = 7
    EXECVE = 8
    DESCRIPTORS = 9

    @property
    def op(self) -> str:
        """The ``op`` of the error the parent raises."""
        return _OPS[self]


_OPS: Final = {
    Stage.STDIN: "fork child dup2 stdin",
    Stage.STDOUT: "fork child dup2 stdout",
    Stage.STDERR: "fork child dup2 stderr",
    Stage.SETSID: "fork child setsid",
    Stage.CHDIR: "fork child chdir",
    Stage.SETPGID: "fork child setpgid",
    Stage.SIGNALS: "fork child signal setup",
    Stage.EXECVE: "fork child execve",
    Stage.DESCRIPTORS: "fork child pass_fds",
}


def start(plan: LaunchPlan) -> Launched:
    """Start the child.

    Raises:
        CoreError: ``op`` "pipe2" or "fork". What fails in the child comes by the ``error_pipe``.
    """
    error_r, error_w = make_pipe()
    try:
        os.set_blocking(error_r, False)
        pid = _fork(plan, error_w)
    except BaseException:
        os.close(error_r)
        raise
    finally:
        os.close(error_w)
    return Launched(pid, ChildErrorPipe(error_r, plan))


def _fork(plan: LaunchPlan, error_w: int) -> int:
    # A signal that arrives between fork and exec must not run a handler of the parent in the
    # child, nor write to the wakeup descriptor it shares with the parent's loop (CPython
    # gh-94454). So: 1. block everything, 2. fork, 3. the child resets the handlers, 4. it
    # unblocks, and what is pending then has its default effect. The collector is off for the
    # same reason: it could close a generator of the parent's, and run its `finally`, in the child.
    collecting = gc.isenabled()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    parent = os.getpid()
    pid = -1
    try:
        gc.disable()
        signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
        try:
            pid = os.fork()
        except OSError as exc:
            raise core_error(exc, "fork") from exc
    finally:
        if pid < 0 and os.getpid() != parent:  # pragma: no cover - a trace function that raised
            os._exit(_EXIT_SETUP_FAILED)
        if pid == 0:
            _become_program(plan, error_w)
        if collecting:
            gc.enable()
        _unblock(mask, pid)
    return pid


def _unblock(mask: set[int], pid: int) -> None:
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    except BaseException:
        # The handlers of what came meanwhile run here. One has raised: nobody will own the child.
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        raise


def _become_program(  # pragma: no cover - it runs in the child, where nothing may be traced
    plan: LaunchPlan, error_w: int
) -> NoReturn:
    stage = Stage.STDIN
    code = errno.EIO
    try:
        # The steps and their order are those of the reference; what must come where:
        # dup2 before the closing, which takes the originals away; signals last, because a signal
        # that was pending may end the child there, and all else must be done by then.
        for target, source in enumerate(plan.stdio):
            stage = Stage(Stage.STDIN + target)
            _put(source, target)
        stage = Stage.DESCRIPTORS
        for fd in plan.pass_fds:
            os.set_inheritable(fd, True)  # noqa: FBT003 - takes no keywords
        if plan.keep is not None:
            _close_all_but({*plan.keep, *plan.pass_fds, error_w})
        stage = Stage.SETSID
        if plan.setsid:
            os.setsid()
        stage = Stage.CHDIR
        if plan.image.cwd is not None:
            os.chdir(plan.image.cwd)
        stage = Stage.SETPGID
        if plan.pgid is not None:
            os.setpgid(0, plan.pgid)
        stage = Stage.SIGNALS
        _reset_signals()
        stage = Stage.EXECVE
        if plan.image.env is None:
            os.execv(plan.path, plan.image.argv)
        else:
            os.execve(plan.path, plan.image.argv, plan.image.env.variables)
    except OSError as exc:
        code = exc.errno or errno.EIO
    finally:
        with contextlib.suppress(BaseException):
            os.write(error_w, _REPORT.pack(code, stage))
        os._exit(_EXIT_SETUP_FAILED)


def _put(source: int | None, target: int) -> None:  # pragma: no cover - runs in the child
    if source is None:
        return
    if source == DEVNULL:
        # Closed first, as posix_spawn(3) does: it may be the last free number.
        with contextlib.suppress(OSError):
            os.close(target)
        source = os.open(os.devnull, os.O_RDWR)
    if source == target:
        # dup2 to itself does nothing, and would leave a close-on-exec flag set.
        os.set_inheritable(target, True)  # noqa: FBT003 - takes no keywords
    else:
        os.dup2(source, target)


def _close_all_but(keep: set[int]) -> None:  # pragma: no cover - runs in the child
    ranges, rest = gaps(keep)
    for low, high in ranges:
        os.closerange(low, high)
    # The list is taken here and not in the parent, where another thread could open a descriptor
    # after it was taken. It is short for the numbers below `rest` that are closed by now.
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        os.closerange(rest, os.sysconf("SC_OPEN_MAX"))
        return
    for name in names:
        fd = int(name)
        if fd >= rest:
            with contextlib.suppress(OSError):
                os.close(fd)


def _reset_signals() -> None:  # pragma: no cover - runs in the child
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        if handler is signal.SIG_DFL:
            continue
        if handler is signal.SIG_IGN and number not in RESTORED_SIGNALS:
            continue
        # What is left is a handler of Python's, or one not installed from Python (None).
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@attrs.frozen
class ChildErrorPipe:
    """What the parent reads of a child's setup.

    Attributes:
        fd: The read end, non-blocking.
    """

    fd: int
    _plan: LaunchPlan

    def read(self) -> CoreError | None:
        """Read what the child said; None: it has become the program.

        Raises:
            BlockingIOError: It has not said anything yet.
            CoreError: ``op`` "read fork child setup error".
        """
        # A write of five bytes is atomic (PIPE_BUF), so they come together or not at all.
        try:
            report = os.read(self.fd, _REPORT.size)
        except BlockingIOError:
            raise
        except OSError as exc:
            raise CoreError(exc.errno or errno.EIO, "read fork child setup error") from exc
        if len(report) < _REPORT.size:
            return None
        code, number = _REPORT.unpack(report)
        stage = Stage(number)
        match stage:
            case Stage.CHDIR:
                return CoreError(code, stage.op, self._plan.image.cwd)
            case Stage.EXECVE:
                return CoreError(code, stage.op, self._plan.path)
            case _:
                return CoreError(code, stage.op)
