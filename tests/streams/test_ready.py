"""`ready`: `nursery.start` and `spawn_start` return when the child is of use, or say why not."""

import errno
import re
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.support import child, sh
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Exited,
    ExitStatusError,
    OutputLimitError,
    OverflowPolicy,
    RunningProcess,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE

Ready = Callable[[RunningProcess], Awaitable[None]] | bytes


class ReadyError(Exception):
    """What a `ready` of these tests raises."""


async def never(_running: RunningProcess) -> None:
    """Be a check that never succeeds."""
    await trio.sleep_forever()


async def ignore(_chunk: bytes) -> None:
    """Be a sink that wants nothing."""
    await trio.lowlevel.checkpoint()


def free_port() -> int:
    """Return a port nobody listens on, and nobody is given for the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def ask(port: int) -> bytes:
    """Return the answer of the server on a port."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        return bytes(await stream.receive_some(100))


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("how", ["captured", "sunk"])
async def test_pattern_in_either_stream_makes_start_return(
    backend: SpawnBackend, stream: str, how: str
) -> None:
    """A service that says it listens does listen when `start` returns."""
    options = SpawnOptions(
        child("serve", 0, stream),
        backend=backend,
        stdin=b"\n",
        capture_stdout=how == "captured",
        capture_stderr=how == "captured",
        stdout_sink=None if how == "captured" else ignore,
        stderr_sink=None if how == "captured" else ignore,
        ready=b"listening on",
    )
    async with trio.open_nursery() as nursery:
        with trio.fail_after(10):
            running = await nursery.start(spawn, options)
        assert running.output is None
        output = await running.stop()
    assert output.status == Signaled(signal.SIGKILL)
    if how == "captured":
        said = getattr(output, stream)
        port = re.fullmatch(rb"listening on (\d+)\n", said)
        assert port is not None


async def test_service_is_usable_when_start_returns(backend: SpawnBackend) -> None:
    """What was made ready answers the first request, not only a later one."""
    port = free_port()
    options = SpawnOptions(
        child("serve", port), backend=backend, stdin=b"\n", stdout_sink=ignore, ready=b"listening"
    )
    async with spawn_start(options) as running:
        assert await ask(port) == b"ok"
        await running.stop()


async def test_pattern_is_found_across_chunks(backend: SpawnBackend) -> None:
    """A pattern cut between two writes is a pattern; half of it is not."""
    ours, theirs = socket.socketpair()
    options = SpawnOptions(
        child("emit", b"..rea".hex(), b"dy..".hex()),
        backend=backend,
        stdin=theirs,
        capture_stdout=True,
        ready=b"ready",
    )
    started = False

    async def send_second_half() -> None:
        await trio.sleep(0.05)  # time enough to be taken for ready by mistake
        assert not started
        ours.send(b"\n")

    with ours, theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_second_half)
            async with spawn_start(options) as running:
                started = True
                assert (await running.wait()).stdout == b"..ready.."


async def test_pattern_is_not_put_together_from_both_streams() -> None:
    """Half a pattern on each stream is none: the child has ended without being ready."""
    options = SpawnOptions(
        sh("printf rea; printf dy >&2"),
        backend=SpawnBackend.VFORK,
        capture_stdout=True,
        capture_stderr=True,
        ready=b"ready",
    )
    with pytest.raises(ExitStatusError):
        async with spawn_start(options):
            pytest.fail("it was not ready")


async def test_child_that_is_ready_and_ends_at_once_was_ready(backend: SpawnBackend) -> None:
    """What counts is whether the pattern came, not whether the child outlived it."""
    options = SpawnOptions(sh("echo ready"), backend=backend, capture_stdout=True, ready=b"ready")
    async with spawn_start(options) as running:
        output = await running.wait()
    assert output.check().stdout == b"ready\n"


async def test_pattern_beyond_what_is_kept_is_found(backend: SpawnBackend) -> None:
    """`max_output` bounds what is captured, not what is looked at."""
    options = SpawnOptions(
        sh("echo some banner; echo ready; exec cat"),
        backend=backend,
        stdin=PIPE,
        capture_stdout=True,
        max_output=4,
        overflow=OverflowPolicy.TRUNCATE,
        ready=b"ready",
    )
    async with spawn_start(options) as running:
        pass
    assert running.output is not None
    assert running.output.stdout == b"some"


