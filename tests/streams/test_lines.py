"""`RunningProcess.lines` and `stderr_lines`: whole lines, whatever the chunks were."""

import errno
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest
import trio
import trio.testing

from tests.support import child, pattern, sh
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Exited,
    OutputLimitError,
    RunningProcess,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE
MIB = 1024 * 1024


def saying(
    data: bytes, backend: SpawnBackend = SpawnBackend.VFORK
) -> AbstractAsyncContextManager[RunningProcess]:
    """Run a child that writes `data` to its stdout."""
    return spawn_start(SpawnOptions(child("cat"), backend=backend, stdin=data, stdout=PIPE))


async def collect(lines: AsyncIterator[str]) -> list[str]:
    """Return every line there is."""
    return [line async for line in lines]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\n\n\nb\n", ["a", "", "", "b"]),
        (b"a\nlast", ["a", "last"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\n", ["a\r"]),
        (b"50%\r100%\ndone\r", ["50%\r100%", "done\r"]),
        (b"\r\n\r\n", ["", ""]),
        ("a\x0bb\x0cc\x85d\u2028e\0f\n".encode(), ["a\x0bb\x0cc\x85d\u2028e\0f"]),
    ],
)
async def test_line_ends_with_lf_or_cr_lf_and_with_nothing_else(
    data: bytes, lines: list[str]
) -> None:
    """LF and CR LF are stripped; a lone CR and exotic separators are text; the last line counts."""
    async with saying(data) as running:
        assert await collect(running.lines()) == lines


async def test_lines_of_either_stream(backend: SpawnBackend) -> None:
    """`lines` reads stdout, `stderr_lines` stderr."""
    options = SpawnOptions(sh("echo out; echo err >&2"), backend=backend, stdout=PIPE, stderr=PIPE)
    async with spawn_start(options) as running:
        assert await collect(running.lines()) == ["out"]
        assert await collect(running.stderr_lines()) == ["err"]


async def test_megabyte_long_lines_come_whole(backend: SpawnBackend) -> None:
    """Lines of exactly `max_line` bytes are lines, with LF, with CR LF and with no end at all."""
    text = "x" * (MIB - 1) + "y"
    data = f"{text}\n{text}\r\n{text}".encode()
    async with saying(data, backend) as running:
        assert await collect(running.lines()) == [text] * 3


