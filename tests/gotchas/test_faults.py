"""What listens to the log raises, and the kernel has no memory to watch a descriptor."""

import errno
import gc
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from signal import SIGKILL, SIGTERM
from types import FrameType
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.support import child, process_info, read_line, sh, until
from tests.support.procfs import children_of_ours
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Exited,
    Output,
    Process,
    ProcessGroup,
    RunningProcess,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)
from trio_coreshift._backends import fork
from trio_coreshift._backends.plan import LaunchPlan
from trio_coreshift._ending import Ending
from trio_coreshift._escalate import Stage
from trio_coreshift._exec_image import ExecImage
from trio_coreshift._kernel import pidfd
from trio_coreshift._kernel.child import Child, Delivery
from trio_coreshift._kernel.poller import Poller
from trio_coreshift._target import GroupTarget

LOG = logging.getLogger("trio_coreshift")
OWN = ProcessGroup(leader=0)


class LogError(OSError):
    """What a filter of the log raises in these tests: nothing may take it for the kernel's."""


@pytest.fixture
def raise_at() -> Iterator[Callable[[str], None]]:
    """Makes the log raise at every message that holds a text."""
    texts: list[str] = []

    def refuse(record: logging.LogRecord) -> bool:
        if any(text in record.getMessage() for text in texts):
            raise LogError
        return True

    level = LOG.level
    LOG.setLevel(logging.DEBUG)
    LOG.addFilter(refuse)
    yield texts.append
    LOG.removeFilter(refuse)
    LOG.setLevel(level)


async def test_a_log_that_raises_at_the_launch_leaks_no_child(
    backend: SpawnBackend, raise_at: Callable[[str], None]
) -> None:
    """The child that was just started is gone with everything of it (see the leak guard)."""
    raise_at("started as process")

    with pytest.raises(LogError):
        await spawn(SpawnOptions(child("never_reads"), backend=backend, capture_stdout=True))

    assert children_of_ours() == []


async def test_a_log_that_raises_at_the_launch_spares_nobody(backend: SpawnBackend) -> None:
    """What the child has started until then is gone, too: it is the group that is ended."""
    read_fd, write_fd = os.pipe()

    def refuse(record: logging.LogRecord) -> bool:
        if "started as process" in record.getMessage():
            read_line(read_fd)  # the grandchild is there
            raise LogError
        return True

    options = SpawnOptions(
        child("spawn_grandchild", "stays"), backend=backend, stdout=write_fd, pgroup=OWN
    )
    level = LOG.level
    LOG.setLevel(logging.DEBUG)
    LOG.addFilter(refuse)
    try:
        with trio.fail_after(20), pytest.raises(LogError):
            await spawn(options)
    finally:
        LOG.removeFilter(refuse)
        LOG.setLevel(level)
        os.close(read_fd)
        os.close(write_fd)
    # That both are gone is what the leak guard sees.


