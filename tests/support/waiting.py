"""Bounded waits for what happens to processes of other parents."""

import os
import select
import time
from collections.abc import Callable

import trio

_LIMIT = 5.0
_PAUSE = 0.002

# Tests may take os.pidfd_open away from the package; not from us.
_pidfd_open = os.pidfd_open


def wait_gone(pid: int, limit: float = _LIMIT) -> None:
    """Wait until a process, anybody's, has died (it may remain a zombie); not inside trio.

    Raises:
        TimeoutError: It still lives after `limit` seconds.
    """
    try:
        pidfd = _pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(limit * 1000):
            raise TimeoutError(f"process {pid} still lives after {limit} s")
    finally:
        os.close(pidfd)


async def gone(pid: int) -> None:
    """Wait inside trio until a process, anybody's, has died; bounded by the test's timeout."""
    try:
        pidfd = _pidfd_open(pid)
    except ProcessLookupError:
        await trio.lowlevel.checkpoint()
        return
    try:
        await trio.lowlevel.wait_readable(pidfd)
    finally:
        os.close(pidfd)


def wait_until(condition: Callable[[], object], limit: float = _LIMIT) -> None:
    """Wait until `condition()` is true; only for what has no event, and not inside trio.

    Raises:
        TimeoutError: It still is not after `limit` seconds.
    """
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not met within {limit} s: {condition}")
        time.sleep(_PAUSE)


async def until(condition: Callable[[], object], limit: float = _LIMIT) -> None:
    """Wait inside trio until `condition()` is true; only for what has no event.

    The pauses pass on trio's clock, the limit on the real one.

    Raises:
        TimeoutError: It still is not after `limit` seconds.
    """
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not met within {limit} s: {condition}")
        await trio.sleep(_PAUSE)
