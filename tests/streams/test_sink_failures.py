"""Sinks that raise: the child ends by its policy, and the exception comes out as itself."""

import signal
import subprocess
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from tests.support import child, pattern, sh
from trio_coreshift import (
    CancelPolicy,
    Exited,
    Output,
    RunningProcess,
    ShutdownReason,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
MIB = 1024 * 1024

Sink = Callable[[bytes], Awaitable[None]]


class SinkError(Exception):
    """What a sink of these tests raises."""


def raising(exc: BaseException) -> Sink:
    """Return a sink that raises `exc`."""

    async def sink(_chunk: bytes) -> None:
        await trio.lowlevel.checkpoint()
        raise exc

    return sink


def shutdown_of(output: Output | None) -> tuple[ShutdownReason, tuple[int, ...]]:
    """Return why and with which signals a child was ended."""
    assert output is not None
    assert output.shutdown is not None
    return output.shutdown.reason, tuple(sent.signal for sent in output.shutdown.signals)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_sink_that_raises_ends_the_child_and_its_exception_leaves_spawn_bare(
    backend: SpawnBackend, stream: str
) -> None:
    """`spawn` kills the child and raises the very exception of the sink, in no group."""
    error = SinkError()
    options = SpawnOptions(
        child("endless", 1 if stream == "stdout" else 2),
        backend=backend,
        stdout_sink=raising(error) if stream == "stdout" else None,
        stderr_sink=raising(error) if stream == "stderr" else None,
    )
    with pytest.raises(SinkError) as caught:
        await spawn(options)
    assert caught.value is error


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
async def test_sink_may_raise_any_exception_there_is(error: BaseException) -> None:
    """An exception that is no `Exception` takes the same way out."""
    options = SpawnOptions(child("endless"), backend=SpawnBackend.VFORK, stdout_sink=raising(error))
    with pytest.raises(type(error)) as caught:
        await spawn(options)
    assert caught.value is error


async def test_sink_that_is_no_async_function_is_an_error_that_ends_the_child(
    backend: SpawnBackend,
) -> None:
    """A plain function is called, cannot be awaited, and takes the way of a sink that raises."""

    def plain(_chunk: bytes) -> None:
        pass

    options = SpawnOptions(
        child("endless"),
        backend=backend,
        stdout_sink=plain,  # type: ignore[arg-type]  # the mistake in question
    )
    with pytest.raises(TypeError, match="await"):
        await spawn(options)


async def test_sink_that_raises_applies_the_graceful_policy(backend: SpawnBackend) -> None:
    """A child whose sink raised gets its SIGTERM and its time, and what it writes is still read."""
    error = SinkError()
    options = SpawnOptions(
        child("term_writes", MIB),
        backend=backend,
        stdin=PIPE,
        stdout_sink=raising(error),
        capture_stdout=True,
        max_output=2 * MIB,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30.0,
    )
    running: RunningProcess | None = None
    with pytest.raises(SinkError) as caught:
        async with spawn_start(options) as running:
            await trio.sleep_forever()
    assert caught.value is error
    assert running is not None
    output = running.output
    assert shutdown_of(output) == (ShutdownReason.ERROR, (signal.SIGTERM, signal.SIGCONT))
    assert output is not None
    assert output.status == Exited(0)
    assert output.complete
    assert output.stdout == b"ready\n" + pattern(MIB)


async def test_sink_that_raises_under_policy_none_lets_the_child_run_to_its_end() -> None:
    """Nothing is sent; what the child still writes is read, and the exception comes at the end."""
    error = SinkError()
    options = SpawnOptions(
        child("fill_stdout", MIB),
        backend=SpawnBackend.VFORK,
        stdout_sink=raising(error),
        capture_stdout=True,
        cancel=CancelPolicy.NONE,
    )
    async with trio.open_nursery() as nursery:
        ended: list[BaseException] = []

        async def run(task_status: trio.TaskStatus[RunningProcess]) -> None:
            try:
                await spawn(options, task_status=task_status)
            except SinkError as exc:
                ended.append(exc)

        running = await nursery.start(run)
    assert ended == [error]
    assert shutdown_of(running.output) == (ShutdownReason.ERROR, ())
    assert running.output.status == Exited(0)
    assert running.output.stdout == pattern(MIB)


async def test_sink_that_raised_is_not_called_again() -> None:
    """After its exception a sink has had its last chunk, though more is read."""
    calls: list[bytes] = []

    async def sink(chunk: bytes) -> None:
        calls.append(chunk)
        await trio.lowlevel.checkpoint()
        raise SinkError

    options = SpawnOptions(
        child("term_writes", MIB),
        backend=SpawnBackend.VFORK,
        stdout_sink=sink,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30.0,
    )
    with pytest.raises(SinkError):
        await spawn(options)
    assert calls == [b"ready\n"]


async def test_when_both_sinks_raise_the_first_exception_comes_out(backend: SpawnBackend) -> None:
    """Of two failing sinks the first decides; the second changes nothing and hangs nothing."""
    first, second = SinkError("first"), SinkError("second")
    both = trio.Event()

    async def out(_chunk: bytes) -> None:
        await both.wait()
        raise first

    async def err(_chunk: bytes) -> None:
        both.set()
        await trio.testing.wait_all_tasks_blocked()
        raise second

    options = SpawnOptions(
        sh("echo out; echo err >&2; exec sleep 60"),
        backend=backend,
        stdout_sink=out,
        stderr_sink=err,
    )
    with pytest.raises(SinkError) as caught:
        await spawn(options)
    assert caught.value is first


async def test_sink_that_raises_after_the_natural_end_raises_without_a_signal() -> None:
    """A child that has ended is not signalled for its sink; the exception still comes out."""
    error = SinkError()
    go_on = trio.Event()

    async def late(_chunk: bytes) -> None:
        await go_on.wait()
        raise error

    options = SpawnOptions(sh("echo last"), backend=SpawnBackend.VFORK, stdout_sink=late)
    with pytest.raises(SinkError):  # noqa: PT012 - the block raises as a whole
        async with spawn_start(options) as running:
            await running.process.wait()
            go_on.set()
    assert running.output is not None
    assert running.output.status == Exited(0)
    assert shutdown_of(running.output) == (ShutdownReason.ERROR, ())


async def test_sink_that_raises_cancels_the_body(backend: SpawnBackend) -> None:
    """The body of `spawn_start` is cancelled; the block then raises the sink's exception."""
    error = SinkError()
    cancelled = False
    options = SpawnOptions(child("never_reads"), backend=backend, stdout_sink=raising(error))
    with pytest.raises(SinkError) as caught:  # noqa: PT012 - the block raises as a whole
        async with spawn_start(options):
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                cancelled = True
                raise
    assert cancelled
    assert caught.value is error


async def test_body_that_raises_when_cancelled_for_a_sink_shows_both(
    backend: SpawnBackend,
) -> None:
    """The body's exception leaves the block, with the sink's in its context and not lost."""
    error = SinkError()
    options = SpawnOptions(child("never_reads"), backend=backend, stdout_sink=raising(error))
    with pytest.raises(KeyError) as caught:  # noqa: PT012 - the block raises as a whole
        async with spawn_start(options):
            try:
                await trio.sleep_forever()
            finally:
                raise KeyError
    cancelled = caught.value.__context__
    assert isinstance(cancelled, trio.Cancelled)
    assert cancelled.__context__ is error


async def test_sink_that_raises_on_the_chunk_that_makes_ready_does_not_hang_the_body(
    backend: SpawnBackend,
) -> None:
    """A failure that comes together with readiness ends a body as one that comes later does."""
    error = SinkError()

    async def sink(_chunk: bytes) -> None:
        raise error

    options = SpawnOptions(child("never_reads"), backend=backend, stdout_sink=sink, ready=b"ready")
    with pytest.raises(SinkError) as caught:
        async with spawn_start(options):
            await trio.sleep_forever()
    assert caught.value is error


async def test_body_that_has_ended_still_raises_what_the_sink_raises() -> None:
    """A sink may fail while the block waits for its child; the block raises it."""
    error = SinkError()
    options = SpawnOptions(
        child("emit", b"x".hex(), b"y".hex()), backend=SpawnBackend.VFORK, stdin=PIPE,
        stdout_sink=raising(error),
    )  # fmt: skip
    with pytest.raises(SinkError):
        async with spawn_start(options):
            pass


async def test_sink_that_raises_ends_the_nursery_of_its_task(backend: SpawnBackend) -> None:
    """Under `nursery.start` the exception leaves the task, as of any task that fails."""
    error = SinkError()
    options = SpawnOptions(child("never_reads"), backend=backend, stdout_sink=raising(error))
    with pytest.RaisesGroup(pytest.RaisesExc(SinkError, check=lambda exc: exc is error)):
        async with trio.open_nursery() as nursery:
            await nursery.start(spawn, options)
            await trio.sleep_forever()


async def test_failing_sink_is_not_hidden_by_a_cancellation(backend: SpawnBackend) -> None:
    """Where the scope is cancelled while the sink's child is ended, the exception still shows."""
    failed = trio.Event()

    async def sink(_chunk: bytes) -> None:
        await trio.lowlevel.checkpoint()
        failed.set()
        raise SinkError

    options = SpawnOptions(
        child("ignore_term"),
        backend=backend,
        stdout_sink=sink,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=0.1,
    )

    with trio.CancelScope() as scope, pytest.raises(SinkError):  # noqa: PT012 - the block raises as a whole
        async with spawn_start(options):
            try:
                await trio.sleep_forever()
            finally:
                assert failed.is_set()
                scope.cancel()
