"""`stdout_sink` and `stderr_sink`: every chunk as it arrives, independent of capture."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio
from attrs import evolve

from tests.support import child, kill_live, pattern, sh
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Exited,
    OutputLimitError,
    OverflowPolicy,
    ProcessGroup,
    ShutdownReason,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
MIB = 1024 * 1024


class Tap:
    """A sink that keeps its chunks and lets a test wait for them."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self._more = trio.Event()

    async def __call__(self, chunk: bytes) -> None:
        """Keep a chunk."""
        await trio.lowlevel.checkpoint()
        self.chunks.append(chunk)
        self._more.set()
        self._more = trio.Event()

    @property
    def data(self) -> bytes:
        """Everything so far."""
        return b"".join(self.chunks)

    async def until(self, data: bytes) -> None:
        """Wait until exactly `data` has come."""
        while len(self.data) < len(data):
            await self._more.wait()
        assert self.data == data


async def test_prompt_without_newline_reaches_sink_and_capture_at_once(
    backend: SpawnBackend,
) -> None:
    """A prompt is in the sink while its program still waits for the answer, and captured too."""
    tap = Tap()
    options = SpawnOptions(
        child("prompt"), backend=backend, stdin=PIPE, stdout_sink=tap, capture_stdout=True
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None
        await tap.until(b"name? ")
        assert running.output is None
        await running.stdin.send_all(b"ada\n")
        output = await running.wait()
    assert tap.data == output.stdout == b"name? hello ada\n"


async def test_each_write_is_a_chunk_of_its_own_to_a_sink_that_keeps_up(
    backend: SpawnBackend,
) -> None:
    """Chunks come as they were written, not collected up to a line or a buffer's end."""
    tap = Tap()
    argv = child("emit", b"a".hex(), b"b\nc".hex(), b"\xc3".hex(), b"\xbc".hex())
    async with spawn_start(
        SpawnOptions(argv, backend=backend, stdin=PIPE, stdout_sink=tap)
    ) as running:
        assert running.stdin is not None
        for seen in (b"a", b"ab\nc", b"ab\nc\xc3"):
            await tap.until(seen)
            await running.stdin.send_all(b"\n")
        await running.wait()
    assert tap.chunks == [b"a", b"b\nc", b"\xc3", b"\xbc"]


async def test_sinks_of_both_streams_get_each_its_own(backend: SpawnBackend) -> None:
    """A child that fills both streams in turns is read on both; nothing is lost or mixed up."""
    out, err = Tap(), Tap()
    output = await spawn(
        SpawnOptions(
            child("fill_both", MIB + 7),
            backend=backend,
            stdout_sink=out,
            stderr_sink=err,
            capture_stderr=True,
            max_output=2 * MIB,
        )
    )
    assert output.check().complete
    assert output.stdout == b""
    assert out.data == err.data == output.stderr == pattern(MIB + 7)


async def test_sink_of_one_stream_and_capture_of_the_other() -> None:
    """A sunk stream and a captured one are read beside each other."""
    tap = Tap()
    options = SpawnOptions(
        child("fill_both", MIB),
        backend=SpawnBackend.VFORK,
        stderr_sink=tap,
        capture_stdout=True,
    )
    output = await spawn(options)
    assert output.stdout == tap.data == pattern(MIB)


async def test_sink_is_fed_from_merged_streams() -> None:
    """`stderr=STDOUT` brings both streams into stdout's sink, in the order they were written."""
    tap = Tap()
    script = "printf 1; printf 2 >&2; printf 3; printf 4 >&2"
    options = SpawnOptions(
        sh(script), backend=SpawnBackend.VFORK, stderr=subprocess.STDOUT, stdout_sink=tap
    )
    await spawn(options)
    assert tap.data == b"1234"


async def test_options_with_a_sink_can_be_used_again() -> None:
    """The same options, run twice at once, feed the same sink from both."""
    tap = Tap()
    options = SpawnOptions(sh("echo x"), backend=SpawnBackend.VFORK, stdout_sink=tap)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spawn, options)
        nursery.start_soon(spawn, options)
    assert tap.data == b"x\nx\n"


