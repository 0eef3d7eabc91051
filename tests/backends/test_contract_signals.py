"""Every backend: the signals a child starts with, whatever those of the parent are."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import SIGNAL_REPORT, SignalSets, child, signal_sets
from tests.support.runs import report_of, stdout_of
from trio_coreshift import Exited, Signaled, SpawnBackend, SpawnOptions, spawn

RESTORED = {signal.SIGPIPE, signal.SIGXFSZ}
REALTIME = signal.SIGRTMIN + 5
# glibc's posix_spawn ignores its two internal signals in every child.
LIBC = {32, 33}


@contextmanager
def disposition(handler: signal.Handlers | int, *numbers: int) -> Iterator[None]:
    """Have the parent handle signals in its own way for a while."""
    old = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, before in old.items():
            signal.signal(number, before)


@contextmanager
def blocked(*numbers: int) -> Iterator[None]:
    """Have this thread of the parent block signals for a while."""
    old = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


async def signals_of_a_child(backend: SpawnBackend) -> SignalSets:
    """Return what a program is given."""
    return signal_sets(await stdout_of(SpawnOptions(SIGNAL_REPORT, backend=backend)))


async def test_the_mask_is_empty_though_the_parent_blocks(backend: SpawnBackend) -> None:
    """A child blocks nothing, whatever the thread that spawns it blocks."""
    with blocked(signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGCHLD, REALTIME):
        given = await signals_of_a_child(backend)
    assert given.blocked == frozenset()


async def test_the_mask_is_empty_though_the_parent_blocks_all(backend: SpawnBackend) -> None:
    """The parent's mask may be full: the child's is empty, and the parent's is as it was."""
    with blocked(*signal.valid_signals()):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        given = await signals_of_a_child(backend)
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert given.blocked == frozenset()


async def test_sigterm_ends_the_child_of_a_parent_that_blocks_it(backend: SpawnBackend) -> None:
    """A signal that the parent blocks has its effect in the child."""
    with blocked(signal.SIGTERM):
        output = await spawn(SpawnOptions(("/bin/sh", "-c", "kill -TERM $$"), backend=backend))
    assert output.status == Signaled(signal.SIGTERM)


async def test_sigpipe_and_sigxfsz_are_back_to_default(backend: SpawnBackend) -> None:
    """What Python ignores for itself is not ignored in the child."""
    assert signal_sets().ignored >= RESTORED
    assert not (await signals_of_a_child(backend)).ignored & RESTORED


async def test_sigpipe_is_default_when_the_parent_handles_it(backend: SpawnBackend) -> None:
    """A handler of the parent for SIGPIPE or SIGXFSZ leaves the child the default."""
    with disposition(lambda *_: None, *RESTORED):  # type: ignore[arg-type]  # a plain handler
        given = await signals_of_a_child(backend)
    assert not (given.ignored | given.caught) & RESTORED


async def test_a_closed_pipe_ends_a_program_silently(backend: SpawnBackend) -> None:
    """A program in a pipeline dies of SIGPIPE, as it does when started from a shell."""
    script = "/bin/sh -c 'kill -PIPE $$; exit 7'; echo $?"
    out = await stdout_of(SpawnOptions(("/bin/sh", "-c", script), backend=backend))
    assert out == b"%d\n" % (128 + signal.SIGPIPE)


async def test_other_ignored_signals_stay_ignored(backend: SpawnBackend) -> None:
    """What the parent ignores on purpose (as nohup does), realtime signals too, stays ignored."""
    with disposition(signal.SIG_IGN, signal.SIGHUP, signal.SIGUSR2, REALTIME):
        expected = signal_sets().ignored - RESTORED
        given = await signals_of_a_child(backend)
    assert given.ignored - LIBC == expected - LIBC
    assert given.ignored >= {signal.SIGHUP, signal.SIGUSR2, REALTIME}


async def test_nothing_is_caught(backend: SpawnBackend) -> None:
    """Handlers of the parent are at their default in the child."""
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGURG, REALTIME)
    with disposition(lambda *_: None, *numbers):  # type: ignore[arg-type]  # a plain handler
        given = await signals_of_a_child(backend)
    assert given.caught == frozenset()
    assert not given.ignored & set(numbers)


async def test_a_python_child_can_be_interrupted(backend: SpawnBackend) -> None:
    """SIGINT is not ignored in a child, so Ctrl+C works on it."""
    report = await report_of(SpawnOptions(child("report_signals"), backend=backend))
    assert signal.SIGINT in report["caught"]
    assert report["blocked"] == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL, REALTIME])
async def test_the_status_names_the_signal(backend: SpawnBackend, number: int) -> None:
    """A program ended by a signal has that signal as its status, a realtime one too."""
    output = await spawn(SpawnOptions(child("die_by", int(number)), backend=backend))
    assert output.status == Signaled(number)
    assert output.returncode == -number
    assert output.shutdown is None


async def test_an_exit_code_is_the_status(backend: SpawnBackend) -> None:
    """A program that exits has its code as its status, up to the largest."""
    output = await spawn(SpawnOptions(child("exit_with", 255), backend=backend))
    assert output.status == Exited(255)
    assert output.returncode == 255
