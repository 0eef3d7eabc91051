"""Learns of a child's exit where there is no pidfd to wait for: a waiter thread."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Callable


def call_at_exit(pid: int, callback: Callable[[], object]) -> None:
    """Call ``callback`` in the loop when our child ``pid`` has ended (or is no longer ours).

    The thread leaves the child unreaped (WNOWAIT), so the number stays the child's.

    Raises:
        RuntimeError: No thread can be started.
    """
    token = trio.lowlevel.current_trio_token()

    def wait() -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(trio.RunFinishedError):
            token.run_sync_soon(callback)

    # A daemon, so that a child that never ends does not keep the interpreter.
    threading.Thread(target=wait, name=f"trio_coreshift waits for {pid}", daemon=True).start()