async def test_slow_sink_holds_the_child_up(backend: SpawnBackend) -> None:
    """While a sink is busy its stream is not read, so the child stands still at a full pipe."""
    entered, go_on = trio.Event(), trio.Event()
    seen = bytearray()

    async def sink(chunk: bytes) -> None:
        seen.extend(chunk)
        entered.set()
        await go_on.wait()

    options = SpawnOptions(child("fill_stdout", 8 * MIB), backend=backend, stdout_sink=sink)
    async with spawn_start(options) as running:
        await entered.wait()
        # Time enough to write all of it many times over, if only somebody read.
        with trio.move_on_after(0.1):
            await running.wait()
        assert running.output is None
        assert len(seen) <= MIB
        go_on.set()
        await running.wait()
    assert seen == pattern(8 * MIB)


async def test_slow_sink_of_one_stream_does_not_hold_up_the_other() -> None:
    """One stream goes on while the other's sink is busy."""
    go_on = trio.Event()
    errors = Tap()

    async def stuck(_chunk: bytes) -> None:
        await go_on.wait()

    options = SpawnOptions(
        sh("echo out; echo one >&2; read line; echo two >&2"),
        backend=SpawnBackend.VFORK,
        stdin=PIPE,
        stdout_sink=stuck,
        stderr_sink=errors,
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None
        await errors.until(b"one\n")
        await running.stdin.send_all(b"\n")
        await errors.until(b"one\ntwo\n")
        go_on.set()


def growth_while_pumping(size: int, backend: SpawnBackend, *more: str) -> int:
    """Pump `size` bytes through a sink in a process of its own; return how its memory grew."""
    program = Path(__file__).parent / "pump_through_sink.py"
    done = subprocess.run(
        [sys.executable, program, str(size), backend.name, *more], stdout=PIPE, check=True
    )
    seen, growth = map(int, done.stdout.split())
    assert seen == size
    return growth


@pytest.mark.parametrize("more", [(), ("capture",)], ids=["alone", "with-capture"])
def test_memory_stays_flat_while_much_passes_through_a_sink(more: tuple[str, ...]) -> None:
    """Sixty-four mebibytes through a sink leave the parent's memory where it was."""
    assert growth_while_pumping(64 * MIB, SpawnBackend.VFORK, *more) < 8 * MIB


@pytest.mark.stress
def test_memory_stays_flat_while_a_gigabyte_passes_through_a_sink(backend: SpawnBackend) -> None:
    """A gigabyte through a sink leaves the parent's memory where it was."""
    assert growth_while_pumping(1024 * MIB, backend) < 8 * MIB


async def test_sink_gets_what_the_child_writes_while_it_is_being_ended(
    backend: SpawnBackend,
) -> None:
    """Cancellation does not reach the sink: a megabyte from a SIGTERM handler arrives in it."""
    tap = Tap()
    options = SpawnOptions(
        child("term_writes", MIB),
        backend=backend,
        stdout_sink=tap,
        capture_stdout=True,
        max_output=2 * MIB,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30.0,
    )
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            await tap.until(b"ready\n")
            scope.cancel()
    output = running.output
    assert output is not None
    assert output.status == Exited(0)
    assert output.complete
    assert tap.data == output.stdout == b"ready\n" + pattern(MIB)


async def test_early_exit_with_a_sink_gives_the_sink_the_matching_chunk(
    backend: SpawnBackend,
) -> None:
    """The sink has everything up to the chunk that matched; then stdout is closed."""
    tap = Tap()
    options = SpawnOptions(
        child("endless"), backend=backend, stdout_sink=tap, early_exit=pattern(251)[200:]
    )
    output = await spawn(options)
    assert output.stdout_early_exited
    assert output.status == Signaled(13)
    assert output.shutdown is not None
    assert output.shutdown.reason is ShutdownReason.EARLY_EXIT
    assert tap.data == pattern(len(tap.data))
    assert len(tap.chunks) == 1


async def test_early_exit_closes_a_sunk_stdout_while_its_sink_is_busy() -> None:
    """A predicate is asked before the sink, and a match waits for the sink's call to return."""
    go_on = trio.Event()
    tap = Tap()

    async def slow(chunk: bytes) -> None:
        await go_on.wait()
        await tap(chunk)

    options = SpawnOptions(
        sh("echo match; exec sleep 60"),
        backend=SpawnBackend.VFORK,
        stdout_sink=slow,
        early_exit=lambda chunk: b"match" in chunk,
        kill_grace=0.05,
    )
    async with spawn_start(options) as running:
        # It is ended after its grace, although the sink is busy.
        assert await running.process.wait() == Signaled(9)
        assert running.output is None
        go_on.set()
    assert tap.data == b"match\n"


@pytest.mark.parametrize("overflow", [OverflowPolicy.DRAIN, OverflowPolicy.TRUNCATE])
async def test_limit_of_capture_is_no_limit_of_the_sink(overflow: OverflowPolicy) -> None:
    """`max_output` bounds what is kept; the sink gets everything."""
    tap = Tap()
    options = SpawnOptions(
        child("fill_stdout", 300_000),
        backend=SpawnBackend.VFORK,
        capture_stdout=True,
        stdout_sink=tap,
        max_output=10,
        overflow=overflow,
    )
    if overflow is OverflowPolicy.TRUNCATE:
        output = (await spawn(options)).check()
    else:
        with pytest.raises(OutputLimitError) as caught:
            await spawn(options)
        assert caught.value.output is not None
        output = caught.value.output
    assert output.truncated
    assert output.stdout == pattern(10)
    assert tap.data == pattern(300_000)


async def test_overflow_stop_ends_the_sinks_of_both_streams(backend: SpawnBackend) -> None:
    """STOP closes the pipes under the sinks, which have had what was read until then."""
    out, err = Tap(), Tap()
    options = SpawnOptions(
        child("endless"),
        backend=backend,
        capture_stdout=True,
        stdout_sink=out,
        stderr_sink=err,
        max_output=100_000,
        overflow=OverflowPolicy.STOP,
    )
    with pytest.raises(OutputLimitError) as caught:
        await spawn(options)
    output = caught.value.output
    assert output is not None
    assert output.status == Signaled(13)
    assert output.stdout == pattern(100_000)
    assert out.data == pattern(len(out.data))
    assert len(out.data) >= 100_000


async def test_pipe_held_open_after_the_end_is_left_after_drain_grace(
    backend: SpawnBackend,
) -> None:
    """A background process that keeps the sunk pipe is not waited for beyond `drain_grace`."""
    tap = Tap()
    options = SpawnOptions(
        child("spawn_grandchild", "holds", "setsid"),
        backend=backend,
        stdout_sink=tap,
        capture_stdout=True,
        drain_grace=0.05,
        stdin=subprocess.DEVNULL,
    )
    output = await spawn(options)
    kill_live()
    assert output.status == Exited(0)
    assert not output.complete
    assert tap.data == output.stdout


async def test_sink_under_nursery_start(backend: SpawnBackend) -> None:
    """As a background task a child has its sinks, too."""
    tap = Tap()
    options = SpawnOptions(
        sh("printf prompt; exec sleep 60"),
        backend=backend,
        stdout_sink=tap,
        pgroup=ProcessGroup(leader=0),
    )
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, options)
        await tap.until(b"prompt")
        output = await running.stop()
    assert output.status == Signaled(9)


