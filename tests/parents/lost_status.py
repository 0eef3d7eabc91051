"""Spawn where exit statuses are lost, and print what came of each run.

Usage: lost_status BACKEND HOW

HOW is `ignored` (SIGCHLD is), `thief` (a thread reaps whatever it can), or `early` (ignored, and
the child is long gone when its launch is over). The JSON object has a list for each way to run.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial

import trio

from tests.support import sh
from trio_coreshift import (
    CancelPolicy,
    ExitStatusError,
    Output,
    ProcessGroup,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

options_of = partial(SpawnOptions, backend=SpawnBackend[sys.argv[1]])
OWN = ProcessGroup(leader=0)
LEAVES = "sleep 100 >/dev/null 2>&1 & exit 7"


def steal() -> None:
    """Reap whatever there is, for ever."""
    while True:
        with suppress(ChildProcessError):
            os.waitpid(-1, 0)
        time.sleep(0.0005)


def told(output: Output | None) -> list[object]:
    """What an output says."""
    assert output is not None
    try:
        output.check()
    except ExitStatusError:
        checked = "raises"
    else:
        checked = "passes"
    return [str(output.status), output.returncode, checked, output.stdout.decode()]


async def cancelled() -> list[object]:
    """A child of a cancelled scope."""
    holder: list[RunningProcess] = []
    options = options_of(("sleep", "100"), pgroup=OWN, cancel=CancelPolicy.GRACEFUL)
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            holder.append(running)
            scope.cancel()
            await trio.sleep_forever()
    return told(holder[0].output)


async def waited() -> list[object]:
    """What `Process.wait` of a child says."""
    async with spawn_start(options_of(sh("exit 7"))) as running:
        return [str(await running.process.wait())]


async def main() -> dict[str, list[object]]:
    """Make the tour."""
    return {
        "plain": told(await spawn(options_of(("false",)))),
        "captured": told(await spawn(options_of(sh("echo x; exit 7"), capture_stdout=True))),
        "group": told(
            await spawn(options_of(sh("sleep 100 >/dev/null 2>&1 & exit 7"), pgroup=OWN))
        ),
        "cancelled": await cancelled(),
        "process": await waited(),
    }


if __name__ == "__main__":
    if sys.argv[2] == "thief":
        threading.Thread(target=steal, daemon=True).start()
    else:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if sys.argv[2] == "early":
        os.register_at_fork(after_in_parent=lambda: time.sleep(0.05))
    logging.disable()
    report = trio.run(main)
    sys.stdout.write(json.dumps(report))
    sys.stdout.flush()
    os._exit(0)  # the thief waits for ever
