"""Sinks that never return, or are slow: the end of the child is bounded all the same."""

import subprocess
import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.support import child, kill_live, pattern, sh, until
from tests.support.procfs import children_of_ours
from trio_coreshift import (
    CancelPolicy,
    Exited,
    OutputLimitError,
    OverflowPolicy,
    RunningProcess,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

MIB = 1024 * 1024

Sink = Callable[[bytes], Awaitable[None]]


class SinkError(Exception):
    """What a sink of these tests raises."""


def hanging(entered: trio.Event) -> Sink:
    """Return a sink that never returns from its first call."""

    async def sink(_chunk: bytes) -> None:
        entered.set()
        await trio.sleep_forever()

    return sink


async def test_sink_that_never_returns_is_given_up_after_kill_grace_when_cancelled(
    backend: SpawnBackend,
) -> None:
    """A cancelled run waits for a sink no longer than `kill_grace`; reading then goes on."""
    entered = trio.Event()
    options = SpawnOptions(
        child("ignore_term"), backend=backend, stdout_sink=hanging(entered), kill_grace=0.05
    )
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            await entered.wait()
            scope.cancel()
    assert scope.cancelled_caught
    assert running.output is not None
    assert running.output.status == Signaled(9)
    assert 0.05 <= running.output.duration < 5.0


async def test_sink_that_hangs_only_after_the_cancellation_is_given_up_as_well(
    backend: SpawnBackend,
) -> None:
    """A call that begins when the end is decided has `kill_grace` like the one under way then."""
    entered = trio.Event()

    async def sink(chunk: bytes) -> None:
        if chunk == b"ready\n":
            entered.set()
        else:
            await trio.sleep_forever()

    options = SpawnOptions(
        child("term_writes", 3),
        backend=backend,
        stdout_sink=sink,
        capture_stdout=True,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=0.2,
    )
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            await entered.wait()
            scope.cancel()
    assert running.output is not None
    assert running.output.status == Exited(0)
    assert running.output.stdout == b"ready\n\0\1\2"
    assert running.output.duration < 5.0


async def test_sink_that_never_returns_is_given_up_after_a_timeout(backend: SpawnBackend) -> None:
    """A timeout bounds a sink as well, even where the child has ended long before."""
    entered = trio.Event()
    options = SpawnOptions(
        sh("echo x"), backend=backend, stdout_sink=hanging(entered), timeout=0.05, kill_grace=0.05
    )
    output = await spawn(options)
    assert output.timed_out
    assert output.status == Exited(0)
    assert output.duration < 5.0


async def test_sink_that_never_returns_is_given_up_after_stop() -> None:
    """`stop` returns after `kill_grace` at the latest, whatever a sink does."""
    entered = trio.Event()
    options = SpawnOptions(
        child("never_reads"),
        backend=SpawnBackend.VFORK,
        stdout_sink=hanging(entered),
        kill_grace=0.05,
    )
    async with spawn_start(options) as running:
        await entered.wait()
        output = await running.stop()
    assert output.status == Signaled(9)
    assert output.duration < 5.0


async def test_sink_that_never_returns_is_given_up_when_the_other_sink_raises() -> None:
    """The failure of one sink bounds the call that the other one hangs in."""
    entered = trio.Event()

    async def err(_chunk: bytes) -> None:
        await entered.wait()
        raise SinkError

    options = SpawnOptions(
        sh("echo out; echo err >&2; exec sleep 60"),
        backend=SpawnBackend.VFORK,
        stdout_sink=hanging(entered),
        stderr_sink=err,
        kill_grace=0.05,
    )
    with pytest.raises(SinkError):
        await spawn(options)


@pytest.mark.parametrize("trigger", ["early_exit", "overflow"])
async def test_sink_that_never_returns_is_given_up_once_early_exit_or_overflow_applied_the_policy(
    backend: SpawnBackend, trigger: str
) -> None:
    """A child that lives on after its pipe was closed is ended, and a hanging sink then left."""
    entered = trio.Event()
    early = trigger == "early_exit"
    options = SpawnOptions(
        sh("echo err >&2; echo out; exec sleep 60"),
        backend=backend,
        stderr_sink=hanging(entered),
        capture_stdout=True,
        early_exit=b"out" if early else None,
        max_output=MIB if early else 1,
        overflow=OverflowPolicy.STOP,
        kill_grace=0.05,
    )
    with trio.fail_after(5):
        if early:
            output = await spawn(options)
            assert output.stdout_early_exited
        else:
            with pytest.raises(OutputLimitError):
                await spawn(options)


async def test_slow_but_returning_sink_gets_everything_after_a_cancellation() -> None:
    """Each call has `kill_grace` of its own: one that takes less loses nothing."""
    seen = bytearray()

    async def sink(chunk: bytes) -> None:
        await trio.sleep(0.02)
        seen.extend(chunk)

    options = SpawnOptions(
        child("term_writes", MIB),
        backend=SpawnBackend.VFORK,
        stdout_sink=sink,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=10.0,
    )
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            while not seen:  # noqa: ASYNC110 - the sink is the event
                await trio.sleep(0.002)
            scope.cancel()
    assert running.output is not None
    assert running.output.status == Exited(0)
    assert seen == b"ready\n" + pattern(MIB)


async def test_pipe_held_open_is_left_after_kill_grace_once_early_exit_applied_the_policy(
    backend: SpawnBackend,
) -> None:
    """Ended after its early exit, a child's other pipe is drained no longer than `kill_grace`."""
    options = SpawnOptions(
        child("spawn_grandchild", "holds", "setsid", "stays"),
        backend=backend,
        stdin=subprocess.DEVNULL,
        capture_stdout=True,
        early_exit=b"\n",
        capture_stderr=True,
        kill_grace=0.05,
    )
    with trio.move_on_after(5):
        output = await spawn(options)
    kill_live()
    assert output.status == Signaled(9)
    assert not output.complete
    assert output.duration < 5.0


async def test_scope_of_the_sinks_own_works_inside_of_it() -> None:
    """A sink may bound its own work; that its scope expires is nobody else's business."""
    expired = 0

    async def sink(_chunk: bytes) -> None:
        nonlocal expired
        with trio.move_on_after(0) as scope:
            await trio.sleep_forever()
        expired += scope.cancelled_caught

    output = await spawn(SpawnOptions(sh("echo x"), backend=SpawnBackend.VFORK, stdout_sink=sink))
    assert output.status == Exited(0)
    assert expired == 1


async def test_given_up_sink_and_abandoned_pipe_bound_the_end_together(
    backend: SpawnBackend,
) -> None:
    """A hanging sink, and a process outside the group that holds its pipe, still come to an end."""
    entered = trio.Event()
    options = SpawnOptions(
        child("spawn_grandchild", "holds", "setsid", "stays"),
        backend=backend,
        stdin=subprocess.DEVNULL,
        stdout_sink=hanging(entered),
        kill_grace=0.05,
    )
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            await entered.wait()
            scope.cancel()
    kill_live()
    assert running.output is not None
    assert running.output.status == Signaled(9)
    assert running.output.duration < 5.0


async def test_a_sink_that_never_waits_does_not_starve_the_loop(backend: SpawnBackend) -> None:
    """However fast the child writes, and however long a call takes, timeouts come."""

    async def busy(_chunk: bytes) -> None:
        time.sleep(0.005)  # noqa: ASYNC251 - a hash, or a write to a slow disk

    begun = time.monotonic()
    options = SpawnOptions(
        child("endless"), backend=backend, stdout_sink=busy, timeout=0.1, kill_grace=0.0
    )
    output = await spawn(options)
    assert output.timed_out
    assert time.monotonic() - begun < 10


async def test_what_dies_while_a_sink_is_busy_is_not_abandoned(backend: SpawnBackend) -> None:
    """Given up at once, but dead and reaped before the last of its output was taken."""
    entered = trio.Event()

    async def sink(_chunk: bytes) -> None:
        entered.set()
        await until(lambda: not children_of_ours())

    async def ready(_running: RunningProcess) -> None:
        await entered.wait()

    options = SpawnOptions(
        child("ignore_term"), backend=backend, stdout_sink=sink, ready=ready, abandon_after=0
    )
    async with spawn_start(options) as running:
        output = await running.stop(CancelPolicy.KILL)

    assert output.status == Signaled(9)
    assert running.output is output
