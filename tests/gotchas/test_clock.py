"""Deadlines are on the loop's clock."""

import signal
import time

import trio
import trio.testing

from tests.support import child
from trio_coreshift import CancelPolicy, Output, SpawnBackend, SpawnOptions, spawn


def test_an_hour_of_grace_passes_on_the_clock_of_the_loop(backend: SpawnBackend) -> None:
    """Timeout, grace, duration and the times of signals follow trio's clock, here a jumping one."""
    options = SpawnOptions(
        child("ignore_term"),
        backend=backend,
        capture_stdout=True,
        timeout=3600,
        cancel=CancelPolicy.GRACEFUL,
        kill_grace=1800,
    )

    async def main() -> Output:
        with trio.fail_after(10_000):
            return await spawn(options)

    before = time.monotonic()
    # Long enough for the child to print and to die between two jumps.
    output = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.2))

    assert output.timed_out
    assert output.shutdown is not None
    sent = [(sent.signal, round(sent.seconds)) for sent in output.shutdown.signals]
    assert sent == [(signal.SIGTERM, 3600), (signal.SIGCONT, 3600), (signal.SIGKILL, 5400)]
    assert 5400 <= output.duration < 5500
    assert time.monotonic() - before < 60
