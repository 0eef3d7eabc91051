"""What a policy and a sweep do to a whole group, and to whom they do nothing."""

import errno
import os
import signal
import subprocess
from functools import partial
from signal import SIGCONT, SIGKILL, SIGTERM

import pytest
import trio

from tests.shutdown.endings import DEAF_MEMBER, alive, cancelled, kill, shutdown_of, signals_of
from tests.support import child, group_members, kill_live, sh, until, wait_gone, wait_until
from tests.support.parents import parent
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Exited,
    Output,
    ProcessGroup,
    RunningProcess,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)
from trio_coreshift._ending import Ending
from trio_coreshift._kernel.child import Child
from trio_coreshift._kernel.poller import Poller

ready_options = partial(SpawnOptions, capture_stdout=True, ready=b"ready\n")
GRACEFUL, KILL = CancelPolicy.GRACEFUL, CancelPolicy.KILL
OWN = ProcessGroup(leader=0)
UNSWEPT = ProcessGroup(leader=0, sweep=False)

# The leader ends on SIGTERM at once; the member says goodbye first, which takes it a moment.
LATE_MEMBER = """
trap 'exit 4' TERM
sh -c 'trap "sleep 0.1; echo bye; exit" TERM; echo ready; while :; do sleep 0.01; done' &
wait
"""


async def test_the_whole_group_gets_the_signal(backend: SpawnBackend) -> None:
    """KILL: nobody of the group is left when the block is, whatever the leader has started."""
    script = "sleep 100 & (sleep 100 & echo ready; wait) & wait"
    output = await cancelled(ready_options(sh(script), backend=backend, pgroup=OWN))

    assert group_members(output.pid) == []
    assert [sent.target for sent in shutdown_of(output).signals] == [f"group {output.pid}"]
    assert signals_of(output) == [SIGKILL]
    assert output.complete


async def test_an_isolated_child_leads_a_group(full_backend: SpawnBackend) -> None:
    """Isolated: the group is the session's, and goes as a whole."""
    options = ready_options(
        sh("sleep 100 & sleep 100 & echo ready; wait"),
        backend=full_backend,
        pgroup=ProcessGroup(isolated=True),
    )
    output = await cancelled(options)

    assert group_members(output.pid) == []
    assert [sent.target for sent in shutdown_of(output).signals] == [f"group {output.pid}"]


async def test_without_a_group_the_process_is_the_target(backend: SpawnBackend) -> None:
    """In the caller's group only the child itself is signalled."""
    options = SpawnOptions(
        sh("sleep 100 >/dev/null & echo $! ready; wait"),
        backend=backend,
        capture_stdout=True,
        ready=b"ready\n",
    )
    output = await cancelled(options)

    assert [sent.target for sent in shutdown_of(output).signals] == [f"process {output.pid}"]
    job = int(output.stdout.split()[0])
    assert alive(job)
    kill(job)


async def test_the_grace_belongs_to_the_group(backend: SpawnBackend) -> None:
    """GRACEFUL: a leader that ends early leaves the others their time, and their output is kept."""
    options = ready_options(
        sh(LATE_MEMBER), backend=backend, pgroup=OWN, cancel=GRACEFUL, kill_grace=20
    )
    output = await cancelled(options)

    assert output.status == Exited(4)
    assert signals_of(output) == [SIGTERM, SIGCONT]
    assert output.stdout == b"ready\nbye\n"
    assert output.complete
    assert output.duration < 15


async def test_what_remains_of_the_group_is_killed(backend: SpawnBackend) -> None:
    """GRACEFUL: who is still there at the end of the grace gets SIGKILL; the status stays."""
    options = ready_options(
        sh(DEAF_MEMBER), backend=backend, pgroup=OWN, cancel=GRACEFUL, kill_grace=0.1
    )
    output = await cancelled(options)

    assert output.status == Exited(4)
    assert signals_of(output) == [SIGTERM, SIGCONT, SIGKILL]
    assert {sent.target for sent in shutdown_of(output).signals} == {f"group {output.pid}"}
    assert group_members(output.pid) == []


