"""Whatever hits a call, and wherever: the child is ended, and the right exception comes out."""

import math
import subprocess
from collections.abc import Awaitable, Callable
from functools import partial
from signal import SIGCONT, SIGKILL, SIGTERM

import attrs
import pytest
import trio
import trio.testing

from tests.shutdown.endings import BodyError, alive, shutdown_of, signals_of
from tests.support import child, fd_table, sh
from tests.support.parents import parent
from tests.support.procfs import children_of_ours
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Output,
    ProcessGroup,
    RunningProcess,
    ShutdownReason,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
ready_options = partial(SpawnOptions, capture_stdout=True, ready=b"ready\n")
GRACEFUL, KILL, NONE = CancelPolicy.GRACEFUL, CancelPolicy.KILL, CancelPolicy.NONE
OWN = ProcessGroup(leader=0)


async def _through_spawn(options: SpawnOptions) -> None:
    await spawn(options)


async def _through_start(options: SpawnOptions) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(spawn, options)


async def _through_block(options: SpawnOptions) -> None:
    async with spawn_start(options) as running:
        await running.wait()


DOORS = [_through_spawn, _through_start, _through_block]
doors = pytest.mark.parametrize("door", DOORS, ids=["spawn", "start", "block"])
Door = Callable[[SpawnOptions], Awaitable[None]]


class CancelAfterStep(trio.abc.Instrument):
    """Cancels a scope when the tasks of a test have come to their n-th stop."""

    def __init__(self, scope: trio.CancelScope, number: int) -> None:
        self.left = number
        self.scope = scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a stop."""
        if task.parent_nursery is not None and "system" not in task.name:
            self.left -= 1
            if self.left == 0:
                self.scope.cancel()


async def _cancel_at(
    number: int, door: Door, options: SpawnOptions, at_last: float = math.inf
) -> bool:
    # Whether the cancellation came before it was all over.
    with trio.move_on_after(at_last) as scope:
        instrument = CancelAfterStep(scope, number)
        trio.lowlevel.add_instrument(instrument)
        try:
            await door(options)
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return scope.cancelled_caught


@doors
@pytest.mark.parametrize("policy", [KILL, GRACEFUL, NONE], ids=lambda policy: policy.value)
async def test_cancelled_at_each_stop(
    backend: SpawnBackend, door: Door, policy: CancelPolicy
) -> None:
    """A cancellation at each point where a call can be cancelled leaves nothing, and adds nothing.

    No group, no other exception: the scope catches all there is.
    """
    options = SpawnOptions(
        ("true",),
        backend=backend,
        capture_stdout=True,
        stdin=bytes(100_000),
        pgroup=OWN,
        cancel=policy,
    )
    before = fd_table()
    number = 1
    while await _cancel_at(number, door, options):
        assert fd_table() == before
        assert children_of_ours() == []
        number += 1

    assert number > 2


@doors
async def test_cancelled_before_it_began(backend: SpawnBackend, door: Door) -> None:
    """Within a scope that is cancelled already, there never is a child."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await door(SpawnOptions(("/nonexistent",), backend=backend))

    assert scope.cancelled_caught


@doors
async def test_cancelled_streams_that_nobody_was_given_are_closed(
    backend: SpawnBackend, door: Door
) -> None:
    """A cancellation before the hand-over closes pipes that would have been the caller's.

    Under NONE a child that reads its input, or writes more than a pipe holds, ends all the same.
    """
    if door is _through_spawn:
        pytest.skip("spawn has no streams to give away")

    async def never_ready(_running: RunningProcess) -> None:
        await trio.sleep_forever()

    before = fd_table()
    options = SpawnOptions(
        sh("cat; head -c 300000 /dev/zero"),
        backend=backend,
        stdin=PIPE,
        stdout=PIPE,
        ready=never_ready,
        cancel=NONE,
    )
    for number in range(1, 5):
        assert await _cancel_at(number, door, options, at_last=0.05)
        assert fd_table() == before


