"""pidfd_open(2) and pidfd_send_signal(2): names of processes that are never recycled."""

from __future__ import annotations

import os
import signal
from typing import Final

from .fds import above_stdio

# PIDFD_SIGNAL_PROCESS_GROUP of pidfd_send_signal(2), Linux 6.9: the signal goes to the process
# group whose id is the process's pid, also after that process is gone. Older kernels: EINVAL.
_PROCESS_GROUP: Final = 4


def open_pidfd(pid: int) -> int | None:
    """Open a pidfd (close-on-exec, 3 or above), or None where there is none to be had.

    Raises:
        ProcessLookupError: There is no such process.
    """
    try:
        return above_stdio(os.pidfd_open(pid), "pidfd_open")
    except ProcessLookupError:
        raise
    except (AttributeError, OSError):
        # No such call in the kernel or in Python, forbidden by seccomp, no descriptor or memory
        # left, the number of a thread that is not the first of its process.
        return None


def send_signal(pidfd: int, number: int) -> None:
    """Signal the process. `OSError` as from kill(2)."""
    signal.pidfd_send_signal(pidfd, number)


def send_group_signal(pidfd: int, number: int) -> None:
    """Signal the group that the process leads or led. `OSError` as from kill(2)."""
    signal.pidfd_send_signal(pidfd, number, None, _PROCESS_GROUP)
