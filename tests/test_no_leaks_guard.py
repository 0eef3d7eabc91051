"""The guard behind `no_leaks` catches each kind of leak, names it, and puts things right."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import (
    child,
    child_env,
    fd_table,
    leaks,
    live_with_cookie,
    process_info,
    sh,
    wait_gone,
)


@contextmanager
def watched(patience: float = 0.02) -> Iterator[list[str]]:
    """Guard a block as the fixture guards a test; the list has the leaks after it."""
    found: list[str] = []
    before = leaks.take_snapshot()
    leaks.set_cookie("inner")
    yield found
    found += leaks.settle(before, patience)


def start(*argv: str, env: dict[str, str] | None = None) -> int:
    """Start a program behind the back of `subprocess`, which would reap it; return its pid."""
    return os.posix_spawn(
        argv[0],
        argv,
        os.environ if env is None else env,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)],
    )


def fork_and_run(act: Callable[[], object]) -> int:
    """Run `act` in a forked copy of this process; return the copy's pid."""
    pid = os.fork()
    if pid == 0:  # pragma: no cover - the copy's measurements die with it
        try:
            act()
        finally:
            os._exit(0)
    return pid


def orphan(*options: str) -> int:
    """Leave a grandchild behind whose parent has exited and was reaped; return its pid."""
    done = subprocess.run(child("spawn_grandchild", *options), stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    info = process_info(pid)
    return info is not None and info.alive


def test_finds_nothing_when_nothing_is_left() -> None:
    """A block that reaps its child and closes its pipe leaves nothing to report."""
    with watched() as found:
        subprocess.run(child("print_lines", 3), stdout=subprocess.PIPE, check=True)
    assert found == []


def test_reports_descriptor_left_open() -> None:
    """A descriptor left open is reported with what it points to."""
    with watched() as found:
        fd = os.open("/dev/null", os.O_RDONLY)
    os.close(fd)
    assert found == [f"descriptor {fd} was left open: /dev/null"]


def test_reports_descriptor_closed() -> None:
    """Closing a descriptor that was not the test's own is reported."""
    read_fd, write_fd = os.pipe()
    target = fd_table()[read_fd]
    with watched() as found:
        os.close(read_fd)
    os.close(write_fd)
    assert found == [f"descriptor {read_fd} was closed: {target}"]


def test_reports_descriptor_replaced() -> None:
    """A descriptor that points elsewhere afterwards is reported with both targets."""
    read_fd, write_fd = os.pipe()
    target = fd_table()[read_fd]
    with watched() as found, Path("/dev/zero").open("rb") as zero:
        os.dup2(zero.fileno(), read_fd)
    os.close(read_fd)
    os.close(write_fd)
    assert found == [f"descriptor {read_fd} was replaced: {target} became /dev/zero"]


def test_blames_a_descriptor_only_once() -> None:
    """A descriptor already reported as leaked may be closed or replaced by whoever runs later."""
    with watched() as first:
        fds = os.pipe()
    with watched() as second:
        os.close(fds[0])
        os.dup2(0, fds[1])
    with watched() as third:
        os.close(fds[1])
    assert (len(first), second, third) == (2, [], [])


def test_reports_zombie_and_reaps_it() -> None:
    """A child that ended and was not reaped is reported, and reaped."""
    with watched() as found:
        pid = start(*sh("exit 0"))
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert found == [f"child {pid} was not reaped (zombie)"]
    assert process_info(pid) is None


@pytest.mark.parametrize("env", [None, {}], ids=["cookie", "no cookie"])
def test_reports_running_child_and_kills_it(env: dict[str, str] | None) -> None:
    """A child that still runs is reported, killed and reaped, whatever its environment."""
    with watched() as found:
        pid = start(*child("never_reads"), env=env)
    assert len(found) == 1
    assert found[0].startswith(f"child {pid} still runs (state ")
    assert found[0].endswith("never_reads.py")
    assert process_info(pid) is None


def test_reports_orphan_in_a_session_of_its_own() -> None:
    """Neither setsid nor the death of its parent hides a descendant."""
    with watched() as found:
        pid = orphan("setsid", "ignores")
    assert len(found) == 1
    assert found[0].startswith(f"descendant {pid} still runs (state ")
    assert f"session {pid})" in found[0]
    wait_gone(pid, limit=1.0)


def test_reports_orphan_that_never_executed_anything() -> None:
    """A twice forked copy of the test process is found although it has no cookie."""
    read_fd, write_fd = os.pipe()

    def leave_grandchild() -> None:  # pragma: no cover - runs in a forked copy
        grandchild = fork_and_run(signal.pause)
        os.write(write_fd, b"%d" % grandchild)

    with watched() as found:
        os.waitpid(fork_and_run(leave_grandchild), 0)
    pid = int(os.read(read_fd, 20))
    os.close(read_fd)
    os.close(write_fd)
    assert len(found) == 1
    assert found[0].startswith(f"descendant {pid} still runs (state ")
    wait_gone(pid, limit=1.0)


def test_reports_what_an_earlier_scan_missed() -> None:
    """A descendant with the cookie of an earlier test of the same run is still found."""
    pid = orphan()
    with watched() as found:
        pass
    assert [line.split(" still")[0] for line in found] == [f"descendant {pid}"]


def test_ignores_children_from_before() -> None:
    """A child that was there before the test is neither reported nor killed."""
    pid = start(*child("never_reads"), env={})
    try:
        with watched() as found:
            pass
        assert found == []
        assert is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_ignores_zombie_of_another_parent() -> None:
    """A dead descendant that its own parent has not reaped is nothing of ours."""
    command = child("spawn_grandchild", "stays")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        grandchild = int(parent.stdout.readline())
        os.kill(grandchild, signal.SIGKILL)
        wait_gone(grandchild)
        assert process_info(grandchild) is not None
        assert [info.pid for info in live_with_cookie()] == [parent.pid]
        parent.kill()


def test_gives_processes_a_moment_to_vanish() -> None:
    """A process that dies by itself shortly after the test is no leak."""
    with watched(patience=leaks.PATIENCE) as found:
        subprocess.run(sh("sleep 0.03 > /dev/null &"), check=True)
        assert len(live_with_cookie()) == 1
    assert found == []


def test_reports_blocked_and_unblocked_signals() -> None:
    """A changed signal mask is reported signal by signal, and put back."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    with watched() as found:
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGUSR2, signal.SIGRTMIN + 3])
    now = signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    assert found == [
        "signal mask: SIGUSR1 was unblocked",
        "signal mask: SIGUSR2 was blocked",
        f"signal mask: signal {signal.SIGRTMIN + 3} was blocked",
    ]
    assert now == {signal.SIGUSR1}


def test_reports_changed_handler() -> None:
    """A handler left installed is reported and the old one put back."""
    with watched() as found:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    assert found == ["handler of SIGUSR1: <Handlers.SIG_DFL: 0> became <Handlers.SIG_IGN: 1>"]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_reports_handler_changed_behind_pythons_back() -> None:
    """A disposition changed by C code is reported and the old one put back."""
    with watched() as found:
        ctypes.CDLL(None).signal(int(signal.SIGUSR1), 1)
    assert found == ["handler of SIGUSR1: default became ignored behind Python's back"]
    assert signal.SIGUSR1 not in leaks.take_snapshot().dispositions.ignored


def test_reports_wakeup_descriptor() -> None:
    """A wakeup descriptor left set is reported and unset."""
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(0)
        with watched() as found:
            signal.set_wakeup_fd(near.fileno())
        assert found == [f"wakeup descriptor: -1 became {near.fileno()}"]
        assert signal.set_wakeup_fd(-1) == -1


def test_keeps_wakeup_descriptor_from_before() -> None:
    """Looking at the wakeup descriptor does not take it away."""
    near, far = socket.socketpair()
    with near, far:
        near.settimeout(0)
        signal.set_wakeup_fd(near.fileno())
        with watched() as found:
            pass
        assert (found, signal.set_wakeup_fd(-1)) == ([], near.fileno())


def test_reports_changed_directory(tmp_path: Path) -> None:
    """A changed working directory is reported and left again."""
    before = Path.cwd()
    with watched() as found:
        os.chdir(tmp_path)
    assert found == [f"working directory: {before} became {tmp_path}"]
    assert Path.cwd() == before


def test_reports_changed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables added, changed or removed are reported by name only, and put back."""
    monkeypatch.setenv("GUARD_CHANGED", "old")
    monkeypatch.setenv("GUARD_REMOVED", "old")
    before = dict(os.environ)
    with watched() as found:
        os.environ.update(GUARD_ADDED="secret", GUARD_CHANGED="secret", PYTEST_CURRENT_TEST="x")
        del os.environ["GUARD_REMOVED"]
    os.environ["PYTEST_CURRENT_TEST"] = before["PYTEST_CURRENT_TEST"]
    assert found == [
        "environment variable GUARD_ADDED was added",
        "environment variable GUARD_CHANGED was changed",
        "environment variable GUARD_REMOVED was removed",
    ]
    assert dict(os.environ) == before


INNER_CONFTEST = "from tests.conftest import no_leaks\n"
INNER_CONFIG = """
[pytest]
trio_mode = true
addopts = -p pytest_trio.plugin -p no:cacheprovider -q -rpE
"""
INNER_TESTS = """
import os, signal, trio

def test_1_sync_leaks():
    os.pipe()

def test_2_sync_after():
    pass

async def test_3_async_leaks():
    await trio.sleep(0)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

async def test_4_async_after():
    await trio.sleep(0)
"""
EXPECTED = [
    "ERROR test_inner.py::test_1_sync_leaks",
    "ERROR test_inner.py::test_3_async_leaks",
    "PASSED test_inner.py::test_1_sync_leaks",
    "PASSED test_inner.py::test_2_sync_after",
    "PASSED test_inner.py::test_3_async_leaks",
    "PASSED test_inner.py::test_4_async_after",
]


def test_fixture_fails_the_leaking_test_and_no_other(tmp_path: Path) -> None:
    """In a real run the leaking test gets an error, sync or async, and the next one passes."""
    (tmp_path / "conftest.py").write_text(INNER_CONFTEST)
    (tmp_path / "pytest.ini").write_text(INNER_CONFIG)
    (tmp_path / "test_inner.py").write_text(INNER_TESTS)
    # Last on the path, so that the package under test stays the one this run has.
    path = os.pathsep.join([*filter(None, sys.path), str(Path(__file__).parent.parent)])
    run = subprocess.run(
        [sys.executable, "-m", "pytest"],
        cwd=tmp_path,
        env=child_env(PYTHONPATH=path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    summary = [line.split(" - ")[0] for line in run.stdout.splitlines()]
    assert sorted(line for line in summary if "::test_" in line) == EXPECTED, run.stdout
    assert "descriptor" in run.stdout
    assert "handler of SIGUSR1" in run.stdout
