"""The helpers themselves: reading with a limit, waiting with a limit, questions to /proc."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.support import (
    Channel,
    SignalSets,
    bare_env,
    child,
    child_env,
    fd_table,
    gone,
    group_members,
    kill_live,
    live_with_cookie,
    pattern,
    process_info,
    procfs,
    read_all,
    read_exactly,
    read_line,
    session_members,
    sh,
    signal_sets,
    until,
    wait_gone,
    wait_until,
)


@pytest.fixture
def living() -> int:
    """Return the pid of a process of another parent that lives until killed."""
    done = subprocess.run(child("spawn_grandchild", "setsid"), stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def test_child_refuses_a_program_that_does_not_exist() -> None:
    """A misspelt helper program is an error where it is named."""
    with pytest.raises(FileNotFoundError, match="no_such_program"):
        child("no_such_program")


def test_sh_passes_arguments() -> None:
    """The arguments after the script are its positional parameters."""
    done = subprocess.run(sh('echo "$1-$2"', "a b", "c"), stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"a b-c\n"


def test_environments_carry_the_cookie() -> None:
    """Both environment helpers keep the cookie, and add what they are given."""
    cookie = os.environ[procfs.COOKIE]
    assert child_env(A="1") == {**os.environ, "A": "1"}
    assert bare_env(A="1") == {procfs.COOKIE: cookie, "A": "1"}


@pytest.mark.parametrize("size", [0, 1, 251, 252, 10_000])
def test_pattern_has_the_size_asked_for(size: int) -> None:
    """The pattern has that many bytes and counts up in a period of 251."""
    data = pattern(size)
    assert data == bytes(number % 251 for number in range(size))


def test_reading_stops_where_it_should() -> None:
    """A line, a number of bytes and the rest are read without taking more than asked."""
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb"):
        with os.fdopen(write_fd, "wb") as writer:
            writer.write(b"one\ntwo\nthree")
        assert read_line(read_fd) == b"one"
        assert read_exactly(read_fd, 2) == b"tw"
        assert read_all(read_fd) == b"o\nthree"
        assert read_line(read_fd) == read_exactly(read_fd, 1) == b""


def test_reading_gives_up() -> None:
    """A pipe in which nothing comes is a TimeoutError and not a hang."""
    read_fd, write_fd = os.pipe()
    with (
        os.fdopen(read_fd, "rb"),
        os.fdopen(write_fd, "wb"),
        pytest.raises(TimeoutError, match="in time"),
    ):
        read_line(read_fd, limit=0.01)


async def test_channel_reads_what_a_child_writes() -> None:
    """A channel gives lines, bytes and the rest, across the chunks they came in."""
    with Channel() as channel:
        async with trio.open_nursery() as nursery:
            run = partial(trio.run_process, child("print_lines", 3), stdout=channel.write_fd)
            nursery.start_soon(run)
            assert await channel.line() == b"line 0"
            assert await channel.exactly(4) == b"line"
        channel.close_write()
        assert await channel.rest() == b" 1\nline 2\n"
        assert await channel.line() == await channel.exactly(1) == b""
        channel.close_read()
        channel.close_read()


@pytest.fixture
def reaped() -> int:
    """Return the pid of a process that is no more."""
    with subprocess.Popen(sh("exit 0")) as process:
        return process.pid


async def test_gone_returns_when_the_process_has_died(living: int, reaped: int) -> None:
    """Waiting for a process of another parent ends with its death, and at once after it."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gone, living)
        await trio.testing.wait_all_tasks_blocked()
        os.kill(living, signal.SIGKILL)
    await gone(reaped)


def test_wait_gone_waits_for_death(living: int, reaped: int) -> None:
    """A process that goes on living is a TimeoutError, a dead one is gone even as a zombie."""
    with pytest.raises(TimeoutError, match="still lives"):
        wait_gone(living, limit=0.01)
    kill_live()
    wait_gone(living)
    wait_gone(reaped)


async def test_until_waits_for_a_condition() -> None:
    """A condition is asked again until it is met, inside trio and outside."""
    answers = iter([False, False, True] * 2)
    wait_until(lambda: next(answers))
    await until(lambda: next(answers))
    assert list(answers) == []


async def test_until_gives_up() -> None:
    """A condition that is never met is a TimeoutError, inside trio and outside."""
    with pytest.raises(TimeoutError, match="not met"):
        wait_until(lambda: False, limit=0.01)
    with pytest.raises(TimeoutError, match="not met"):
        await until(lambda: False, limit=0.01)


def test_members_are_found_by_group_and_session(living: int) -> None:
    """A process is a member of its group and session until it is dead."""
    found = [info.pid for info in group_members(living)]
    assert found == [info.pid for info in session_members(living)] == [living]
    assert [info.pid for info in live_with_cookie()] == [living]
    kill_live()
    assert group_members(living) == session_members(living) == live_with_cookie() == []


def test_process_info_knows_a_name_with_brackets(tmp_path: Path) -> None:
    """A program called `a) Z (b` does not confuse the reading of its state."""
    program = tmp_path / "a) Z (b"
    program.symlink_to("/bin/sh")
    with subprocess.Popen([program, "-c", "read x"], stdin=subprocess.PIPE) as process:
        info = process_info(process.pid)
        assert info is not None
        assert (info.ppid, info.pgid, info.sid) == (os.getpid(), os.getpgrp(), os.getsid(0))


def test_unreadable_file_counts_as_gone() -> None:
    """A file of /proc that can't be opened, or fails while being read, is None."""
    assert process_info(0) is None
    assert procfs._read("/proc/self/mem") is None


def test_fd_table_lists_what_is_open() -> None:
    """Each open descriptor is listed with its target, the listing's own is not."""
    with Path("/dev/null").open("rb") as null:
        assert fd_table()[null.fileno()] == "/dev/null"
        assert not any(target.endswith("/fd") for target in fd_table().values())


def test_signal_sets_reads_status() -> None:
    """The three sets are read from the text of a status file, real-time signals too."""
    text = "Name:\tx\nSigBlk:\t8000000000000001\nSigIgn:\t0000000000001000\nSigCgt:\t0\nodd\n"
    sets = signal_sets(text)
    assert sets == SignalSets(frozenset({1, 64}), frozenset({signal.SIGPIPE}), frozenset())