async def test_line_is_complete_as_soon_as_its_end_is_there(backend: SpawnBackend) -> None:
    """A line is handed out while the child still runs and has said nothing more."""
    options = SpawnOptions(
        child("emit", b"one\ntw".hex(), b"o\n".hex()), backend=backend, stdin=PIPE, stdout=PIPE
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None
        lines = running.lines()
        assert await anext(lines) == "one"
        assert running.output is None
        await running.stdin.send_all(b"\n")
        assert await anext(lines) == "two"


async def test_characters_and_line_ends_cut_at_every_byte(backend: SpawnBackend) -> None:
    """A child that writes byte by byte, with a multibyte text and CR LF, is read as if at once."""
    text = "\u00e4\u20ac\U0001d11e\r\nz\n"
    argv = child("emit", *(bytes([byte]).hex() for byte in text.encode()))
    got: list[str] = []

    async def read(running: RunningProcess) -> None:
        got.extend(await collect(running.lines(errors="strict")))

    async with (
        spawn_start(SpawnOptions(argv, backend=backend, stdin=PIPE, stdout=PIPE)) as running,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(read, running)
        assert running.stdin is not None
        for _ in range(len(text.encode()) - 1):
            await running.stdin.send_all(b"\n")
            await trio.testing.wait_all_tasks_blocked(0.001)
    assert got == ["\u00e4\u20ac\U0001d11e", "z"]


@pytest.mark.parametrize(
    ("errors", "line"), [("replace", "a\ufffdb"), ("ignore", "ab"), ("backslashreplace", r"a\xffb")]
)
async def test_invalid_bytes_are_treated_as_errors_says(errors: str, line: str) -> None:
    """`errors` is what `bytes.decode` makes of it, line by line."""
    async with saying(b"a\xffb\nnext\n") as running:
        assert await collect(running.lines(errors=errors)) == [line, "next"]


async def test_character_cut_off_by_a_line_end_does_not_spoil_the_next_line() -> None:
    """Each line is decoded by itself: the head of a character at its end is one bad character."""
    async with saying(b"a\xc3\n\xbc\n\xc3") as running:
        assert await collect(running.lines()) == ["a\ufffd", "\ufffd", "\ufffd"]


async def test_strict_errors_raise_and_the_next_line_can_be_read() -> None:
    """With `errors="strict"` a bad line raises; going on starts after it."""
    async with saying(b"bad\xff\ngood\n") as running:
        lines = running.lines(errors="strict")
        with pytest.raises(UnicodeDecodeError):
            await anext(lines)
        assert await anext(lines) == "good"


async def test_encoding_none_gives_bytes() -> None:
    """Without an encoding lines are bytes, CR LF stripped as well."""
    async with saying(b"\xff\xfe\r\n\0\n") as running:
        assert [line async for line in running.lines(encoding=None)] == [b"\xff\xfe", b"\0"]


async def test_other_encodings_with_one_byte_newlines_work() -> None:
    """A multibyte encoding whose newline is the byte 10 is decoded."""
    text = "\u65e5\u672c\u8a9e"
    async with saying(f"{text}\n{text}".encode("shift_jis")) as running:
        assert await collect(running.lines("shift_jis")) == [text, text]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be", "cp037"])
async def test_encoding_whose_lines_do_not_end_with_byte_10_is_refused(encoding: str) -> None:
    """Such lines cannot be cut by a byte; asking for them is an error at once."""
    async with saying(b"") as running:
        with pytest.raises(ValueError, match="do not end with the byte 10"):
            running.lines(encoding)


@pytest.mark.parametrize(("encoding", "errors"), [("no-such", "strict"), ("utf-8", "no-such")])
async def test_unknown_encoding_or_error_handler_is_refused_at_once(
    encoding: str, errors: str
) -> None:
    """A misspelt name does not wait for the first bad byte to be noticed."""
    async with saying(b"") as running:
        with pytest.raises(LookupError):
            running.lines(encoding, errors)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
async def test_lines_of_a_stream_that_is_no_pipe_are_refused(name: str) -> None:
    """Where the options do not say PIPE there is nothing to iterate over."""
    options = SpawnOptions(["true"], backend=SpawnBackend.VFORK, capture_stdout=True)
    async with spawn_start(options) as running:
        with pytest.raises(CoreError, match=f"lines need {name} PIPE") as caught:
            running.lines() if name == "stdout" else running.stderr_lines()
    assert caught.value.errno == errno.EINVAL
    assert isinstance(caught.value, ValueError)


async def test_endless_line_is_an_error_that_ends_the_child(backend: SpawnBackend) -> None:
    """A line without end raises at `max_line` and, out of the block, ends the child by policy."""
    options = SpawnOptions(["cat", "/dev/zero"], backend=backend, stdout=PIPE)
    running: RunningProcess | None = None
    with pytest.raises(OutputLimitError) as caught:  # noqa: PT012 - the block raises as a whole
        async with spawn_start(options) as running:
            async for line in running.lines(max_line=100_000):
                pytest.fail(f"a line of {len(line)} characters")
    assert caught.value.op == "read line limit"
    assert caught.value.errno == errno.EOVERFLOW
    assert caught.value.head == bytes(100_000)
    assert caught.value.output is None
    assert running is not None
    assert running.output is not None
    assert running.output.status == Signaled(9)


@pytest.mark.parametrize("data", [b"12345\n", b"12345\r\n", b"12345"])
async def test_line_one_byte_too_long_raises_and_stays_to_be_read(data: bytes) -> None:
    """The limit is exact, and a longer line is kept whole for a second try with more room."""
    async with saying(data) as running:
        for _ in range(2):
            with pytest.raises(OutputLimitError) as caught:
                await anext(running.lines(max_line=4))
            assert caught.value.head == b"1234"
        assert await collect(running.lines(max_line=5)) == ["12345"]


async def test_line_end_may_come_later_than_a_line_of_the_limit(backend: SpawnBackend) -> None:
    """A CR that may be half a line end does not count as the byte too many."""
    options = SpawnOptions(
        child("emit", b"12345\r".hex(), b"\n123456".hex()),
        backend=backend,
        stdin=PIPE,
        stdout=PIPE,
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None
        with trio.move_on_after(0.02):
            await anext(running.lines(max_line=5))
        await running.stdin.send_all(b"\n")
        assert await anext(running.lines(max_line=5)) == "12345"
        with pytest.raises(OutputLimitError):
            await anext(running.lines(max_line=5))


async def test_limit_counts_bytes_and_not_characters() -> None:
    """`max_line` is about memory: two-byte characters count twice."""
    async with saying("\u00e4\u00e4\u00e4\n".encode()) as running:
        with pytest.raises(OutputLimitError):
            await anext(running.lines(max_line=5))
        assert await anext(running.lines(max_line=6)) == "\u00e4\u00e4\u00e4"


async def test_limit_spares_the_lines_before_the_long_one() -> None:
    """Short lines in the same chunk come out before the error."""
    async with saying(b"one\ntwo\nmuch too long\nthree\n") as running:
        got = []
        with pytest.raises(OutputLimitError):  # noqa: PT012 - the loop raises as a whole
            async for line in running.lines(max_line=5):
                got.append(line)  # noqa: PERF401 - what came before the error counts
        assert got == ["one", "two"]
        assert await collect(running.lines()) == ["much too long", "three"]


async def test_both_streams_are_read_at_once_without_deadlock(backend: SpawnBackend) -> None:
    """A child that fills both pipes in turns is read by two tasks, and nothing is lost."""
    size = 2 * MIB
    options = SpawnOptions(child("fill_both", size), backend=backend, stdout=PIPE, stderr=PIPE)
    got: dict[str, list[bytes]] = {"out": [], "err": []}

    async def read(name: str, lines: AsyncIterator[bytes]) -> None:
        got[name] = [line async for line in lines]

    async with spawn_start(options) as running, trio.open_nursery() as nursery:
        nursery.start_soon(read, "out", running.lines(encoding=None))
        nursery.start_soon(read, "err", running.stderr_lines(encoding=None))
    # A CR before each LF would be stripped: the pattern has none.
    assert b"\n".join(got["out"]) == b"\n".join(got["err"]) == pattern(size)
    assert running.output is not None
    assert running.output.status == Exited(0)


async def test_lines_of_one_stream_beside_capture_of_the_other(backend: SpawnBackend) -> None:
    """Stderr is captured while stdout is iterated over, and holds nothing up."""
    options = SpawnOptions(
        child("fill_both", 300_000), backend=backend, stdout=PIPE, capture_stderr=True
    )
    async with spawn_start(options) as running:
        count = len([line async for line in running.lines(encoding=None)])
        output = await running.wait()
    assert count == pattern(300_000).count(b"\n") + 1
    assert output.stderr == pattern(300_000)


async def test_leaving_the_loop_leaves_nothing_behind(backend: SpawnBackend) -> None:
    """After a break the block's end closes the pipe; a child that goes on writing is over."""
    options = SpawnOptions(["yes"], backend=backend, stdout=PIPE)
    async with spawn_start(options) as running:
        async for line in running.lines():
            assert line == "y"
            break
    assert running.output is not None
    assert running.output.status == Signaled(13)
    assert running.output.shutdown is None


async def test_second_loop_goes_on_where_the_first_was_left() -> None:
    """Lines that had been read together with the last one are not lost, nor is their encoding."""
    async with saying(b"one\ntwo\nthr\xc3\xa9e\nfour\nfi") as running:
        async for line in running.lines():
            if line == "two":
                break
        assert await anext(running.lines(encoding=None)) == b"thr\xc3\xa9e"
        assert await collect(running.lines()) == ["four", "fi"]
        assert await collect(running.lines()) == []


async def test_cancelled_waiting_for_a_line_loses_nothing(backend: SpawnBackend) -> None:
    """A loop cancelled in the middle of a line gets that line whole when it is resumed."""
    options = SpawnOptions(
        child("emit", b"one\nhalf a ".hex(), b"line\n".hex()),
        backend=backend,
        stdin=PIPE,
        stdout=PIPE,
    )
    async with spawn_start(options) as running:
        assert running.stdin is not None
        lines = running.lines()
        assert await anext(lines) == "one"
        with trio.move_on_after(0.02) as scope:
            await anext(lines)
        assert scope.cancelled_caught
        await running.stdin.send_all(b"\n")
        assert await collect(running.lines()) == ["half a line"]


async def test_cancelled_with_lines_at_hand_loses_none() -> None:
    """A line that is there already is not swallowed by the cancellation of the call for it."""
    async with saying(b"one\ntwo\nthree") as running:
        lines = running.lines()
        assert await anext(lines) == "one"
        for expected in ("two", "three", None):
            with trio.CancelScope() as scope:
                scope.cancel()
                await anext(lines)
            assert scope.cancelled_caught
            assert await anext(lines, None) == expected


async def test_every_line_is_a_checkpoint() -> None:
    """Lines that are there already do not keep other tasks from running."""
    async with saying(b"a\n" * 3) as running:
        lines = running.lines()
        await anext(lines)
        for _ in range(2):
            with trio.testing.assert_checkpoints():
                await anext(lines)
        for _ in range(2):
            with trio.testing.assert_checkpoints():
                assert await anext(lines, None) is None


async def test_two_loops_over_one_stream_at_once_are_refused() -> None:
    """Two tasks cannot wait for a line of the same stream: trio says so."""
    options = SpawnOptions(child("cat"), backend=SpawnBackend.VFORK, stdin=PIPE, stdout=PIPE)
    async with spawn_start(options) as running, trio.open_nursery() as nursery:
        nursery.start_soon(anext, running.lines(), None)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(running.lines())
        nursery.cancel_scope.cancel()


async def test_lines_can_be_read_after_the_child_has_ended(backend: SpawnBackend) -> None:
    """Its end closes no stream of the caller's: what it wrote is read later."""
    options = SpawnOptions(child("print_lines", 3), backend=backend, stdout=PIPE)
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, options)
        assert (await running.wait()).status == Exited(0)
        assert await collect(running.lines()) == ["line 0", "line 1", "line 2"]
        await running.stdout.aclose()


async def test_line_written_on_sigterm_is_read_after_stop(backend: SpawnBackend) -> None:
    """A reader in another task gets what a child writes while it is being stopped."""
    options = SpawnOptions(
        child("term_writes", 251 * 100),
        backend=backend,
        stdout=PIPE,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=30.0,
    )
    rest: list[bytes] = []

    async def read(lines: AsyncIterator[bytes]) -> None:
        rest.extend([line async for line in lines])

    async with spawn_start(options) as running, trio.open_nursery() as nursery:
        lines = running.lines(encoding=None)
        assert await anext(lines) == b"ready"
        nursery.start_soon(read, lines)
        output = await running.stop()
        assert output.status == Exited(0)
    assert b"\n".join(rest) == pattern(251 * 100)
