"""Conversations: request and response over stdin and stdout, and how they end."""

import shutil
import signal
import subprocess
import sys

import pytest
import trio
import trio.testing

from tests.support import child, sh
from trio_coreshift import (
    CancelPolicy,
    Exited,
    ExitStatusError,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
MIB = 1024 * 1024


def talking(argv: tuple[str, ...] | list[str], backend: SpawnBackend) -> SpawnOptions:
    """Return options for a conversation over stdin and stdout."""
    return SpawnOptions(argv, backend=backend, stdin=PIPE, stdout=PIPE, capture_stderr=True)


async def test_line_server_answers_one_request_after_the_other(backend: SpawnBackend) -> None:
    """Each answer comes before the next request is sent."""
    async with spawn_start(talking(child("answer"), backend)) as running:
        assert running.stdin is not None
        lines = running.lines()
        for count in range(1, 101):
            await running.stdin.send_all(b"request\n")
            assert await anext(lines) == f"{count} request"
    assert running.output is not None
    assert running.output.status == Exited(0)
    assert running.output.shutdown is None


async def test_many_requests_may_be_under_way_at_once(backend: SpawnBackend) -> None:
    """With one task sending and one reading, more than both pipes hold gets through."""
    request = b"x" * 1000 + b"\n"
    async with (
        spawn_start(talking(child("answer"), backend)) as running,
        trio.open_nursery() as nursery,
    ):
        assert running.stdin is not None
        nursery.start_soon(running.stdin.send_all, request * 1000 + b"bye\n")
        assert len([line async for line in running.lines()]) == 1000


async def test_python_interpreter_evaluates_what_it_is_sent(backend: SpawnBackend) -> None:
    """`python -i` is a session: a name bound by one request is known to the next."""
    options = talking([sys.executable, "-I", "-q", "-i", "-u"], backend)
    async with spawn_start(options) as running:
        assert running.stdin is not None
        lines = running.lines()
        await running.stdin.send_all(b"answer = 6 * 7\nanswer\n")
        assert await anext(lines) == "42"
        await running.stdin.send_all(b"raise SystemExit(answer)\n")
        output = await running.wait()
    assert output.status == Exited(42)
    assert output.stderr.startswith(b">>> ")


@pytest.mark.skipif(shutil.which("bc") is None, reason="bc is not installed")
async def test_bc_calculates(backend: SpawnBackend) -> None:
    """A calculator from the package manager answers each line, and ends with its input."""
    async with spawn_start(talking(["bc", "-q"], backend)) as running:
        assert running.stdin is not None
        lines = running.lines()
        for request, answer in ((b"6*7\n", "42"), (b"2^64\n", "18446744073709551616")):
            await running.stdin.send_all(request)
            assert await anext(lines) == answer
    assert running.output is not None
    assert running.output.status == Exited(0)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="sqlite3 is not installed")
async def test_database_shell_answers_and_reports_errors_on_stderr(backend: SpawnBackend) -> None:
    """A database shell is asked twice; its complaint about a third request is captured."""
    async with spawn_start(talking(["sqlite3", "-batch"], backend)) as running:
        assert running.stdin is not None
        lines = running.lines()
        await running.stdin.send_all(b"create table t(x); insert into t values(1),(2);\n")
        await running.stdin.send_all(b"select sum(x) from t;\n")
        assert await anext(lines) == "3"
        await running.stdin.send_all(b"select nonsense;\n.quit\n")
        output = await running.wait()
    assert b"no such column" in output.stderr


async def test_closing_stdin_is_the_end_of_file(backend: SpawnBackend) -> None:
    """What `send_eof` is elsewhere is closing stdin here; the answer to it can still be read."""
    async with spawn_start(talking(["sort"], backend)) as running:
        assert running.stdin is not None
        assert not hasattr(running.stdin, "send_eof")
        await running.stdin.send_all(b"b\na\n")
        await running.stdin.aclose()
        assert [line async for line in running.lines()] == ["a", "b"]
        assert (await running.wait()).status == Exited(0)


async def test_stapled_stream_has_send_eof(backend: SpawnBackend) -> None:
    """For code that wants one duplex stream, trio's `StapledStream` is one, with `send_eof`."""
    async with spawn_start(talking(["sort"], backend)) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        stream = trio.StapledStream(running.stdin, running.stdout)
        await stream.send_all(b"b\na\n")
        await stream.send_eof()
        assert b"".join([chunk async for chunk in stream]) == b"a\nb\n"


async def test_block_that_ends_without_a_word_ends_a_child_that_waits_for_one(
    backend: SpawnBackend,
) -> None:
    """The end of the body closes stdin first, which for most programs is the word to go."""
    async with spawn_start(talking(child("cat"), backend)) as running:
        pass
    assert running.output is not None
    assert running.output.status == Exited(0)
    assert running.output.shutdown is None


async def test_stop_from_another_task_ends_the_conversation(backend: SpawnBackend) -> None:
    """The reader sees the end of the stream, `stop` returns the output, nothing is cancelled."""
    async with (
        spawn_start(talking(child("answer"), backend)) as running,
        trio.open_nursery() as nursery,
    ):
        lines: list[str] = []
        read = trio.Event()

        async def converse() -> None:
            assert running.stdin is not None
            await running.stdin.send_all(b"hello\n")
            async for line in running.lines():
                lines.append(line)
                read.set()

        nursery.start_soon(converse)
        await read.wait()
        output = await running.stop()
        assert output.status == Signaled(signal.SIGKILL)
        assert output.shutdown is not None
        assert output.shutdown.reason is ShutdownReason.STOP
    assert lines == ["1 hello"]


