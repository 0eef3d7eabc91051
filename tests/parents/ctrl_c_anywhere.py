"""Hit many short runs with one SIGINT each, at another place each time.

Usage: ctrl_c_anywhere BACKEND DOOR WHERE STEP

DOOR is `spawn`, `start` or `block`. WHERE is `stop` (the main task has come to its n-th stop) or
`line` (the n-th line of the package, or of contextlib, is about to run), STEP says how many lines
are left out between two runs. The JSON object has how many ``runs`` there were, the names of their
``outcomes``, and what was ``left`` behind by any.
"""

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import trio

import trio_coreshift
from tests.support import fd_table, sh
from trio_coreshift import ProcessGroup, SpawnBackend, SpawnOptions, spawn, spawn_start

backend, door, where, step = sys.argv[1:]
PACKAGE = str(Path(trio_coreshift.__file__).parent)
PIPE = subprocess.PIPE
options = SpawnOptions(
    sh("read line; true"),
    backend=SpawnBackend[backend],
    stdin=b"" if door == "spawn" else PIPE,
    capture_stdout=True,
    pgroup=ProcessGroup(leader=0),
)


class AtLine:
    """Raises SIGINT when the n-th line is about to run."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, _arg: object) -> Any:  # noqa: ANN401 - a trace function
        """Count a line or a return."""
        name = frame.f_code.co_filename
        if not (name.startswith(PACKAGE) or name.endswith("contextlib.py")):
            return None
        if event in {"line", "return"}:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)
        return self


class AtStop(trio.abc.Instrument):
    """Raises SIGINT when the main task has come to its n-th stop."""

    def __init__(self, number: int) -> None:
        self.left = number

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count a stop."""
        if task.name == "__main__.main" and self.left:
            self.left -= 1
            if self.left == 0:
                signal.raise_signal(signal.SIGINT)


async def main() -> None:
    """Go through the door once."""
    if door == "spawn":
        await spawn(options)
    elif door == "start":
        async with trio.open_nursery() as nursery:
            running = await nursery.start(spawn, options)
            await running.stdin.aclose()
    else:
        async with spawn_start(options):
            await trio.lowlevel.checkpoint()


def outcome(number: int) -> str:
    """Run it with the signal at place ``number``."""
    at_line, at_stop = AtLine(number), AtStop(number)
    try:
        if where == "line":
            sys.settrace(at_line)
            trio.run(main)
        else:
            trio.run(main, instruments=[at_stop])
    except KeyboardInterrupt:
        return "KeyboardInterrupt"
    except BaseExceptionGroup as group:
        return "+".join(sorted(type(exc).__name__ for exc in group.exceptions))
    except BaseException as exc:  # noqa: BLE001 - it is what is asked for
        return type(exc).__name__
    finally:
        sys.settrace(None)
    return "ended before" if (at_line if where == "line" else at_stop).left else "nothing"


def leftovers(before: dict[int, str]) -> list[str]:
    """What is open or not reaped that was not there before."""
    found = [f"descriptor {fd}" for fd in fd_table().keys() - before.keys()]
    with suppress(ChildProcessError):
        found.append(f"child {os.waitpid(-1, os.WNOHANG)}")
    return found


def tour() -> dict[str, Any]:
    """Make all the runs."""
    runs, outcomes = 0, set()
    stride = int(step) if where == "line" else 1
    number = random.randrange(stride) + 1  # noqa: S311 - another set of lines each time
    while "ended before" not in outcomes:
        before = fd_table()
        outcomes.add(outcome(number))
        if left := leftovers(before):
            return {"left": [f"at {number}", *left], "runs": runs, "outcomes": sorted(outcomes)}
        number += stride
        runs += 1
    return {"left": [], "runs": runs, "outcomes": sorted(outcomes)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(tour()))
