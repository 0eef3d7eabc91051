"""Killing a group: from the cancellation to the last of its 100 members gone."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Final

import trio

from trio_coreshift import ProcessGroup, SpawnBackend, SpawnOptions, spawn

from .figures import Figure
from .harness import column, interleave_workers

if TYPE_CHECKING:
    from .harness import Bench

# The leader says so when all of them run. Each holds a copy of the pipe in descriptor 1, so that
# its end of file is the event "the last one is gone".
_LEADER: Final = 'for i in $(seq 2 "$1"); do sleep 300 & done; echo; wait'
_BACKENDS: Final = {
    "vfork": SpawnBackend.VFORK,
    "posix_spawn": SpawnBackend.POSIX_SPAWN,
    "fork": SpawnBackend.FORK,
}


def measure(bench: Bench) -> list[Figure]:
    """Take the figures of this family."""
    members = bench.pick(full=100, quick=100, tiny=3)
    (results,) = interleave_workers(
        ("vfork", "posix_spawn", "fork", "trio", "subprocess"),
        bench.pick(full=9, quick=3, tiny=1),
        "group_kill:run",
        [{"members": members}],
        warm_up={"members": 3},
    )
    return [
        Figure(
            name=f"group-{members}",
            title=f"from cancel to the last of {members} group members gone",
            unit="ms",
            samples=column(results, "ms"),
        )
    ]


def run(contender: str, members: int) -> dict[str, float]:
    """Start a group, kill it, and return the milliseconds that took; run inside a worker."""
    argv = ("/bin/sh", "-c", _LEADER, "sh", str(members))
    pipe_r, pipe_w = os.pipe()
    try:
        if contender == "subprocess":
            seconds = _subprocess_run(argv, pipe_r, pipe_w)
        else:
            seconds = trio.run(_trio_run, contender, argv, pipe_r, pipe_w)
    finally:
        os.close(pipe_r)
    return {"ms": seconds * 1e3}


def _subprocess_run(argv: tuple[str, ...], pipe_r: int, pipe_w: int) -> float:
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=pipe_w, process_group=0
    ) as process:
        os.close(pipe_w)
        os.read(pipe_r, 1)
        began = time.perf_counter()
        os.killpg(process.pid, signal.SIGKILL)
    os.read(pipe_r, 1)
    return time.perf_counter() - began


async def _trio_run(contender: str, argv: tuple[str, ...], pipe_r: int, pipe_w: int) -> float:
    async with trio.open_nursery() as nursery:
        if contender == "trio":
            await nursery.start(_run_trio, argv, pipe_w)
        else:
            options = SpawnOptions(
                argv,
                backend=_BACKENDS[contender],
                stdout=pipe_w,
                pgroup=ProcessGroup(leader=0),
            )
            await nursery.start(spawn, options)
        os.close(pipe_w)
        await trio.lowlevel.wait_readable(pipe_r)
        os.read(pipe_r, 1)
        began = time.perf_counter()
        nursery.cancel_scope.cancel()
    os.read(pipe_r, 1)
    return time.perf_counter() - began


async def _run_trio(
    argv: tuple[str, ...], pipe_w: int, task_status: trio.TaskStatus[trio.Process]
) -> None:
    await trio.run_process(
        argv,
        stdout=pipe_w,
        process_group=0,
        deliver_cancel=_kill_group,
        task_status=task_status,
    )


async def _kill_group(process: trio.Process) -> None:
    """Do what one has to write for trio; the number is safe, nobody else reaps the leader."""
    os.killpg(process.pid, signal.SIGKILL)
    await trio.lowlevel.checkpoint()
