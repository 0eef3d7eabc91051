"""Nothing global is changed, and what others have set up is left alone."""

import os
import signal
import subprocess
import threading
from contextlib import suppress
from signal import SIGCHLD, SIGUSR1
from types import FrameType

import pytest
import trio

from tests.shutdown.endings import cancelled
from tests.support import fd_table, sh, signal_sets
from trio_coreshift import (
    CancelPolicy,
    CoreError,
    Exited,
    ProcessGroup,
    SpawnBackend,
    SpawnOptions,
    spawn,
)


async def _every_way_to_end(backend: SpawnBackend) -> None:
    own = ProcessGroup(leader=0)
    await spawn(SpawnOptions(sh("sleep 100 & exit 1"), backend=backend, pgroup=own))
    await spawn(SpawnOptions(("sleep", "100"), backend=backend, timeout=0.01))
    await cancelled(
        SpawnOptions(
            sh("trap '' TERM; echo ready; while :; do sleep 0.01; done"),
            backend=backend,
            capture_stdout=True,
            ready=b"ready",
            pgroup=own,
            cancel=CancelPolicy.GRACEFUL,
            kill_grace=0.01,
        )
    )
    with suppress(CoreError):
        await spawn(SpawnOptions(("/nonexistent",), backend=backend))


async def test_handlers_mask_and_environment_stay(backend: SpawnBackend) -> None:
    """No handler, no mask, no wakeup descriptor, no directory, no variable is changed."""
    before = (
        [signal.getsignal(number) for number in signal.valid_signals()],
        signal_sets(),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        dict(os.environ),
        os.getcwd(),  # noqa: PTH109 - the string is what is compared
        os.umask(0o022),
        fd_table(),
    )
    os.umask(before[5])
    await _every_way_to_end(backend)

    after = (
        [signal.getsignal(number) for number in signal.valid_signals()],
        signal_sets(),
        signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        dict(os.environ),
        os.getcwd(),  # noqa: PTH109 - see above
        os.umask(before[5]),
        fd_table(),
    )
    assert after == before


async def test_a_blocked_signal_stays_blocked(backend: SpawnBackend) -> None:
    """What the caller has blocked is blocked afterwards, and nothing else is."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, [SIGUSR1])
    try:
        expected = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        await _every_way_to_end(backend)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == expected
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


async def test_a_handler_of_sigchld_is_kept_and_called(backend: SpawnBackend) -> None:
    """The program's own SIGCHLD handler stays in place, and sees the signals of our children."""
    seen: list[int] = []

    def handler(number: int, _frame: FrameType | None) -> None:
        seen.append(number)

    old = signal.signal(SIGCHLD, handler)
    try:
        output = await spawn(SpawnOptions(sh("exit 3"), backend=backend))
        assert signal.getsignal(SIGCHLD) is handler
    finally:
        signal.signal(SIGCHLD, old)
    assert output.status == Exited(3)
    assert SIGCHLD in seen


async def test_children_of_others_are_not_reaped(backend: SpawnBackend) -> None:
    """A child of somebody else in this process keeps its status for whoever started it."""
    other = subprocess.Popen(sh("exit 5"))  # noqa: ASYNC220 - not ours is the point
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - it ends at once
    await _every_way_to_end(backend)

    assert other.poll() == 5


async def test_children_of_others_are_not_signalled(backend: SpawnBackend) -> None:
    """A child of somebody else in the caller's group survives whatever ends ours."""
    other = subprocess.Popen(sh("exec sleep 100"))  # noqa: ASYNC220 - not ours is the point
    try:
        await _every_way_to_end(backend)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


async def test_no_thread_is_started(backend: SpawnBackend) -> None:
    """Where there are pidfds, all of it happens on the thread that runs trio."""
    before = threading.enumerate()
    started: list[threading.Thread] = []
    threading.setprofile(lambda *_args: started.append(threading.current_thread()))
    try:
        await _every_way_to_end(backend)
    finally:
        threading.setprofile(None)

    assert started == []
    assert threading.enumerate() == before


@pytest.mark.parametrize("runs", [3])
def test_each_run_of_trio_starts_afresh(backend: SpawnBackend, runs: int) -> None:
    """Nothing is kept from one run of trio to the next in the same process."""
    for _ in range(runs):
        trio.run(_every_way_to_end, backend)
