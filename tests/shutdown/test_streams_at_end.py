"""Streams that are the caller's: who closes them, when, and who reads what nobody reads."""

import subprocess
from functools import partial
from signal import SIGPIPE

import pytest
import trio

from tests.shutdown.endings import alive, cancelled, failed
from tests.support import child, pattern, sh, until
from trio_coreshift import (
    CancelPolicy,
    Exited,
    Output,
    RunningProcess,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
NONE, GRACEFUL = CancelPolicy.NONE, CancelPolicy.GRACEFUL
piped = partial(SpawnOptions, stdin=PIPE, stdout=PIPE)


async def _all_of(stream: trio.lowlevel.FdStream | None) -> bytes:
    assert stream is not None
    data = b""
    while chunk := await stream.receive_some():
        data += chunk
    return data


async def test_what_was_written_stays_readable(backend: SpawnBackend) -> None:
    """The exit closes nothing: what the child wrote is there until the caller has taken it."""
    async with spawn_start(piped(child("fill_stdout", 50_000), backend=backend)) as running:
        await running.wait()
        assert not alive(running.pid)
        assert await _all_of(running.stdout) == pattern(50_000)


async def test_it_stays_readable_under_a_nursery(backend: SpawnBackend) -> None:
    """The same with `nursery.start`, and after the task is over; the caller closes."""
    async with trio.open_nursery() as nursery:
        running = await nursery.start(
            spawn, SpawnOptions(child("fill_stdout", 50_000), backend=backend, stdout=PIPE)
        )
    assert running.output is not None
    assert await _all_of(running.stdout) == pattern(50_000)
    await running.stdout.aclose()


async def test_the_end_of_the_body_ends_the_input(backend: SpawnBackend) -> None:
    """A child that waits for input sees its end when the body ends, and ends by itself."""
    async with spawn_start(piped(sh("cat >/dev/null; exit 4"), backend=backend)) as running:
        pass

    assert running.output is not None
    assert running.output.status == Exited(4)
    assert running.output.shutdown is None


async def test_stdin_is_closed_first(backend: SpawnBackend) -> None:
    """At the end of the body stdin goes first: SIGPIPE only hits who goes on writing."""
    script = "cat >/dev/null; trap 'exit 9' PIPE; sleep 0.05; echo x; sleep 0.05; echo y; exit 5"
    async with spawn_start(piped(sh(script), backend=backend)) as running:
        pass

    assert running.output is not None
    assert running.output.status == Exited(9)


async def test_the_end_of_the_body_ends_a_writer(backend: SpawnBackend) -> None:
    """A child that writes without end gets SIGPIPE when the body ends."""
    async with spawn_start(piped(child("endless"), backend=backend)) as running:
        assert running.stdout is not None
        await running.stdout.receive_some()

    assert running.output is not None
    assert running.output.status == Signaled(SIGPIPE)


async def test_closed_streams_are_closed(backend: SpawnBackend) -> None:
    """After the block, every stream of it raises `ClosedResourceError`."""
    options = piped(("true",), backend=backend, stderr=PIPE)
    async with spawn_start(options) as running:
        pass

    for stream in (running.stdout, running.stderr):
        assert stream is not None
        with pytest.raises(trio.ClosedResourceError):
            await stream.receive_some()
    assert running.stdin is not None
    with pytest.raises(trio.ClosedResourceError):
        await running.stdin.send_all(b"x")


@pytest.mark.parametrize("end", [cancelled, failed])
async def test_none_with_a_full_pipe_does_not_hang(backend: SpawnBackend, end: object) -> None:
    """NONE: what nobody is left to read is read to nowhere, so that the child can end."""
    assert callable(end)
    options = piped(child("fill_stdout", 500_000), backend=backend, cancel=NONE)
    output = await end(options)

    assert output.status == Exited(0)


async def test_none_with_an_open_input_does_not_hang(backend: SpawnBackend) -> None:
    """NONE: stdin is closed where the policy is applied, so that a reader can end."""
    output = await cancelled(piped(sh("cat; exit 3"), backend=backend, cancel=NONE))

    assert output.status == Exited(3)


async def test_a_handler_that_writes_is_not_held_up(backend: SpawnBackend) -> None:
    """GRACEFUL: a child that writes a lot in its SIGTERM handler can end, read or not."""

    async def until_ready(running: RunningProcess) -> None:
        assert running.stdout is not None
        await running.stdout.receive_some()

    options = piped(child("term_writes", 500_000), backend=backend, cancel=GRACEFUL, kill_grace=30)
    output = await cancelled(options, before=until_ready)

    assert output.status == Exited(0)
    assert output.duration < 20


async def test_under_a_nursery_nobody_reads(backend: SpawnBackend) -> None:
    """`nursery.start`, cancelled as a whole: the pipe that held the child up is emptied."""
    options = SpawnOptions(child("fill_stdout", 500_000), backend=backend, stdout=PIPE, cancel=NONE)
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, options)
        nursery.cancel_scope.cancel()
    running.stdout.close()

    assert running.output.status == Exited(0)