async def test_a_fault_right_after_the_launch_leaks_no_child(
    backend: SpawnBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without memory for what describes it, the child is gone, and every descriptor with it."""

    def broken(_pid: int, *, owned: bool) -> Child:
        raise MemoryError(owned)

    monkeypatch.setattr("trio_coreshift._launch.Child", broken)
    with pytest.raises(MemoryError):
        await spawn(SpawnOptions(child("never_reads"), backend=backend, capture_stdout=True))

    assert children_of_ours() == []


async def test_a_log_that_raises_at_a_sweep_does_not_save_the_survivor(
    backend: SpawnBackend, raise_at: Callable[[str], None]
) -> None:
    """What remains of the group is killed before it is told."""
    raise_at("left something behind")
    seen: list[RunningProcess] = []

    async def keep(running: RunningProcess) -> None:
        seen.append(running)

    options = SpawnOptions(child("spawn_grandchild"), backend=backend, pgroup=OWN, ready=keep)
    with trio.fail_after(20), pytest.raises(LogError):
        async with spawn_start(options):
            pass

    output = seen[0].output
    assert output is not None
    assert output.shutdown is not None
    assert [sent.signal for sent in output.shutdown.signals] == [SIGKILL]


async def test_a_log_that_raises_at_sigterm_does_not_hold_sigcont_back(
    backend: SpawnBackend, raise_at: Callable[[str], None]
) -> None:
    """A stopped child gets both, though what listens to the log raises at the first."""
    raise_at("SIGTERM to")
    options = SpawnOptions(
        child("stop_self"),
        backend=backend,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=20,
        stdout=-1,
    )
    seen: list[RunningProcess] = []

    async def stop_it() -> None:
        async with spawn_start(options) as running:
            seen.append(running)
            assert running.stdout is not None
            await running.stdout.receive_some()
            await until(lambda: getattr(process_info(running.pid), "state", "") == "T")
            await running.stop()

    with pytest.raises(LogError):
        await stop_it()

    output = seen[0].output
    assert output is not None
    assert output.status != Signaled(SIGKILL)


async def test_a_log_that_raises_in_the_background_does_not_end_the_run(
    backend: SpawnBackend, raise_at: Callable[[str], None]
) -> None:
    """A child of `wait=False` is reaped, whoever waits for it is told, and trio goes on."""
    raise_at("left to itself")
    async with trio.open_nursery() as nursery:
        running = await nursery.start(
            spawn, SpawnOptions(sh("exit 3"), backend=backend, wait=False)
        )
        with trio.fail_after(20):
            assert await running.process.wait() == Exited(3)
    await until(lambda: not children_of_ours())
    await trio.testing.wait_all_tasks_blocked()


def fail_adding(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    """Have one of the descriptors not be watched, counted from 1: the kernel has no room for it."""
    whole = Poller.add
    calls = 0

    def add(self: Poller, fd: int, event: int, handler: Callable[[], None]) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise CoreError(errno.ENOSPC, "epoll_ctl")
        whole(self, fd, event, handler)

    monkeypatch.setattr(Poller, "add", add)


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
async def test_a_descriptor_that_cannot_be_watched_holds_nothing_up(
    backend: SpawnBackend, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    """Whichever it is, and though nothing is sent, the pipes are read or closed, and it ends."""
    fail_adding(monkeypatch, failing)
    options = SpawnOptions(
        sh("head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; cat >/dev/null"),
        backend=backend,
        stdin=bytes(200_000),
        capture_stdout=True,
        capture_stderr=True,
        cancel=CancelPolicy.NONE,
        timeout=20,
    )

    begun = time.monotonic()
    with pytest.raises(CoreError) as caught:
        await spawn(options)
    assert caught.value.op == "epoll_ctl"
    assert time.monotonic() - begun < 10


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have no descriptor added to the epoll of trio's loop: the limit of epoll(7) is reached.

    Returns:
        The descriptors that were to be.
    """
    refused: list[int] = []

    async def refuse(fd: int) -> None:
        refused.append(fd)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trio.lowlevel, "wait_readable", refuse)
    return refused


@pytest.mark.usefixtures("no_room")
async def test_a_loop_that_can_watch_nothing_changes_nothing(backend: SpawnBackend) -> None:
    """All is read, the natural end is awaited, nothing is sent, and the loop goes on meanwhile."""
    chunks: list[bytes] = []

    async def sink(chunk: bytes) -> None:
        chunks.append(chunk)

    options = SpawnOptions(
        sh("head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2; cat >/dev/null; exit 3"),
        backend=backend,
        stdin=bytes(200_000),
        capture_stdout=True,
        stderr_sink=sink,
        cancel=CancelPolicy.NONE,
    )
    outputs: list[Output] = []

    async def run() -> None:
        outputs.append(await spawn(options))

    ticks = 0
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            while not outputs:
                await trio.lowlevel.checkpoint()
                ticks += 1
    assert outputs[0].status == Exited(3)
    assert outputs[0].shutdown is None
    assert outputs[0].complete
    assert len(outputs[0].stdout) == len(b"".join(chunks)) == 200_000
    assert ticks > 10


@pytest.mark.usefixtures("no_room")
async def test_a_loop_that_can_watch_nothing_applies_the_policy(backend: SpawnBackend) -> None:
    """A timeout, a stop, a cancellation: each in its time, with the signals of the policy."""
    options = SpawnOptions(child("never_reads"), backend=backend, cancel=CancelPolicy.GRACEFUL)
    with trio.fail_after(20):
        output = await spawn(attrs.evolve(options, timeout=0.05))
        assert output.status == Signaled(SIGTERM)
        async with spawn_start(options) as running:
            await running.stop(CancelPolicy.KILL)
            assert (await running.wait()).status == Signaled(SIGKILL)
        with trio.move_on_after(0.05) as scope:
            await spawn(options)
        assert scope.cancelled_caught


