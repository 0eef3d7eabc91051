"""Reaps, in the background, children that nobody waits for any more."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import trio

from ._exit_watch import call_at_exit
from ._signals import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._kernel.child import Child
    from ._target import Target

# How long `destroy` blocks for a child to die of SIGKILL before it leaves it to a thread.
_PATIENCE = 0.2
# Seconds between two looks at a child that nothing else tells about.
_LOOK_AGAIN = 0.1


def reap_in_background(child: Child, ended: Callable[[], object]) -> None:
    """Take over ``child``, already started; ``ended`` is called in the loop when it has ended.

    As long as this run of trio lasts, a system task waits. If the run ends before the child, a
    daemon thread goes on, so that no zombie is left to a program that lives on.
    """
    child.pinned = False
    try:
        trio.lowlevel.spawn_system_task(_reap, child, ended, name=f"reap {child.pid}")
    except RuntimeError:
        # The run is about to end and takes no more tasks.
        reap_in_thread(child.pid)
        child.close()


async def _reap(child: Child, ended: Callable[[], object]) -> None:
    try:
        while child.poll() is None:
            await _wait_for_exit(child)
        ended()
        log.debug("process %d, left to itself, has ended", child.pid)
    except trio.Cancelled:
        reap_in_thread(child.pid)
        raise
    except Exception:  # noqa: BLE001 - left to a system task, it takes the whole run down
        # The kernel has failed us, or what listens to the log has raised.
        if child.status is None:
            reap_in_thread(child.pid)
    finally:
        child.close()


async def _wait_for_exit(child: Child) -> None:
    if child.pidfd is not None:
        with contextlib.suppress(OSError):
            await trio.lowlevel.wait_readable(child.pidfd)
        if child.poll() is not None:
            return
        # 1. Readable but not to be reaped: a tracer is in between. 2. It cannot be watched (no
        # memory for it in the kernel). In both cases the thread waits for the reaping.
    exited = trio.Event()
    try:
        call_at_exit(child.pid, exited.set)
    except RuntimeError:
        # Not even a thread can be had: what is left is to look again and again.
        await trio.sleep(_LOOK_AGAIN)
    else:
        await exited.wait()


def reap_in_thread(pid: int) -> None:
    """Reap our child ``pid`` whenever it ends, without a loop."""

    def wait() -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)

    # Where no thread can be had, the child's zombie stays until this process ends.
    with contextlib.suppress(RuntimeError):
        threading.Thread(target=wait, name=f"trio_coreshift reaps {pid}", daemon=True).start()


def destroy(child: Child, target: Target) -> None:
    """The last resort, without awaiting: SIGKILL, and reap."""
    target.send(signal.SIGKILL)
    child.signal(signal.SIGKILL)
    child.pinned = False
    deadline = time.monotonic() + _PATIENCE
    while child.poll() is None:
        if time.monotonic() > deadline:
            child.forget()
            reap_in_thread(child.pid)
            break
        time.sleep(0.001)
    child.close()
