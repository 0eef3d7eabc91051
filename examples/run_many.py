"""Run 200 commands, 8 at a time, and collect those that failed.

    python run_many.py
    python run_many.py --count 200 --at-once 8

All commands are started as tasks of one nursery. What bounds how many run at a time is trio's
`CapacityLimiter`; nothing else is needed. A command that fails does not stop the others; a
cancellation, or Ctrl+C, ends all that run and starts no more.
"""

import argparse
import sys
from collections.abc import Iterable

import trio

from trio_coreshift import ExitStatusError, SpawnBackend, SpawnOptions, spawn


async def run_all(commands: Iterable[SpawnOptions], at_once: int) -> list[ExitStatusError]:
    """Run every command; return the failures, in the order in which they happened."""
    failures: list[ExitStatusError] = []
    limiter = trio.CapacityLimiter(at_once)

    async def run_one(options: SpawnOptions) -> None:
        async with limiter:
            output = await spawn(options)
        try:
            output.check()
        except ExitStatusError as exc:
            failures.append(exc)

    async with trio.open_nursery() as nursery:
        for options in commands:
            nursery.start_soon(run_one, options)
    return failures


def command(number: int) -> SpawnOptions:
    """Make up a command; every fiftieth fails and says why."""
    script = 'if [ $(($1 % 50)) = 49 ]; then echo "no luck with $1" >&2; exit 3; fi'
    return SpawnOptions(
        ["sh", "-c", script, "sh", str(number)],
        backend=SpawnBackend.VFORK,
        capture_stdout=True,
        capture_stderr=True,
        timeout=60.0,
    )


def main() -> int:
    """Run them all and report; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=8)
    arguments = parser.parse_args()

    failures = trio.run(run_all, map(command, range(arguments.count)), arguments.at_once)
    for failure in failures:
        print(failure)
    print(f"{arguments.count - len(failures)} of {arguments.count} commands succeeded")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
