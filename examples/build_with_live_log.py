"""Run a build with a time limit, showing its output as it comes and keeping it in a file.

    python build_with_live_log.py --limit 600 --log build.log make -j4

Both streams go into one pipe, so that the order of what was written is kept, and each chunk to the
terminal and to the file as it arrives: a progress bar moves, a prompt shows. What the build
started (its compilers, its tests) is in a group of its own, which is ended as a whole: when the
limit is over, or on Ctrl+C, it gets SIGTERM, five seconds to tidy up, then SIGKILL.

The exit status is the build's, or 124 after the limit as with timeout(1), or 130 after Ctrl+C.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from trio_coreshift import CancelPolicy, Output, ProcessGroup, SpawnBackend, SpawnOptions, spawn


async def build(command: Sequence[str], log: Path, limit: float) -> Output:
    """Run the build, teeing what it writes to the terminal and to ``log``."""
    async with await trio.open_file(log, "wb") as file:

        async def tee(chunk: bytes) -> None:
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            await file.write(chunk)

        return await spawn(
            SpawnOptions(
                list(command),
                backend=SpawnBackend.VFORK,
                stdout_sink=tee,
                stderr=subprocess.STDOUT,
                pgroup=ProcessGroup(leader=0),
                timeout=limit,
                cancel=CancelPolicy.GRACEFUL,
                kill_grace=5.0,
                # A daemon that the build leaves behind may keep the pipe: do not wait for it.
                drain_grace=1.0,
            )
        )


def main() -> int:
    """Build, say how it went, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds (default: 600)")
    parser.add_argument("--log", type=Path, default=Path("build.log"), help="(default: build.log)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("what is to be run?")

    try:
        output = trio.run(build, arguments.command, arguments.log, arguments.limit)
    except KeyboardInterrupt:
        return 130
    if output.timed_out:
        print(f"--- not done after {arguments.limit:g} s", file=sys.stderr)
        return 124
    print(f"--- {output.status} after {output.duration:.1f} s", file=sys.stderr)
    # A build that a signal has ended is reported as shells do it.
    code = output.returncode
    return 125 if code is None else code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
