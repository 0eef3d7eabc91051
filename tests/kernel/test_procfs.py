"""What /proc tells of the members of a group."""

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import child, process_info, read_line, sh, wait_gone, wait_until
from trio_coreshift._kernel import procfs


def state_of(pid: int) -> str:
    """Return the letter of a process's state."""
    info = process_info(pid)
    return "" if info is None else info.state


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """Run a shell that leads a group of its own and obeys commands."""
    popen = subprocess.Popen(
        ("/bin/sh",), stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    )
    with popen:
        yield popen
        os.killpg(popen.pid, signal.SIGKILL)


def tell(leader: subprocess.Popen[bytes], command: str) -> bytes:
    """Have the shell do something and return the line it answers with."""
    assert leader.stdin is not None
    assert leader.stdout is not None
    leader.stdin.write(command.encode() + b"\n")
    leader.stdin.flush()
    return read_line(leader.stdout.fileno())


def test_members_are_found(leader: subprocess.Popen[bytes]) -> None:
    """All living members of a group are found, and nobody else."""
    member = int(tell(leader, "sleep 60 & echo $!"))
    assert sorted(procfs.living_members(leader.pid)) == sorted([leader.pid, member])
    assert procfs.is_living_member(member, leader.pid)
    assert not procfs.is_living_member(member, os.getpgrp())
    assert not procfs.is_living_member(os.getpid(), leader.pid)
    assert os.getpid() in procfs.living_members(os.getpgrp())


def test_a_stopped_member_lives(leader: subprocess.Popen[bytes]) -> None:
    """A stopped process is a living member."""
    tell(leader, "echo here")
    os.kill(leader.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, leader.pid, os.WSTOPPED | os.WNOWAIT)
    assert procfs.living_members(leader.pid) == [leader.pid]


def test_a_zombie_does_not_count() -> None:
    """A member that has ended and is not reaped is not a living one."""
    popen = subprocess.Popen(child("exit_with", 3), process_group=0)
    os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    assert procfs.living_members(popen.pid) == []
    assert not procfs.is_living_member(popen.pid, popen.pid)
    popen.wait()
    assert not procfs.is_living_member(popen.pid, popen.pid)


def test_a_zombie_that_sigkill_made_is_told_apart() -> None:
    """Of the zombies only those that died of SIGKILL count as killed."""
    for number, found in ((signal.SIGKILL, True), (signal.SIGTERM, False)):
        popen = subprocess.Popen(child("die_by", int(number)), process_group=0)
        os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
        assert procfs.killed_members(popen.pid) == ([popen.pid] if found else [])
        popen.wait()


def test_killed_members_include_the_living(leader: subprocess.Popen[bytes]) -> None:
    """Who lives may be about to die of the SIGKILL, and counts."""
    tell(leader, "echo here")
    assert procfs.killed_members(leader.pid) == [leader.pid]


def test_a_name_with_brackets_and_spaces(leader: subprocess.Popen[bytes]) -> None:
    """A process that calls itself ``) Z 1 1`` does not confuse the reading."""
    tell(leader, "printf ') Z 1 (1' >/proc/$$/comm; echo done")
    assert procfs.living_members(leader.pid) == [leader.pid]


def test_a_process_whose_first_thread_has_ended_lives() -> None:
    """A process that runs on in another thread shows as a zombie and is none."""
    popen = subprocess.Popen(
        child("first_thread_exits"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )
    assert popen.stdout is not None
    with popen:
        read_line(popen.stdout.fileno())
        wait_until(lambda: state_of(popen.pid) == "Z")
        assert procfs.living_members(popen.pid) == [popen.pid]
        popen.kill()


def test_a_group_that_is_gone_has_nobody() -> None:
    """A number that no group has gives an empty list."""
    popen = subprocess.Popen(sh("exit 0"), process_group=0)
    popen.wait()
    wait_gone(popen.pid)
    assert procfs.living_members(popen.pid) == []
    assert procfs.killed_members(popen.pid) == []
