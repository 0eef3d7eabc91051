"""The moment of the launch."""

from pathlib import Path

import pytest
import trio

from trio_coreshift import CancelPolicy, SpawnBackend, SpawnOptions, spawn
from trio_coreshift._gate import SpawnGate


class Turns(trio.abc.Instrument):
    """Counts the turns of the loop."""

    count = 0

    def after_io_wait(self, timeout: float) -> None:
        """Begin a turn."""
        del timeout
        self.count += 1


async def test_one_spawn_passes_per_turn_first_come_first_served() -> None:
    """Of many that come at once, each has a turn of its own, in the order they came."""
    gate, turns = SpawnGate(), Turns()
    came: list[int] = []
    passed: list[int] = []
    passed_in: list[int] = []

    async def pass_through(number: int) -> None:
        came.append(number)
        await gate.enter()
        try:
            passed.append(number)
            passed_in.append(turns.count)
        finally:
            gate.leave()

    trio.lowlevel.add_instrument(turns)
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(pass_through, number)
    trio.lowlevel.remove_instrument(turns)

    assert passed == came
    assert len(set(passed_in)) == 20


async def test_cancelled_before_the_launch_there_is_no_child(
    backend: SpawnBackend, tmp_path: Path
) -> None:
    """A scope that is cancelled already lets nothing be started."""
    trace = tmp_path / "trace"
    with trio.CancelScope() as scope:
        scope.cancel()
        # NONE: a program that was started would run to its end.
        await spawn(SpawnOptions(["touch", trace], backend=backend, cancel=CancelPolicy.NONE))

    assert scope.cancelled_caught
    assert not trace.exists()


@pytest.mark.parametrize("turns", range(4))
async def test_cancelled_around_the_launch_nothing_is_left(
    backend: SpawnBackend, turns: int
) -> None:
    """In whichever turn the cancellation comes: no child, or one that goes through the policy."""
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spawn, SpawnOptions(["sleep", "60"], backend=backend))
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
