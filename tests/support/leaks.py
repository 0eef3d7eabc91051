"""The leak guard: what a test must leave as it found it, and what happens when it does not.

A snapshot is taken before the test and compared after it, outside of any trio run. Processes get
a moment to vanish (one that was sent SIGKILL dies when the kernel gets to it); everything else must
be in order at once, with no help of the garbage collector.

Processes are found in three ways: children of ours by their parent, descendants that were exec'd by
the cookie in their environment, descendants that were only forked by the addresses they share
with us. A zombie of another parent counts as dead: PID 1 may take its time.
"""

import os
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.support import procfs
from tests.support.procfs import COOKIE, ProcessInfo

_Handler: TypeAlias = Callable[..., object] | int | None

PATIENCE = 2.0
_PAUSE = 0.005

# In the cookie of every test of this run, so that what one scan missed the next one finds.
_RUN = uuid.uuid4().hex

# pytest rewrites it between the phases of a test.
_FOREIGN_VARIABLES = {"PYTEST_CURRENT_TEST"}

# glibc installs handlers for these two on its own, when a thread is first cancelled or changes ids.
_LIBC_SIGNALS = {32, 33}

# Descriptors that were reported once: a failed test's traceback may close them much later, which
# is not the fault of the test that runs then.
_reported_fds: set[tuple[int, str]] = set()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a test has to leave unchanged."""

    tick: int
    children: frozenset[int]
    fds: dict[int, str]
    blocked: set[int]
    handlers: dict[int, _Handler]
    dispositions: procfs.SignalSets
    wakeup_fd: int
    cwd: str
    environ: dict[str, str]


def take_snapshot() -> Snapshot:
    """Return the present state of this process."""
    return Snapshot(
        tick=procfs.clock_tick(),
        children=frozenset(info.pid for info in procfs.children_of_ours()),
        fds=procfs.fd_table(),
        blocked=_blocked(),
        handlers=_handlers(),
        dispositions=procfs.signal_sets(),
        wakeup_fd=_wakeup_fd(),
        cwd=_cwd(),
        environ=_environ(),
    )


def set_cookie(name: str) -> None:
    """Mark the environment, so that what the test starts can be told from everything else.

    A cookie that is there already (a test run inside a test) is kept inside the new one.
    """
    outer = os.environ.get(COOKIE, "")
    os.environ[COOKIE] = f"{outer}/{_RUN}/{uuid.uuid4().hex[:8]}/{name}"


def settle(before: Snapshot, patience: float = PATIENCE) -> list[str]:
    """Compare with the snapshot, put right what can be, and return a line for each leak.

    Args:
        before: The state to compare with.
        patience: How many seconds processes have to vanish.
    """
    return [
        *_settle_signals(before),
        *_settle_cwd(before),
        *_settle_environ(before),
        *_settle_processes(before, patience),
        *_settle_fds(before),
    ]


def kill_live() -> None:
    """Kill what the running test has started and is still alive: for tests that mean to leave some.

    Children of ours remain to be reaped.
    """
    deadline = time.monotonic() + PATIENCE
    while (left := procfs.live_with_cookie()) and time.monotonic() < deadline:
        for info in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(info.pid, signal.SIGKILL)
        time.sleep(_PAUSE)


def _settle_processes(before: Snapshot, patience: float) -> list[str]:
    left = _processes(before)
    deadline = time.monotonic() + patience
    while left and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        left = _processes(before)
    lines = [_describe(info) for info in left.values()]
    deadline = time.monotonic() + PATIENCE
    while left and time.monotonic() < deadline:
        for info in left.values():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(info.pid, signal.SIGKILL)
            with suppress(ChildProcessError):  # not a child of ours
                os.waitpid(info.pid, os.WNOHANG)
        time.sleep(_PAUSE)
        left = _processes(before)
    return lines


def _processes(before: Snapshot) -> dict[int, ProcessInfo]:
    """Return what is left of the test's processes."""
    found = [
        *procfs.descendants(_RUN, before.tick),
        *procfs.children_of_ours(),
    ]
    return {info.pid: info for info in found if info.pid not in before.children}


def _describe(info: ProcessInfo) -> str:
    kin = "child" if info.ppid == os.getpid() else "descendant"
    if not info.alive:
        return f"{kin} {info.pid} was not reaped (zombie)"
    return (
        f"{kin} {info.pid} still runs (state {info.state}, parent {info.ppid}, group {info.pgid}, "
        f"session {info.sid}): {procfs.command_line(info.pid)}"
    )


def _settle_fds(before: Snapshot) -> list[str]:
    now = procfs.fd_table()
    lines = []
    for fd, target in now.items():
        old = before.fds.get(fd)
        if old is None:
            lines.append(f"descriptor {fd} was left open: {target}")
        elif old != target and (fd, old) not in _reported_fds:
            lines.append(f"descriptor {fd} was replaced: {old} became {target}")
        if old != target:
            _reported_fds.add((fd, target))
    for fd, target in before.fds.items():
        if fd not in now and (fd, target) not in _reported_fds:
            lines.append(f"descriptor {fd} was closed: {target}")
    return lines


def _settle_signals(before: Snapshot) -> list[str]:
    now = _blocked()
    lines = [
        f"signal mask: {_name(number)} was {'' if number in now else 'un'}blocked"
        for number in sorted(now ^ before.blocked)
    ]
    signal.pthread_sigmask(signal.SIG_SETMASK, before.blocked)

    kernel = procfs.signal_sets()
    python = _handlers()
    for number, old in before.handlers.items():
        was, became = _disposition(number, before.dispositions), _disposition(number, kernel)
        if python[number] != old:
            lines.append(f"handler of {_name(number)}: {old!r} became {python[number]!r}")
        elif was != became and number not in _LIBC_SIGNALS:
            lines.append(f"handler of {_name(number)}: {was} became {became} behind Python's back")
        else:
            continue
        with suppress(TypeError):  # None: C code had installed it, Python cannot do so again
            signal.signal(number, old)

    wakeup_fd = _wakeup_fd()
    if wakeup_fd != before.wakeup_fd:
        lines.append(f"wakeup descriptor: {before.wakeup_fd} became {wakeup_fd}")
        signal.set_wakeup_fd(before.wakeup_fd)
    return lines


def _disposition(number: int, sets: procfs.SignalSets) -> str:
    if number in sets.caught:
        return "caught"
    return "ignored" if number in sets.ignored else "default"


def _settle_cwd(before: Snapshot) -> list[str]:
    now = _cwd()
    if now == before.cwd:
        return []
    os.chdir(before.cwd)
    return [f"working directory: {before.cwd} became {now}"]


def _settle_environ(before: Snapshot) -> list[str]:
    now = _environ()
    lines = []
    for key in sorted(now.keys() | before.environ.keys()):
        old, new = before.environ.get(key), now.get(key)
        if old != new and key != COOKIE:
            # Names only: values of an environment do not belong into a test log.
            act = "added" if old is None else "removed" if new is None else "changed"
            lines.append(f"environment variable {key} was {act}")
    for key in now.keys() - before.environ.keys():
        del os.environ[key]
    os.environ.update(before.environ)
    return lines


def _blocked() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def _handlers() -> dict[int, _Handler]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def _name(number: int) -> str:
    return number.name if isinstance(number, signal.Signals) else f"signal {number}"


def _wakeup_fd() -> int:
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        signal.set_wakeup_fd(fd)
    return fd


def _cwd() -> str:
    return str(Path("/proc/self/cwd").readlink())


def _environ() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key not in _FOREIGN_VARIABLES}
