"""The exit, and what has become ready since, seen by a loop that was busy: all in one turn."""

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Iterator
from functools import partial
from signal import SIGKILL
from typing import Any

import pytest
import trio
import trio.testing

from tests.support import child, read_exactly, until, wait_until
from tests.support.procfs import children_of_ours
from trio_coreshift import (
    CancelPolicy,
    Exited,
    Output,
    OutputLimitError,
    OverflowPolicy,
    ProcessGroup,
    RunningProcess,
    ShutdownReason,
    SpawnBackend,
    SpawnOptions,
    spawn,
)
from trio_coreshift._kernel import pidfd

OWN = ProcessGroup(leader=0)


class Script:
    """Tells the helper program `last_words` what to do, and waits, in step with the loop.

    All that is done between two awaits of a test is one batch for the loop.
    """

    def __init__(self) -> None:
        self._exit_r, self._exit_w = os.pipe()
        self._act_r, self._act_w = os.pipe()
        self._done_r, self._done_w = os.pipe()
        self._theirs = (self._exit_r, self._act_r, self._done_w)

    def options(self, backend: SpawnBackend, *words: str, **more: Any) -> SpawnOptions:  # noqa: ANN401 - options
        """Return the options that run it."""
        argv = child("last_words", *self._theirs, *words)
        return SpawnOptions(argv, backend=backend, pass_fds=self._theirs, **more)

    def exits(self) -> None:
        """Have the child end, which nobody has seen yet."""
        os.write(self._exit_w, b"x")
        wait_until(lambda: [info.state for info in children_of_ours()] == ["Z"])

    def acts(self) -> None:
        """Have the grandchild do its part."""
        os.write(self._act_w, b"x")
        assert read_exactly(self._done_r, 1) == b"."

    def ends(self) -> None:
        """Have the grandchild end; may be called again."""
        if self._act_w >= 0:
            os.close(self._act_w)
            self._act_w = -1

    def close(self) -> None:
        """Close everything."""
        self.ends()
        for fd in (*self._theirs, self._exit_w, self._done_r):
            os.close(fd)


@pytest.fixture
def script() -> Iterator[Script]:
    """Have a script."""
    script = Script()
    yield script
    script.close()


@pytest.fixture(params=["pidfd", "thread"])
def exit_seen_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the exit seen by a pidfd, and where there are none."""
    if request.param == "thread":
        monkeypatch.setattr(pidfd, "open_pidfd", lambda _pid: None)


def unread(stream: trio.lowlevel.FdStream) -> int:
    """Return how many bytes are in a pipe."""
    count: int = struct.unpack("i", fcntl.ioctl(stream.fileno(), termios.FIONREAD, bytes(4)))[0]
    return count


def fill(stream: trio.lowlevel.FdStream, size: int) -> None:
    """Put bytes into a pipe of which we have the read end."""
    fd = os.open(f"/proc/self/fd/{stream.fileno()}", os.O_WRONLY)
    os.write(fd, bytes(size))
    os.close(fd)


@pytest.mark.usefixtures("exit_seen_by")
async def test_what_comes_after_the_exit_is_the_callers(
    backend: SpawnBackend, script: Script
) -> None:
    """A pipe is read to nowhere for the child's sake: no byte that came after it is."""
    options = script.options(
        backend, "speaks", stdout=subprocess.PIPE, cancel=CancelPolicy.NONE, stdin=None
    )
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def run(task_status: trio.TaskStatus[RunningProcess]) -> None:
            with scope:
                await spawn(options, task_status=task_status)

        running = await nursery.start(run)
        assert running.stdout is not None
        # More than half of what it holds: that nobody reads it is told by its standing still.
        fill(running.stdout, 60_000)
        scope.cancel()
        await until(lambda: unread(running.stdout) == 0)

        script.exits()
        script.acts()
        await running.wait()
        script.ends()

        assert await running.stdout.receive_some() == b"LASTWORDS"
        await running.stdout.aclose()


async def test_nobody_is_fed_after_the_exit(backend: SpawnBackend, script: Script) -> None:
    """The grandchild gets what was in the pipe already, and then its end."""
    options = script.options(backend, "reads", stdin=bytes(1_000_000), capture_stdout=True)
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, options)
        await trio.testing.wait_all_tasks_blocked()
        script.exits()
        script.acts()
        await until(lambda: running.process.wait_step() is not None)
        script.ends()
        output = await running.wait()

    assert output.stdout == b"65536"


