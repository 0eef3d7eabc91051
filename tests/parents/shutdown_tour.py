"""Go through the main promises of the shutdown contract, with a system call refused or none.

Usage: shutdown_tour BACKEND [NUMBER ERRNO]

The JSON object says how each way to an end went; it must not depend on what is refused.
"""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio

from tests.support import child, group_members, process_info, sh
from tests.support.seccomp import refuse
from trio_coreshift import (
    CancelPolicy,
    Output,
    ProcessGroup,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

options_of = partial(
    SpawnOptions,
    backend=SpawnBackend[sys.argv[1]],
    capture_stdout=True,
    stderr=subprocess.DEVNULL,  # shells say there that something was killed
)
OWN = ProcessGroup(leader=0)
GRACEFUL, NONE = CancelPolicy.GRACEFUL, CancelPolicy.NONE


def told(output: Output | None) -> list[object]:
    """What an output says, without what differs from run to run."""
    assert output is not None
    left = [info.pid for info in group_members(output.pid)]
    shutdown = output.shutdown
    sent = [] if shutdown is None else shutdown.signals
    return [
        str(output.status),
        output.stdout.decode() if len(output.stdout) < 20 else len(output.stdout),
        output.complete,
        None if shutdown is None else shutdown.reason.value,
        [f"{signal.Signals(one.signal).name} {one.target.split()[0]}" for one in sent],
        left,
    ]


async def cancelled(options: SpawnOptions) -> Output:
    """Cancel a run that is ready."""
    holder: list[RunningProcess] = []
    with trio.CancelScope() as scope:
        async with spawn_start(options) as running:
            holder.append(running)
            scope.cancel()
            await trio.sleep_forever()
    output = holder[0].output
    assert output is not None
    return output


async def swept() -> list[object]:
    """A child that leaves somebody in its group."""
    output = await spawn(options_of(child("spawn_grandchild", "holds", "code=3"), pgroup=OWN))
    info = process_info(int(output.stdout))
    status, _pid, *rest = told(output)
    return [status, info is not None and info.alive, *rest]


LATE_MEMBER = """
trap 'exit 4' TERM
sh -c 'trap "sleep 0.1; echo bye; exit" TERM; echo ready; while :; do sleep 0.01; done' &
wait
"""


async def main() -> dict[str, list[object]]:
    """Make the tour, all stations at once."""
    ready = partial(options_of, ready=b"ready\n", kill_grace=20)
    deaf = ready(child("ignore_term"), cancel=GRACEFUL)
    stations: dict[str, Callable[[], Awaitable[Output]]] = {
        "natural": partial(spawn, options_of(sh("echo x; exit 7"), pgroup=OWN)),
        "alone": partial(cancelled, ready(child("term_exits", 5), cancel=GRACEFUL)),
        "killed": partial(cancelled, ready(child("ignore_term"))),
        "deaf": partial(cancelled, attrs.evolve(deaf, kill_grace=0.05)),
        "drained": partial(cancelled, ready(child("term_writes", 100_000), cancel=GRACEFUL)),
        "group": partial(cancelled, ready(sh("sleep 100 & echo ready; wait"), pgroup=OWN)),
        "late": partial(cancelled, ready(sh(LATE_MEMBER), pgroup=OWN, cancel=GRACEFUL)),
        "timeout": partial(spawn, options_of(("sleep", "100"), timeout=0.05)),
        "none": partial(cancelled, ready(sh("echo ready; sleep 0.1; exit 6"), cancel=NONE)),
    }
    report: dict[str, list[object]] = {}

    async def visit(name: str, station: Callable[[], Awaitable[Output]]) -> None:
        report[name] = told(await station())

    async with trio.open_nursery() as nursery:
        for name, station in stations.items():
            nursery.start_soon(visit, name, station)
        report["swept"] = await swept()
    return report


if __name__ == "__main__":
    logging.disable()
    if len(sys.argv) > 2:
        refuse(int(sys.argv[2]), getattr(errno, sys.argv[3]))
    report = trio.run(main)
    left = os.listdir("/proc/self/fd")  # noqa: PTH208 - names, not paths
    report["descriptors"] = [len(left)]
    sys.stdout.write(json.dumps(report))
