"""Signal a child of another user, as a user who may not, and print what became of it.

Usage: refused_by_owner

To be run as root. The JSON object has the delivery for each way to signal.
"""

import json
import os
import signal
import sys

from tests.support import child
from trio_coreshift._kernel.child import Child


def main() -> dict[str, str | None]:
    """Start one as root, and signal it as somebody."""
    argv = child("never_reads")
    # It is ready when it runs: nothing depends on what it has set up.
    pid = os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        setpgroup=0,
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    one, bare = Child(pid, owned=True), Child(pid, owned=True)
    bare.close()
    os.setresuid(65_000, 65_000, 0)
    found = {
        "process": one.signal(signal.SIGTERM),
        "without pidfd": bare.signal(signal.SIGTERM),
        "group": one.signal_group(pid, signal.SIGTERM),
        "led group": one.signal_led_group(signal.SIGTERM),
    }
    os.setresuid(0, 0, 0)
    one.signal(signal.SIGKILL)
    one.wait_blocking()
    one.close()
    return {way: delivery and delivery.name for way, delivery in found.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
