"""Count how often /proc is listed at a natural end, and print it.

Usage: proc_walks BACKEND

The JSON object has ``nobody``: the count where nothing is left in the group, and ``somebody``: 1 if
it was listed at all where something is.
"""

import json
import logging
import sys

import trio

from tests.support import sh
from trio_coreshift import ProcessGroup, SpawnBackend, SpawnOptions, spawn

walks: list[object] = []


def hook(event: str, args: tuple[object, ...]) -> None:
    """Note each listing of /proc."""
    if event in {"os.listdir", "os.scandir"} and str(args[0]).rstrip("/") == "/proc":
        walks.append(event)


async def count(script: str) -> int:
    """Run a script in a group of its own to its natural end; return the listings meanwhile."""
    walks.clear()
    options = SpawnOptions(
        sh(script),
        backend=SpawnBackend[sys.argv[1]],
        pgroup=ProcessGroup(leader=0),
        capture_stdout=True,
    )
    await spawn(options)
    return len(walks)


if __name__ == "__main__":
    logging.disable()  # that something was swept goes to stderr otherwise
    sys.addaudithook(hook)
    nobody = trio.run(count, "true")
    somebody = trio.run(count, "sleep 100 & true")
    sys.stdout.write(json.dumps({"nobody": nobody, "somebody": min(somebody, 1)}))
