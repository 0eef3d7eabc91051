"""Give a shell script a time limit that also holds for the processes it has left in the background.

    python time_limited_shell.py --limit 1 --grace 0.5 'sleep 99 & (trap "" TERM; sleep 99) & wait'

Killing the shell would leave its children running: a signal goes to one process. Here the script is
the leader of a session and group of its own, and the group is what is signalled: SIGTERM first,
then, whoever ignores that, SIGKILL after the grace. What a script that ends in time leaves in the
background is killed as well.
"""

import argparse
import signal
import sys

import trio

from trio_coreshift import CancelPolicy, Output, ProcessGroup, SpawnBackend, SpawnOptions, spawn

STUBBORN = 'sleep 99 & (trap "" TERM; sleep 99) & wait'


async def run_script(script: str, limit: float, grace: float) -> Output:
    """Run a script in a session of its own."""
    return await spawn(
        SpawnOptions(
            ["sh", "-c", script],
            backend=SpawnBackend.VFORK,
            pgroup=ProcessGroup(isolated=True),
            timeout=limit,
            cancel=CancelPolicy.GRACEFUL,
            kill_grace=grace,
        )
    )


def main() -> int:
    """Run the script and tell what had to be done; return 124 after the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--limit", type=float, default=1.0, help="seconds (default: 1)")
    parser.add_argument("--grace", type=float, default=0.5, help="seconds (default: 0.5)")
    parser.add_argument("script", nargs="?", default=STUBBORN)
    arguments = parser.parse_args()

    output = trio.run(run_script, arguments.script, arguments.limit, arguments.grace)
    print(f"{output.status} after {output.duration:.2f} s")
    for sent in output.shutdown.signals if output.shutdown else ():
        name = signal.Signals(sent.signal).name
        print(f"  {sent.seconds:.2f} s: {name} to {sent.target}")
    return 124 if output.timed_out else 0


if __name__ == "__main__":
    sys.exit(main())
