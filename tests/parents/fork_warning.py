"""Spawn by fork from a process of two threads with all warnings turned into errors.

Usage: fork_warning

The JSON object has ``status``, what came of the spawn, and ``left``, children that were left.
"""

import json
import sys
import threading
import warnings

import trio

from tests.support.procfs import children_of_ours
from trio_coreshift import SpawnBackend, SpawnOptions, spawn


async def main() -> dict[str, object]:
    """Spawn once."""
    warnings.simplefilter("error")
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        output = await spawn(SpawnOptions(("/bin/true",), backend=SpawnBackend.FORK))
        status = str(output.status)
    except Exception as exc:  # noqa: BLE001 - it is what the test looks at
        status = repr(exc)
    finally:
        stop.set()
        thread.join()
    return {"status": status, "left": len(children_of_ours())}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(trio.run(main)))
