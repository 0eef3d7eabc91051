"""A child that a tracer holds between its exit and its reaping."""

import time
from subprocess import PIPE

import pytest
import trio

from tests.support import child, gone
from trio_coreshift import Exited, ProcessGroup, SpawnBackend, SpawnOptions, spawn_start


@pytest.mark.parametrize("pgroup", [ProcessGroup(), ProcessGroup(leader=0, sweep=False)])
async def test_an_exit_that_cannot_be_reaped_yet(
    backend: SpawnBackend, pgroup: ProcessGroup
) -> None:
    """The pidfd is readable and there is nothing to reap: no spinning, no blocking, no end."""
    options = SpawnOptions(
        child("held_by_tracer"), backend=backend, stdin=PIPE, stdout=PIPE, pgroup=pgroup
    )
    with trio.fail_after(20):
        async with spawn_start(options) as running:
            assert running.stdin is not None
            assert running.stdout is not None
            if await running.stdout.receive_some(20) != b"traced\n":
                pytest.skip("no tracing here")
            await gone(running.pid)

            cpu = time.process_time()
            await trio.sleep(0.2)
            cpu = time.process_time() - cpu
            assert running.output is None
            assert cpu < 0.1

            await running.stdin.send_all(b".")
            output = await running.wait()

    assert output.status == Exited(7)
    assert output.shutdown is None