async def test_async_check_is_retried_by_the_caller_until_it_succeeds(
    backend: SpawnBackend,
) -> None:
    """A check may connect again and again; `start` returns when it does."""
    port = free_port()
    refusals = 0

    async def accepts(running: RunningProcess) -> None:
        nonlocal refusals
        assert running.stdin is not None
        assert running.output is None
        while True:
            try:
                assert await ask(port) == b"ok"
            except OSError:
                refusals += 1
                if refusals == 3:
                    await running.stdin.send_all(b"\n")
                await trio.sleep(0.005)
            else:
                return

    options = SpawnOptions(child("serve", port), backend=backend, stdin=PIPE, ready=accepts)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(10):
            running = await nursery.start(spawn, options)
        assert refusals >= 3
        assert await ask(port) == b"ok"
        await running.stop()
        await running.stdin.aclose()


async def test_async_check_may_read_the_streams_it_is_given(backend: SpawnBackend) -> None:
    """With PIPE the check reads lines itself, and the body goes on after them."""

    async def greeted(running: RunningProcess) -> None:
        async for line in running.lines():
            if line == "line 1":
                return

    options = SpawnOptions(
        child("emit", b"line 0\nline 1\nline 2\nli".hex(), b"ne 3\n".hex()),
        backend=backend,
        stdin=PIPE,
        stdout=PIPE,
        ready=greeted,
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None
        await running.stdin.send_all(b"\n")
        assert [line async for line in running.lines()] == ["line 2", "line 3"]


@pytest.mark.parametrize("ready", [b"listening", never], ids=["pattern", "check"])
async def test_child_that_dies_first_raises_its_own_error_at_once(
    backend: SpawnBackend, ready: Ready
) -> None:
    """An early death is an `ExitStatusError` with the end of stderr, bare, and no timeout."""
    options = SpawnOptions(
        sh("echo booting; echo cannot bind: in use >&2; exit 3"),
        backend=backend,
        capture_stdout=True,
        capture_stderr=True,
        ready=ready,
        timeout=60.0,
    )
    async with trio.open_nursery() as nursery:
        with pytest.raises(ExitStatusError, match="cannot bind: in use") as caught:
            await nursery.start(spawn, options)
    result = caught.value.result
    assert result.status == Exited(3)
    assert result.stdout == b"booting\n"
    assert not result.timed_out
    assert result.shutdown is None
    with pytest.raises(ExitStatusError, match="cannot bind: in use"):
        async with spawn_start(options):
            pytest.fail("it was not ready")


async def test_child_that_dies_first_cancels_the_check(backend: SpawnBackend) -> None:
    """A check that waits for a dead child is cancelled, and may clean up."""
    cleaned = False

    async def check(_running: RunningProcess) -> None:
        nonlocal cleaned
        try:
            await trio.sleep_forever()
        finally:
            cleaned = True

    options = SpawnOptions(child("exit_with", 0), backend=backend, ready=check)
    with pytest.raises(ExitStatusError) as caught:
        async with spawn_start(options):
            pytest.fail("it was not ready")
    assert cleaned
    assert caught.value.returncode == 0


@pytest.mark.parametrize("ready", [b"listening", never], ids=["pattern", "check"])
async def test_scope_that_runs_out_applies_the_policy(backend: SpawnBackend, ready: Ready) -> None:
    """A child that is not ready in time gets the policy, and the scope ends as scopes do."""
    said: list[bytes] = []

    async def sink(chunk: bytes) -> None:
        await trio.lowlevel.checkpoint()
        said.append(chunk)
        if chunk == b"ready\n":
            scope.cancel()

    options = SpawnOptions(
        child("term_writes", 3),
        backend=backend,
        stdout_sink=sink,
        ready=ready,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30.0,
    )
    for door in ("start", "spawn_start"):
        said.clear()
        with trio.CancelScope() as scope:
            if door == "spawn_start":
                async with spawn_start(options):
                    pytest.fail("it was not ready")
            async with trio.open_nursery() as nursery:
                await nursery.start(spawn, options)
        assert scope.cancelled_caught
        assert b"".join(said) == b"ready\n\0\1\2"


async def test_timeout_before_ready_is_an_exit_status_error_that_says_so(
    backend: SpawnBackend,
) -> None:
    """The run's own timeout ends the child, which then was never ready."""
    options = SpawnOptions(child("never_reads"), backend=backend, ready=never, timeout=0.05)
    with pytest.raises(ExitStatusError, match="after its timeout") as caught:
        async with spawn_start(options):
            pytest.fail("it was not ready")
    assert caught.value.result.timed_out


async def test_timeout_goes_on_after_ready() -> None:
    """`timeout` is the time of the whole run, not of the getting ready."""
    options = SpawnOptions(
        sh("echo ready; exec sleep 60"),
        backend=SpawnBackend.VFORK,
        capture_stdout=True,
        ready=b"ready",
        timeout=0.1,
    )
    async with spawn_start(options) as running:
        output = await running.wait()
    assert output.timed_out


async def test_check_that_raises_ends_the_child_and_comes_out_bare(backend: SpawnBackend) -> None:
    """The exception of a check leaves `start` and `spawn_start` as itself, after the policy."""
    seen: list[RunningProcess] = []

    async def check(running: RunningProcess) -> None:
        seen.append(running)
        await trio.lowlevel.checkpoint()
        raise ReadyError

    options = SpawnOptions(child("never_reads"), backend=backend, stdout_sink=ignore, ready=check)
    with pytest.raises(ReadyError):
        async with spawn_start(options):
            pytest.fail("it was not ready")
    async with trio.open_nursery() as nursery:
        with pytest.raises(ReadyError):
            await nursery.start(spawn, options)
    for running in seen:
        assert running.output is not None
        assert running.output.status == Signaled(signal.SIGKILL)
        assert running.output.shutdown is not None
        assert running.output.shutdown.reason is ShutdownReason.ERROR


async def test_check_may_stop_the_child_itself(backend: SpawnBackend) -> None:
    """A check that gives up by `stop` is cancelled by the end it asked for, not hung."""

    async def check(running: RunningProcess) -> None:
        await running.stop()

    options = SpawnOptions(child("never_reads"), backend=backend, stdout_sink=ignore, ready=check)
    with pytest.raises(ExitStatusError):
        async with spawn_start(options):
            pytest.fail("it was not ready")


async def test_output_limit_before_ready_is_the_error(backend: SpawnBackend) -> None:
    """A child that writes too much before it is ready fails for that."""
    options = SpawnOptions(
        child("endless"),
        backend=backend,
        capture_stdout=True,
        max_output=1000,
        overflow=OverflowPolicy.STOP,
        ready=b"never said",
    )
    with pytest.raises(OutputLimitError):
        async with spawn_start(options):
            pytest.fail("it was not ready")


@pytest.mark.parametrize("ready", [b"x", never], ids=["pattern", "check"])
async def test_ready_is_refused_in_plain_spawn(backend: SpawnBackend, ready: Ready) -> None:
    """Where nobody would be told that a child is ready, nothing is started."""
    options = SpawnOptions(["true"], backend=backend, capture_stdout=True, ready=ready)
    with pytest.raises(CoreError, match="ready needs nursery") as caught:
        await spawn(options)
    assert caught.value.errno == errno.EINVAL


def test_pattern_in_streams_that_are_not_read_is_refused() -> None:
    """A pattern needs a stream that is ours to read: captured or sunk."""
    with pytest.raises(ValueError, match="ready pattern needs a captured stream or a sink"):
        SpawnOptions(["true"], backend=SpawnBackend.VFORK, ready=b"x", stdout=PIPE)


async def test_missing_program_is_its_own_error_and_not_unreadiness(backend: SpawnBackend) -> None:
    """A launch that fails raises its `CoreError`, whatever was to be waited for."""
    options = SpawnOptions(["/no/such/program"], backend=backend, ready=never)
    with pytest.raises(FileNotFoundError):
        async with spawn_start(options):
            pytest.fail("there is no program")
