"""Hit a run with two interruptions, the second one during the grace, and print what came of it.

Usage: ctrl_c BACKEND DOOR FIRST SECOND

DOOR is `spawn` or `block`, FIRST and SECOND are `cancel` or `ki`. The JSON list has the
exception's name, the recorded reason, and the names of the signals sent.
"""

import json
import os
import signal
import sys

import trio
import trio.testing

from tests.support import child
from trio_coreshift import (
    CancelPolicy,
    Output,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

backend, door, *interruptions = sys.argv[1:]
seen: list[RunningProcess] = []
scope = trio.CancelScope()


options = SpawnOptions(
    child("ignore_term"),
    backend=SpawnBackend[backend],
    capture_stdout=True,
    ready=b"ready\n",
    cancel=CancelPolicy.GRACEFUL,
    kill_grace=40,
)


async def interrupt() -> None:
    """Interrupt the main task, which stands in the door, twice."""
    for number, what in enumerate(interruptions):
        if number:
            await trio.sleep(0.05)
        if what == "cancel":
            scope.cancel()
        else:
            os.kill(os.getpid(), signal.SIGINT)


async def stand_in_spawn() -> None:
    """Let the main task itself be in `spawn`, with a task status of its own making."""

    class Status:
        def started(self, running: RunningProcess) -> None:
            seen.append(running)
            trio.lowlevel.spawn_system_task(interrupt)

    with scope:
        await spawn(options, task_status=Status())  # type: ignore[arg-type]  # all it needs


async def stand_in_block() -> None:
    """Let the main task be in the body of a block."""
    with scope:
        async with spawn_start(options) as running:
            seen.append(running)
            trio.lowlevel.spawn_system_task(interrupt)
            await trio.sleep_forever()


def outcome() -> str:
    """Run it and return the name of what came out."""
    doors = {"spawn": stand_in_spawn, "block": stand_in_block}
    try:
        trio.run(doors[door])
    except BaseExceptionGroup as group:
        return "+".join(sorted(type(exc).__name__ for exc in group.exceptions))
    except BaseException as exc:  # noqa: BLE001 - it is what is asked for
        return type(exc).__name__
    return "nothing"


if __name__ == "__main__":
    name = outcome()
    output = seen[0].output
    assert isinstance(output, Output)
    assert output.shutdown is not None
    assert output.duration < 20
    names = [signal.Signals(sent.signal).name for sent in output.shutdown.signals]
    sys.stdout.write(json.dumps([name, output.shutdown.reason.value, names]))
