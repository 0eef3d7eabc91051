"""Reading and feeding pipes without blocking, and without losing a byte."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support import pattern
from trio_coreshift._kernel.pipes import PipeFeeder, PipeReader

MIB = 1 << 20


class Pipe:
    """A pipe whose ends do not block."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        os.set_blocking(self.write_fd, False)

    def size(self) -> int:
        """Return how much it holds."""
        return fcntl.fcntl(self.write_fd, fcntl.F_GETPIPE_SZ)

    def close_read(self) -> None:
        """Close the read end."""
        if self.read_fd >= 0:
            os.close(self.read_fd)
            self.read_fd = -1

    def close_write(self) -> None:
        """Close the write end."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Have a pipe, of which nothing is left at the end."""
    one = Pipe()
    yield one
    one.close_read()
    one.close_write()


def test_what_is_there_is_read(pipe: Pipe) -> None:
    """Reading passes on what is there, and says that the end was not reached."""
    taken: list[bytes] = []
    reader = PipeReader(pipe.read_fd, taken.append)
    assert not reader.read_some()
    os.write(pipe.write_fd, b"abc")
    assert not reader.read_some()
    assert taken == [b"abc"]


def test_the_end_is_seen(pipe: Pipe) -> None:
    """At the end of the pipe reading says so, after all that was written."""
    taken: list[bytes] = []
    reader = PipeReader(pipe.read_fd, taken.append)
    os.write(pipe.write_fd, b"abc")
    pipe.close_write()
    while not reader.read_some():
        pass
    assert taken == [b"abc"]


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 65_537, 3 * MIB])
def test_no_byte_is_lost(pipe: Pipe, size: int) -> None:
    """Any amount arrives as it was written, however the reads and writes fall."""
    taken: list[bytes] = []
    reader = PipeReader(pipe.read_fd, taken.append)
    rest = memoryview(pattern(size))
    while rest:
        rest = rest[os.write(pipe.write_fd, rest) :]
        reader.read_some()
    pipe.close_write()
    while not reader.read_some():
        pass
    assert b"".join(taken) == pattern(size)


def test_a_flood_does_not_hold_the_reader(pipe: Pipe) -> None:
    """One call reads a bounded number of chunks, even if the pipe is filled meanwhile."""
    chunks = 0

    def take(chunk: bytes) -> None:
        nonlocal chunks
        chunks += 1
        assert chunks < 100, "it reads for ever"
        os.write(pipe.write_fd, b"x" * len(chunk))

    os.write(pipe.write_fd, b"x" * pipe.size())
    reader = PipeReader(pipe.read_fd, take)
    assert not reader.read_some()
    assert 1 <= chunks <= 4
    chunks = 0
    assert not reader.read_some(2)
    assert chunks <= 2


def test_who_wants_no_more_is_given_no_more(pipe: Pipe) -> None:
    """A taker that returns something true ends the reading; the rest stays in the pipe."""
    taken: list[int] = []

    def take(chunk: bytes) -> bool:
        taken.append(len(chunk))
        return True

    os.write(pipe.write_fd, b"x" * pipe.size())
    reader = PipeReader(pipe.read_fd, take)
    reader._chunk = 100
    assert not reader.read_some()
    assert taken == [100]
    assert not reader.read_rest()
    assert taken == [100, 100]


def test_a_pipe_that_is_filled_fast_becomes_larger(pipe: Pipe) -> None:
    """A full pipe is made larger, so that the next reads are fewer."""
    before = pipe.size()
    os.write(pipe.write_fd, b"x" * before)
    reader = PipeReader(pipe.read_fd, lambda _chunk: None)
    reader.read_some()
    assert pipe.size() > before


def test_the_rest_is_what_is_there_now(pipe: Pipe) -> None:
    """Taking the rest passes on all that is in the pipe, and says whether that was the end."""
    taken: list[bytes] = []
    reader = PipeReader(pipe.read_fd, taken.append)
    os.write(pipe.write_fd, b"a" * pipe.size())
    assert not reader.read_rest()
    assert b"".join(taken) == b"a" * pipe.size()
    os.write(pipe.write_fd, b"b")
    pipe.close_write()
    assert reader.read_rest()
    assert taken[-1] == b"b"


def test_the_rest_of_a_full_pipe_with_its_end(pipe: Pipe) -> None:
    """The end behind a full pipe is seen, too."""
    taken: list[bytes] = []
    reader = PipeReader(pipe.read_fd, taken.append)
    size = pipe.size()
    os.write(pipe.write_fd, b"a" * size)
    pipe.close_write()
    assert reader.read_rest()
    assert sum(map(len, taken)) == size


def test_the_rest_is_bounded_though_someone_goes_on_writing(pipe: Pipe) -> None:
    """Whoever fills the pipe as fast as it is read does not keep the reader."""
    read = 0

    def take(chunk: bytes) -> None:
        nonlocal read
        read += len(chunk)
        assert read < 16 * MIB, "it reads for ever"
        with suppress(BlockingIOError):
            os.write(pipe.write_fd, b"x" * MIB)

    os.write(pipe.write_fd, b"x" * pipe.size())
    reader = PipeReader(pipe.read_fd, take)
    assert not reader.read_rest()
    assert read <= pipe.size() + 1


def test_a_feeder_writes_what_fits(pipe: Pipe) -> None:
    """Feeding goes on where it was left, says when it is over, and loses nothing."""
    data = pattern(3 * MIB)
    feeder = PipeFeeder(pipe.write_fd, data)
    got = bytearray()
    over = False
    while not over:
        over = feeder.write_some()
        got += os.read(pipe.read_fd, MIB)
    feeder.close()
    pipe.write_fd = -1
    while more := os.read(pipe.read_fd, MIB):
        got += more
    assert bytes(got) == data
    assert feeder.fd is None


def test_a_full_pipe_is_no_error(pipe: Pipe) -> None:
    """A feeder that finds no room has not finished, and does not wait."""
    feeder = PipeFeeder(pipe.write_fd, b"x" * (pipe.size() + 1))
    assert not feeder.write_some()
    assert not feeder.write_some()


def test_a_child_that_does_not_want_it_all_is_no_error(pipe: Pipe) -> None:
    """Where nobody reads any more the feeding is over."""
    feeder = PipeFeeder(pipe.write_fd, b"x" * MIB)
    feeder.write_some()
    pipe.close_read()
    assert feeder.write_some()


def test_closing_twice_is_harmless(pipe: Pipe) -> None:
    """Reader and feeder close their descriptors once."""
    reader, feeder = PipeReader(pipe.read_fd, bytes), PipeFeeder(pipe.write_fd, b"x")
    for _ in range(2):
        reader.close()
        feeder.close()
    pipe.read_fd = pipe.write_fd = -1
    assert reader.fd is None
    assert feeder.fd is None
