"""pidfds: opened safely, and signals through them."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from tests.support import child, fd_table, process_info, read_line, sh, wait_gone
from tests.support.parents import parent
from trio_coreshift._kernel import pidfd


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a group of its own that lives until killed."""
    popen = subprocess.Popen(child("never_reads"), stdout=subprocess.PIPE, process_group=0)
    assert popen.stdout is not None
    read_line(popen.stdout.fileno())
    with popen:
        yield popen
        popen.kill()


def test_a_pidfd_closes_at_exec(sleeper: subprocess.Popen[bytes]) -> None:
    """A pidfd is close-on-exec and 3 or above, also where 0 is free."""
    saved = os.dup(0)
    os.close(0)
    fd = pidfd.open_pidfd(sleeper.pid)
    table = fd_table()
    os.dup2(saved, 0)
    os.close(saved)
    assert fd is not None
    assert fd > 2
    assert 0 not in table
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_nobody_is_a_lookup_error() -> None:
    """A number that no process has is a ProcessLookupError, and not "there are no pidfds"."""
    popen = subprocess.Popen(("/bin/true",))
    popen.wait()
    with pytest.raises(ProcessLookupError):
        pidfd.open_pidfd(popen.pid)


def test_a_thread_that_is_not_the_first_has_no_pidfd() -> None:
    """Its number is refused with EINVAL or ENOENT, by the age of the kernel: there is none."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    assert thread.native_id is not None
    try:
        assert pidfd.open_pidfd(thread.native_id) is None
    finally:
        done.set()
        thread.join()


def test_a_zombie_has_a_pidfd() -> None:
    """A child that has ended and is not reaped can still be named."""
    popen = subprocess.Popen(("/bin/true",))
    os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    fd = pidfd.open_pidfd(popen.pid)
    assert fd is not None
    os.close(fd)
    popen.wait()


def test_a_signal_reaches_the_process(sleeper: subprocess.Popen[bytes]) -> None:
    """A signal through a pidfd ends the process."""
    fd = os.pidfd_open(sleeper.pid)
    pidfd.send_signal(fd, signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        pidfd.send_signal(fd, signal.SIGTERM)
    os.close(fd)


def test_a_signal_reaches_the_group_after_its_leader() -> None:
    """The group can be signalled through the pidfd of a leader that is reaped, by nobody else."""
    leader = subprocess.Popen(child("spawn_grandchild"), stdout=subprocess.PIPE, process_group=0)
    fd = os.pidfd_open(leader.pid)
    assert leader.stdout is not None
    with leader:
        member = int(read_line(leader.stdout.fileno()))
        leader.wait()
        try:
            pidfd.send_group_signal(fd, 0)
        except OSError:  # pragma: no cover - Linux before 6.9
            os.kill(member, signal.SIGKILL)
            pytest.skip("the kernel has no group signals through pidfds")
        info = process_info(member)
        assert info is not None
        assert info.pgid == leader.pid
        pidfd.send_group_signal(fd, signal.SIGTERM)
        wait_gone(member)
    os.close(fd)


def test_a_group_that_is_gone(sleeper: subprocess.Popen[bytes]) -> None:
    """Where nobody of the group is left, that is a ProcessLookupError."""
    fd = os.pidfd_open(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    with pytest.raises(ProcessLookupError):
        pidfd.send_group_signal(fd, 0)
    os.close(fd)


def test_without_pidfd_open_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that has no pidfd_open means that there are no pidfds, and is no error."""
    monkeypatch.delattr(os, "pidfd_open")
    assert pidfd.open_pidfd(os.getpid()) is None


@pytest.mark.parametrize("code", ["ENOSYS", "ENFILE", "EACCES", "EIO"])
def test_a_refusal_means_that_there_is_none(code: str) -> None:
    """Where the kernel refuses pidfds, for whatever reason, there are none, and no error."""
    assert parent("refused_pidfd", code) == {"opened": None, "nobody": None}


def test_a_failed_shell_is_not_confused() -> None:
    """The pidfd is that of the process asked for."""
    popen = subprocess.Popen(sh("read x; exit 5"), stdin=subprocess.PIPE)
    fd = pidfd.open_pidfd(popen.pid)
    assert fd is not None
    assert popen.stdin is not None
    with popen:
        popen.stdin.close()
        seen = os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOWAIT)
    os.close(fd)
    assert seen is not None
    assert (seen.si_pid, seen.si_status) == (popen.pid, 5)
