"""Lose the right to signal children, end them, and print how that went. To be run by root.

Usage: refused BACKEND

The real and effective user are changed after each launch, and the saved one brings them back: so
the children are root's and we are not. The JSON object has a list for each way to an end.
"""

import json
import logging
import os
import signal
import sys
from functools import partial

import trio

from tests.support import process_info, sh, until
from trio_coreshift import (
    CancelPolicy,
    Output,
    ProcessAbandonedError,
    ProcessGroup,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn_start,
)

options_of = partial(SpawnOptions, backend=SpawnBackend[sys.argv[1]])
OWN = ProcessGroup(leader=0)
GRACEFUL = CancelPolicy.GRACEFUL
NOBODY = 65534
messages: list[str] = []


class Messages(logging.Handler):
    """Keeps the warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        if record.levelno == logging.WARNING:
            messages.append(record.getMessage())


async def gone(options: SpawnOptions) -> list[object]:
    """End a run; kill, with all rights again, what was abandoned, and see that it is reaped."""
    how, output = await powerless_end(options)
    sent = () if output.shutdown is None else output.shutdown.signals
    report = [
        how,
        str(output.status),
        [signal.Signals(one.signal).name for one in sent],
        [one.refused for one in sent],
        len([message for message in messages if "refused" in message]),
        len([message for message in messages if "abandoned" in message]),
    ]
    if how == "abandoned":
        os.kill(output.pid, signal.SIGKILL)
        # Reaped in the background: a zombie would still be there.
        await until(lambda: process_info(output.pid) is None)
    return report


async def powerless_end(options: SpawnOptions) -> tuple[str, Output]:
    """Cancel a run while the signals are refused."""
    holder: list[RunningProcess] = []
    messages.clear()
    how = "returned"
    output = None
    try:
        with trio.CancelScope() as scope:
            async with spawn_start(options) as running:
                holder.append(running)
                os.setresuid(NOBODY, NOBODY, 0)
                scope.cancel()
                await trio.sleep_forever()
    except ProcessAbandonedError as exc:
        how, output = "abandoned", exc.output
    finally:
        os.setresuid(0, 0, 0)
    output = output or holder[0].output
    assert output is not None
    return how, output


async def main() -> dict[str, object]:
    """Make the tour."""
    sleep = ("sleep", "100")
    short = partial(options_of, abandon_after=0.05, kill_grace=0.05)
    return {
        "kill": await gone(short(sleep)),
        "graceful": await gone(short(sleep, cancel=GRACEFUL)),
        "group": await gone(short(sleep, pgroup=OWN)),
        "ends": await gone(options_of(sh("sleep 0.2; exit 3"), abandon_after=30)),
        "captured": await gone(short(sleep, capture_stdout=True)),
    }


if __name__ == "__main__":
    logger = logging.getLogger("trio_coreshift")
    logger.addHandler(Messages())
    logger.propagate = False
    sys.stdout.write(json.dumps(trio.run(main)))
