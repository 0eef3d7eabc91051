"""Looks at /proc for the living members of a process group."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# Fields of /proc/PID/stat after the command's closing parenthesis (proc_pid_stat(5)).
_STATE: Final = 0
_PGRP: Final = 2
_NUM_THREADS: Final = 17
_EXIT_CODE: Final = 49
_DEAD: Final = (b"Z", b"X", b"x")


def _stat_fields(pid: int) -> list[bytes] | None:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    try:
        # The command may hold spaces and parentheses: what counts follows the last one.
        return os.read(fd, 1024).rpartition(b")")[2].split()
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)


def _lives_in(fields: list[bytes] | None, pgid: bytes) -> bool:
    if fields is None or len(fields) <= _NUM_THREADS or fields[_PGRP] != pgid:
        return False
    # A process whose first thread has ended while others run on shows as a zombie, too, but
    # still counts more than one thread.
    return fields[_STATE] not in _DEAD or fields[_NUM_THREADS] != b"1"


def living_members(pgid: int) -> list[int]:
    """The pids of the group's members; zombies do not count.

    Raises:
        OSError: /proc cannot be read (not mounted, no descriptor left).
    """
    return [pid for pid in _members(pgid) if is_living_member(pid, pgid)]


def _members(pgid: int) -> Iterator[int]:
    # getpgid(2) tells of any process, zombies included, in a fraction of the time that it takes
    # to read its file; what it says is looked at again there.
    for name in os.listdir("/proc"):
        if name.isdigit():
            pid = int(name)
            try:
                if os.getpgid(pid) == pgid:
                    yield pid
            except ProcessLookupError:
                continue
            except PermissionError:  # a security module's refusal
                yield pid


def killed_members(pgid: int) -> list[int]:
    """Like `living_members`, and also the zombies that a SIGKILL has made.

    The exit status in /proc/PID/stat is only shown to who may trace the process.
    """
    wanted = b"%d" % pgid
    found: list[int] = []
    for pid in _members(pgid):
        fields = _stat_fields(pid)
        if fields is None or len(fields) <= _EXIT_CODE or fields[_PGRP] != wanted:
            continue
        if _lives_in(fields, wanted) or fields[_EXIT_CODE] == b"%d" % signal.SIGKILL:
            found.append(pid)
    return found


def is_living_member(pid: int, pgid: int) -> bool:
    """Whether ``pid`` is such a member now."""
    return _lives_in(_stat_fields(pid), b"%d" % pgid)
