"""Pipes: short reads and writes, both ways at once, and what is left in them."""

import contextlib
import os
from collections.abc import Iterator

import pytest
import trio

from tests.support import child, pattern
from trio_coreshift import Exited, SpawnBackend, SpawnOptions, spawn
from trio_coreshift._kernel.pipes import PipeFeeder, PipeReader


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe with non-blocking ends, closed afterwards unless the test has done so."""
    ends = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue


async def test_feeding_and_reading_go_on_at_once(backend: SpawnBackend) -> None:
    """Several megabytes through a child that copies them come back whole: no side waits."""
    data = pattern(3_000_000)
    options = SpawnOptions(
        ["cat"], backend=backend, stdin=data, capture_stdout=True, max_output=4_000_000
    )
    with trio.fail_after(20):
        output = await spawn(options)

    assert output.stdout == data
    assert output.complete


async def test_both_streams_are_read_at_once(backend: SpawnBackend) -> None:
    """A child that fills stdout and stderr in turns is read on both."""
    options = SpawnOptions(
        child("fill_both", 400_000), backend=backend, capture_stdout=True, capture_stderr=True
    )
    with trio.fail_after(20):
        output = await spawn(options)

    assert output.stdout == output.stderr == pattern(400_000)


async def test_input_that_is_not_wanted_is_no_error(backend: SpawnBackend) -> None:
    """A child that ends without reading a megabyte of input has ended, as it says."""
    options = SpawnOptions(child("exit_with", 3), backend=backend, stdin=bytes(1_000_000))
    with trio.fail_after(20):
        output = await spawn(options)

    assert output.status == Exited(3)
    assert output.shutdown is None


async def test_input_is_not_kept_for_somebody_else(backend: SpawnBackend) -> None:
    """When the child has ended, feeding has: who still holds the pipe gets what is in it."""
    script = "exec 3<&0; (while kill -0 $$; do sleep 0.01; done 2>/dev/null; wc -c <&3) &"
    options = SpawnOptions(
        ["sh", "-c", script], backend=backend, stdin=bytes(1_000_000), capture_stdout=True
    )
    with trio.fail_after(20):
        output = await spawn(options)

    assert output.status == Exited(0)
    assert 0 < int(output.stdout) < 500_000


def test_a_short_write_is_gone_on_with(pipe: tuple[int, int]) -> None:
    """What a full pipe does not take is written later, in order."""
    read_fd, write_fd = pipe
    data = pattern(200_000)
    feeder = PipeFeeder(write_fd, data)
    got = b""
    while not feeder.write_some():
        got += os.read(read_fd, 50_000)
    feeder.close()
    while more := os.read(read_fd, 65536):
        got += more

    assert got == data


def test_what_lies_in_a_pipe_is_taken_when_it_is_given_up(pipe: tuple[int, int]) -> None:
    """A full pipe that somebody still holds open is emptied once, which is not its end."""
    read_fd, write_fd = pipe
    written = os.write(write_fd, pattern(100_000))
    chunks: list[bytes] = []
    reader = PipeReader(read_fd, chunks.append)

    assert reader.read_rest() is False
    assert b"".join(chunks) == pattern(written)


def test_the_end_behind_a_full_pipe_is_seen(pipe: tuple[int, int]) -> None:
    """Where nobody holds the pipe any more, taking the rest finds its end."""
    read_fd, write_fd = pipe
    written = os.write(write_fd, pattern(100_000))
    os.close(write_fd)
    chunks: list[bytes] = []
    reader = PipeReader(read_fd, chunks.append)

    assert reader.read_rest() is True
    assert sum(map(len, chunks)) == written


def test_taking_the_rest_does_not_follow_an_endless_writer(pipe: tuple[int, int]) -> None:
    """No more is taken than the pipe can hold, however fast somebody fills it again."""
    read_fd, write_fd = pipe
    taken = 0

    def take(chunk: bytes) -> None:
        nonlocal taken
        taken += len(chunk)
        assert taken < 10_000_000
        with contextlib.suppress(BlockingIOError):
            os.write(write_fd, bytes(65536))

    os.write(write_fd, bytes(65536))
    assert PipeReader(read_fd, take).read_rest() is False
    assert 65536 <= taken <= 2 * 65536