async def test_stop_with_a_policy_of_its_own(backend: SpawnBackend) -> None:
    """`stop(policy)` overrides the options': a child that ends on SIGTERM gets the chance."""
    options = SpawnOptions(
        child("term_exits", 3), backend=backend, stdout=PIPE, cancel=CancelPolicy.KILL
    )
    async with spawn_start(options) as running:
        assert await anext(running.lines()) == "ready"
        output = await running.stop(CancelPolicy.GRACEFUL)
        assert await running.stop() is output
    assert output.status == Exited(3)


async def test_stop_with_policy_none_ends_a_child_that_waits_for_input(
    backend: SpawnBackend,
) -> None:
    """Nothing is sent, but stdin is closed: a child that lives on its input ends by itself."""
    async with spawn_start(talking(child("cat"), backend)) as running:
        output = await running.stop(CancelPolicy.NONE)
    assert output.status == Exited(0)
    assert output.shutdown is not None
    assert output.shutdown.signals == ()


async def test_cancelled_stop_still_brings_the_child_to_its_end(backend: SpawnBackend) -> None:
    """Only the waiting for it is cancelled."""
    options = SpawnOptions(child("never_reads"), backend=backend, stdout=PIPE)
    async with spawn_start(options) as running:
        with trio.CancelScope() as scope:
            scope.cancel()
            await running.stop()
        assert scope.cancelled_caught
        assert (await running.wait()).status == Signaled(signal.SIGKILL)


async def test_child_that_never_reads_holds_up_the_sender_only(backend: SpawnBackend) -> None:
    """Sending more than a pipe holds waits; cancelled, it ends the child by the policy."""
    options = SpawnOptions(child("never_reads"), backend=backend, stdin=PIPE, stdout=PIPE)
    with trio.move_on_after(0.1) as scope:
        async with spawn_start(options) as running:
            assert running.stdin is not None
            assert await anext(running.lines()) == "ready"
            await running.stdin.send_all(bytes(MIB))
    assert scope.cancelled_caught
    assert running.output is not None
    assert running.output.status == Signaled(signal.SIGKILL)


async def test_stop_wakes_a_sender_of_a_child_that_never_reads(backend: SpawnBackend) -> None:
    """Where the policy is applied stdin is closed: who is sending learns so and does not hang."""
    options = SpawnOptions(child("never_reads"), backend=backend, stdin=PIPE, stdout=PIPE)
    async with spawn_start(options) as running, trio.open_nursery() as nursery:
        assert running.stdin is not None
        assert await anext(running.lines()) == "ready"
        stdin = running.stdin

        async def send() -> None:
            with pytest.raises((trio.ClosedResourceError, trio.BrokenResourceError)):
                await stdin.send_all(bytes(MIB))

        nursery.start_soon(send)
        await trio.testing.wait_all_tasks_blocked()
        await running.stop()


async def test_child_that_ends_breaks_the_pipe_of_a_sender(backend: SpawnBackend) -> None:
    """A child that is gone gives the sender trio's `BrokenResourceError`; its status is kept."""
    async with spawn_start(talking(child("exit_with", 5), backend)) as running:
        assert running.stdin is not None
        with pytest.raises(trio.BrokenResourceError):
            await running.stdin.send_all(bytes(MIB))
        assert (await running.wait()).status == Exited(5)


async def test_input_given_as_bytes_that_nobody_reads_is_no_obstacle(
    backend: SpawnBackend,
) -> None:
    """A child that exits without reading has exited; one that lives on is ended by its timeout."""
    data = bytes(MIB)
    output = await spawn(SpawnOptions(child("exit_with", 0), backend=backend, stdin=data))
    assert output.check().shutdown is None
    options = SpawnOptions(
        child("never_reads"), backend=backend, stdin=data, stdout_sink=_ignore, timeout=0.1
    )
    output = await spawn(options)
    assert output.timed_out
    assert output.status == Signaled(signal.SIGKILL)


async def _ignore(_chunk: bytes) -> None:
    await trio.lowlevel.checkpoint()


async def test_conversation_under_nursery_start_belongs_to_the_caller(
    backend: SpawnBackend,
) -> None:
    """As a task a child has its pipes, too, which the caller then closes."""
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, talking(child("answer"), backend))
        async with running.stdin, running.stdout:
            await running.stdin.send_all(b"hello\n")
            assert await anext(running.lines()) == "1 hello"
        (await running.wait()).check()


async def test_program_that_fails_in_mid_conversation_explains_itself(
    backend: SpawnBackend,
) -> None:
    """The end of the answers is followed by `check`, whose error shows the end of stderr."""
    options = talking(sh("read line; echo $line; echo it broke >&2; exit 9"), backend)
    with pytest.raises(ExitStatusError, match="it broke"):  # noqa: PT012 - the block as a whole
        async with spawn_start(options) as running:
            assert running.stdin is not None
            await running.stdin.send_all(b"hello\n")
            assert [line async for line in running.lines()] == ["hello"]
            (await running.wait()).check()
