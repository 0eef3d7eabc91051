"""`Process`: a process by its id."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
from typing import TYPE_CHECKING, final

import trio

from ._errors import CoreError, invalid, syscall
from ._kernel.child import Child, Delivery
from ._kernel.poller import NO_ROOM
from ._policy import INT_MAX
from ._status import describe_status

if TYPE_CHECKING:
    from ._status import ExitStatus


@final
class Process:
    """A process by its id: wait for it, signal it.

    Where the kernel has pidfds (Linux 5.3), one is held from the construction on, so that a
    signal reaches this process or nobody, even when the number has been given to another.

    Args:
        pid: Its process id.

    Raises:
        CoreError: ``op`` "process pid invalid", EINVAL: not a positive number, or too large.
    """

    __slots__ = ("__weakref__", "_child", "_exited")

    def __init__(self, pid: int) -> None:
        given: object = pid
        if isinstance(given, bool) or not isinstance(given, int):
            msg = f"pid must be an int, not {type(given).__name__}"
            raise TypeError(msg)
        if not 0 < pid <= INT_MAX:
            # To kill(2) 0 and negative numbers are groups.
            raise invalid("process pid invalid")
        self._exited: trio.Event | None = None
        self._child = Child(pid, owned=False)

    def __del__(self) -> None:
        """Close the pidfd, unless it belongs to a supervisor."""
        if getattr(self, "_exited", True) is None:
            with contextlib.suppress(OSError, AttributeError, TypeError):
                self._child.close()

    def __repr__(self) -> str:
        """Show the pid, and how it ended."""
        return f"<Process {self.pid}: {describe_status(self._child.status)}>"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def wait_step(self) -> ExitStatus | None:
        """Take the exit status without waiting; None: it has not ended. May be called again.

        Raises:
            CoreError: ``op`` "waitpid_step", ECHILD: not a child of this process.
        """
        return self._child.poll()

    def wait_blocking(self) -> ExitStatus:
        """Wait for its end, blocking this thread, and with it the loop if it runs here.

        Raises:
            CoreError: ``op`` "waitpid_blocking", ECHILD: not a child of this process.
        """
        return self._child.wait_blocking()

    async def wait(self) -> ExitStatus:
        """Wait for its end; any number of tasks may.

        Raises:
            CoreError: ``op`` "waitpid", ECHILD: not a child of this process.

        Cancellation:
            Does nothing to the process.
        """
        await trio.lowlevel.checkpoint()
        while (status := self._child.poll("waitpid")) is None:
            if self._exited is not None:
                await self._exited.wait()
            else:
                await self._wait_for_exit()
        return status

    async def _wait_for_exit(self) -> None:
        pidfd = self._child.pidfd
        if pidfd is not None:
            # A duplicate, since only one task can wait for a descriptor.
            fd = syscall("waitpid dup", os.dup, pidfd)
            try:
                await trio.lowlevel.wait_readable(fd)
            except OSError as exc:
                if exc.errno not in NO_ROOM:
                    raise
            finally:
                os.close(fd)
            if self._child.poll("waitpid") is not None:
                return
        # No pidfd, or one that cannot be watched or woke us for a tracer's sake (tokio issue 7144).
        wait = functools.partial(os.waitid, os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ChildProcessError):
            await trio.to_thread.run_sync(wait, abandon_on_cancel=True)

    def kill(self, sig: int) -> None:
        """Send ``sig`` to the process. That it is gone is no error.

        Raises:
            CoreError: ``op`` "kill": EPERM, or EINVAL for a number that is no signal.
        """
        self._check(syscall("kill", self._child.signal, sig), "kill")

    def kill_pgroup(self, sig: int) -> None:
        """Send ``sig`` to the group whose id is this pid. That it is gone is no error.

        Raises:
            CoreError: ``op`` "kill_pgroup": EPERM, or EINVAL for a number that is no signal.
        """
        delivery = syscall("kill_pgroup", self._signal_group, sig)
        self._check(delivery, "kill_pgroup")

    def _signal_group(self, sig: int) -> Delivery:
        if self.pid == os.getpgrp():  # it would hit this process, too
            return Delivery.REFUSED
        delivery = self._child.signal_led_group(sig)
        return self._child.signal_group(self.pid, sig) if delivery is None else delivery

    @staticmethod
    def _check(delivery: Delivery, op: str) -> None:
        if delivery is Delivery.REFUSED:
            raise CoreError(errno.EPERM, op)


def owned_process(child: Child, exited: trio.Event) -> Process:
    """The handle on a child that a supervisor reaps; it sets ``exited`` then."""
    process = Process.__new__(Process)
    process._child = child  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - a constructor
    process._exited = exited  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return process
