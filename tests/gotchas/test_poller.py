"""What epoll does with descriptors that were closed, and with tasks that wait for it."""

import os
from collections.abc import Iterator

import pytest

from trio_coreshift._kernel.poller import READ, Poller, is_readable


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose ends are closed afterwards, unless the test has done so."""
    ends = os.pipe2(os.O_CLOEXEC)
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue


@pytest.fixture
def poller() -> Iterator[Poller]:
    """A poller with an epoll of its own."""
    poller = Poller()
    poller.prepare()
    yield poller
    poller.close()


def test_a_closed_descriptor_is_not_reported(poller: Poller, pipe: tuple[int, int]) -> None:
    """Removed and closed, it is silent, though a copy elsewhere keeps its open file alive."""
    read_fd, write_fd = pipe
    copy = os.dup(read_fd)
    other_r, other_w = os.pipe2(os.O_CLOEXEC)
    seen: list[str] = []
    poller.add(other_r, READ, lambda: seen.append("other"))
    poller.add(read_fd, READ, lambda: seen.append("closed"))

    poller.remove(read_fd)
    os.close(read_fd)
    os.write(write_fd, b"x")
    handlers = poller.ready()

    for fd in (copy, other_r, other_w):
        os.close(fd)
    assert handlers == []
    assert seen == []


def test_what_is_not_read_to_the_end_is_reported_again(
    poller: Poller, pipe: tuple[int, int]
) -> None:
    """Level-triggered: a handler may leave something for the next turn."""
    read_fd, write_fd = pipe
    poller.add(read_fd, READ, lambda: None)
    os.write(write_fd, b"xy")

    assert len(poller.ready()) == 1
    assert os.read(read_fd, 1) == b"x"
    assert len(poller.ready()) == 1


def test_its_descriptor_is_readable_when_a_member_is(poller: Poller, pipe: tuple[int, int]) -> None:
    """The loop can wait for the poller itself."""
    read_fd, write_fd = pipe
    poller.add(read_fd, READ, lambda: None)
    assert poller.fd is not None
    assert not is_readable(poller.fd)

    os.write(write_fd, b"x")

    assert is_readable(poller.fd)