@pytest.mark.parametrize("member", ["", "ignores"])
async def test_sweep_after_a_natural_exit(backend: SpawnBackend, member: str) -> None:
    """A child that ends by itself and leaves somebody in its group: SIGKILL to the group."""
    argv = child("spawn_grandchild", "code=3", *member.split())
    output = await spawn(SpawnOptions(argv, backend=backend, capture_stdout=True, pgroup=OWN))

    assert not alive(int(output.stdout))
    assert output.status == Exited(3)
    assert shutdown_of(output).reason is ShutdownReason.SWEEP
    assert signals_of(output) == [SIGKILL]


async def test_no_sweep_where_none_is_wanted(backend: SpawnBackend) -> None:
    """sweep=False: what a child leaves behind by its own decision is left alone."""
    argv = child("spawn_grandchild")
    output = await spawn(SpawnOptions(argv, backend=backend, capture_stdout=True, pgroup=UNSWEPT))

    assert output.shutdown is None
    assert alive(int(output.stdout))
    kill(int(output.stdout))


async def test_no_sweep_of_a_group_that_is_not_its_own(backend: SpawnBackend) -> None:
    """In the caller's group nothing is swept."""
    argv = child("spawn_grandchild")
    output = await spawn(SpawnOptions(argv, backend=backend, capture_stdout=True))

    assert output.shutdown is None
    assert alive(int(output.stdout))
    kill(int(output.stdout))


async def test_zombies_are_nobody(backend: SpawnBackend) -> None:
    """A zombie in the group, whose parent never reaps it, is neither swept nor waited for."""
    argv = child("zombie_in_group")
    output = await spawn(SpawnOptions(argv, backend=backend, capture_stdout=True, pgroup=OWN))

    assert output.status == Exited(0)
    assert output.shutdown is None
    kill(int(output.stdout))


async def test_zombies_are_not_waited_for_in_the_grace(backend: SpawnBackend) -> None:
    """GRACEFUL: when only a zombie is left of the group, the grace is over."""
    options = SpawnOptions(
        child("zombie_in_group", "stays"),
        backend=backend,
        capture_stdout=True,
        ready=b"\n",
        pgroup=OWN,
        cancel=GRACEFUL,
        kill_grace=30,
    )
    output = await cancelled(options)

    assert signals_of(output) == [SIGTERM, SIGCONT]
    assert output.duration < 15
    kill(int(output.stdout))


@pytest.mark.parametrize("policy", [GRACEFUL, KILL], ids=lambda policy: policy.value)
async def test_who_has_left_the_group_is_not_touched(
    backend: SpawnBackend, policy: CancelPolicy
) -> None:
    """A descendant that has called setsid is beyond any policy, and beyond the sweep."""
    options = SpawnOptions(
        child("spawn_grandchild", "setsid", "stays"),
        backend=backend,
        capture_stdout=True,
        ready=b"\n",
        pgroup=OWN,
        cancel=policy,
    )
    output = await cancelled(options)

    assert output.status == Signaled(SIGTERM if policy is GRACEFUL else SIGKILL)
    assert alive(int(output.stdout))
    kill(int(output.stdout))


async def _join(backend: SpawnBackend, policy: CancelPolicy) -> tuple[Output, Output]:
    # The one that is cancelled has joined the group of the other.
    ready = partial(ready_options, sh("echo ready; exec sleep 100"), backend=backend)
    async with spawn_start(ready(pgroup=UNSWEPT)) as leader:
        joined = ready(pgroup=ProcessGroup(leader=leader.pid), cancel=policy, kill_grace=20)
        first = await cancelled(joined)
        second = await leader.wait()
    return first, second


@pytest.mark.parametrize("policy", [GRACEFUL, KILL], ids=lambda policy: policy.value)
async def test_a_joined_group_is_one_unit(backend: SpawnBackend, policy: CancelPolicy) -> None:
    """A policy applied to a child that has joined a group is applied to the whole group."""
    joined, leader = await _join(backend, policy)

    ended_by = Signaled(SIGTERM if policy is GRACEFUL else SIGKILL)
    assert joined.status == ended_by
    assert {sent.target for sent in shutdown_of(joined).signals} == {f"group {leader.pid}"}
    # Its own supervisor knows nothing of it: to that one it is a natural end.
    assert leader.status == ended_by
    assert leader.shutdown is None


async def test_a_joined_group_is_not_swept(backend: SpawnBackend) -> None:
    """A child that ends by itself leaves the group that it has joined alone."""
    async with spawn_start(SpawnOptions(("sleep", "100"), backend=backend, pgroup=OWN)) as leader:
        joined = SpawnOptions(("true",), backend=backend, pgroup=ProcessGroup(leader=leader.pid))
        output = await spawn(joined)
        assert output.status == Exited(0)
        assert output.shutdown is None
        assert alive(leader.pid)
        await leader.stop()


