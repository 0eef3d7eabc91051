"""What each policy does to a child, whatever the reason it is applied for."""

import math
import os
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from signal import SIGCONT, SIGKILL, SIGTERM

import attrs
import pytest
import trio
import trio.testing

from tests.shutdown.endings import (
    alive,
    cancelled,
    failed,
    shutdown_of,
    signals_of,
    stopped,
    timed_out,
)
from tests.support import child, process_info, sh, until
from trio_coreshift import (
    CancelPolicy,
    Exited,
    Output,
    RunningProcess,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

# A child that says when it can be ended.
ready_options = partial(SpawnOptions, capture_stdout=True, ready=b"ready\n")
NONE, GRACEFUL, KILL = CancelPolicy.NONE, CancelPolicy.GRACEFUL, CancelPolicy.KILL

CAUSES = {
    ShutdownReason.CANCELLED: cancelled,
    ShutdownReason.ERROR: failed,
    ShutdownReason.STOP: stopped,
    ShutdownReason.TIMEOUT: timed_out,
}
cause = pytest.mark.parametrize(
    ("reason", "end"), CAUSES.items(), ids=[reason.value for reason in CAUSES]
)
End = Callable[[SpawnOptions], Awaitable[Output]]


@cause
async def test_graceful_sends_sigterm_and_sigcont_and_lets_it_end(
    backend: SpawnBackend, reason: ShutdownReason, end: End
) -> None:
    """GRACEFUL: SIGTERM, then SIGCONT, and a child that reacts gets no SIGKILL."""
    output = await end(ready_options(child("term_exits", 5), backend=backend, cancel=GRACEFUL))

    assert output.status == Exited(5)
    assert signals_of(output) == [SIGTERM, SIGCONT]
    assert shutdown_of(output).reason is reason


@cause
async def test_kill_sends_sigkill_alone(
    backend: SpawnBackend, reason: ShutdownReason, end: End
) -> None:
    """KILL: SIGKILL and nothing else."""
    output = await end(ready_options(child("term_exits", 5), backend=backend, cancel=KILL))

    assert output.status == Signaled(SIGKILL)
    assert signals_of(output) == [SIGKILL]
    assert shutdown_of(output).reason is reason


@cause
async def test_none_sends_nothing_and_waits(
    backend: SpawnBackend, reason: ShutdownReason, end: End
) -> None:
    """NONE: no signal; the way out is the natural end."""
    read_fd, write_fd = os.pipe()
    with closing(os.fdopen(write_fd, "wb", buffering=0)) as pipe:
        options = ready_options(
            sh("echo ready; read line; exit 7"), backend=backend, cancel=NONE, stdin=read_fd
        )
        async with trio.open_nursery() as nursery:

            async def end_it() -> None:
                # The child cannot end before this, so whoever comes out earlier has not waited.
                await trio.sleep(0.6 if reason is ShutdownReason.TIMEOUT else 0.1)
                pipe.write(b"go\n")

            nursery.start_soon(end_it)
            output = await end(options)
    os.close(read_fd)

    assert output.status == Exited(7)
    assert signals_of(output) == []
    assert shutdown_of(output).reason is reason


async def test_grace_is_respected(backend: SpawnBackend) -> None:
    """GRACEFUL: whoever ignores SIGTERM has all of `kill_grace` and then gets SIGKILL."""
    output = await cancelled(
        ready_options(child("ignore_term"), backend=backend, cancel=GRACEFUL, kill_grace=0.1)
    )

    term, cont, kill = shutdown_of(output).signals
    assert (term.signal, cont.signal, kill.signal) == (SIGTERM, SIGCONT, SIGKILL)
    assert 0.1 <= kill.seconds - term.seconds < 5
    assert output.status == Signaled(SIGKILL)


async def test_no_grace_at_all(backend: SpawnBackend) -> None:
    """GRACEFUL with `kill_grace=0`: SIGKILL follows at once."""
    output = await cancelled(
        ready_options(child("ignore_term"), backend=backend, cancel=GRACEFUL, kill_grace=0)
    )

    assert signals_of(output) == [SIGTERM, SIGCONT, SIGKILL]


async def test_a_stopped_child_can_react(backend: SpawnBackend) -> None:
    """GRACEFUL: SIGCONT wakes a stopped child, which then handles its SIGTERM."""

    async def until_stopped(running: RunningProcess) -> None:
        await until(lambda: _is_stopped(running.pid))

    output = await cancelled(
        ready_options(child("stop_self"), backend=backend, cancel=GRACEFUL, kill_grace=20),
        before=until_stopped,
    )

    assert output.status == Exited(3)
    assert output.stdout == b"ready\nterm\n"


def _is_stopped(pid: int) -> bool:
    info = process_info(pid)
    return info is not None and info.state == "T"


async def test_kill_reaches_a_stopped_child(backend: SpawnBackend) -> None:
    """KILL: a stopped child dies of SIGKILL without being continued."""
    output = await cancelled(ready_options(child("stop_self"), backend=backend, cancel=KILL))

    assert output.status == Signaled(SIGKILL)


async def test_a_timeout_returns(backend: SpawnBackend) -> None:
    """A timeout raises nothing: the output says that it has expired."""
    output = await spawn(SpawnOptions(("sleep", "60"), backend=backend, timeout=0.01))

    assert output.timed_out
    assert output.status == Signaled(SIGKILL)
    assert shutdown_of(output).reason is ShutdownReason.TIMEOUT


async def test_an_infinite_timeout_never_expires(backend: SpawnBackend) -> None:
    """Infinity is a number of seconds like others."""
    output = await spawn(SpawnOptions(("true",), backend=backend, timeout=math.inf))

    assert not output.timed_out
    assert output.shutdown is None


async def test_a_timeout_that_comes_too_late_is_none(backend: SpawnBackend) -> None:
    """A child that has ended in time was not timed out, however late that is noticed."""
    async with spawn_start(SpawnOptions(("true",), backend=backend, timeout=0.1)) as running:
        await trio.lowlevel.checkpoint()
        while alive(running.pid):
            pass
        # The loop stands still meanwhile, which no program should do, but many a program does.
        deadline = trio.current_time() + 0.2
        while trio.current_time() < deadline:
            pass
        output = await running.wait()

    assert output.status == Exited(0)
    assert not output.timed_out


async def test_a_stronger_policy_takes_over(backend: SpawnBackend) -> None:
    """After GRACEFUL, KILL sends SIGKILL at once; the first reason stands."""
    options = ready_options(child("ignore_term"), backend=backend, cancel=GRACEFUL, kill_grace=60)
    async with spawn_start(options) as running, trio.open_nursery() as nursery:
        nursery.start_soon(running.stop)
        await trio.testing.wait_all_tasks_blocked()
        output = await running.stop(KILL)

    assert signals_of(output) == [SIGTERM, SIGCONT, SIGKILL]
    assert shutdown_of(output).reason is ShutdownReason.STOP
    assert output.duration < 30


async def test_a_weaker_policy_changes_nothing(backend: SpawnBackend) -> None:
    """After GRACEFUL neither NONE nor a second GRACEFUL sends anything or moves the deadline."""
    options = ready_options(child("ignore_term"), backend=backend, cancel=GRACEFUL, kill_grace=0.1)
    async with spawn_start(options) as running, trio.open_nursery() as nursery:
        nursery.start_soon(running.stop)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(running.stop, NONE)
        nursery.start_soon(running.stop, GRACEFUL)
    assert running.output is not None

    assert signals_of(running.output) == [SIGTERM, SIGCONT, SIGKILL]


async def test_nothing_is_sent_twice(backend: SpawnBackend) -> None:
    """KILL upon KILL sends one SIGKILL."""
    options = ready_options(child("term_exits", 0), backend=backend)
    async with spawn_start(options) as running:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(running.stop, KILL)
        output = await running.stop(GRACEFUL)

    assert signals_of(output) == [SIGKILL]


async def test_none_can_be_overruled(backend: SpawnBackend) -> None:
    """A child that NONE waits for can still be stopped by another task."""
    options = ready_options(child("term_exits", 0), backend=backend, cancel=NONE)
    async with trio.open_nursery() as nursery:
        running = await nursery.start(_run_cancelled, options)
        await trio.testing.wait_all_tasks_blocked()
        assert alive(running.pid)
        output = await running.stop(KILL)

    assert shutdown_of(output).reason is ShutdownReason.CANCELLED
    assert signals_of(output) == [SIGKILL]


async def _run_cancelled(
    options: SpawnOptions, *, task_status: trio.TaskStatus[RunningProcess]
) -> None:
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            task_status.started(running)
            scope.cancel()
            await trio.sleep_forever()


@pytest.mark.parametrize("policy", CancelPolicy, ids=lambda policy: policy.value)
async def test_a_policy_after_the_end_sends_nothing(
    backend: SpawnBackend, policy: CancelPolicy
) -> None:
    """Whatever is asked of a child that has ended: no signal, and no reason is made up."""
    async with spawn_start(SpawnOptions(("true",), backend=backend)) as running:
        before = await running.wait()
        after = await running.stop(policy)

    assert before is after
    assert after.shutdown is None


@pytest.mark.parametrize("policy", [GRACEFUL, KILL], ids=lambda policy: policy.value)
async def test_lingering_is_followed_by_the_policy(
    backend: SpawnBackend, policy: CancelPolicy
) -> None:
    """early_exit: the child has `kill_grace` to end by itself, then gets the policy."""
    options = SpawnOptions(
        child("ignore_term"),
        backend=backend,
        capture_stdout=True,
        early_exit=b"ready",
        cancel=policy,
        kill_grace=0.05,
    )
    output = await spawn(options)

    assert output.stdout_early_exited
    assert shutdown_of(output).reason is ShutdownReason.EARLY_EXIT
    first = shutdown_of(output).signals[0]
    assert first.signal == (SIGTERM if policy is GRACEFUL else SIGKILL)
    assert first.seconds >= 0.05
    assert output.status == Signaled(SIGKILL)


async def test_lingering_under_none_waits_on(backend: SpawnBackend) -> None:
    """early_exit under NONE: after `kill_grace`, too, the child is left to end by itself."""
    options = SpawnOptions(
        sh("echo ready; sleep 0.2; exit 3"),
        backend=backend,
        capture_stdout=True,
        early_exit=b"ready",
        cancel=NONE,
        kill_grace=0.01,
    )
    output = await spawn(options)

    assert output.status == Exited(3)
    assert signals_of(output) == []
    assert attrs.evolve(shutdown_of(output), signals=()) == shutdown_of(output)
