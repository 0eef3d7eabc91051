"""Questions to /proc, answered at once: no waiting, no trio, nothing of the package under test."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

COOKIE = "CORESHIFT_TEST_COOKIE"

# Enough for any environment of ours; procfs answers it with one read.
_READ_SIZE = 128 * 1024


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process as /proc/PID/stat shows it at one moment.

    Attributes:
        pid: Its process id.
        state: One letter, `Z` for a zombie, `T` for a stopped process.
        ppid: Its parent.
        pgid: Its process group.
        sid: Its session.
        started: When it was started, in clock ticks since boot.
        image: Addresses the kernel drew at random at exec: equal only in forked copies.
    """

    pid: int
    state: str
    ppid: int
    pgid: int
    sid: int
    started: int
    image: tuple[bytes, ...]

    @property
    def alive(self) -> bool:
        """Whether it still can do anything: a zombie or a dead process cannot."""
        return self.state not in {"Z", "X", "x"}


@dataclass(frozen=True, slots=True)
class SignalSets:
    """The signals a process blocks, ignores and catches, as the kernel sees it."""

    blocked: frozenset[int]
    ignored: frozenset[int]
    caught: frozenset[int]


def _read(path: str) -> bytes | None:
    """Return the beginning of a file of /proc, None when the process is gone or not ours to see."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, _READ_SIZE)
    except OSError:  # ESRCH: it went between open and read
        return None
    finally:
        os.close(fd)


def _pids() -> Iterator[str]:
    return (name for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - half the time


def process_info(pid: int | str) -> ProcessInfo | None:
    """Return what /proc knows of a process, None when it does not exist."""
    raw = _read(f"/proc/{pid}/stat")
    if not raw:
        return None
    # The name stands in brackets and may hold brackets: what counts comes after the last one.
    fields = raw.rpartition(b") ")[2].split()
    return ProcessInfo(
        pid=int(pid),
        state=fields[0].decode(),
        ppid=int(fields[1]),
        pgid=int(fields[2]),
        sid=int(fields[3]),
        started=int(fields[19]),
        image=(fields[25], fields[45], fields[47]),  # startstack, arg_start, env_start
    )


def _all_processes() -> Iterator[ProcessInfo]:
    return (info for pid in _pids() if (info := process_info(pid)) is not None)


def children_of_ours() -> list[ProcessInfo]:
    """Return every child of this process, zombies too; one system call when there is none."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    ours = os.getpid()
    return [info for info in _all_processes() if info.ppid == ours]


def group_members(pgid: int) -> list[ProcessInfo]:
    """Return the living (not zombie) members of a process group."""
    return [info for info in _all_processes() if info.pgid == pgid and info.alive]


def session_members(sid: int) -> list[ProcessInfo]:
    """Return the living (not zombie) members of a session."""
    return [info for info in _all_processes() if info.sid == sid and info.alive]


def _environs() -> Iterator[tuple[str, bytes]]:
    """Yield pid and environment at exec of every other process that shows one.

    Zombies, kernel threads and processes of other users show none.
    """
    ours = str(os.getpid())
    for pid in _pids():
        if pid != ours and (environ := _read(f"/proc/{pid}/environ")):
            yield pid, environ


def _alive(pids: Iterable[str]) -> list[ProcessInfo]:
    return [info for pid in pids if (info := process_info(pid)) is not None and info.alive]


def live_with_cookie(cookie: str | None = None) -> list[ProcessInfo]:
    """Return the living processes that were started with `cookie` in their environment.

    Neither setsid nor a double fork hides a process from this. A process that was started with an
    explicit environment without the cookie is not found.

    Args:
        cookie: Any part of the cookie's value; None: the one of the running test.
    """
    needle = os.fsencode(os.environ[COOKIE] if cookie is None else cookie)
    return _alive(pid for pid, environ in _environs() if needle in environ)


def descendants(cookie: str, since: int) -> list[ProcessInfo]:
    """Return what `live_with_cookie` does, and also the living copies of this process.

    /proc shows the environment a program was started with, so a process that was forked from us and
    has not exec'd lacks the cookie that was set later. It is known by having our first environment
    and the addresses of our stack and arguments, which are random per exec.

    Args:
        cookie: Any part of the cookie's value.
        since: Only copies started at this clock tick or later (`clock_tick`).
    """
    needle = os.fsencode(cookie)
    own = process_info(os.getpid())
    own_environ = _read("/proc/self/environ")
    marked, copies = [], []
    for pid, environ in _environs():
        if needle in environ:
            marked.append(pid)
        elif environ == own_environ:
            copies.append(pid)
    return _alive(marked) + [
        info
        for info in _alive(copies)
        if own is not None and info.image == own.image and info.started >= since
    ]


def clock_tick() -> int:
    """Return the present moment in the unit of `ProcessInfo.started`."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def command_line(pid: int) -> str:
    """Return the arguments of a process for a message, cut to a readable length."""
    raw = _read(f"/proc/{pid}/cmdline") or b"(no command line)"
    return " ".join(part.decode(errors="replace") for part in raw.split(b"\0")).strip()[:200]


def fd_table() -> dict[int, str]:
    """Return every open descriptor of this process with what it points to."""
    table = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, not paths
        try:
            table[int(name)] = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
        except FileNotFoundError:
            continue  # the descriptor the listing itself was read through
    return table


def signal_sets(status: bytes | str | None = None) -> SignalSets:
    """Return the signal sets in the text of a /proc/PID/status file.

    Args:
        status: The text, for instance what `SIGNAL_REPORT` printed; None: our own.
    """
    if status is None:
        status = Path("/proc/self/status").read_bytes()
    text = status if isinstance(status, str) else status.decode(errors="replace")
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return SignalSets(
        *(frozenset(_bits(int(fields[name], 16))) for name in ("SigBlk", "SigIgn", "SigCgt"))
    )


def _bits(mask: int) -> Iterable[int]:
    return (number for number in range(1, signal.NSIG) if mask >> (number - 1) & 1)
