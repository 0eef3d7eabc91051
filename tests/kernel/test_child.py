"""One process: its status is taken once, its number is safe, a signal reaches it or nobody."""

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.support import child, fd_table, sh
from tests.support.parents import parent
from trio_coreshift import CoreError, Exited, Signaled, Unknown
from trio_coreshift._kernel.child import Child, Delivery

Start = Callable[..., Child]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start programs whose pids nobody but the test knows."""
    children: list[Child] = []

    def begin(*argv: str, owned: bool = True, own_group: bool = False) -> Child:
        group: dict[str, int] = {"setpgroup": 0} if own_group else {}
        pid = os.posix_spawn(argv[0], argv, os.environ, **group)  # type: ignore[arg-type]  # of one
        children.append(Child(pid, owned=owned))
        return children[-1]

    yield begin
    for one in children:
        one.pinned = False
        one.signal(signal.SIGKILL)
        with suppress(ChildProcessError):
            one.wait_blocking()
        one.close()


def wait_zombie(pid: int) -> None:
    """Wait until a child of ours has ended, and leave it unreaped."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_the_status_is_taken_once_and_kept(start: Start) -> None:
    """Polling takes the status when it is there, reaps, and then gives the same for ever."""
    one = start("/bin/sh", "-c", "exit 7")
    wait_zombie(one.pid)
    assert one.poll() == Exited(7)
    assert one.poll() == Exited(7)
    assert one.reaped
    with pytest.raises(ChildProcessError):
        os.waitpid(one.pid, 0)


def test_polling_does_not_wait(start: Start) -> None:
    """While it runs there is no status, and polling comes back at once."""
    one = start(*child("never_reads"))
    before = time.monotonic()
    assert one.poll() is None
    assert time.monotonic() - before < 5
    one.signal(signal.SIGKILL)
    assert one.wait_blocking() == Signaled(signal.SIGKILL)


def test_waiting_blocks_until_the_end(start: Start) -> None:
    """Waiting returns with the status, when it has ended and not before."""
    one = start("/bin/sh", "-c", "sleep 0.02; exit 3")
    assert one.wait_blocking() == Exited(3)
    assert one.wait_blocking() == Exited(3)


def test_usage_comes_with_the_reaping(start: Start) -> None:
    """What the child used is known when it is reaped; memory is counted in bytes."""
    one = start(*child("allocate", 48))
    before = one.usage
    one.wait_blocking()
    usage = one.usage
    assert before is None
    assert usage is not None
    assert 48 << 20 <= usage.max_rss < 4096 << 20
    assert usage.user >= 0
    assert usage.system >= 0


def test_pinned_it_stays_a_zombie(start: Start) -> None:
    """A pinned child has its status read without being reaped, until it is unpinned."""
    one = start("/bin/sh", "-c", "exit 4")
    one.pinned = True
    wait_zombie(one.pid)
    for _ in range(2):
        assert one.poll() == Exited(4)
    wait_zombie(one.pid)
    before = (one.reaped, one.usage)
    one.pinned = False
    assert one.poll() == Exited(4)
    assert before == (False, None)
    assert one.usage is not None
    assert one.reaped


@pytest.mark.parametrize("pinned", [False, True])
def test_a_stolen_status_is_unknown(start: Start, pinned: bool) -> None:  # noqa: FBT001 - a case
    """Where someone else has reaped our child, its end is unknown: never 0, never a hang."""
    one = start("/bin/sh", "-c", "exit 0")
    one.pinned = pinned
    os.waitpid(one.pid, 0)
    assert one.poll() == Unknown()
    assert one.wait_blocking() == Unknown()
    assert one.signal(signal.SIGTERM) is Delivery.GONE


def test_a_status_stolen_after_it_was_seen_is_kept(start: Start) -> None:
    """What was seen while it was pinned stays known, though someone else reaps the zombie."""
    one = start("/bin/sh", "-c", "exit 4")
    one.pinned = True
    wait_zombie(one.pid)
    assert one.poll() == Exited(4)
    os.waitpid(one.pid, 0)
    one.pinned = False
    assert one.poll() == Exited(4)


def test_a_child_that_is_gone_before_it_is_owned() -> None:
    """A pid that is reaped before it was taken over is unknown, and no descriptor is left."""
    before = fd_table()
    popen = subprocess.Popen(("/bin/true",))
    popen.wait()
    one = Child(popen.pid, owned=True)
    assert one.status == Unknown()
    assert one.pidfd is None
    assert fd_table() == before


