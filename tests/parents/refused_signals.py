"""As root: start a child, become nobody, and try to end the child: the kernel refuses (EPERM).

Prints what came of it.
"""

import json
import logging
import os
import sys

import trio

from trio_coreshift import (
    CancelPolicy,
    Output,
    ProcessAbandonedError,
    SpawnBackend,
    SpawnOptions,
    spawn,
)

NOBODY = 65534
warnings: list[str] = []


class Keep(logging.Handler):
    """Keeps the warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        warnings.append(record.getMessage())


async def outcome(options: SpawnOptions) -> Output:
    """Run what cannot be ended."""
    try:
        await spawn(options)
    except ProcessAbandonedError as exc:
        return exc.output
    raise AssertionError("it has ended")


async def main() -> None:
    """Start as root, end as nobody, and clean up as root again."""
    options = SpawnOptions(
        ["sleep", "60"],
        backend=SpawnBackend[sys.argv[1]],
        timeout=0.1,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=0.1,
        abandon_after=0.1,
    )
    logging.getLogger("trio_coreshift").addHandler(Keep(logging.WARNING))

    async def drop() -> None:
        await trio.sleep(0.05)
        os.setresuid(NOBODY, NOBODY, 0)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drop)
        output = await outcome(options)
    os.setresuid(0, 0, 0)
    os.kill(output.pid, 9)
    assert output.shutdown is not None
    print(  # noqa: T201
        json.dumps(
            {
                "refused": [sent.refused for sent in output.shutdown.signals],
                "signals": [int(sent.signal) for sent in output.shutdown.signals],
                "status": output.status,
                "refusals": sum("refused" in text for text in warnings),
            }
        )
    )


trio.run(main)
