"""Three doors to one supervisor: `spawn`, ``nursery.start(spawn, ...)`` and `spawn_start`."""

import signal
import subprocess
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from tests.support import child, fd_table, process_info, sh, until
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Exited,
    ExitStatusError,
    Output,
    OutputLimitError,
    OverflowPolicy,
    Process,
    RunningProcess,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
Door = Callable[[SpawnOptions], Awaitable[Output]]


def is_over(running: RunningProcess) -> bool:
    """Return whether it has an output."""
    return running.output is not None


async def by_start(options: SpawnOptions) -> Output:
    """Run as a background task."""
    async with trio.open_nursery() as nursery:
        running: RunningProcess = await nursery.start(spawn, options)
    assert running.output is not None
    return running.output


async def by_block(options: SpawnOptions) -> Output:
    """Run around a block."""
    async with spawn_start(options) as running:
        pass
    assert running.output is not None
    return running.output


@pytest.fixture(params=[spawn, by_start, by_block], ids=lambda door: door.__name__)
def door(request: pytest.FixtureRequest) -> Door:
    """Run the test once with each door."""
    chosen: Door = request.param
    return chosen


@pytest.mark.parametrize(
    ("script", "more"),
    [
        ("cat; echo err >&2; exit 3", {"stdin": b"in"}),
        ("kill -TERM $$", {}),
        ("echo stop; exit 4", {"early_exit": b"stop"}),
        ("echo long; exit 5", {"max_output": 2, "overflow": OverflowPolicy.TRUNCATE}),
    ],
    ids=["exit", "signal", "early exit", "truncated"],
)
async def test_each_door_gives_the_same(
    backend: SpawnBackend, script: str, more: dict[str, Any]
) -> None:
    """The same options give the same output through each door, but for pid, times and memory."""
    options = attrs.evolve(
        SpawnOptions(sh(script), backend=backend, capture_stdout=True, capture_stderr=True), **more
    )
    found = [
        attrs.evolve(await run(options), pid=0, duration=0.0, usage=None)
        for run in (spawn, by_start, by_block)
    ]
    assert found[0] == found[1] == found[2]


async def test_too_much_output_raises_at_each_door(backend: SpawnBackend) -> None:
    """The error for too much output comes out of `spawn` and of the block, as itself."""
    options = SpawnOptions(
        ("/bin/echo", "long"), backend=backend, capture_stdout=True, max_output=2
    )
    for run in (spawn, by_block):
        with pytest.raises(OutputLimitError) as caught:
            await run(options)
        assert caught.value.output is not None
        assert caught.value.output.stdout == b"lo"


async def test_a_background_task_that_fails_fails_its_nursery(backend: SpawnBackend) -> None:
    """The error of a background run comes out of its nursery."""
    options = SpawnOptions(
        ("/bin/echo", "long"), backend=backend, capture_stdout=True, max_output=2
    )
    with pytest.RaisesGroup(OutputLimitError):
        await by_start(options)


async def test_start_returns_when_the_program_runs(backend: SpawnBackend) -> None:
    """The handle is there while the child runs, and the task goes on to its end."""
    options = SpawnOptions(child("cat"), backend=backend, stdin=PIPE, capture_stdout=True)
    async with trio.open_nursery() as nursery:
        running: RunningProcess = await nursery.start(spawn, options)
        info = process_info(running.pid)
        assert info is not None
        assert info.alive
        assert not is_over(running)
        assert running.stdin is not None
        await running.stdin.send_all(b"hello")
        await running.stdin.aclose()
        output = await running.wait()
    assert output is running.output
    assert output.stdout == b"hello"


async def test_the_block_waits_for_the_end(backend: SpawnBackend) -> None:
    """The block is left when the child has ended and is reaped, not before."""
    async with spawn_start(SpawnOptions(sh("sleep 0.02; exit 6"), backend=backend)) as running:
        assert not is_over(running)
    assert running.output is not None
    assert running.output.status == Exited(6)
    assert process_info(running.pid) is None


@pytest.mark.parametrize("names", [(), ("stdin",), ("stdout",), ("stderr",), ("stdin", "stderr")])
async def test_streams_are_there_for_pipes_only(
    backend: SpawnBackend, names: tuple[str, ...]
) -> None:
    """A stream of the handle is an FdStream where the options say PIPE, else None."""
    pipes = dict.fromkeys(names, PIPE)
    async with spawn_start(SpawnOptions(("/bin/true",), backend=backend, **pipes)) as running:  # type: ignore[arg-type]  # some of three names
        for name in ("stdin", "stdout", "stderr"):
            stream = getattr(running, name)
            if name in names:
                assert isinstance(stream, trio.lowlevel.FdStream)
            else:
                assert stream is None