async def test_a_second_cancellation_does_not_hurry(backend: SpawnBackend) -> None:
    """An outer scope that is cancelled during the grace changes nothing: the grace is kept."""
    options = ready_options(child("ignore_term"), backend=backend, cancel=GRACEFUL, kill_grace=0.2)
    with trio.CancelScope() as outer:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as inner:
                async with spawn_start(options) as running:

                    async def cancel_again() -> None:
                        await trio.testing.wait_all_tasks_blocked()
                        outer.cancel()

                    inner.cancel()
                    nursery.start_soon(cancel_again)
                    await trio.sleep_forever()
    output = running.output
    assert isinstance(output, Output)

    term, cont, killed = shutdown_of(output).signals
    assert (term.signal, cont.signal, killed.signal) == (SIGTERM, SIGCONT, SIGKILL)
    assert killed.seconds - term.seconds >= 0.2


@doors
async def test_a_predicate_that_raises(backend: SpawnBackend, door: Door) -> None:
    """An exception of `early_exit` ends the child and comes out."""
    error = BodyError()

    def predicate(_chunk: bytes) -> bool:
        raise error

    options = SpawnOptions(
        sh("echo x; sleep 100"),
        backend=backend,
        capture_stdout=True,
        early_exit=predicate,
        pgroup=OWN,
    )
    with pytest.raises((BodyError, ExceptionGroup)) as caught:
        await door(options)
    assert _only(caught.value) is error


def _only(exc: BaseException) -> BaseException:
    # A nursery of the caller's makes a group of what its task raises; we do not.
    while isinstance(exc, BaseExceptionGroup):
        (exc,) = exc.exceptions
    return exc


@doors
async def test_a_sink_that_raises(backend: SpawnBackend, door: Door) -> None:
    """An exception of a sink ends the child and comes out."""

    async def sink(_chunk: bytes) -> None:
        await trio.lowlevel.checkpoint()
        raise BodyError

    options = SpawnOptions(sh("echo x; sleep 100"), backend=backend, stdout_sink=sink, pgroup=OWN)
    with pytest.raises((BodyError, ExceptionGroup)) as caught:
        await door(options)
    assert isinstance(_only(caught.value), BodyError)


async def test_an_exception_of_a_sink_is_not_lost_behind_a_cancellation(
    backend: SpawnBackend,
) -> None:
    """What a sink raises during the grace of a cancelled child comes out instead of nothing."""

    async def sink(chunk: bytes) -> None:
        if b"bye" in chunk:
            raise BodyError
        await trio.lowlevel.checkpoint()

    options = SpawnOptions(
        sh("trap 'echo bye; exit' TERM; echo ready; while :; do sleep 0.01; done"),
        backend=backend,
        stdout_sink=sink,
        ready=b"ready\n",
        cancel=GRACEFUL,
        kill_grace=20,
    )

    async def cancel_it() -> None:
        with trio.CancelScope() as scope:
            async with spawn_start(options):
                scope.cancel()
                await trio.sleep_forever()

    with pytest.raises(BodyError):
        await cancel_it()


@pytest.mark.parametrize("kind", [ValueError, StopAsyncIteration, StopIteration, SystemExit])
async def test_the_bodys_own_exception_is_bare(
    backend: SpawnBackend, kind: type[BaseException]
) -> None:
    """An exception of the body comes out as the very object it was, in no group, unchained."""
    error = kind("own")
    holder: list[RunningProcess] = []

    async def body() -> None:
        async with spawn_start(SpawnOptions(("sleep", "100"), backend=backend)) as running:
            holder.append(running)
            raise error

    with pytest.raises((kind, RuntimeError)) as caught:
        await body()
    # Python makes a RuntimeError of a StopIteration that leaves a coroutine.
    out = caught.value.__cause__ if kind is StopIteration else caught.value
    assert out is error
    assert error.__context__ is None
    assert holder[0].output is not None
    assert shutdown_of(holder[0].output).reason is ShutdownReason.ERROR