async def test_sink_may_use_the_library_itself() -> None:
    """A sink that runs another program for each chunk works."""
    answers: list[bytes] = []
    inner = SpawnOptions(["cat"], backend=SpawnBackend.VFORK, capture_stdout=True)

    async def sink(chunk: bytes) -> None:
        answers.append((await spawn(evolve(inner, stdin=chunk))).stdout)

    await spawn(SpawnOptions(sh("echo hi"), backend=SpawnBackend.VFORK, stdout_sink=sink))
    assert answers == [b"hi\n"]


class Collector(list[bytes]):
    """A sink that is false as long as it has got nothing."""

    async def __call__(self, chunk: bytes) -> None:
        """Keep a chunk."""
        await trio.lowlevel.checkpoint()
        self.append(chunk)


async def test_a_sink_may_be_false(backend: SpawnBackend) -> None:
    """What counts is that there is one, not its truth value."""
    out, err = Collector(), Collector()
    options = SpawnOptions(
        sh("echo out; echo err >&2"), backend=backend, stdout_sink=out, stderr_sink=err, timeout=20
    )
    output = await spawn(options)
    assert output.status == Exited(0)
    assert (out, err) == ([b"out\n"], [b"err\n"])
    both = "both collected and redirected"
    with pytest.raises(CoreError, match=f"stdout {both}"):
        SpawnOptions(("x",), backend=backend, stdout=subprocess.DEVNULL, stdout_sink=Collector())
    with pytest.raises(CoreError, match=f"stderr {both}"):
        SpawnOptions(("x",), backend=backend, stderr=subprocess.DEVNULL, stderr_sink=Collector())
    with pytest.raises(CoreError, match="wait must be true"):
        evolve(options, wait=False, timeout=None)
