"""Waiting, in every number and from everywhere."""

import os
import signal

import pytest
import trio

from tests.support import child
from trio_coreshift import (
    Exited,
    ExitStatus,
    ExitStatusError,
    Output,
    Process,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    Unknown,
    spawn,
    spawn_start,
)

PARKED = child("never_reads")


def start_stranger(program: str, *args: str) -> int:
    """Start a child of this process without the package, which therefore does not reap it."""
    return os.posix_spawnp(program, [program, *args], os.environ)


def take_status(pid: int) -> int:
    """Reap a child as other code in the process would."""
    return os.waitpid(pid, 0)[1]


async def test_any_number_of_tasks_wait_for_a_process() -> None:
    """A process has many waiters, some of which are cancelled, and each other gets the status."""
    found: list[ExitStatus] = []
    process = Process(start_stranger("sleep", "60"))

    async def wait() -> None:
        found.append(await process.wait())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(wait)
        with trio.move_on_after(0.01):
            await process.wait()
        process.kill(signal.SIGKILL)

    assert found == [Signaled(signal.SIGKILL)] * 5
    assert await process.wait() == process.wait_step() == process.wait_blocking() == found[0]


async def test_any_number_of_tasks_wait_for_a_run(backend: SpawnBackend) -> None:
    """A run has many waiters, before its end and after it, some of which are cancelled."""
    found: list[Output] = []
    async with spawn_start(SpawnOptions(PARKED, backend=backend)) as running:

        async def wait() -> None:
            found.append(await running.wait())

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(wait)
            with trio.move_on_after(0.01):
                await running.wait()
            nursery.start_soon(running.process.wait)
            running.process.kill(signal.SIGKILL)

    assert found == [running.output] * 5
    assert await running.wait() is running.output


async def test_the_status_somebody_else_took_is_unknown(backend: SpawnBackend) -> None:
    """A child reaped by ``waitpid(-1)`` elsewhere has ended, nobody knows how, and that shows."""
    async with spawn_start(SpawnOptions(PARKED, backend=backend)) as running:
        running.process.kill(signal.SIGKILL)
        take_status(running.pid)  # and there was no turn of the loop since the kill
        output = await running.wait()

    assert output.status == Unknown()
    assert output.returncode is None
    with pytest.raises(ExitStatusError, match="taken by someone else"):
        output.check()


async def test_children_of_others_stay_theirs(backend: SpawnBackend) -> None:
    """While we wait for our own children, a child of somebody else keeps its status for him."""
    stranger = start_stranger("sh", "-c", "exit 3")
    options = SpawnOptions(["true"], backend=backend)
    for _ in range(3):
        output = await spawn(options)
        assert output.status == Exited(0)

    assert os.waitstatus_to_exitcode(take_status(stranger)) == 3
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL


async def test_a_stranger_is_not_waited_for() -> None:
    """Waiting for a process that is no child of ours is ECHILD, not a hang and not a guess."""
    process = Process(os.getppid() or 1)  # 0: outside of our pid namespace

    with pytest.raises(ChildProcessError, match=r"^waitpid_step: "):
        process.wait_step()
    with pytest.raises(ChildProcessError, match=r"^waitpid_blocking: "):
        process.wait_blocking()
    with pytest.raises(ChildProcessError, match=r"^waitpid: "):
        await process.wait()