async def test_a_group_of_the_bodys_comes_out_as_it_is(backend: SpawnBackend) -> None:
    """A group that the body raises is neither wrapped nor unwrapped."""
    error = ExceptionGroup("own", [ValueError(), TypeError()])

    async def body() -> None:
        async with spawn_start(SpawnOptions(("sleep", "100"), backend=backend)):
            raise error

    with pytest.raises(ExceptionGroup) as caught:
        await body()
    assert caught.value is error


async def test_a_cancelled_nursery_in_the_body_is_a_cancellation(backend: SpawnBackend) -> None:
    """A nursery that a cancellation passes through on its way makes no error of it."""
    with trio.CancelScope() as scope:
        options = SpawnOptions(("sleep", "100"), backend=backend)
        async with spawn_start(options) as running, trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
            scope.cancel()
    assert scope.cancelled_caught
    assert running.output is not None
    assert shutdown_of(running.output).reason is ShutdownReason.CANCELLED


async def test_an_error_of_the_launch_is_bare(backend: SpawnBackend) -> None:
    """A program that does not exist is a `CoreError` at every door, in no group."""
    options = SpawnOptions(("/nonexistent",), backend=backend)
    for door in (_through_spawn, _through_block):
        with pytest.raises(CoreError):
            await door(options)
    async with trio.open_nursery() as nursery:
        with pytest.raises(CoreError):
            await nursery.start(spawn, options)


async def test_stop_that_is_cancelled_still_ends_the_child(backend: SpawnBackend) -> None:
    """`stop` is only the waiting for an end: cancelled, it has been asked for all the same."""
    options = ready_options(child("ignore_term"), backend=backend)
    async with spawn_start(options) as running:
        with trio.move_on_after(0) as scope:
            await running.stop(KILL)
        assert scope.cancelled_caught
        output = await running.wait()

    assert signals_of(output) == [SIGKILL]
    assert shutdown_of(output).reason is ShutdownReason.STOP


async def test_waiters_can_be_cancelled(backend: SpawnBackend) -> None:
    """Any number of tasks may wait; one that is cancelled does nothing to the child."""
    options = ready_options(child("ignore_term"), backend=backend)
    outputs: list[Output] = []
    async with spawn_start(options) as running, trio.open_nursery() as nursery:

        async def wait() -> None:
            outputs.append(await running.wait())

        nursery.start_soon(wait)
        nursery.start_soon(wait)
        with trio.move_on_after(0.01):
            await running.wait()
        assert alive(running.pid)
        await running.stop()

    assert outputs == [running.output] * 2
    assert attrs.evolve(outputs[0]) == outputs[0]


# In a nursery that spawn runs in, Ctrl+C hits whoever waits there, and cancels spawn.
@pytest.mark.parametrize("door", ["spawn", "block"])
def test_ctrl_c_and_again(backend: SpawnBackend, door: str) -> None:
    """The first Ctrl+C applies the policy, the second sends SIGKILL at once."""
    report = parent("ctrl_c", backend.name, door, "ki", "ki")

    assert report == ["KeyboardInterrupt", "error", ["SIGTERM", "SIGCONT", "SIGKILL"]]


@pytest.mark.parametrize("door", ["spawn", "block"])
def test_ctrl_c_during_the_grace_of_a_cancelled_child(backend: SpawnBackend, door: str) -> None:
    """A cancellation, then Ctrl+C: SIGKILL at once, and it is not lost behind the cancellation."""
    report = parent("ctrl_c", backend.name, door, "cancel", "ki")

    assert report == ["KeyboardInterrupt", "cancelled", ["SIGTERM", "SIGCONT", "SIGKILL"]]


@pytest.mark.parametrize("door", ["spawn", "start", "block"])
@pytest.mark.parametrize("where", ["stop", "line"])
def test_ctrl_c_anywhere(backend: SpawnBackend, door: str, where: str) -> None:
    """Ctrl+C at each stop of the main task, and at lines of ours, leaves nothing behind."""
    # Each line takes some seconds; every 41st, from another one each time, will do here.
    report = parent("ctrl_c_anywhere", backend.name, door, where, 41)

    assert report["left"] == []
    assert report["runs"] > 3
    assert set(report["outcomes"]) <= {"KeyboardInterrupt", "ended before"}