async def test_the_handle_has_a_process(backend: SpawnBackend) -> None:
    """The handle has the pid and the `Process` of the child."""
    async with spawn_start(SpawnOptions(("/bin/true",), backend=backend)) as running:
        assert isinstance(running.process, Process)
        assert running.pid == running.process.pid
        output = await running.wait()
    assert output.pid == running.pid


async def test_a_conversation(backend: SpawnBackend) -> None:
    """A block can talk to its child over its own streams."""
    options = SpawnOptions(child("prompt"), backend=backend, stdin=PIPE, stdout=PIPE)
    async with spawn_start(options) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert await running.stdout.receive_some() == b"name? "
        await running.stdin.send_all(b"trio\n")
        assert await running.stdout.receive_some() == b"hello trio\n"
    assert running.output is not None
    assert running.output.check().stdout == b""


async def test_the_block_closes_the_callers_streams(backend: SpawnBackend) -> None:
    """At the end of the block the streams are closed, so that a child that reads sees its end."""
    before = fd_table()
    options = SpawnOptions(child("cat"), backend=backend, stdin=PIPE, stdout=PIPE)
    async with spawn_start(options) as running:
        pass
    assert running.output is not None
    assert running.output.status == Exited(0)
    assert running.stdin is not None
    with pytest.raises(trio.ClosedResourceError):
        await running.stdin.send_all(b"x")
    assert fd_table() == before


async def test_streams_of_start_are_the_callers_to_close(backend: SpawnBackend) -> None:
    """Under ``nursery.start`` what the child wrote can be read after its end."""
    options = SpawnOptions(("/bin/echo", "hello"), backend=backend, stdout=PIPE)
    async with trio.open_nursery() as nursery:
        running: RunningProcess = await nursery.start(spawn, options)
    assert running.output is not None
    assert running.stdout is not None
    async with running.stdout:
        assert await running.stdout.receive_some() == b"hello\n"
        assert await running.stdout.receive_some() == b""


async def test_any_number_may_wait_for_the_output(backend: SpawnBackend) -> None:
    """Many tasks wait for the output, all get the same, and one that gives up ends nothing."""
    outputs: list[Output] = []
    options = SpawnOptions(child("cat"), backend=backend, stdin=PIPE)
    impatience = trio.CancelScope()

    async def wait(running: RunningProcess) -> None:
        outputs.append(await running.wait())

    async def give_up(running: RunningProcess) -> None:
        with impatience:
            await running.wait()

    async with trio.open_nursery() as nursery, spawn_start(options) as running:
        for _ in range(5):
            nursery.start_soon(wait, running)
        nursery.start_soon(give_up, running)
        await trio.testing.wait_all_tasks_blocked()
        impatience.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert not is_over(running)
    assert impatience.cancelled_caught
    assert len(outputs) == 5
    assert all(output is running.output for output in outputs)
    with trio.testing.assert_checkpoints():
        assert await running.wait() is running.output


async def test_io_done_tells_of_what_is_collected(backend: SpawnBackend) -> None:
    """``io_done`` is false while captured output is still to come, and true at its end."""
    options = SpawnOptions(
        sh("echo out; read x; exec >&-; read y"), backend=backend, stdin=PIPE, capture_stdout=True
    )
    async with spawn_start(options) as running:
        before = running.io_done
        assert running.stdin is not None
        await running.stdin.send_all(b"\n")
        await until(lambda: running.io_done)
        assert not is_over(running)
    assert (before, running.io_done) == (False, True)
    assert running.output is not None
    assert running.output.stdout == b"out\n"


async def test_io_done_tells_of_what_is_fed(backend: SpawnBackend) -> None:
    """``io_done`` is false while input is still to be written, and true when the child is gone."""
    options = SpawnOptions(child("never_reads"), backend=backend, stdin=b"x" * 200_000)
    async with spawn_start(options) as running:
        await trio.testing.wait_all_tasks_blocked()
        before = running.io_done
        await running.stop()
        assert (before, running.io_done) == (False, True)


async def test_without_collecting_io_is_done_at_once(backend: SpawnBackend) -> None:
    """Where nothing is collected or fed, nothing is to be done."""
    options = SpawnOptions(child("cat"), backend=backend, stdin=PIPE, stdout=PIPE)
    async with spawn_start(options) as running:
        assert running.io_done


