"""Short ways to bring a child to its end and to look at how that went."""

import os
import signal
from collections.abc import Awaitable, Callable

import attrs
import pytest
import trio

from tests.support import process_info
from trio_coreshift import Output, RunningProcess, Shutdown, SpawnOptions, spawn_start

# The leader ends on SIGTERM at once; its member takes no notice of it.
DEAF_MEMBER = """
trap 'exit 4' TERM
sh -c 'trap "" TERM; echo ready; exec sleep 100' &
wait
"""


class BodyError(Exception):
    """What the body of a block raises."""


async def cancelled(
    options: SpawnOptions, before: Callable[[RunningProcess], Awaitable[object]] | None = None
) -> Output:
    """Start a child, cancel the block's scope when it is ready, and return how it went."""
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            if before is not None:
                await before(running)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert running.output is not None
    return running.output


async def failed(options: SpawnOptions) -> Output:
    """Start a child, raise in the block when it is ready, and return how it went."""
    error = BodyError()
    holder: list[RunningProcess] = []

    async def fail() -> None:
        async with spawn_start(options) as running:
            holder.append(running)
            raise error

    with pytest.raises(BodyError) as caught:
        await fail()
    assert caught.value is error
    output = holder[0].output
    assert output is not None
    return output


async def stopped(options: SpawnOptions) -> Output:
    """Start a child, stop it when it is ready, and return how it went."""
    async with spawn_start(options) as running:
        output = await running.stop()
    assert running.output is output
    return output


async def timed_out(options: SpawnOptions) -> Output:
    """Start a child, let its timeout expire after it was ready, and return how it went."""
    async with spawn_start(attrs.evolve(options, timeout=0.5)) as running:
        output = await running.wait()
    assert output.timed_out
    return output


def shutdown_of(output: Output) -> Shutdown:
    """Return the record of a child that was not left to its natural end."""
    assert output.shutdown is not None
    return output.shutdown


def signals_of(output: Output) -> list[int]:
    """Return the numbers of the signals that were sent, in order."""
    return [sent.signal for sent in shutdown_of(output).signals]


def alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    info = process_info(pid)
    return info is not None and info.alive


def kill(pid: int) -> None:
    """End a process that a test meant to leave."""
    os.kill(pid, signal.SIGKILL)