class PredicateError(Exception):
    """What a predicate raises in these tests."""


async def run_to_end(script: Script, options: SpawnOptions) -> Output:
    """Run it; the exit and the last words come in one batch."""
    async with trio.open_nursery() as nursery:
        running: RunningProcess = await nursery.start(partial(ignoring_errors, options))
        await trio.testing.wait_all_tasks_blocked()
        script.exits()
        script.acts()
        with trio.fail_after(20):
            while running.output is None:
                await trio.lowlevel.checkpoint()
    return running.output


async def ignoring_errors(
    options: SpawnOptions, task_status: trio.TaskStatus[RunningProcess]
) -> None:
    """Run it for what its handle tells."""
    with contextlib.suppress(PredicateError, OutputLimitError):
        await spawn(options, task_status=task_status)


def refuses(_chunk: bytes) -> bool:
    """Is a predicate that is not one."""
    raise PredicateError


@pytest.mark.parametrize(
    "more",
    [
        {"early_exit": refuses},
        {"early_exit": b"LASTWORDS"},
        {"max_output": 3, "overflow": OverflowPolicy.STOP},
    ],
    ids=["raises", "matches", "overflows"],
)
async def test_a_natural_end_stays_one(
    backend: SpawnBackend, script: Script, more: dict[str, Any]
) -> None:
    """Whatever its group's output then brings about, the child has ended by itself: a sweep."""
    options = script.options(
        backend,
        "speaks",
        capture_stdout=True,
        pgroup=OWN,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=20,
        **more,
    )
    output = await run_to_end(script, options)

    assert output.status == Exited(3)
    assert output.shutdown is not None
    assert output.shutdown.reason is ShutdownReason.SWEEP
    assert [sent.signal for sent in output.shutdown.signals] == [SIGKILL]


@pytest.mark.parametrize("match", [True, False])
async def test_the_very_last_bytes_can_match(
    backend: SpawnBackend, script: Script, *, match: bool
) -> None:
    """What is found when a pipe is given up counts as much as what was found before."""
    chunks: list[bytes] = []

    def predicate(chunk: bytes) -> bool:
        chunks.append(chunk)
        if len(chunks) == 1:
            script.acts()  # so there is more in the pipe, of which no event tells
        return match and chunk == b"LASTWORDS"

    options = script.options(
        backend,
        "speaks",
        "first",
        capture_stdout=True,
        drain_grace=0,
        early_exit=predicate,
        ready=None if match else b"LASTWORDS",
    )
    async with trio.open_nursery() as nursery:
        started: list[RunningProcess] = []

        async def start() -> None:
            started.append(await nursery.start(spawn, options))

        nursery.start_soon(start)
        await until(children_of_ours)
        await trio.testing.wait_all_tasks_blocked()
        script.exits()
        with trio.fail_after(20):
            while not started:
                await trio.lowlevel.checkpoint()
            output = await started[0].wait()
        script.ends()

    assert chunks == [b"first", b"LASTWORDS"]
    assert output.stdout == b"firstLASTWORDS"
    assert output.stdout_early_exited is match
    assert (output.shutdown is not None) is match


async def test_a_predicate_that_raises_at_the_very_end(
    backend: SpawnBackend, script: Script
) -> None:
    """An exception of `early_exit` in the last read of a pipe that someone else holds: no hang."""
    chunks: list[bytes] = []

    def predicate(chunk: bytes) -> bool:
        chunks.append(chunk)
        if len(chunks) == 2:
            raise PredicateError
        script.acts()  # so there is more in the pipe, of which no event tells
        return False

    options = script.options(
        backend, "speaks", "first", capture_stdout=True, drain_grace=0, early_exit=predicate
    )

    async def run(task_status: trio.TaskStatus[RunningProcess]) -> None:
        with trio.fail_after(20), pytest.raises(PredicateError):
            await spawn(options, task_status=task_status)

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        await trio.testing.wait_all_tasks_blocked()
        script.exits()

    assert chunks == [b"first", b"LASTWORDS"]
