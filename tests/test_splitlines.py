"""Cutting a stream into lines: the same lines however the stream is cut into chunks."""

import pytest
from hypothesis import given, settings, strategies as st

from tests.support.chunks import cut
from trio_coreshift import OutputLimitError
from trio_coreshift._splitlines import LineSplitter, check_encoding

thorough = settings(deadline=None, database=None, max_examples=60)
# Mostly what matters for lines.
streams = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"\xc3\xa4"])).map(b"".join)
places = st.lists(st.integers(0, 200), max_size=20)


def expected_lines(data: bytes) -> list[bytes]:
    """Return the lines of a stream, worked out from all of it at once."""
    *whole, last = data.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in whole]
    return [*lines, last] if last else lines


def lines_of(chunks: list[bytes], max_line: int = 1000) -> list[bytes]:
    """Return the lines of a stream that comes in chunks."""
    splitter = LineSplitter()
    lines = []
    for chunk in chunks:
        splitter.feed(chunk)
        while (line := splitter.next_line(max_line)) is not None:
            lines.append(line)
    while (line := splitter.last_line(max_line)) is not None:
        lines.append(line)
    return lines


@thorough
@given(streams, places)
def test_the_lines_are_the_same_however_the_stream_is_cut(data: bytes, at: list[int]) -> None:
    """Chunk borders are invisible: in a line, between CR and LF, in a character."""
    assert lines_of(cut(data, at)) == expected_lines(data)


@thorough
@given(streams)
def test_the_lines_are_the_same_byte_by_byte(data: bytes) -> None:
    """The hardest cut, into single bytes, gives the same lines."""
    assert lines_of([bytes([byte]) for byte in data]) == expected_lines(data)


@thorough
@given(streams, places, st.integers(0, 6))
def test_a_longer_line_is_an_error_however_the_stream_is_cut(
    data: bytes, at: list[int], max_line: int
) -> None:
    """The lines before the first that is too long come out, and then comes the error."""
    expected = expected_lines(data)
    long = [position for position, line in enumerate(expected) if len(line) > max_line]
    splitter = LineSplitter()
    lines: list[bytes] = []

    def read() -> None:
        for chunk in cut(data, at):
            splitter.feed(chunk)
            while (line := splitter.next_line(max_line)) is not None:
                lines.append(line)
        if (line := splitter.last_line(max_line)) is not None:
            lines.append(line)

    if not long:
        read()
        assert lines == expected
        return
    with pytest.raises(OutputLimitError) as caught:
        read()
    assert lines == expected[: long[0]]
    assert caught.value.op == "read line limit"
    assert caught.value.head == expected[long[0]][:max_line]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"\n\n", [b"", b""]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"a\r\r\n", [b"a\r"]),
        (b"a\r", [b"a\r"]),
        (b"\r", [b"\r"]),
        (b"a\nb", [b"a", b"b"]),
    ],
)
def test_line_ends(data: bytes, lines: list[bytes]) -> None:
    """LF and CR LF end a line, a CR elsewhere is text, and a last line needs no end."""
    assert lines_of([data]) == lines


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_exactly_the_limit_is_a_line(end: bytes) -> None:
    """The limit counts the line without its end, also where that end comes in pieces."""
    for chunks in ([b"abc" + end], [b"abc", end], [b"abc", *(bytes([byte]) for byte in end)]):
        assert lines_of(chunks, max_line=3) == [b"abc"]
    with pytest.raises(OutputLimitError):
        lines_of([b"abcd" + end], max_line=3)


def test_a_line_that_is_too_long_can_be_had_with_a_larger_limit() -> None:
    """The error takes nothing away: asking again with a larger limit gives the whole line."""
    splitter = LineSplitter()
    splitter.feed(b"abcdef\nx\n")
    for _ in range(2):
        with pytest.raises(OutputLimitError):
            splitter.next_line(3)
    assert splitter.next_line(6) == b"abcdef"
    assert splitter.next_line(3) == b"x"


def test_an_endless_line_is_an_error_before_its_end() -> None:
    """What has no line end in sight is not collected without bound."""
    splitter = LineSplitter()
    splitter.feed(b"x" * 10)
    with pytest.raises(OutputLimitError) as caught:
        splitter.next_line(3)
    assert caught.value.head == b"xxx"
    splitter.feed(b"y\n")
    assert splitter.next_line(100) == b"x" * 10 + b"y"


def test_whether_there_is_a_line_can_be_asked() -> None:
    """A whole line, and only that, counts as one to be had."""
    splitter = LineSplitter()
    assert not splitter.has_line
    splitter.feed(b"a")
    assert not splitter.has_line
    splitter.feed(b"\n")
    assert splitter.has_line


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii", "cp1252"])
def test_encodings_with_lines(encoding: str) -> None:
    """An encoding in which a newline is one byte can be had as lines."""
    check_encoding(encoding, "replace")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32-le", "utf-8-sig"])
def test_encodings_without_lines(encoding: str) -> None:
    """An encoding in which a newline alone is more than one byte is refused, not cut to pieces."""
    with pytest.raises(ValueError, match="byte 10"):
        check_encoding(encoding, "strict")


def test_unknown_encodings_and_handlers() -> None:
    """What does not exist is a LookupError at once, not at the first odd byte."""
    with pytest.raises(LookupError):
        check_encoding("no-such-encoding", "strict")
    with pytest.raises(LookupError):
        check_encoding("utf-8", "no-such-handler")
