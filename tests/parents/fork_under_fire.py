"""Spawn by fork, again and again, while signals hit the whole group, and print who handled them.

Usage: fork_under_fire SPAWNS

Every handler, the exit hook and the clean-up of the spawning frames write the process id of whoever
runs them to a pipe. The JSON object has ``handled``, how many handlers ran; ``strangers``, what was
run by a process that is not this one; ``statuses``, how the children ended and how often;
``stages``, the ops of the spawns that failed on purpose; ``left``, children that were left.
"""

import atexit
import itertools
import json
import os
import signal
import struct
import sys
from collections import Counter

import trio

from tests.support.procfs import children_of_ours
from trio_coreshift import CoreError, SpawnBackend, SpawnOptions, spawn

# A child that is hit by one of the first kind ends, by one of the second it goes on.
FATAL = (signal.SIGUSR1, signal.SIGTERM, signal.SIGRTMIN + 1)
HARMLESS = (signal.SIGURG, signal.SIGWINCH)
RECORD = struct.Struct("=iB")
HANDLER, HOOK, CLEAN_UP = range(3)
read_fd, write_fd = os.pipe()


def record(what: int) -> None:
    """Write who we are."""
    os.write(write_fd, RECORD.pack(os.getpid(), what))


def bombard() -> int:
    """Have a process of this group send it signals until it is killed; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    for number in FATAL + HARMLESS:
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    fatal = itertools.cycle(FATAL)
    while os.getppid() == parent:
        os.killpg(0, next(fatal))
        for _ in range(20):
            for number in HARMLESS:
                os.killpg(0, number)
            # A pause: a wait for something that does not come.
            signal.sigtimedwait([], 0.0002)
    os._exit(0)


async def spawn_once(program: str, statuses: Counter[str], stages: Counter[str]) -> None:
    """Spawn, and leave a trace if anybody unwinds this frame."""
    try:
        output = await spawn(SpawnOptions((program,), backend=SpawnBackend.FORK))
        statuses[str(output.status)] += 1
    except CoreError as exc:
        stages[exc.op] += 1
    finally:
        record(CLEAN_UP)


async def main(spawns: int) -> dict[str, object]:
    """Spawn under fire, and read what was recorded."""
    statuses: Counter[str] = Counter()
    stages: Counter[str] = Counter()
    found: Counter[tuple[int, int]] = Counter()
    gunner = bombard()
    try:
        for number in range(spawns):
            program = "/bin/true" if number % 8 else "/nonexistent/prog"
            await spawn_once(program, statuses, stages)
            found.update(RECORD.iter_unpack(os.read(read_fd, 65_535 // RECORD.size * RECORD.size)))
    finally:
        os.kill(gunner, signal.SIGKILL)
        os.waitpid(gunner, 0)  # noqa: ASYNC222 - it is dead
    ours = os.getpid()
    return {
        "handled": found[ours, HANDLER],
        "strangers": sorted(what for pid, what in found if pid != ours),
        "statuses": statuses,
        "stages": stages,
        "left": len(children_of_ours()),
    }


if __name__ == "__main__":
    os.setpgid(0, 0)
    for watched in FATAL + HARMLESS:
        signal.signal(watched, lambda *_: record(HANDLER))
    atexit.register(record, HOOK)
    sys.stdout.write(json.dumps(trio.run(main, int(sys.argv[1]))))
