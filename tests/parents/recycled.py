"""Let a stranger get the number of a child that is gone, and see that no signal reaches it.

To be run as the init of a pid namespace with a /proc of its own, where the next number can be set.

Usage: recycled BACKEND

The JSON object says of each situation whether the stranger had the number, and whether it lived.
"""

import errno
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

from tests.support import child, until
from tests.support.seccomp import PIDFD_OPEN, refuse
from trio_coreshift import (
    CancelPolicy,
    ProcessGroup,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

options_of = partial(SpawnOptions, backend=SpawnBackend[sys.argv[1]])
KILL = CancelPolicy.KILL
OWN = ProcessGroup(leader=0)
LAST_PID = Path("/proc/sys/kernel/ns_last_pid")


class StrangerMaker:
    """A child that forks strangers on demand, so that they are not children of ours."""

    def __init__(self) -> None:
        request_r, self._request_w = os.pipe()
        self._reply_r, reply_w = os.pipe()
        if os.fork() == 0:
            while line := os.read(request_r, 100):
                os.write(reply_w, b"%d\n" % self._make(int(line)))
            os._exit(0)
        os.close(request_r)
        os.close(reply_w)

    @staticmethod
    def _make(wanted: int) -> int:
        LAST_PID.write_text(str(wanted - 1))
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            signal.alarm(60)
            while True:
                signal.pause()
        with suppress(OSError):
            os.setpgid(pid, pid)
        return pid

    def make(self, wanted: int) -> int:
        """Make one; return its number, which is the one wanted unless that is taken."""
        os.write(self._request_w, b"%d" % wanted)
        return int(os.read(self._reply_r, 100))


async def lived(pid: int) -> bool:
    """Whether the stranger has got no signal: one that it has got needs a moment to work."""
    await trio.sleep(0.1)
    return alive(pid)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


maker = StrangerMaker()


async def ended(use: Callable[[RunningProcess], object]) -> list[object]:
    """The child has ended and was reaped; its handle is used."""
    async with spawn_start(options_of(("true",), pgroup=OWN)) as running:
        await running.wait()
        stranger = maker.make(running.pid)
        use(running)
        await running.stop(KILL)
    return [stranger == running.pid, await lived(stranger)]


async def draining(pgroup: ProcessGroup) -> list[object]:
    """The child has ended, an escapee holds its pipe; then the run is cancelled."""
    options = options_of(
        child("spawn_grandchild", "setsid", "holds"),
        capture_stdout=True,
        ready=b"\n",
        pgroup=pgroup,
        kill_grace=0.05,
    )
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, options)
        # Where its number is still pinned, as it should be, no stranger can get it.
        await until(lambda: not alive(running.pid))
        await trio.sleep(0.05)
        stranger = maker.make(running.pid)
        nursery.cancel_scope.cancel()
    os.kill(int(running.output.stdout), signal.SIGKILL)
    return [await lived(stranger)]


async def stolen() -> list[object]:
    """Somebody else has reaped the child a moment ago, and the run is cancelled."""
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, options_of(("sleep", "100"), pgroup=OWN))
        # Without a checkpoint from here on: the supervisor has not seen any of it.
        os.kill(running.pid, signal.SIGKILL)
        os.waitpid(running.pid, 0)  # noqa: ASYNC222 - it is dead already
        stranger = maker.make(running.pid)
        nursery.cancel_scope.cancel()
    return [stranger == running.pid, await lived(stranger), str(running.output.status)]


async def reachable() -> list[object]:
    """The control: a signal to the number itself does reach the stranger."""
    async with spawn_start(options_of(("true",), pgroup=OWN)) as running:
        await running.wait()
        stranger = maker.make(running.pid)
    os.killpg(running.pid, signal.SIGKILL)
    await until(lambda: not alive(stranger))
    return [stranger == running.pid]


async def main() -> dict[str, object]:
    """Make the tour, with pidfds and without."""
    report: dict[str, object] = {"control": await reachable()}
    for pidfds in (True, False):
        if not pidfds:
            refuse(PIDFD_OPEN, errno.ENOSYS)
        name = "with pidfds" if pidfds else "without"
        report[name] = {
            "process": await ended(lambda running: running.process.kill(signal.SIGKILL)),
            "group": await ended(lambda running: running.process.kill_pgroup(signal.SIGKILL)),
            "draining": await draining(OWN),
            "draining, no sweep": await draining(ProcessGroup(leader=0, sweep=False)),
            "stolen": await stolen(),
        }
    return report


if __name__ == "__main__":
    logging.disable()
    sys.stdout.write(json.dumps(trio.run(main)))
