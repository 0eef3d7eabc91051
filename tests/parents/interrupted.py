"""Press Ctrl+C on a run whose child ignores SIGTERM: once, and during the grace once more.

Usage: interrupted BACKEND spawn|body

Prints what was raised, which signals were sent, and whether it waited for the grace.
"""

import json
import logging
import os
import signal
import sys
import threading
import time

import trio

from tests.support import child
from trio_coreshift import CancelPolicy, SpawnBackend, SpawnOptions, spawn, spawn_start

messages: list[str] = []


class Keep(logging.Handler):
    """Keeps what is logged."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        messages.append(record.getMessage())


def press_twice() -> None:
    """Send SIGINT to this process, and again when the first one has had its effect."""
    os.kill(os.getpid(), signal.SIGINT)
    while not any("SIGCONT" in message for message in messages):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)


async def ready(_chunk: bytes) -> None:
    """Be told by the child that it ignores SIGTERM now."""
    await trio.lowlevel.checkpoint()
    threading.Thread(target=press_twice, daemon=True).start()


options = SpawnOptions(
    child("ignore_term"),
    backend=SpawnBackend[sys.argv[1]],
    stdout_sink=ready,
    cancel=CancelPolicy.GRACEFUL,
    kill_grace=600,
)


async def body() -> None:
    """Wait in the body of a block."""
    async with spawn_start(options):
        await trio.sleep_forever()


async def main() -> None:
    """Wait in `spawn`, or in a block."""
    await (spawn(options) if sys.argv[2] == "spawn" else body())


signal.signal(signal.SIGINT, signal.default_int_handler)
logging.getLogger("trio_coreshift").addHandler(Keep())
logging.getLogger("trio_coreshift").setLevel(logging.INFO)
before = time.monotonic()
raised = None
try:
    trio.run(main)
except BaseException as exc:  # noqa: BLE001 - whatever it is, it is the result
    raised = type(exc).__name__
print(  # noqa: T201
    json.dumps(
        {
            "raised": raised,
            "signals": [message.split()[1] for message in messages],
            "waited": time.monotonic() - before > 60,
        }
    )
)
