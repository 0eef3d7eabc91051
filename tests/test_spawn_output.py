"""What a run collects and tells: captured streams, limits, early exit, usage, input."""

import math
import os
import signal
import subprocess
from collections.abc import Callable

import attrs
import pytest
import trio

from tests.support import Channel, child, pattern, process_info, sh, until
from trio_coreshift import (
    Exited,
    ExitStatusError,
    Output,
    OutputLimitError,
    OverflowPolicy,
    ResourceUsage,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
)

MIB = 1024 * 1024
DRAIN, STOP, TRUNCATE = OverflowPolicy.DRAIN, OverflowPolicy.STOP, OverflowPolicy.TRUNCATE


def captured(backend: SpawnBackend, *argv: str) -> SpawnOptions:
    """Return options that capture both streams."""
    return SpawnOptions(argv, backend=backend, capture_stdout=True, capture_stderr=True)


async def test_what_echo_says_is_captured(backend: SpawnBackend) -> None:
    """The simplest run: one word comes back, and every field is true."""
    output = await spawn(captured(backend, "/bin/echo", "hello"))
    assert output.check() is output
    assert output.status == Exited(0)
    assert (output.stdout, output.stderr) == (b"hello\n", b"")
    assert output.program == "/bin/echo"
    assert output.pid > 0
    assert output.complete
    assert not output.timed_out
    assert not output.stdout_early_exited
    assert not output.truncated
    assert output.shutdown is None
    assert 0 < output.duration < 30


async def test_nothing_is_captured_unless_asked_for(backend: SpawnBackend) -> None:
    """Only the stream that is to be captured is."""
    both = ("/bin/sh", "-c", "echo out; echo err >&2")
    options = SpawnOptions(both, backend=backend, capture_stderr=True, stdout=subprocess.DEVNULL)
    output = await spawn(options)
    assert (output.stdout, output.stderr) == (b"", b"err\n")


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 3 * MIB])
async def test_output_of_any_size_is_whole(backend: SpawnBackend, size: int) -> None:
    """Output beyond what a pipe holds comes whole, both streams at once."""
    options = attrs.evolve(captured(backend, *child("fill_both", size)), max_output=2 * size)
    output = await spawn(options)
    assert output.stdout == pattern(size)
    assert output.stderr == pattern(size)
    assert output.complete


async def test_output_is_bytes(backend: SpawnBackend) -> None:
    """What no encoding could read comes as it was written."""
    options = captured(backend, "/usr/bin/printf", r"\000\377\r\n\200")
    assert (await spawn(options)).stdout == b"\0\xff\r\n\x80"


@pytest.mark.parametrize(
    ("limit", "overflow"), [(7, True), (9, True), (10, False), (11, False), (MIB, False)]
)
async def test_the_limit_is_for_both_streams_together(
    backend: SpawnBackend,
    limit: int,
    overflow: bool,  # noqa: FBT001 - expected
) -> None:
    """Six bytes of stdout and four of stderr fit into ten, and not into nine."""
    script = "printf 123456; printf 1234 >&2"
    options = attrs.evolve(captured(backend, *sh(script)), max_output=limit, overflow=TRUNCATE)
    output = await spawn(options)
    assert output.truncated is overflow
    assert len(output.stdout) + len(output.stderr) == min(limit, 10)
    assert b"123456".startswith(output.stdout)
    assert b"1234".startswith(output.stderr)
    assert output.status == Exited(0)
    assert output.complete


@pytest.mark.parametrize("size", [0, 1])
async def test_a_limit_of_zero(backend: SpawnBackend, size: int) -> None:
    """With a limit of 0 a silent program passes, and one byte is too much."""
    options = attrs.evolve(captured(backend, *child("fill_stdout", size)), max_output=0)
    if size == 0:
        assert (await spawn(options)).stdout == b""
        return
    with pytest.raises(OutputLimitError) as caught:
        await spawn(options)
    assert caught.value.output is not None
    assert caught.value.output.stdout == b""


async def test_drain_reads_to_the_end_and_raises(backend: SpawnBackend) -> None:
    """Under DRAIN the child runs to its end, and the error has the first bytes and the status."""
    script = "cat; echo end >&2; exit 3"
    options = attrs.evolve(
        captured(backend, *sh(script)), stdin=pattern(300_000), max_output=1000, overflow=DRAIN
    )
    with pytest.raises(OutputLimitError) as caught:
        await spawn(options)
    output = caught.value.output
    assert output is not None
    assert caught.value.op == "spawn output limit"
    assert output.stdout == pattern(1000)
    assert output.status == Exited(3)
    assert output.truncated
    assert output.complete
    assert output.shutdown is None


