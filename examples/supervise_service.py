"""Keep a service running: start it again when it ends, after longer and longer pauses.

    python supervise_service.py --tries 5 -- my-server --port 8000

A service that stayed up for a while is taken for healthy: its next pause is the shortest again. One
that fails again and again is given up. Ctrl+C stops the service politely and ends.
"""

import argparse
import sys
from collections.abc import Sequence

import attrs
import trio

from trio_coreshift import CancelPolicy, ProcessGroup, SpawnBackend, SpawnOptions, spawn


@attrs.frozen
class Backoff:
    """How to go about restarting.

    Attributes:
        first: Seconds before the first restart; each further pause is twice as long.
        longest: The longest pause.
        healthy_after: A service that ran this long has not failed to start.
        tries: Give up after so many failures in a row.
    """

    first: float = 0.5
    longest: float = 30.0
    healthy_after: float = 10.0
    tries: int = 10


async def supervise(options: SpawnOptions, backoff: Backoff) -> None:
    """Run the service until it fails too often in a row, or for ever."""
    failures, pause = 0, backoff.first
    while True:
        # A program that cannot be started at all is a CoreError and comes out: no restart helps.
        output = await spawn(options)
        print(f"{options.program}: {output.status} after {output.duration:.1f} s", flush=True)
        if output.duration >= backoff.healthy_after:
            failures, pause = 0, backoff.first
        failures += 1
        if failures >= backoff.tries:
            print(f"{options.program}: given up after {failures} failures", flush=True)
            return
        await trio.sleep(pause)
        pause = min(2 * pause, backoff.longest)


def service(command: Sequence[str]) -> SpawnOptions:
    """Describe the service: a group of its own, ten seconds to shut down in order."""
    return SpawnOptions(
        list(command),
        backend=SpawnBackend.VFORK,
        pgroup=ProcessGroup(leader=0),
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=10.0,
    )


def main() -> int:
    """Supervise; return 1 when the service was given up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--tries", type=int, default=Backoff().tries)
    parser.add_argument("--first-pause", type=float, default=Backoff().first)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()

    backoff = Backoff(first=arguments.first_pause, tries=arguments.tries)
    try:
        trio.run(supervise, service(arguments.command), backoff)
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
