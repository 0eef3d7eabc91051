"""The gate: one spawn per turn of the loop, first come first served, and no turn is ever lost."""

import logging
import random

import pytest
import trio
import trio.testing

from trio_coreshift import SpawnBackend, SpawnOptions, spawn
from trio_coreshift._gate import SpawnGate, current_gate


class TurnCounter(trio.abc.Instrument):
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.turn = 0

    def before_io_wait(self, timeout: float) -> None:
        """Note that a turn is over."""
        del timeout
        self.turn += 1


@pytest.fixture
async def turns() -> TurnCounter:
    """Count the turns of this run."""
    counter = TurnCounter()
    trio.lowlevel.add_instrument(counter)
    return counter


class Passers:
    """Tasks that go through a gate, and when they did."""

    def __init__(self, gate: SpawnGate, turns: TurnCounter) -> None:
        self.gate = gate
        self.turns = turns
        self.passed: list[tuple[int, int]] = []

    async def go(self, number: int) -> None:
        """Pass the gate once."""
        await self.gate.enter()
        try:
            self.passed.append((number, self.turns.turn))
        finally:
            self.gate.leave()

    @property
    def order(self) -> list[int]:
        """Who has passed, in order."""
        return [number for number, _ in self.passed]


async def start_in_order(nursery: trio.Nursery, passers: Passers, count: int) -> None:
    """Start tasks so that they arrive at the gate one after the other."""
    for number in range(count):
        nursery.start_soon(passers.go, number)
        await trio.testing.wait_all_tasks_blocked()


async def test_one_passes_per_turn(turns: TurnCounter) -> None:
    """Of many that come in one turn, each passes in a turn of its own, one right after another."""
    passers = Passers(SpawnGate(), turns)
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(passers.go, number)
    when = [turn for _, turn in passers.passed]
    assert len(set(when)) == 10
    assert max(when) - min(when) == 9


async def test_others_run_between_two_turns(turns: TurnCounter) -> None:
    """A task that has nothing to do with the gate runs in every turn in which one passes."""
    passers = Passers(SpawnGate(), turns)
    ticks: list[int] = []

    async def bystander() -> None:
        while len(passers.passed) < 10:
            ticks.append(turns.turn)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(bystander)
        for number in range(10):
            nursery.start_soon(passers.go, number)
    when = [turn for _, turn in passers.passed]
    assert set(ticks) >= set(range(min(when), max(when)))


async def test_first_come_first_served(turns: TurnCounter) -> None:
    """Those that wait pass in the order they came."""
    passers = Passers(SpawnGate(), turns)
    await passers.gate.enter()
    async with trio.open_nursery() as nursery:
        await start_in_order(nursery, passers, 8)
        assert passers.order == []
        passers.gate.leave()
    assert passers.order == list(range(8))


async def test_entering_is_a_checkpoint() -> None:
    """Passing the gate always lets others run, also where nobody else is there."""
    gate = SpawnGate()
    for _ in range(2):
        with trio.testing.assert_checkpoints():
            await gate.enter()
        gate.leave()


async def test_who_is_cancelled_while_waiting_loses_no_turn(turns: TurnCounter) -> None:
    """One that gives up in the queue is passed over, and all others get on."""
    passers = Passers(SpawnGate(), turns)
    await passers.gate.enter()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inner:
                await start_in_order(inner, passers, 2)
                nursery.start_soon(passers.go, 2)
                await trio.testing.wait_all_tasks_blocked()
                scope.cancel()
        assert passers.order == []
        passers.gate.leave()
    assert passers.order == [2]


async def test_who_is_cancelled_on_its_turn_passes_it_on(turns: TurnCounter) -> None:
    """One that was woken and is cancelled before it runs gives its turn to the next."""
    passers = Passers(SpawnGate(), turns)
    await passers.gate.enter()
    scope = trio.CancelScope()

    async def cancelled() -> None:
        with scope:
            await passers.go(0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(cancelled)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(passers.go, 1)
        await trio.testing.wait_all_tasks_blocked()
        passers.gate.leave()
        scope.cancel()
    assert passers.order == [1]


async def test_who_comes_cancelled_leaves_the_gate_open(turns: TurnCounter) -> None:
    """One that is cancelled before it came neither passes nor keeps the gate."""
    passers = Passers(SpawnGate(), turns)
    with trio.CancelScope() as scope:
        scope.cancel()
        await passers.go(0)
    await passers.go(1)
    assert passers.order == [1]


async def test_who_fails_on_its_turn_passes_it_on(turns: TurnCounter) -> None:
    """A spawn that raises keeps nobody waiting."""
    backend = SpawnBackend.VFORK
    missing = SpawnOptions(("/nonexistent/prog",), backend=backend)

    async def fail() -> None:
        with pytest.raises(FileNotFoundError):
            await spawn(missing)

    before = turns.turn
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(fail)
    assert turns.turn - before >= 5
    assert (await spawn(SpawnOptions(("/bin/true",), backend=backend))).returncode == 0


@pytest.mark.parametrize("seed", range(5))
async def test_no_turn_is_lost_whoever_is_cancelled_when(turns: TurnCounter, seed: int) -> None:
    """With cancellations at random moments all that were not cancelled pass, in order."""
    dice = random.Random(seed)  # noqa: S311 - a repeatable choice
    passers = Passers(SpawnGate(), turns)
    scopes = [trio.CancelScope() for _ in range(30)]

    async def go(number: int) -> None:
        with scopes[number]:
            await passers.go(number)

    async with trio.open_nursery() as nursery:
        for number in range(30):
            nursery.start_soon(go, number)
        for victim in dice.sample(range(30), 15):
            for _ in range(dice.randrange(3)):
                await trio.lowlevel.checkpoint()
            scopes[victim].cancel()
    survivors = [number for number in range(30) if not scopes[number].cancelled_caught]
    assert sorted(passers.order) == survivors
    await passers.go(99)
    assert passers.order[-1] == 99


async def test_spawns_go_through_the_gate(
    backend: SpawnBackend, turns: TurnCounter, caplog: pytest.LogCaptureFixture
) -> None:
    """Children that are asked for at once are started in a turn each."""
    when: list[int] = []

    class Note(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "started as process" in record.getMessage():
                when.append(turns.turn)

    caplog.set_level(logging.DEBUG, logger="trio_coreshift")
    log = logging.getLogger("trio_coreshift")
    handler = Note()
    log.addHandler(handler)
    try:
        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(spawn, SpawnOptions(("/bin/true",), backend=backend))
    finally:
        log.removeHandler(handler)
    assert len(when) == len(set(when)) == 8


async def test_a_spawn_that_is_cancelled_before_its_turn_starts_nothing(
    backend: SpawnBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """Cancelled while it waits for its turn, a spawn has no child."""
    caplog.set_level(logging.DEBUG, logger="trio_coreshift")
    gate = current_gate()
    await gate.enter()
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(spawn, SpawnOptions(("/bin/true",), backend=backend))
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    gate.leave()
    assert caplog.records == []


def test_each_run_of_trio_has_its_own_gate() -> None:
    """A gate belongs to one run of trio, where all spawns share it."""

    async def gates() -> tuple[SpawnGate, SpawnGate]:
        await trio.lowlevel.checkpoint()
        return current_gate(), current_gate()

    first, second = trio.run(gates), trio.run(gates)
    assert first[0] is first[1]
    assert first[0] is not second[0]