async def test_truncate_reads_to_the_end_and_returns(backend: SpawnBackend) -> None:
    """Under TRUNCATE the child runs to its end, and what fits comes back."""
    options = attrs.evolve(
        captured(backend, *child("fill_stdout", 300_000)), max_output=1000, overflow=TRUNCATE
    )
    output = (await spawn(options)).check()
    assert output.stdout == pattern(1000)
    assert output.truncated
    assert output.complete


async def test_stop_ends_a_child_that_writes_for_ever(backend: SpawnBackend) -> None:
    """Under STOP the pipes are closed, which ends most programs; the error has the beginning."""
    options = attrs.evolve(
        captured(backend, *child("endless")), max_output=1000, overflow=STOP, kill_grace=30
    )
    with pytest.raises(OutputLimitError) as caught:
        await spawn(options)
    output = caught.value.output
    assert output is not None
    assert output.stdout == pattern(1000)
    assert output.status == Signaled(signal.SIGPIPE)
    assert not output.complete
    assert output.shutdown is not None
    assert output.shutdown.reason is ShutdownReason.OVERFLOW
    assert output.shutdown.signals == ()


RULES: list[Callable[[bytes], bool] | bytes] = [b"stop", lambda chunk: b"stop" in chunk]


@pytest.mark.parametrize("rule", RULES, ids=["pattern", "predicate"])
async def test_early_exit_is_a_state_of_its_own(
    backend: SpawnBackend, rule: Callable[[bytes], bool] | bytes
) -> None:
    """On a match stdout is closed, what was read is kept, and it counts neither as a timeout."""
    script = "echo before; echo stop; while echo after; do :; done"
    options = attrs.evolve(captured(backend, *sh(script)), early_exit=rule, kill_grace=30)
    output = await spawn(options)
    assert output.stdout_early_exited
    assert output.stdout.startswith(b"before\nstop\n")
    assert output.status in {Signaled(signal.SIGPIPE), Exited(0), Exited(1)}
    assert not output.timed_out
    assert not output.truncated
    assert not output.complete
    assert output.shutdown is not None
    assert output.shutdown.reason is ShutdownReason.EARLY_EXIT
    assert output.shutdown.signals == ()


async def test_early_exit_of_a_child_that_says_no_more(backend: SpawnBackend) -> None:
    """A child that ends by itself after the match keeps its exit code."""
    options = attrs.evolve(captured(backend, *sh("echo stop; exit 4")), early_exit=b"stop")
    output = await spawn(options)
    assert (output.stdout_early_exited, output.status) == (True, Exited(4))
    assert output.stdout == b"stop\n"


async def test_early_exit_across_chunks(backend: SpawnBackend) -> None:
    """A pattern is found though the child writes it in pieces."""
    options = attrs.evolve(
        captured(backend, *child("emit", b"..st".hex(), b"op..".hex())),
        stdin=b"\n",
        early_exit=b"stop",
    )
    output = await spawn(options)
    assert output.stdout_early_exited
    assert output.stdout.startswith(b"..stop")


async def test_no_match_is_no_early_exit(backend: SpawnBackend) -> None:
    """A predicate that finds nothing changes nothing, and has seen everything."""
    seen = []

    def predicate(chunk: bytes) -> bool:
        seen.append(chunk)
        return False

    options = attrs.evolve(captured(backend, *child("fill_both", 100_000)), early_exit=predicate)
    output = await spawn(options)
    assert not output.stdout_early_exited
    assert output.shutdown is None
    assert b"".join(seen) == output.stdout == output.stderr == pattern(100_000)


async def test_early_exit_looks_at_stdout_only(backend: SpawnBackend) -> None:
    """The pattern on stderr is no match."""
    options = attrs.evolve(captured(backend, *sh("echo stop >&2; echo out")), early_exit=b"stop")
    output = await spawn(options)
    assert not output.stdout_early_exited
    assert (output.stdout, output.stderr) == (b"out\n", b"stop\n")


@pytest.mark.parametrize("size", [1, 65_536, 65_537, 2 * MIB])
async def test_input_of_any_size_arrives(backend: SpawnBackend, size: int) -> None:
    """Bytes for stdin arrive whole, also beyond what a pipe holds, and then stdin ends."""
    options = attrs.evolve(captured(backend, "/bin/cat"), stdin=pattern(size), max_output=4 * MIB)
    assert (await spawn(options)).stdout == pattern(size)


