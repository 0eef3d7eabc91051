"""Many descriptors behind one that a loop can wait for."""

from __future__ import annotations

import contextlib
import errno
import select
from typing import TYPE_CHECKING, Final

from trio_coreshift._errors import syscall

from .fds import FIRST_FREE, duplicate

if TYPE_CHECKING:
    from collections.abc import Callable

# What adding to an epoll fails with (epoll_ctl(2)) where there is no memory or the user's limit of
# watches is reached. It may happen to trio's own at any time.
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.ENOMEM})
# Seconds between two looks at what the kernel cannot be made to tell about.
LOOK_AGAIN: Final = 0.02

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT


class Poller:
    """Knows which of its descriptors are ready, and is itself readable when one is.

    It keeps an epoll descriptor of its own (level-triggered) only from the second member on: with
    one member to be read, that member is what the loop waits for.
    """

    __slots__ = ("_epoll", "_handlers", "_lone")

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[], None]] = {}
        self._lone: int | None = None
        self._epoll: select.epoll | None = None

    @property
    def fd(self) -> int | None:
        """What to wait for to become readable; None: there is no member."""
        if self._lone is not None or not self._handlers:
            return self._lone
        assert self._epoll is not None
        return self._epoll.fileno()

    def prepare(self) -> None:
        """Open the epoll descriptor now, so that a lack of descriptors shows up here.

        Raises:
            CoreError: ``op`` "epoll_create1".
        """
        if self._epoll is None:
            epoll = syscall("epoll_create1", select.epoll)
            if epoll.fileno() < FIRST_FREE:
                # Python's epoll object cannot be moved, but one can be made of a duplicate.
                duplicate_fd = duplicate(epoll.fileno(), "epoll_create1")
                epoll.close()
                epoll = select.epoll.fromfd(duplicate_fd)
            self._epoll = epoll

    def add(self, fd: int, event: int, handler: Callable[[], None]) -> None:
        """Call ``handler`` whenever ``fd`` is ready for ``event`` or has failed.

        Raises:
            CoreError: ``op`` "epoll_create1" or "epoll_ctl".
        """
        if self._epoll is None and not self._handlers and event == READ:
            self._lone = fd
        else:
            self.prepare()
            assert self._epoll is not None
            if self._lone is not None:
                syscall("epoll_ctl", self._epoll.register, self._lone, READ)
                self._lone = None
            syscall("epoll_ctl", self._epoll.register, fd, event)
        self._handlers[fd] = handler

    def remove(self, fd: int) -> None:
        """Forget ``fd``; to be called before it is closed.

        1. A fork elsewhere in the process copies the descriptor. 2. We close ours. 3. epoll goes
        on reporting the open file under a number that may be somebody else's by now (epoll(7)).
        """
        if self._handlers.pop(fd, None) is None:
            return
        if fd == self._lone:
            self._lone = None
        elif self._epoll is not None:
            with contextlib.suppress(OSError):  # it is not there: nothing is left to be done
                self._epoll.unregister(fd)

    def ready(self) -> list[Callable[[], None]]:
        """The handlers of what is ready now; does not wait."""
        if self._lone is not None:
            # The loop may have been woken for another reason: handlers look for themselves.
            return [self._handlers[self._lone]]
        if self._epoll is None or not self._handlers:
            return []
        return [self._handlers[fd] for fd, _event in self._epoll.poll(0)]

    def close(self) -> None:
        """Close the epoll descriptor; the members stay open."""
        self._handlers.clear()
        self._lone = None
        if self._epoll is not None:
            self._epoll.close()


def is_readable(fd: int) -> bool:
    """Whether ``fd`` is readable now."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))
