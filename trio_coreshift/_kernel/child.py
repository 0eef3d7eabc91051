"""One process: its pidfd, its exit status, and signals that reach it and nothing else."""

from __future__ import annotations

import contextlib
import enum
import os
import resource
from typing import TYPE_CHECKING, Final

from trio_coreshift._errors import core_error
from trio_coreshift._output import ResourceUsage
from trio_coreshift._status import ExitStatus, Unknown, decode_wait_status, decode_waitid

from . import pidfd as _pidfd

if TYPE_CHECKING:
    from collections.abc import Callable

# os.wait4 imports `resource` the first time it is called. Where that import fails (after a chroot,
# at EMFILE) the kernel has already given the status away, so it is loaded with the package.
_RUSAGE: Final = resource.struct_rusage


class Delivery(enum.Enum):
    """What became of a signal."""

    SENT = enum.auto()
    GONE = enum.auto()
    """There was nobody left to get it, which is not an error."""
    REFUSED = enum.auto()
    """The kernel refused it (EPERM)."""


class Child:
    """A process by its pid, and by its pidfd where the kernel has them.

    Attributes:
        pid: Its process id.
        pidfd: A descriptor that names it, or None.
        status: How it ended, or None as long as that is not known.
        usage: What it used, or None.
        pinned: Keep it as a zombie when it ends, so that its numbers are not used again.
        reaped: Whether its status was taken, by us or by someone else.
    """

    __slots__ = ("_owned", "pid", "pidfd", "pinned", "reaped", "status", "usage")

    def __init__(self, pid: int, *, owned: bool) -> None:
        self.pid = pid
        self.status: ExitStatus | None = None
        self.usage: ResourceUsage | None = None
        self.pinned = False
        self.reaped = False
        self._owned = owned
        self.pidfd: int | None = None
        try:
            self.pidfd = _pidfd.open_pidfd(pid)
        except ProcessLookupError:
            # Gone already. As our own child it would still be a zombie, had nobody reaped it.
            self.reaped = True
            if owned:
                self.status = Unknown()
        if owned and self.pidfd is not None:
            self._forget_if_stranger()

    def _forget_if_stranger(self) -> None:
        # With SIGCHLD ignored (or a thief) a child that ends at once is reaped before pidfd_open,
        # and the number may have been given to somebody else: pidfd_open(2), NOTES. A process we
        # cannot wait for is not the one we started.
        try:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            self.forget()
            self.close()

    def forget(self) -> None:
        """Leave the reaping to someone else: its status will not be known here."""
        self.reaped = True
        self.status = Unknown()

    def poll(self, op: str = "waitpid_step") -> ExitStatus | None:
        """Take the exit status if it has ended; never blocks, and may be called again and again.

        Raises:
            CoreError: ``op`` as given, ECHILD: it is not our child (never for an owned one, whose
                status is `Unknown` then).
        """
        if self.status is not None and (self.pinned or self.reaped):
            return self.status
        try:
            if self.pinned:
                return self._peek()
            pid, raw, usage = os.wait4(self.pid, os.WNOHANG)
        except ChildProcessError as exc:
            if not self._owned:
                raise core_error(exc, op) from exc
            self.reaped = True
            self.status = self.status or Unknown()
            return self.status
        if pid:
            self.reaped = True
            self.status = decode_wait_status(raw)
            self.usage = ResourceUsage(usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024)
        return self.status

    def _peek(self) -> ExitStatus | None:
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is not None:
            self.status = decode_waitid(found)
        return self.status

    def wait_blocking(self, op: str = "waitpid_blocking") -> ExitStatus:
        """Block this thread until it has ended."""
        while self.poll(op) is None:
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        assert self.status is not None
        return self.status

    def signal(self, number: int) -> Delivery:
        """Signal the process, and never one that got its number later."""
        if self.reaped:
            return Delivery.GONE
        if self.pidfd is not None:
            try:
                return self._deliver(_pidfd.send_signal, self.pidfd, number)
            except (AttributeError, OSError) as exc:
                # Either the kernel refuses this signal, or seccomp the call: kill(2) will tell.
                # Only our own child's number is safe, though: others may be reaped by now.
                if isinstance(exc, PermissionError) and not self._owned:
                    return Delivery.REFUSED
        if self._taken():
            return Delivery.GONE
        return self._kill(os.kill, self.pid, number)

    def signal_led_group(self, number: int) -> Delivery | None:
        """Signal the group it leads or led through its pidfd; None where that cannot be done."""
        if self.pidfd is None:
            return None
        try:
            return self._deliver(_pidfd.send_group_signal, self.pidfd, number)
        except (AttributeError, OSError) as exc:
            # EINVAL: the kernel is older than Linux 6.9. ENOSYS: no such call at all. EPERM may be
            # seccomp's; while the number is pinned, killpg(2) will tell.
            refused = isinstance(exc, PermissionError) and self.reaped
            return Delivery.REFUSED if refused else None

    def signal_group(self, pgid: int, number: int) -> Delivery:
        """Signal group ``pgid``, of which it is a member, while its zombie pins the number."""
        if self.reaped or self._taken():
            return Delivery.GONE
        return self._kill(os.killpg, pgid, number)

    def _taken(self) -> bool:
        # Somebody else may have reaped it (waitpid(-1)), and the number is not pinned any more.
        if self._owned:
            try:
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return True
        return False

    @staticmethod
    def _deliver(send: Callable[[int, int], None], to: int, number: int) -> Delivery:
        try:
            send(to, number)
        except ProcessLookupError:
            return Delivery.GONE
        return Delivery.SENT

    def _kill(self, send: Callable[[int, int], None], to: int, number: int) -> Delivery:
        try:
            return self._deliver(send, to, number)
        except PermissionError:
            return Delivery.REFUSED

    def close(self) -> None:
        """Close the pidfd."""
        if self.pidfd is not None:
            fd, self.pidfd = self.pidfd, None
            os.close(fd)
