"""Numbers of processes and groups that may be somebody else's."""

import os
import signal

import pytest
import trio

from tests.support import child, process_info, until
from trio_coreshift import ProcessGroup, SpawnBackend, SpawnOptions, Unknown, spawn, spawn_start
from trio_coreshift._exit_watch import call_at_exit
from trio_coreshift._kernel import procfs
from trio_coreshift._kernel.child import Child, Delivery
from trio_coreshift._target import GroupTarget

STRANGER = os.getppid() or 1  # alive, and no child of ours


def start(*argv: str, **attributes: int) -> int:
    """Start a child of this process without the package."""
    return os.posix_spawnp(argv[0], argv, os.environ, **attributes)  # type: ignore[arg-type]


def end(pid: int) -> None:
    """Kill a child and leave it a zombie."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("owned", [True, False])
@pytest.mark.parametrize("with_pidfd", [True, False])
def test_a_number_is_not_used_after_its_reaping(*, owned: bool, with_pidfd: bool) -> None:
    """Once a child is reaped, by us, its number gets no signal, whoever has it now."""
    pid = start("sleep", "60")
    ours = Child(pid, owned=owned)
    if not with_pidfd:
        ours.close()
    end(pid)
    assert ours.signal(signal.SIGTERM) is Delivery.SENT  # a zombie takes it
    assert ours.poll() is not None

    ours.pid = STRANGER

    assert ours.signal(0) is Delivery.GONE
    ours.close()


def test_a_number_is_not_used_after_somebody_elses_reaping() -> None:
    """Where a thief reaps a child that has no pidfd, its number gets no signal either."""
    pid = start("sleep", "60")
    ours = Child(pid, owned=True)
    ours.close()
    end(pid)
    os.waitpid(pid, 0)

    ours.pid = STRANGER

    assert ours.signal(0) is Delivery.GONE
    assert ours.signal_group(os.getpgid(STRANGER), 0) is Delivery.GONE


def test_a_process_that_is_not_ours_is_never_taken_for_our_child() -> None:
    """A pidfd that was opened for whoever got the number is dropped; the status is unknown."""
    ours = Child(STRANGER, owned=True)

    assert ours.status == Unknown()
    assert ours.pidfd is None
    assert ours.signal(0) is Delivery.GONE


def test_a_group_is_pinned_by_its_unreaped_child() -> None:
    """As long as the group may be signalled by number the child stays a zombie; then it goes."""
    pid = start("sleep", "60", setpgroup=0)
    ours = Child(pid, owned=True)
    ours.pinned = True
    target = GroupTarget(ours, pid)
    end(pid)

    status = ours.poll()
    info = process_info(pid)
    assert info is not None
    assert info.state == "Z"
    assert target.answers()

    ours.pinned = False
    assert ours.poll() == status
    assert process_info(pid) is None
    ours.close()
    assert target.send(0) is Delivery.GONE


def test_zombies_do_not_count_as_living() -> None:
    """A group of zombies answers signal 0 and has no living member."""
    pid = start("sleep", "60", setpgroup=0)
    assert procfs.living_members(pid) == [pid]
    end(pid)

    os.killpg(pid, 0)
    assert procfs.living_members(pid) == []
    assert not procfs.is_living_member(pid, pid)
    os.waitpid(pid, 0)


async def test_a_process_whose_first_thread_has_ended_lives(full_backend: SpawnBackend) -> None:
    """What /proc shows as a zombie, but with threads that run, is a survivor and is ended."""
    group = ProcessGroup(leader=0)
    options = SpawnOptions(
        child("first_thread_exits"),
        backend=full_backend,
        capture_stdout=True,
        ready=b"ready",
        pgroup=group,
    )
    async with spawn_start(options) as running:
        await until(lambda: (info := process_info(running.pid)) is not None and info.state == "Z")
        assert procfs.living_members(running.pid) == [running.pid]
        await running.stop()
    assert process_info(running.pid) is None


async def test_a_group_of_zombies_is_empty(backend: SpawnBackend) -> None:
    """A zombie that nobody reaps is neither swept nor waited for, though its group answers."""
    options = SpawnOptions(
        child("zombie_in_group"),
        backend=backend,
        capture_stdout=True,
        pgroup=ProcessGroup(leader=0),
    )
    with trio.fail_after(20):
        output = await spawn(options)
    escapee = int(output.check().stdout)
    os.killpg(output.pid, 0)  # it does answer
    os.kill(escapee, signal.SIGKILL)

    assert output.shutdown is None


async def test_the_waiter_thread_reaps_nothing() -> None:
    """Where a thread watches for the exit, the child stays a zombie, and its number its own."""
    pid = start("sleep", "60")
    ended = trio.Event()
    call_at_exit(pid, ended.set)
    os.kill(pid, signal.SIGKILL)
    with trio.fail_after(20):
        await ended.wait()

    info = process_info(pid)
    assert info is not None
    assert info.state == "Z"
    assert await trio.to_thread.run_sync(os.waitpid, pid, 0) == (pid, signal.SIGKILL)
