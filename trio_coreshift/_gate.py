"""The gate that lets one spawn through per turn of the loop, first come, first served.

A spawn holds the loop for about as long as the kernel needs. A storm of them, let through all in
one turn, would hold it for their sum. With the gate, every other task runs between two spawns.

How: whoever finds nobody scheduled schedules itself for the next turn; all others park. Whoever
has had its turn wakes the first that is parked, which then runs in the turn after.
"""

from __future__ import annotations

import trio


class SpawnGate:
    """One per run of trio."""

    __slots__ = ("_parked", "_scheduled")

    def __init__(self) -> None:
        self._parked = trio.lowlevel.ParkingLot()
        self._scheduled = False

    async def enter(self) -> None:
        """Wait for a turn; to be followed by `leave`, whatever happens.

        Always a checkpoint. Cancelled or interrupted, it raises without having a turn.
        """
        if self._scheduled:
            await self._parked.park()
            check = trio.lowlevel.checkpoint_if_cancelled
        else:
            self._scheduled = True
            check = trio.lowlevel.checkpoint
        try:
            await check()
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give the next turn to whoever has waited longest."""
        if self._parked:
            self._parked.unpark()
        else:
            self._scheduled = False


_gate: trio.lowlevel.RunVar[SpawnGate] = trio.lowlevel.RunVar("trio_coreshift spawn gate")


def current_gate() -> SpawnGate:
    """The gate of this run of trio."""
    try:
        return _gate.get()
    except LookupError:
        gate = SpawnGate()
        _gate.set(gate)
        return gate