async def test_a_loop_that_can_watch_nothing_is_no_busy_loop(
    backend: SpawnBackend, no_room: list[int]
) -> None:
    """Also behind a scope that is cancelled, there is a pause between two looks."""
    with trio.move_on_after(0.05):
        options = SpawnOptions(("sleep", "0.4"), backend=backend, cancel=CancelPolicy.NONE)
        await spawn(options)
    assert 2 < len(no_room) < 60


@pytest.mark.usefixtures("no_room")
async def test_a_process_by_its_pid_is_waited_for_without_the_loop(backend: SpawnBackend) -> None:
    """`Process.wait` finds another way, too."""
    async with trio.open_nursery() as nursery:
        options = SpawnOptions(sh("exit 3"), backend=backend, wait=False)
        with trio.fail_after(20):
            running = await nursery.start(spawn, options)
            assert await running.process.wait() == Exited(3)
    with subprocess.Popen(sh("exit 4")) as popen:  # noqa: ASYNC220 - not one of ours
        with trio.fail_after(20):
            assert await Process(popen.pid).wait() == Exited(4)
        popen.returncode = 4


async def test_a_group_is_killed_though_the_exit_cannot_be_watched(
    full_backend: SpawnBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first descriptor that is watched is the pidfd; the grandchild goes all the same."""
    fail_adding(monkeypatch, 1)
    options = SpawnOptions(
        child("spawn_grandchild", "stays"),
        backend=full_backend,
        capture_stdout=True,
        pgroup=OWN,
        cancel=CancelPolicy.NONE,
        ready=b"\n",
    )
    with trio.fail_after(20), pytest.raises(CoreError):
        async with spawn_start(options) as running:
            await running.stop(CancelPolicy.KILL)
    # That the grandchild is gone is what the leak guard sees.


async def test_a_survivor_of_an_abandoned_group_is_not_looked_at_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without pidfds a look is due every 20 ms: given up, none is due any more."""
    monkeypatch.setattr(pidfd, "open_pidfd", lambda _pid: None)
    monkeypatch.setattr(GroupTarget, "send", lambda _self, _number: Delivery.REFUSED)
    seen: list[float] = []
    whole = Ending.settle

    def settle(self: Ending, now: float) -> None:
        whole(self, now)
        if self._escalation.stage is Stage.ABANDONED:
            seen.append(self.deadline)

    async def sink(_chunk: bytes) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(Ending, "settle", settle)
    options = SpawnOptions(
        sh("echo; sleep 0.6 & exit 0"),
        backend=SpawnBackend.VFORK,
        stdout_sink=sink,
        timeout=0,
        abandon_after=0.1,
        kill_grace=0.4,
        pgroup=OWN,
    )
    with trio.fail_after(20), pytest.raises(CoreError, match="wait after SIGKILL"):
        await spawn(options)
    assert set(seen) <= {float("inf")}


async def test_what_is_no_policy_is_refused(backend: SpawnBackend) -> None:
    """`stop("kill")` would else wait for a natural end that may never come."""
    wrong: Any = "kill"
    async with spawn_start(SpawnOptions(child("never_reads"), backend=backend)) as running:
        with trio.fail_after(20), pytest.raises(TypeError):
            await running.stop(wrong)
        await running.stop(CancelPolicy.KILL)


def test_the_collector_is_on_again_when_a_handler_raises_before_the_fork() -> None:
    """A handler that raises between the first steps leaves nothing of theirs behind."""

    def raise_there(frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - typeshed's
        if event == "line" and frame.f_code.co_name == "_fork" and not gc.isenabled():
            sys.settrace(None)
            raise LogError
        return raise_there

    plan = LaunchPlan(
        image=ExecImage(argv=(b"true",), env=None, cwd=None),
        path=b"/bin/true",
        stdio=(None, None, None),
    )
    tracing = sys.gettrace()
    sys.settrace(raise_there)
    try:
        with pytest.raises(LogError):
            fork.start(plan)
    finally:
        sys.settrace(tracing)
    assert gc.isenabled()
