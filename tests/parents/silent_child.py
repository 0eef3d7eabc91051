"""Spawn by fork a child that ends before exec without a word, and print what came of it.

Usage: silent_child

A process that the child has started lives on and holds a copy of its error pipe, so that the end of
the pipe does not come. The JSON object has ``status``.
"""

import json
import os
import signal
import sys

import trio

from trio_coreshift import SpawnBackend, SpawnOptions, spawn


async def main() -> dict[str, str]:
    """Spawn once."""
    pids_r, pids_w = os.pipe()
    depth = 0

    def end_early() -> None:
        nonlocal depth
        depth += 1
        if depth == 1 and (holder := os.fork()):
            os.write(pids_w, b"%d" % holder)
            os._exit(9)
        # The hook runs in the holder as well. It lives, bounded, until it is killed.
        signal.sigtimedwait([], 20)
        os._exit(0)

    os.register_at_fork(after_in_child=end_early)
    output = await spawn(SpawnOptions(("/bin/true",), backend=SpawnBackend.FORK))
    os.kill(int(os.read(pids_r, 100)), signal.SIGKILL)
    return {"status": str(output.status)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
