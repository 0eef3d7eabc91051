"""Signals to groups: who gets them, how often, and who must not."""

import os
import signal
from pathlib import Path

import pytest
import trio

from tests.support import child, gone, process_info, sh, until
from trio_coreshift import (
    CancelPolicy,
    Exited,
    Output,
    Process,
    ProcessGroup,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn_start,
)
from trio_coreshift._ending import Ending
from trio_coreshift._kernel.child import Child
from trio_coreshift._kernel.poller import Poller

PARKED = child("never_reads")


def sent(output: Output) -> list[tuple[int, str]]:
    """What was sent, and to what."""
    assert output.shutdown is not None
    return [(sent.signal, sent.target) for sent in output.shutdown.signals]


async def test_a_stopped_child_acts_on_sigterm(backend: SpawnBackend) -> None:
    """SIGTERM is followed by SIGCONT, so a stopped child cleans up within its grace."""
    options = SpawnOptions(
        child("stop_self"),
        backend=backend,
        capture_stdout=True,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30,
    )
    with trio.fail_after(20):
        async with spawn_start(options) as running:
            await until(
                lambda: (info := process_info(running.pid)) is not None and info.state == "T"
            )
            output = await running.stop()

    assert output.status == Exited(3)
    assert output.stdout.endswith(b"term\n")


async def test_the_group_that_was_joined_is_signalled(backend: SpawnBackend) -> None:
    """A child that joined group n is ended with group n, not with a group of its own number."""
    leads = SpawnOptions(PARKED, backend=backend, pgroup=ProcessGroup(leader=0))
    async with spawn_start(leads) as leader:
        joins = SpawnOptions(
            sh("sleep 60 & echo ready; wait"),
            backend=backend,
            capture_stdout=True,
            ready=b"ready",
            pgroup=ProcessGroup(leader=leader.pid),
        )
        with trio.fail_after(20):
            async with spawn_start(joins) as joined:
                output = await joined.stop()
            ended = await leader.wait()

    assert sent(output) == [(signal.SIGKILL, f"group {leader.pid}")]
    assert ended.status == Signaled(signal.SIGKILL)


async def test_a_leader_that_ends_early_leaves_the_others_their_grace(
    backend: SpawnBackend, tmp_path: Path
) -> None:
    """The grace belongs to the group: a member that has let go of the pipe is waited for, too."""
    script = """
    trap 'exit 0' TERM
    (trap 'trap "" TERM; exec >/dev/null; sleep 0.1; echo saved >"$1"; exit 0' TERM
     echo ready
     while :; do sleep 0.01; done) &
    wait
    """
    trace = tmp_path / "trace"
    options = SpawnOptions(
        sh(script, str(trace)),
        backend=backend,
        capture_stdout=True,
        ready=b"ready",
        pgroup=ProcessGroup(leader=0),
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30,
    )
    with trio.fail_after(20):
        async with spawn_start(options) as running:
            output = await running.stop()

    assert trace.read_text() == "saved\n"
    target = f"group {running.pid}"
    assert sent(output) == [(signal.SIGTERM, target), (signal.SIGCONT, target)]


async def test_what_a_shell_has_started_goes_with_it(backend: SpawnBackend) -> None:
    """The whole group is killed, and each member, which may take its time to die, only once."""
    options = SpawnOptions(
        sh("sleep 60 & sleep 60 & sleep 60 & echo $!; wait"),
        backend=backend,
        capture_stdout=True,
        ready=b"\n",
        pgroup=ProcessGroup(leader=0),
    )
    with trio.fail_after(20):
        async with spawn_start(options) as running:
            output = await running.stop()
        await gone(int(output.stdout))

    assert sent(output) == [(signal.SIGKILL, f"group {running.pid}")]


def test_a_group_gets_what_was_sent_before_it_existed() -> None:
    """Until the program runs, signals go to the child alone; the group then gets them as well."""
    options = SpawnOptions(
        ["sleep", "60"],
        backend=SpawnBackend.FORK,
        pgroup=ProcessGroup(leader=0),
        cancel=CancelPolicy.GRACEFUL,
    )
    pid = os.posix_spawnp("sh", ["sh", "-c", "trap '' TERM; read x"], os.environ, setpgroup=0)
    owned, poller = Child(pid, owned=True), Poller()
    ending = Ending(options, owned, poller, 0.0)

    ending.apply(ShutdownReason.CANCELLED, 1.0)
    ending.form_group(2.0)
    ending.kill(ShutdownReason.ERROR, 3.0)
    owned.wait_blocking()
    ending.settle(4.0)
    shutdown = ending.shutdown()
    ending.close()
    poller.close()
    owned.close()

    assert shutdown is not None
    assert [(sent.signal, sent.target) for sent in shutdown.signals] == [
        (signal.SIGTERM, f"process {pid}"),
        (signal.SIGCONT, f"process {pid}"),
        (signal.SIGTERM, f"group {pid}"),
        (signal.SIGCONT, f"group {pid}"),
        (signal.SIGKILL, f"group {pid}"),
    ]


async def test_a_child_in_our_group_is_signalled_alone(backend: SpawnBackend) -> None:
    """Without a group of its own the child is the target, and our group is left alone."""
    async with spawn_start(SpawnOptions(PARKED, backend=backend)) as running:
        output = await running.stop()

    assert sent(output) == [(signal.SIGKILL, f"process {running.pid}")]


def test_our_own_group_is_refused() -> None:
    """`Process.kill_pgroup` does not signal the group that we are in."""
    if os.getpgrp() == 0:
        pytest.skip("led from outside of this pid namespace")

    with pytest.raises(PermissionError, match="kill_pgroup"):
        Process(os.getpgrp()).kill_pgroup(0)
