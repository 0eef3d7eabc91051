"""Run a child that writes N bytes into a sink; print the bytes seen and the growth of our memory.

The growth is that of the peak resident set, in bytes. With `capture` stdout is captured as well, up
to 1 KiB, the rest being discarded.

Usage: pump_through_sink N BACKEND [capture]
"""

import re
import sys
from pathlib import Path

import trio

from trio_coreshift import OverflowPolicy, SpawnBackend, SpawnOptions, spawn

CHILD = Path(__file__).parent.parent / "children" / "fill_stdout.py"


def memory(field: str) -> int:
    """Return a field of /proc/self/status in bytes."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def main() -> None:
    """Pump, and report."""
    seen = 0

    async def sink(chunk: bytes) -> None:
        nonlocal seen
        seen += len(chunk)
        await trio.lowlevel.checkpoint()

    def options(size: int) -> SpawnOptions:
        return SpawnOptions(
            [sys.executable, "-I", "-S", CHILD, str(size)],
            backend=SpawnBackend[sys.argv[2]],
            stdout_sink=sink,
            capture_stdout="capture" in sys.argv,
            max_output=1024,
            overflow=OverflowPolicy.TRUNCATE,
        )

    # The first run pays for what is imported and allocated once.
    (await spawn(options(4 << 20))).check()
    seen, before = 0, memory("VmRSS")
    (await spawn(options(int(sys.argv[1])))).check()
    sys.stdout.write(f"{seen} {memory('VmHWM') - before}\n")


trio.run(main)