async def test_the_repr_tells_what_is_known(backend: SpawnBackend) -> None:
    """The repr has program, pid and status, and no argument."""
    options = SpawnOptions(
        ("/bin/sh", "-c", "read x; exit 3", "--token=hunter2"), backend=backend, stdin=PIPE
    )
    async with spawn_start(options) as running:
        assert repr(running) == f"<RunningProcess '/bin/sh', pid {running.pid}: is running>"
    assert repr(running) == f"<RunningProcess '/bin/sh', pid {running.pid}: exited with code 3>"


async def test_stop_applies_a_policy_and_cancels_nothing(backend: SpawnBackend) -> None:
    """`stop` ends the child by the policy given, returns its output, and the block goes on."""
    options = SpawnOptions(child("never_reads"), backend=backend, stdout=PIPE, kill_grace=30)
    async with spawn_start(options) as running:
        assert running.stdout is not None
        await running.stdout.receive_some()
        output = await running.stop(CancelPolicy.GRACEFUL)
        await trio.lowlevel.checkpoint()
        assert output is running.output
        assert await running.stop() is output
    assert output.status == Signaled(15)
    assert output.shutdown is not None
    assert output.shutdown.reason is ShutdownReason.STOP


async def test_stop_after_the_end_changes_nothing(backend: SpawnBackend) -> None:
    """Stopping what has ended by itself gives its output as it was."""
    async with spawn_start(SpawnOptions(sh("exit 2"), backend=backend)) as running:
        natural = await running.wait()
        assert await running.stop(CancelPolicy.KILL) is natural
    assert natural.shutdown is None


async def test_the_output_is_there_after_a_cancellation(backend: SpawnBackend) -> None:
    """When the caller was cancelled, what was captured until then is on the handle."""
    options = SpawnOptions(
        sh("echo out; exec cat"), backend=backend, stdin=PIPE, capture_stdout=True, ready=b"out"
    )
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert running.output is not None
    assert running.output.stdout == b"out\n"
    assert running.output.shutdown is not None
    assert running.output.shutdown.reason is ShutdownReason.CANCELLED


async def test_an_exception_of_the_body_leaves_as_itself(backend: SpawnBackend) -> None:
    """The body's exception comes out in no group, when the child is gone."""
    options = SpawnOptions(child("never_reads"), backend=backend)
    handles: list[RunningProcess] = []

    async def fail() -> None:
        async with spawn_start(options) as running:
            handles.append(running)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await fail()
    (handle,) = handles
    assert handle.output is not None
    assert handle.output.status == Signaled(9)
    assert process_info(handle.pid) is None


async def test_background_through_start(backend: SpawnBackend) -> None:
    """``wait=False`` with ``nursery.start`` gives a handle whose process can be waited for."""
    options = SpawnOptions(sh("sleep 0.02; exit 7"), backend=backend, wait=False)
    async with trio.open_nursery() as nursery:
        running: RunningProcess = await nursery.start(spawn, options)
    assert running.output is not None
    assert running.output.status is None
    assert await running.process.wait() == Exited(7)
    await until(lambda: process_info(running.pid) is None)


async def test_background_cannot_be_stopped(backend: SpawnBackend) -> None:
    """After ``wait=False`` nobody owns the child, so ``stop`` is refused and not just ignored."""
    options = SpawnOptions(child("never_reads"), backend=backend, wait=False)
    async with trio.open_nursery() as nursery:
        running: RunningProcess = await nursery.start(spawn, options)
        with pytest.raises(CoreError, match="stop needs wait") as caught:
            await running.stop()
        assert isinstance(caught.value, ValueError)
    running.process.kill(signal.SIGKILL)
    assert await running.process.wait() == Signaled(signal.SIGKILL)


async def test_ready_that_never_comes_is_an_error(backend: SpawnBackend, door: Door) -> None:
    """A child that ends before it is ready is an ExitStatusError at the doors that wait for it."""
    options = SpawnOptions(sh("exit 8"), backend=backend, capture_stdout=True, ready=b"up")
    if door is spawn:
        with pytest.raises(ValueError, match="ready needs"):
            await door(options)
    elif door is by_block:
        with pytest.raises(ExitStatusError, match="exited with code 8"):
            await door(options)
    else:
        with pytest.RaisesGroup(ExitStatusError):
            await door(options)


async def test_every_door_is_a_checkpoint(backend: SpawnBackend, door: Door) -> None:
    """Each door lets others run, also where the child fails at once."""
    with trio.testing.assert_checkpoints():
        await door(SpawnOptions(("/bin/true",), backend=backend))
    if door is not by_start:
        with trio.testing.assert_checkpoints(), pytest.raises(FileNotFoundError):
            await door(SpawnOptions(("/nonexistent/x",), backend=backend))
