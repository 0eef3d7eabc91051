"""Random process trees, brought to their end at random moments in random ways."""

import os
import sys
from random import Random

import pytest
import trio

from tests.stress.invariants import Before, kill, seeds, survivors
from tests.stress.lifecycles import SLACK, Life, random_life
from tests.support.procfs import COOKIE
from trio_coreshift import CoreError, OutputLimitError, OverflowPolicy, SpawnBackend

pytestmark = pytest.mark.stress


def check_survivors(life: Life) -> None:
    """Nothing lives but what has left the session, or was left alone on purpose."""
    if life.door == "background":
        return
    left = survivors(life.cookie)
    kill(life.cookie)
    if life.ended_by_itself and not life.options.pgroup.sweep:
        return
    if life.program.escapes:
        left = [(pid, pgid, sid) for pid, pgid, sid in left if sid != pid]
    assert left == []


def check_output(life: Life) -> None:
    """What was captured is what was written, from the beginning, and all of it if complete."""
    output = life.output
    if output is None:
        return
    if isinstance(life.raised, OutputLimitError):
        assert output.truncated
        assert life.options.overflow is not OverflowPolicy.TRUNCATE
    if life.options.capture_stdout and life.program.expected is not None:
        expected = life.program.expected()
        size = len(output.stdout)
        assert output.stdout == expected[:size]
        if output.truncated:
            assert size == life.options.max_output
        if output.complete and life.ended_by_itself and not output.truncated:
            assert output.stdout == expected
        if life.options.stdout_sink is not None:
            assert b"".join(life.teed)[:size] == output.stdout


def check(life: Life) -> None:
    """Hold what came of a life against the invariants."""
    check_survivors(life)
    check_output(life)
    assert life.lasted <= life.bound + SLACK
    if isinstance(life.raised, CoreError) and not isinstance(life.raised, OutputLimitError):
        assert life.program.argv == ("/nonexistent/program",)


def run_batch(seed: int, backend: SpawnBackend) -> int:
    """Run a few lives at a time in one run of trio and check each; return how many."""
    dice = Random(seed)  # noqa: S311 - a seed that can be given again is the point
    cookie = f"{os.environ[COOKIE]}/{seed}"
    lives = [random_life(dice, backend, f"{cookie}/{n}/") for n in range(dice.choice([1, 2, 4]))]
    before = Before.take()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for life in lives:
                nursery.start_soon(life.live)

    try:
        trio.run(main)
        for life in lives:
            check(life)
        before.check(5.0 if any(life.door == "background" for life in lives) else 0.0)
    except BaseException as exc:
        exc.add_note(f"CORESHIFT_STRESS_SEED={seed}, {backend}, {lives}")
        exc.add_note(f"shutdowns: {[life.output and life.output.shutdown for life in lives]}")
        raise
    return len(lives)


def test_random_trees_leave_nothing(backend: SpawnBackend) -> None:
    """Whatever a tree is like, and however and whenever it is ended, every invariant holds."""
    lives = 0
    for seed in seeds():
        lives += run_batch(seed, backend)
    sys.stdout.write(f"{lives} lives with {backend}\n")  # pytest -rP shows it
    assert lives > 0
