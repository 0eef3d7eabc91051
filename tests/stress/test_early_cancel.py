"""Cancellation at a random moment of the launch, the hand-over and the first steps."""

import os
import subprocess
import sys
from random import Random

import pytest
import trio

from tests.stress.invariants import Before, kill, seeds, survivors
from tests.support import child_env, sh
from tests.support.procfs import COOKIE
from trio_coreshift import (
    CancelPolicy,
    ProcessGroup,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

pytestmark = pytest.mark.stress

PIPE = subprocess.PIPE
_AT_A_TIME = 20


async def through_spawn(options: SpawnOptions, moment: float) -> None:
    """Cancel a call."""
    with trio.move_on_after(moment) as scope:
        await spawn(options)
    assert scope.cancelled_caught


async def through_start(options: SpawnOptions, moment: float) -> None:
    """Cancel the starting of a task, or the task."""
    with trio.move_on_after(moment):
        async with trio.open_nursery() as nursery:
            running = await nursery.start(spawn, options)
            try:
                await trio.sleep_forever()
            finally:
                running.stdin.close()


async def through_block(options: SpawnOptions, moment: float) -> None:
    """Cancel a block before or after it has begun."""
    with trio.move_on_after(moment) as scope:
        async with spawn_start(options):
            await trio.sleep_forever()
    assert scope.cancelled_caught


def run_batch(seed: int, backend: SpawnBackend) -> int:
    """Cancel a handful of calls, a few of them at a time; return how many."""
    dice = Random(seed)  # noqa: S311 - a seed that can be given again is the point
    cookie = f"{os.environ[COOKIE]}/{seed}/"
    before = Before.take()

    async def one() -> None:
        door = dice.choice([through_spawn, through_start, through_block])
        options = SpawnOptions(
            sh("sleep 100 & cat >/dev/null; sleep 100"),
            backend=backend,
            env=child_env(**{COOKIE: cookie}),
            stdin=b"" if door is through_spawn else PIPE,
            capture_stdout=dice.random() < 0.5,
            pgroup=ProcessGroup(leader=0),
            cancel=dice.choice([CancelPolicy.KILL, CancelPolicy.GRACEFUL]),
        )
        await door(options, dice.random() * 0.01)

    async def several() -> None:
        for _ in range(_AT_A_TIME // 4):
            await one()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(several)

    try:
        trio.run(main)
        left = survivors(cookie)
        kill(cookie)
        assert left == []
        before.check()
    except BaseException as exc:
        exc.add_note(f"CORESHIFT_STRESS_SEED={seed}, {backend}")
        raise
    return _AT_A_TIME


def test_early_cancellation_leaves_nothing(backend: SpawnBackend) -> None:
    """A cancellation in the first ten milliseconds: no child is left, or none there ever was."""
    lives = 0
    for seed in seeds():
        lives += run_batch(seed, backend)
    sys.stdout.write(f"{lives} lives with {backend}\n")  # pytest -rP shows it
    assert lives > 0
