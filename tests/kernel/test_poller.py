"""Many descriptors behind one: which are ready, and what the loop waits for."""

import errno
import fcntl
import os
import select
from collections.abc import Iterator
from typing import TypeAlias

import pytest

from tests.support import fd_table
from trio_coreshift import CoreError
from trio_coreshift._kernel.fds import close_all
from trio_coreshift._kernel.poller import READ, WRITE, Poller, is_readable

Pipe: TypeAlias = tuple[int, int]


@pytest.fixture
def pipes() -> Iterator[list[Pipe]]:
    """Have three pipes."""
    made = [os.pipe() for _ in range(3)]
    yield made
    close_all(fd for pipe in made for fd in pipe)


@pytest.fixture
def poller() -> Iterator[Poller]:
    """Have a poller, closed at the end."""
    one = Poller()
    yield one
    one.close()


def called(poller: Poller) -> None:
    """Call the handlers of what is ready."""
    for handler in poller.ready():
        handler()


def test_an_empty_poller_is_nothing_to_wait_for(poller: Poller) -> None:
    """Without members there is no descriptor to wait for, and nothing is ready."""
    assert poller.fd is None
    assert poller.ready() == []
    poller.prepare()
    assert poller.fd is None
    assert poller.ready() == []


def test_a_lone_member_is_waited_for_itself(poller: Poller, pipes: list[Pipe]) -> None:
    """One member to be read needs no epoll descriptor: it is what the loop waits for."""
    before = fd_table()
    read_fd, _ = pipes[0]
    poller.add(read_fd, READ, lambda: None)
    assert poller.fd == read_fd
    assert fd_table() == before
    poller.remove(read_fd)
    assert poller.fd is None


def test_a_lone_member_to_be_written_needs_epoll(poller: Poller, pipes: list[Pipe]) -> None:
    """What the loop waits for must become readable, so that a writer is behind epoll."""
    seen: list[str] = []
    _, write_fd = pipes[0]
    poller.add(write_fd, WRITE, lambda: seen.append("write"))
    assert poller.fd not in {None, write_fd}
    assert poller.fd is not None
    assert is_readable(poller.fd)
    called(poller)
    assert seen == ["write"]


def test_the_ready_ones_are_called(poller: Poller, pipes: list[Pipe]) -> None:
    """Of several members those that are ready are called, each time as long as they are."""
    seen: list[int] = []
    for number, (read_fd, _) in enumerate(pipes):
        poller.add(read_fd, READ, lambda number=number: seen.append(number))  # type: ignore[misc]  # bound early
    assert poller.fd is not None
    assert not is_readable(poller.fd)
    os.write(pipes[1][1], b"x")
    assert is_readable(poller.fd)
    for _ in range(2):
        called(poller)
    assert seen == [1, 1]
    os.read(pipes[1][0], 1)
    called(poller)
    assert seen == [1, 1]


def test_the_end_of_a_pipe_is_an_event(poller: Poller, pipes: list[Pipe]) -> None:
    """A pipe whose other end is closed is ready, for reading and for writing."""
    seen: list[str] = []
    poller.add(pipes[0][0], READ, lambda: seen.append("end"))
    poller.add(pipes[1][1], WRITE, lambda: seen.append("broken"))
    os.write(pipes[1][1], b"x" * fcntl.fcntl(pipes[1][1], fcntl.F_GETPIPE_SZ))
    called(poller)
    assert seen == []
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, pipes[0][1])
    os.dup2(null, pipes[1][0])
    os.close(null)
    called(poller)
    assert sorted(seen) == ["broken", "end"]


def test_a_removed_member_is_silent(poller: Poller, pipes: list[Pipe]) -> None:
    """A member that was removed is not called, though its file lives on in a copy."""
    seen: list[int] = []
    for number, (read_fd, write_fd) in enumerate(pipes):
        poller.add(read_fd, READ, lambda number=number: seen.append(number))  # type: ignore[misc]  # bound early
        os.write(write_fd, b"x")
    copy = os.dup(pipes[0][0])
    poller.remove(pipes[0][0])
    called(poller)
    assert sorted(seen) == [1, 2]
    os.close(copy)


def test_removing_twice_is_harmless(poller: Poller, pipes: list[Pipe]) -> None:
    """What is no member can be removed."""
    poller.remove(pipes[0][0])
    for read_fd, _ in pipes:
        poller.add(read_fd, READ, lambda: None)
    poller.remove(pipes[0][0])
    poller.remove(pipes[0][0])


def test_a_prepared_poller_needs_no_descriptor_later(poller: Poller, pipes: list[Pipe]) -> None:
    """After the preparation members come and go without a new descriptor."""
    poller.prepare()
    before = fd_table()
    for read_fd, write_fd in pipes:
        poller.add(read_fd, READ, lambda: None)
        poller.add(write_fd, WRITE, lambda: None)
    assert fd_table().keys() == before.keys()


def test_the_epoll_descriptor_closes_at_exec(poller: Poller) -> None:
    """The epoll descriptor is close-on-exec, and 3 or above where 0 is free."""
    saved = os.dup(0)
    os.close(0)
    before = fd_table()
    poller.prepare()
    new = fd_table().keys() - before.keys()
    os.dup2(saved, 0)
    os.close(saved)
    (fd,) = new
    assert fd > 2
    assert not os.get_inheritable(fd)


def test_what_cannot_be_watched_is_an_error(poller: Poller, pipes: list[Pipe]) -> None:
    """A regular file is refused by epoll, with its op."""
    poller.add(pipes[0][0], READ, lambda: None)
    with open(__file__, "rb") as file, pytest.raises(CoreError) as caught:  # noqa: PTH123 - short
        poller.add(file.fileno(), READ, lambda: None)
    assert (caught.value.errno, caught.value.op) == (errno.EPERM, "epoll_ctl")


def test_closing_leaves_the_members_open(pipes: list[Pipe]) -> None:
    """Closing gives the epoll descriptor back, and nothing else; it can be done twice."""
    before = fd_table()
    poller = Poller()
    for read_fd, _ in pipes:
        poller.add(read_fd, READ, lambda: None)
    assert fd_table() != before
    poller.close()
    poller.close()
    assert fd_table() == before
    assert poller.fd is None


def test_readability_of_one(pipes: list[Pipe]) -> None:
    """Whether a descriptor is readable now is told without waiting."""
    read_fd, write_fd = pipes[0]
    assert not is_readable(read_fd)
    os.write(write_fd, b"x")
    assert is_readable(read_fd)
    assert select.select([read_fd], [], [], 0)[0] == [read_fd]
