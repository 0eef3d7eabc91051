"""Descriptors: close-on-exec from birth, never in the place of stdio, nothing left by a failure."""

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings, strategies as st

from tests.support import fd_table
from trio_coreshift import CoreError
from trio_coreshift._kernel.fds import (
    above_stdio,
    check_open,
    close_all,
    duplicate,
    gaps,
    make_pipe,
)


@contextmanager
def without_stdio() -> Iterator[None]:
    """Have 0, 1 and 2 closed for a while."""
    saved = [os.dup(fd) for fd in range(3)]
    try:
        for fd in range(3):
            os.close(fd)
        yield
    finally:
        for fd, copy in enumerate(saved):
            os.dup2(copy, fd)
            os.close(copy)


@contextmanager
def free_descriptors(count: int) -> Iterator[None]:
    """Have exactly ``count`` descriptors left for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(fd_table())
    fillers = []
    while (fd := os.dup(0)) < highest:
        fillers.append(fd)
    os.close(fd)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fd + count, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        close_all(fillers)


def closes_at_exec(fd: int) -> bool:
    """Return whether the flag is set."""
    return bool(fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC)


def test_a_pipe_closes_at_exec_and_blocks() -> None:
    """Both ends of a new pipe are close-on-exec and blocking, and they are one pipe."""
    read_fd, write_fd = make_pipe()
    try:
        assert closes_at_exec(read_fd)
        assert closes_at_exec(write_fd)
        assert os.get_blocking(read_fd)
        assert os.get_blocking(write_fd)
        os.write(write_fd, b"x")
        assert os.read(read_fd, 2) == b"x"
    finally:
        close_all((read_fd, write_fd))


def test_a_pipe_never_takes_the_place_of_stdio() -> None:
    """With 0 to 2 free, both ends are still 3 or above, close-on-exec, and 0 to 2 stay free."""
    with without_stdio():
        ends = make_pipe()
        flags = [closes_at_exec(end) for end in ends]
        free = [fd for fd in range(3) if fd not in fd_table()]
        close_all(ends)
    assert min(ends) > 2
    assert flags == [True, True]
    # The listing itself opens the lowest free one, which `fd_table` leaves out.
    assert free == [0, 1, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_a_pipe_that_cannot_be_made_leaves_nothing(count: int) -> None:
    """With too few descriptors a pipe is EMFILE with its op, and no end is left."""
    before = fd_table()
    with free_descriptors(count), pytest.raises(CoreError) as caught:
        make_pipe()
    assert (caught.value.errno, caught.value.op) == (errno.EMFILE, "pipe2")
    assert fd_table() == before


@pytest.mark.parametrize("count", [0, 1])
def test_a_pipe_that_cannot_be_moved_leaves_nothing(count: int) -> None:
    """Where the ends land below 3 and cannot be moved up, both are closed again."""
    with without_stdio():
        before = fd_table()
        with free_descriptors_above(count), pytest.raises(CoreError) as caught:
            make_pipe()
        after = fd_table()
    assert caught.value.op == "pipe2"
    assert after == before


@contextmanager
def free_descriptors_above(count: int) -> Iterator[None]:
    """Have 0 to 2 free, and ``count`` descriptors beyond, for a while."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(fd_table())
    base = os.open(os.devnull, os.O_RDONLY)
    fillers = []
    while (fd := fcntl.fcntl(base, fcntl.F_DUPFD_CLOEXEC, 3)) < highest:
        fillers.append(fd)
    close_all((base, fd))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fd + count, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        close_all(fillers)


def test_a_high_descriptor_is_left_alone() -> None:
    """What is 3 or above already is not moved."""
    fd = os.open(os.devnull, os.O_RDONLY)
    assert above_stdio(fd, "op") == fd
    os.close(fd)


def test_a_duplicate_closes_at_exec() -> None:
    """A duplicate of an inheritable descriptor is close-on-exec, 3 or above, and the same file."""
    copy = duplicate(1, "op")
    try:
        assert copy > 2
        assert closes_at_exec(copy)
        assert os.path.sameopenfile(copy, 1)
    finally:
        os.close(copy)


def test_a_duplicate_of_nothing_is_an_error() -> None:
    """A descriptor that is not open cannot be duplicated, and the error has the op."""
    fd = os.dup(0)
    os.close(fd)
    with pytest.raises(CoreError, match="some op") as caught:
        duplicate(fd, "some op")
    assert caught.value.errno == errno.EBADF


def test_openness_is_checked() -> None:
    """An open descriptor passes, a closed one is EBADF."""
    fd = os.dup(0)
    check_open(fd, "op")
    os.close(fd)
    with pytest.raises(CoreError) as caught:
        check_open(fd, "op")
    assert (caught.value.errno, caught.value.op) == (errno.EBADF, "op fcntl(F_GETFD)")


def test_all_are_closed_whatever_happens_with_one() -> None:
    """One that is closed already does not keep the others open."""
    first, second, third = (os.dup(0) for _ in range(3))
    os.close(second)
    close_all((first, second, third))
    assert not {first, second, third} & fd_table().keys()


@settings(deadline=None, database=None, max_examples=60)
@given(st.lists(st.integers(0, 40), max_size=10))
def test_gaps_hold_everything_but_what_is_kept(keep: list[int]) -> None:
    """Ranges and open end cover each number from 3 on exactly once, except the kept ones."""
    ranges, rest = gaps(keep)
    covered = [fd for low, high in ranges for fd in range(low, high)] + list(range(rest, 60))
    assert covered == [fd for fd in range(3, 60) if fd not in keep]
    assert all(low < high for low, high in ranges)