def test_a_stranger_is_not_taken_for_ours() -> None:
    """A pid that is by now somebody else's is never signalled as our child."""
    before = fd_table()
    one = Child(os.getppid(), owned=True)
    assert one.status == Unknown()
    assert one.signal(signal.SIGTERM) is Delivery.GONE
    assert fd_table() == before


def test_a_strangers_status_cannot_be_had() -> None:
    """Asking for the status of a process that is no child is ECHILD, with the op of the call."""
    one = Child(os.getppid(), owned=False)
    try:
        for call, op in (
            (one.poll, "waitpid_step"),
            (one.wait_blocking, "waitpid_blocking"),
        ):
            with pytest.raises(ChildProcessError) as caught:
                call()
            assert isinstance(caught.value, CoreError)
            assert (caught.value.errno, caught.value.op) == (errno.ECHILD, op)
    finally:
        one.close()


def test_a_signal_after_the_reaping_reaches_nobody(start: Start) -> None:
    """Once it is reaped its number may be another's, so that nothing is sent."""
    one = start("/bin/true")
    one.wait_blocking()
    assert one.signal(signal.SIGKILL) is Delivery.GONE
    assert one.signal_group(one.pid, signal.SIGKILL) is Delivery.GONE


def test_a_signal_to_a_zombie_is_no_error(start: Start) -> None:
    """A child that has ended and is not reaped takes a signal in silence."""
    one = start("/bin/true")
    wait_zombie(one.pid)
    assert one.signal(signal.SIGTERM) is Delivery.SENT


def test_without_a_pidfd_signals_are_as_safe(start: Start) -> None:
    """Without a pidfd a signal goes by number while the child is unreaped, and not after."""
    one = start(*child("never_reads"))
    one.close()
    assert one.pidfd is None
    assert one.signal_led_group(0) is None
    assert one.signal(signal.SIGTERM) is Delivery.SENT
    one.wait_blocking()
    assert one.signal(signal.SIGTERM) is Delivery.GONE


def test_a_group_is_signalled_by_number_while_its_member_is_unreaped(start: Start) -> None:
    """The number of a group is used as long as our child in it is not reaped."""
    one = start(*child("never_reads"), own_group=True)
    assert one.signal_group(one.pid, signal.SIGTERM) is Delivery.SENT
    assert one.wait_blocking() == Signaled(signal.SIGTERM)
    assert one.signal_group(one.pid, signal.SIGTERM) is Delivery.GONE


def test_whether_it_leads_a_group(start: Start) -> None:
    """The child that leads a group says so until it is gone, one that does not never does."""
    leads, follows = start(*child("never_reads"), own_group=True), start(*child("never_reads"))
    assert leads.signal_led_group(0) is Delivery.SENT
    assert follows.signal_led_group(0) is Delivery.GONE
    for one in (leads, follows):
        one.signal(signal.SIGKILL)
        one.wait_blocking()
    assert leads.signal_led_group(0) is Delivery.GONE


def test_a_signal_that_is_none_is_an_error(start: Start) -> None:
    """A number that is no signal is the caller's mistake, not a lost signal."""
    one = start(*child("never_reads"))
    with pytest.raises(OSError, match="Invalid argument"):
        one.signal(4711)


def test_a_refused_signal_says_so() -> None:
    """A signal to a process of another user is refused, by pid, by pidfd and by group."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")  # pragma: no cover - anybody may test
    assert parent("refused_by_owner") == {
        "process": "REFUSED",
        "without pidfd": "REFUSED",
        "group": "REFUSED",
        # While the number is pinned, that of the group will tell.
        "led group": None,
    }


def test_closing_twice_is_harmless(start: Start) -> None:
    """The pidfd is closed once, and then there is none."""
    one = start("/bin/true")
    one.wait_blocking()
    fd = one.pidfd
    assert fd in fd_table()
    one.close()
    one.close()
    assert fd not in fd_table()


def test_the_module_of_usage_is_loaded_before_it_is_needed() -> None:
    """wait4 needs a module of Python's; after a chroot it could no longer be imported."""
    assert parent("late_import") == {"loaded": True}


def test_waiting_survives_a_shell_that_was_stopped(start: Start) -> None:
    """A stop is no end: waiting goes on until the real one."""
    one = start(*sh("kill -STOP $$; exit 6"))
    os.waitid(os.P_PID, one.pid, os.WSTOPPED | os.WNOWAIT)
    assert one.poll() is None
    one.signal(signal.SIGCONT)
    assert one.wait_blocking() == Exited(6)