async def test_the_callers_own_group_is_refused(backend: SpawnBackend) -> None:
    """A group that the caller is in is no target: refused before anything is spawned."""
    options = SpawnOptions(("true",), backend=backend, pgroup=ProcessGroup(leader=os.getpgrp()))
    with pytest.raises(CoreError) as caught:
        await spawn(options)

    assert caught.value.errno == errno.EINVAL
    assert caught.value.op == "pgroup leader is the caller's own group"


async def _leader_gone(
    options: SpawnOptions, *, task_status: trio.TaskStatus[tuple[RunningProcess, trio.CancelScope]]
) -> None:
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            running = await nursery.start(spawn, options)
            task_status.started((running, scope))


@pytest.mark.parametrize(
    ("policy", "signals"),
    [(KILL, [SIGKILL]), (GRACEFUL, [SIGTERM, SIGCONT])],
    ids=["kill", "graceful"],
)
async def test_cancelled_when_the_leader_is_gone(
    backend: SpawnBackend, policy: CancelPolicy, signals: list[signal.Signals]
) -> None:
    """The leader has ended, a member holds the pipe: the policy still reaches the member."""
    options = SpawnOptions(
        child("spawn_grandchild", "holds", "code=5"),
        backend=backend,
        capture_stdout=True,
        ready=b"\n",
        pgroup=UNSWEPT,
        cancel=policy,
    )
    async with trio.open_nursery() as nursery:
        running, scope = await nursery.start(_leader_gone, options)
        await until(lambda: not alive(running.pid))
        assert not running.io_done
        scope.cancel()
    output = running.output
    assert output is not None

    assert output.status == Exited(5)
    assert shutdown_of(output).reason is ShutdownReason.CANCELLED
    assert signals_of(output) == signals
    assert {sent.target for sent in shutdown_of(output).signals} == {f"group {output.pid}"}
    assert output.complete
    assert not alive(int(output.stdout))


async def test_cancelled_when_nobody_is_left(backend: SpawnBackend) -> None:
    """Leader and group have ended, an escapee holds the pipe: no signal goes to anybody."""
    options = SpawnOptions(
        child("spawn_grandchild", "holds", "setsid"),
        backend=backend,
        capture_stdout=True,
        ready=b"\n",
        pgroup=OWN,
        cancel=GRACEFUL,
        kill_grace=0.05,
    )
    async with trio.open_nursery() as nursery:
        running, scope = await nursery.start(_leader_gone, options)
        await until(lambda: not alive(running.pid))
        await trio.sleep(0.02)
        scope.cancel()
    output = running.output
    kill_live()
    assert output is not None

    assert signals_of(output) == []
    assert shutdown_of(output).reason is ShutdownReason.CANCELLED
    assert not output.complete


def test_a_policy_before_the_group_was_known_reaches_it_then() -> None:
    """Signals that the child alone got, since its program was not known to run, go to the group.

    Within a run that takes a fork, an exec and a second fork between two system calls of ours.
    """
    with subprocess.Popen(
        sh("sleep 100 & echo ready; wait"), stdout=subprocess.PIPE, process_group=0
    ) as popen:
        assert popen.stdout is not None
        assert popen.stdout.readline() == b"ready\n"
        mine = Child(popen.pid, owned=True)
        options = SpawnOptions(("x",), backend=SpawnBackend.FORK, pgroup=OWN)
        ending = Ending(options, mine, Poller(), 0.0)
        ending.apply(ShutdownReason.CANCELLED, 1.0)
        wait_gone(popen.pid)
        assert len(group_members(popen.pid)) == 1
        ending.form_group(2.0)
        wait_until(lambda: group_members(popen.pid) == [])
        ending.close()
        mine.close()
    record = ending.shutdown()
    assert record is not None
    assert [sent.target.split()[0] for sent in record.signals] == ["process", "group"]


def test_a_natural_end_walks_over_no_proc(backend: SpawnBackend) -> None:
    """With nobody left in the group, a sweep does not look at /proc; with somebody, it does."""
    report = parent("proc_walks", backend.name)

    assert report == {"nobody": 0, "somebody": 1}
