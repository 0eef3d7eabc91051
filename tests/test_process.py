"""`Process`: a process by its id."""

import errno
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import trio
import trio.testing

from tests.support import child, fd_table, gone, process_info, read_line, sh
from trio_coreshift import (
    CoreError,
    Exited,
    Process,
    ProcessGroup,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    Unknown,
    spawn_start,
)

PIPE = subprocess.PIPE


def start(*argv: str, own_group: bool = False) -> int:
    """Start a program that only its pid is known of."""
    group = {"setpgroup": 0} if own_group else {}
    actions = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    return os.posix_spawn(argv[0], argv, os.environ, file_actions=actions, **group)  # type: ignore[arg-type]  # of one


def refusal(call: Callable[[], object]) -> tuple[int | None, str]:
    """Return errno and op of a call that must fail.

    The error is not kept: its traceback would keep the process, and that its descriptor.
    """
    try:
        call()
    except CoreError as exc:
        return exc.errno, exc.op
    raise AssertionError("it did not fail")  # pragma: no cover - only if it fails


@pytest.fixture
def sleeper() -> Iterator[int]:
    """Start a program that lives until killed, leading a group; it is reaped at the end."""
    pid = start("/bin/sleep", "60", own_group=True)
    yield pid
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


@pytest.mark.parametrize("pid", [0, -1, -4711, 2**31, 2**64])
def test_an_impossible_pid_is_refused(pid: int) -> None:
    """What kill(2) would take for a group, or cannot take, is no process."""
    with pytest.raises(ValueError, match="process pid invalid") as caught:
        Process(pid)
    assert isinstance(caught.value, CoreError)
    assert (caught.value.errno, caught.value.op) == (errno.EINVAL, "process pid invalid")


@pytest.mark.parametrize("pid", ["1", 1.0, None, True])
def test_a_pid_of_the_wrong_kind_is_refused(pid: object) -> None:
    """What is no int is a TypeError."""
    with pytest.raises(TypeError, match="pid must be an int"):
        Process(pid)  # type: ignore[arg-type]  # wrong on purpose


def test_a_step_takes_the_status_when_it_is_there(sleeper: int) -> None:
    """A step gives None while it runs, and then the status, as often as it is asked."""
    process = Process(sleeper)
    assert process.pid == sleeper
    assert process.wait_step() is None
    process.kill(signal.SIGTERM)
    os.waitid(os.P_PID, sleeper, os.WEXITED | os.WNOWAIT)
    assert process.wait_step() == Signaled(signal.SIGTERM)
    assert process.wait_step() == Signaled(signal.SIGTERM)


def test_blocking_waits_for_the_end() -> None:
    """The blocking wait gives the status, and gives it again."""
    process = Process(start("/bin/sh", "-c", "exit 7"))
    assert process.wait_blocking() == Exited(7)
    assert process.wait_blocking() == Exited(7)
    assert process.wait_step() == Exited(7)


async def test_waiting_lets_others_run(sleeper: int) -> None:
    """The wait of trio's gives the status, and does not hold the loop meanwhile."""
    process = Process(sleeper)
    async with trio.open_nursery() as nursery:

        async def end_it() -> None:
            await trio.testing.wait_all_tasks_blocked()
            process.kill(signal.SIGKILL)

        nursery.start_soon(end_it)
        assert await process.wait() == Signaled(signal.SIGKILL)
    with trio.testing.assert_checkpoints():
        assert await process.wait() == Signaled(signal.SIGKILL)


async def test_any_number_may_wait(sleeper: int) -> None:
    """Many tasks wait for one process, and all get its status."""
    process = Process(sleeper)
    statuses = []

    async def wait() -> None:
        statuses.append(await process.wait())

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        process.kill(signal.SIGTERM)
    assert statuses == [Signaled(signal.SIGTERM)] * 10


async def test_a_cancelled_wait_does_nothing_to_the_process(sleeper: int) -> None:
    """Giving up waiting leaves the process alone, and another wait works."""
    process = Process(sleeper)
    before = fd_table()
    with trio.move_on_after(0.01) as scope:
        await process.wait()
    assert scope.cancelled_caught
    assert fd_table() == before
    assert process.wait_step() is None
    process.kill(signal.SIGKILL)
    assert await process.wait() == Signaled(signal.SIGKILL)


async def test_a_stranger_cannot_be_waited_for() -> None:
    """Waiting for a process that is no child is ECHILD, with the op of the call."""
    stranger = Process(os.getppid())
    assert refusal(stranger.wait_step) == (errno.ECHILD, "waitpid_step")
    assert refusal(stranger.wait_blocking) == (errno.ECHILD, "waitpid_blocking")
    found = None
    try:
        await stranger.wait()
    except CoreError as exc:
        found = (exc.errno, exc.op)
    assert found == (errno.ECHILD, "waitpid")


async def test_a_child_that_someone_else_has_reaped(sleeper: int) -> None:
    """A status that was taken by someone else is ECHILD: it cannot be told from a stranger."""
    process = Process(sleeper)
    os.kill(sleeper, signal.SIGKILL)
    os.waitpid(sleeper, 0)  # noqa: ASYNC222 - it dies at once
    assert refusal(process.wait_step) == (errno.ECHILD, "waitpid_step")
    with pytest.raises(ChildProcessError):
        await process.wait()


def test_a_process_that_is_gone_takes_every_signal() -> None:
    """Signalling what is gone is no error, before and after it is reaped."""
    process = Process(start("/bin/true"))
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.kill(signal.SIGTERM)
    process.wait_blocking()
    process.kill(signal.SIGTERM)
    process.kill_pgroup(signal.SIGTERM)