async def test_no_input_is_the_end_of_input(backend: SpawnBackend) -> None:
    """By default a program that reads finds the end at once, and not our own stdin."""
    assert (await spawn(captured(backend, "/bin/cat"))).check().stdout == b""


@pytest.mark.parametrize("size", [10, MIB])
async def test_a_child_need_not_read_its_input(backend: SpawnBackend, size: int) -> None:
    """A child that leaves its input unread is no error: its exit code says how it went."""
    options = attrs.evolve(captured(backend, *sh("exit 5")), stdin=b"x" * size)
    assert (await spawn(options)).status == Exited(5)


async def test_a_child_may_close_its_input(backend: SpawnBackend) -> None:
    """A child that closes stdin and goes on is not disturbed."""
    options = attrs.evolve(captured(backend, *sh("exec <&-; echo on; exit 5")), stdin=b"x" * MIB)
    output = await spawn(options)
    assert (output.status, output.stdout) == (Exited(5), b"on\n")


async def test_usage_is_that_of_the_child(backend: SpawnBackend) -> None:
    """Usage has the seconds and the bytes of the child."""
    output = await spawn(captured(backend, *child("allocate", 48)))
    assert isinstance(output.usage, ResourceUsage)
    assert 48 * MIB <= output.usage.max_rss < 4096 * MIB
    busy = sh("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
    usage = (await spawn(captured(backend, *busy))).usage
    assert usage is not None
    assert 0 < usage.user + usage.system < 30


async def test_the_duration_is_from_start_to_end(backend: SpawnBackend) -> None:
    """The duration is what passed on trio's clock between start and end."""
    before = trio.current_time()
    output = await spawn(captured(backend, *sh("sleep 0.03")))
    assert 0.03 <= output.duration <= trio.current_time() - before


async def test_an_exit_code_is_no_exception(backend: SpawnBackend) -> None:
    """A program that fails is returned; whoever wants an exception asks for it."""
    output = await spawn(captured(backend, *sh("echo why >&2; exit 9")))
    assert output.returncode == 9
    with pytest.raises(ExitStatusError, match=r"exited with code 9.*\nwhy"):
        output.check()


@pytest.mark.parametrize("seconds", [0, 0.01])
async def test_a_timeout_returns(backend: SpawnBackend, seconds: float) -> None:
    """A timeout ends the child by the policy and says so; it does not raise."""
    options = attrs.evolve(captured(backend, *child("never_reads")), timeout=seconds)
    output = await spawn(options)
    assert output.timed_out
    assert output.status == Signaled(signal.SIGKILL)
    assert output.shutdown is not None
    assert output.shutdown.reason is ShutdownReason.TIMEOUT
    with pytest.raises(ExitStatusError):
        output.check()


async def test_a_timeout_that_does_not_come_changes_nothing(backend: SpawnBackend) -> None:
    """A child that ends in time was not timed out."""
    for timeout in (60, math.inf):
        output = await spawn(attrs.evolve(captured(backend, "/bin/true"), timeout=timeout))
        assert not output.timed_out
        assert output.shutdown is None


async def test_in_the_background_nothing_is_waited_for(backend: SpawnBackend) -> None:
    """With ``wait=False`` the pid comes back at once, and the child is reaped when it ends."""
    with Channel() as channel:
        os.set_blocking(channel.read_fd, True)
        options = SpawnOptions(
            sh("read x; exit 3"), backend=backend, stdin=channel.read_fd, wait=False
        )
        output = await spawn(options)
        assert process_info(output.pid) is not None
        channel.close_write()
    assert isinstance(output, Output)
    assert output.status is None
    assert output.returncode is None
    assert output.usage is None
    with pytest.raises(ExitStatusError, match="has not ended"):
        output.check()
    await until(lambda: process_info(output.pid) is None)


async def test_many_at_once_do_not_mix(backend: SpawnBackend) -> None:
    """Programs that run at once each give their own output."""
    outputs: dict[int, bytes] = {}

    async def run(number: int) -> None:
        options = attrs.evolve(captured(backend, "/bin/cat"), stdin=b"%d" % number * 5000)
        outputs[number] = (await spawn(options)).check().stdout

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(run, number)
    assert outputs == {number: b"%d" % number * 5000 for number in range(20)}
