"""Services: started in order and stopped in reverse by nothing more than nested blocks."""

import subprocess
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio

from tests.support import child, sh
from trio_coreshift import (
    CancelPolicy,
    Exited,
    ExitStatusError,
    RunningProcess,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

PIPE = subprocess.PIPE


class BodyError(Exception):
    """What a body of these tests raises."""


class Journal:
    """What the services said, in the order in which they said it."""

    def __init__(self, backend: SpawnBackend) -> None:
        self.entries: list[str] = []
        self._backend = backend

    def service(self, name: str) -> SpawnOptions:
        """Return the options of a service that reports to this journal."""

        async def report(chunk: bytes) -> None:
            await trio.lowlevel.checkpoint()
            self.entries.extend(f"{name} {word}" for word in chunk.decode().split())

        return SpawnOptions(
            child("service"),
            backend=self._backend,
            stdin=PIPE,
            stdout_sink=report,
            ready=b"up\n",
            cancel=CancelPolicy.GRACEFUL,
            kill_grace=30.0,
        )

    def broken(self) -> SpawnOptions:
        """Return the options of a service that does not come up."""
        return SpawnOptions(
            sh("echo no database >&2; exit 1"),
            backend=self._backend,
            capture_stderr=True,
            ready=b"up\n",
        )


IN_ORDER = ["db up", "app up", "web up", "work", "web down", "app down", "db down"]


async def test_nested_blocks_stop_in_reverse_when_the_body_ends(backend: SpawnBackend) -> None:
    """At the end of each block its stdin is closed and its service waited for."""
    journal = Journal(backend)
    async with (
        spawn_start(journal.service("db")) as db,
        spawn_start(journal.service("app")),
        spawn_start(journal.service("web")),
    ):
        journal.entries.append("work")
    assert journal.entries == IN_ORDER
    assert db.output is not None
    assert db.output.status == Exited(0)
    assert db.output.shutdown is None


async def test_nested_blocks_stop_in_reverse_when_the_body_raises(backend: SpawnBackend) -> None:
    """An exception passes through one block after the other, each of which stops its service."""
    journal = Journal(backend)
    with pytest.raises(BodyError):  # noqa: PT012 - the block raises as a whole
        async with (
            spawn_start(journal.service("db")),
            spawn_start(journal.service("app")),
            spawn_start(journal.service("web")),
        ):
            journal.entries.append("work")
            raise BodyError
    assert journal.entries == IN_ORDER


async def test_nested_blocks_stop_in_reverse_when_cancelled(backend: SpawnBackend) -> None:
    """A cancellation that hits all blocks at once stops an outer one only after the inner."""
    journal = Journal(backend)
    with trio.CancelScope() as scope:
        async with (
            spawn_start(journal.service("db")),
            spawn_start(journal.service("app")),
            spawn_start(journal.service("web")),
        ):
            journal.entries.append("work")
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert journal.entries == IN_ORDER


async def test_nested_nurseries_stop_in_reverse(backend: SpawnBackend) -> None:
    """A nursery per service, cancelled at the end of its block, does the same."""
    journal = Journal(backend)

    @asynccontextmanager
    async def service(name: str) -> AsyncGenerator[RunningProcess, None]:
        async with trio.open_nursery() as nursery:
            running = await nursery.start(spawn, journal.service(name))
            yield running
            nursery.cancel_scope.cancel()

    async with service("db"), service("app"), service("web"):
        journal.entries.append("work")
    assert journal.entries == IN_ORDER


async def test_block_that_stops_its_service_needs_no_cooperation_of_stdin(
    backend: SpawnBackend,
) -> None:
    """`yield running` followed by `stop` makes a block that ends its service by the policy."""
    journal = Journal(backend)

    @asynccontextmanager
    async def service(name: str) -> AsyncGenerator[RunningProcess, None]:
        async with spawn_start(journal.service(name)) as running:
            yield running
            (await running.stop()).check()

    async with AsyncExitStack() as stack:
        for name in ("db", "app", "web"):
            await stack.enter_async_context(service(name))
        journal.entries.append("work")
    assert journal.entries == IN_ORDER


@pytest.mark.parametrize("door", ["block", "nursery"])
async def test_service_that_does_not_come_up_stops_those_before_it(
    backend: SpawnBackend, door: str
) -> None:
    """The error of the broken one comes out; what was up goes down in reverse, the rest never up.

    Out of nurseries it comes in their groups, as any error does.
    """
    journal = Journal(backend)

    async def start(name: str, stack: AsyncExitStack) -> None:
        options = journal.broken() if name == "broken" else journal.service(name)
        if door == "block":
            await stack.enter_async_context(spawn_start(options))
        else:
            nursery = await stack.enter_async_context(trio.open_nursery())
            await nursery.start(spawn, options)

    with pytest.RaisesGroup(
        pytest.RaisesExc(ExitStatusError, match="no database"),
        allow_unwrapped=True,
        flatten_subgroups=True,
    ):
        async with AsyncExitStack() as stack:
            for name in ("db", "app", "broken", "web"):
                await start(name, stack)
    assert journal.entries == ["db up", "app up", "app down", "db down"]


async def test_service_that_dies_under_nursery_start_is_seen_by_waiting_for_it(
    backend: SpawnBackend,
) -> None:
    """A crash is no error by itself: who cares waits, and checks."""
    journal = Journal(backend)
    async with trio.open_nursery() as nursery:
        running = await nursery.start(spawn, journal.service("db"))
        running.process.kill(9)
        with pytest.raises(ExitStatusError, match="SIGKILL"):
            (await running.wait()).check()
        await running.stdin.aclose()