def test_a_process_that_never_was_takes_every_signal() -> None:
    """A pid that nobody has can be signalled: there is nobody to get it."""
    popen = subprocess.Popen(("/bin/true",))
    popen.wait()
    process = Process(popen.pid)
    process.kill(signal.SIGKILL)
    process.kill_pgroup(signal.SIGKILL)


async def test_a_stranger_can_be_signalled() -> None:
    """A process need not be a child to be signalled."""
    done = subprocess.run(child("spawn_grandchild"), stdout=PIPE, check=True)  # noqa: ASYNC221 - short
    stranger = Process(int(done.stdout))
    stranger.kill(signal.SIGTERM)
    await gone(stranger.pid)
    stranger.kill(signal.SIGTERM)


def test_no_signal_is_an_error(sleeper: int) -> None:
    """A number that is no signal is EINVAL, with the op."""
    process = Process(sleeper)
    assert refusal(partial(process.kill, 4711)) == (errno.EINVAL, "kill")
    assert refusal(partial(process.kill_pgroup, 4711)) == (errno.EINVAL, "kill_pgroup")
    process.kill(0)
    assert process.wait_step() is None


async def test_a_group_is_signalled_as_a_whole() -> None:
    """`kill_pgroup` reaches every member of the group that the process leads."""
    popen = subprocess.Popen(  # noqa: ASYNC220 - a leader of no supervisor's
        child("spawn_grandchild", "stays"), stdout=PIPE, process_group=0
    )
    assert popen.stdout is not None
    with popen:
        member = int(read_line(popen.stdout.fileno()))
        process = Process(popen.pid)
        process.kill_pgroup(signal.SIGTERM)
        await gone(member)
        assert process.wait_blocking() == Signaled(signal.SIGTERM)
        popen.returncode = 0


def test_a_group_that_it_does_not_lead_is_left_alone() -> None:
    """`kill_pgroup` of a process that leads no group reaches nobody."""
    pid = start("/bin/sleep", "60")
    process = Process(pid)
    process.kill_pgroup(signal.SIGKILL)
    assert process.wait_step() is None
    process.kill(signal.SIGKILL)
    assert process.wait_blocking() == Signaled(signal.SIGKILL)


def test_our_own_group_is_refused() -> None:
    """`kill_pgroup` never signals the group that we are in ourselves."""
    process = Process(os.getpgrp())
    assert refusal(partial(process.kill_pgroup, 0)) == (errno.EPERM, "kill_pgroup")


def test_the_descriptor_goes_with_the_object(sleeper: int) -> None:
    """A process holds one close-on-exec descriptor, and gives it back when it is forgotten."""
    before = fd_table().keys()
    process = Process(sleeper)
    (fd,) = fd_table().keys() - before
    assert not os.get_inheritable(fd)
    del process
    assert fd_table().keys() == before


def test_the_repr_tells_what_is_known(sleeper: int) -> None:
    """The repr has the pid, and how it ended once that is known."""
    process = Process(sleeper)
    assert repr(process) == f"<Process {sleeper}: has not ended>"
    process.kill(signal.SIGTERM)
    process.wait_blocking()
    assert repr(process) == f"<Process {sleeper}: was ended by SIGTERM>"


async def test_the_process_of_a_running_child(backend: SpawnBackend) -> None:
    """The process of a handle can be signalled and waited for beside its supervisor."""
    options = SpawnOptions(child("never_reads"), backend=backend, stdout=PIPE)
    async with spawn_start(options) as running:
        process = running.process
        assert process.pid == running.pid
        assert process.wait_step() is None
        process.kill(signal.SIGTERM)
        assert await process.wait() == Signaled(signal.SIGTERM)
        assert process.wait_blocking() == Signaled(signal.SIGTERM)
    assert running.output is not None
    assert running.output.status == Signaled(signal.SIGTERM)
    assert running.output.shutdown is None
    process.kill(signal.SIGTERM)


async def test_waiters_of_a_running_childs_process(backend: SpawnBackend) -> None:
    """Many may wait for the process of a handle, and some of them give up."""
    statuses = []
    options = SpawnOptions(sh("read x; exit 5"), backend=backend, stdin=PIPE)
    async with spawn_start(options) as running, trio.open_nursery() as nursery:
        impatience = trio.CancelScope()

        async def wait() -> None:
            statuses.append(await running.process.wait())

        async def wait_together() -> None:
            with impatience:
                async with trio.open_nursery() as inner:
                    inner.start_soon(wait)
                    inner.start_soon(wait)

        nursery.start_soon(wait_together)
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        impatience.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert running.stdin is not None
        await running.stdin.aclose()
    assert statuses == [Exited(5)] * 2


async def test_the_process_of_a_group_is_waited_for(full_backend: SpawnBackend) -> None:
    """The process of a child that leads a group has its status, kept or reaped."""
    options = SpawnOptions(sh("exit 6"), backend=full_backend, pgroup=ProcessGroup(isolated=True))
    async with spawn_start(options) as running:
        assert await running.process.wait() == Exited(6)
    assert running.process.wait_step() == Exited(6)
    assert process_info(running.pid) is None


async def test_a_stolen_status_of_a_running_child_is_unknown(backend: SpawnBackend) -> None:
    """Where someone else reaps the child of a supervisor, its status is unknown and never 0."""
    read_fd, write_fd = os.pipe()
    options = SpawnOptions(sh("read x; exit 0"), backend=backend, stdin=read_fd)
    async with spawn_start(options) as running:
        os.close(read_fd)
        os.close(write_fd)
        # In one step, so that the loop has no chance to see its end before.
        os.waitpid(running.pid, 0)  # noqa: ASYNC222 - stealing it is the point
        assert await running.process.wait() == Unknown()
    assert running.output is not None
    assert running.output.status == Unknown()
    assert running.output.returncode is None
