"""What a signal goes to: one process, or a process group."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from ._kernel import procfs
from ._kernel.child import Delivery

if TYPE_CHECKING:
    from ._kernel.child import Child


class Target(Protocol):
    """What the supervisor brings to an end."""

    def send(self, number: int) -> Delivery:
        """Signal it, and never anything that got its number later."""
        ...  # pragma: no cover - a protocol has no body to run

    def survivors(self) -> list[int]:
        """What of it still lives, beyond the child itself; zombies do not count.

        Raises:
            OSError: There is no telling.
        """
        ...  # pragma: no cover - a protocol has no body to run

    def describe(self) -> str:
        """Its name for people, as in `SignalSent.target`."""
        ...  # pragma: no cover - a protocol has no body to run


class ProcessTarget:
    """The child alone."""

    __slots__ = ("_child",)

    def __init__(self, child: Child) -> None:
        self._child = child

    def send(self, number: int) -> Delivery:
        """Signal the child."""
        return self._child.signal(number)

    def survivors(self) -> list[int]:
        """Nothing: the child is all there is."""
        return []

    def describe(self) -> str:
        """Its name."""
        return f"process {self._child.pid}"


class GroupTarget:
    """The whole group that the child leads or has joined.

    The number of a group is pinned by its members, zombies included: no new process or group gets
    it as long as one is left (POSIX, fork()). So it is only used while our child in it is not
    reaped. Where the child led the group, its pidfd names the group for ever (Linux 6.9).
    """

    __slots__ = ("_child", "_led", "pgid")

    def __init__(self, child: Child, pgid: int) -> None:
        self._child = child
        self._led = pgid == child.pid
        self.pgid = pgid

    def send(self, number: int) -> Delivery:
        """Signal every member."""
        if self._led:
            delivery = self._child.signal_led_group(number)
            if delivery is not None:
                return delivery
        return self._child.signal_group(self.pgid, number)

    def unpin(self) -> bool:
        """Let the child be reaped if the group can be named without it; return whether it can."""
        if self._led and self._child.signal_led_group(0) is not None:
            self._child.pinned = False
        return not self._child.pinned

    def is_lost(self) -> bool:
        """Whether the child was reaped by someone else and nothing names its group any more.

        Whoever is left there then gets no signal, and is not waited for.
        """
        return self._child.reaped and not (
            self._led and self._child.signal_led_group(0) is not None
        )

    def is_empty(self) -> bool:
        """Whether the group is known to be empty, without a look at /proc."""
        return self._led and self._child.signal_led_group(0) is Delivery.GONE

    def answers(self) -> bool:
        """Whether a group of that number exists; signal 0 does nothing to anybody."""
        try:
            os.killpg(self.pgid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def survivors(self) -> list[int]:
        """The living members."""
        members = procfs.living_members(self.pgid)
        if members and self._child.reaped and self.is_empty():
            # Nothing of ours pins the number any more. 1. The last member was gone, 2. the number
            # was given to another group, 3. that one's members were seen.
            return []
        return members

    def describe(self) -> str:
        """Its name."""
        return f"group {self.pgid}"