async def test_under_a_nursery_somebody_reads(backend: SpawnBackend) -> None:
    """A reader in another scope goes on, and loses no byte to us."""
    options = SpawnOptions(child("fill_stdout", 500_000), backend=backend, stdout=PIPE, cancel=NONE)
    async with trio.open_nursery() as outer:
        running = await outer.start(_cancelled_task, options)
        data = await _all_of(running.stdout)
    running.stdout.close()

    assert data == pattern(500_000)


async def test_what_holds_nobody_up_is_left(backend: SpawnBackend) -> None:
    """What fits into the pipe is not taken, however long nobody reads it."""
    options = SpawnOptions(sh("echo x; sleep 0.4"), backend=backend, stdout=PIPE, cancel=NONE)
    async with trio.open_nursery() as outer:
        running = await outer.start(_cancelled_task, options)
    assert await _all_of(running.stdout) == b"x\n"
    running.stdout.close()


async def _cancelled_task(
    options: SpawnOptions, *, task_status: trio.TaskStatus[RunningProcess]
) -> None:
    async with trio.open_nursery() as nursery:
        task_status.started(await nursery.start(spawn, options))
        nursery.cancel_scope.cancel()


async def test_the_caller_may_close_what_is_read_to_nowhere(backend: SpawnBackend) -> None:
    """A stream closed while we empty it: a child that goes on writing gets SIGPIPE."""
    options = SpawnOptions(child("endless"), backend=backend, stdout=PIPE, cancel=NONE)
    async with trio.open_nursery() as outer:
        running = await outer.start(_cancelled_task, options)
        await trio.sleep(0.3)
        running.stdout.close()

    assert running.output.status == Signaled(SIGPIPE)


async def test_a_stream_can_be_read_while_another_task_stops_the_child(
    backend: SpawnBackend,
) -> None:
    """`stop` takes nothing from a reader: it gets all up to the end of the stream."""
    outputs: list[Output] = []
    options = piped(child("term_writes", 200_000), backend=backend, cancel=GRACEFUL, kill_grace=30)
    async with spawn_start(options) as running, trio.open_nursery() as nursery:

        async def stop() -> None:
            outputs.append(await running.stop())

        assert running.stdout is not None
        assert await running.stdout.receive_some() == b"ready\n"
        nursery.start_soon(stop)
        assert await _all_of(running.stdout) == pattern(200_000)

    assert outputs[0].status == Exited(0)


async def test_streams_of_an_ended_child_are_not_touched(backend: SpawnBackend) -> None:
    """Cancelled after the child has ended: what it wrote is still there for another task."""
    async with trio.open_nursery() as outer:
        options = SpawnOptions(sh("echo x"), backend=backend, stdout=PIPE)
        running = await outer.start(spawn, options)
        await until(lambda: running.output is not None)
        outer.cancel_scope.cancel()
    assert await _all_of(running.stdout) == b"x\n"
    running.stdout.close()
