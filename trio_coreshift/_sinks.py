"""Tees a stream to an async function of the caller's, in a task of its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from ._kernel.pipes import PipeReader
from ._kernel.poller import LOOK_AGAIN, NO_ROOM
from ._signals import log

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._capture import Intake
    from ._option_values import Sink


class SinkPump:
    """Reads one pipe; gives each chunk to the intake, then to the sink.

    The next chunk is read when the sink has taken the last one, so a slow sink slows the child
    and nothing piles up. The task is shielded: reading goes on while the child is being ended.
    What bounds a sink that never returns is `limit_calls`.

    Attributes:
        done: Whether the pipe is closed.
    """

    def __init__(
        self,
        fd: int,
        intake: Intake,
        sink: Sink,
        *,
        changed: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.done = False
        self._chunks: list[bytes] = []
        self._reader = PipeReader(fd, self._chunks.append)
        self._intake = intake
        self._sink: Sink | None = sink
        self._changed = changed
        self._failed = failed
        self._grace = math.inf
        self._call: trio.CancelScope | None = None
        self._finishing = False
        self._closing = False
        self._waiting = False

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Pump until the end of the pipe, `finish` or `close`. Never raises."""
        try:
            with trio.CancelScope(shield=True):
                while not await self._pump_once():
                    pass
        except BaseException as exc:  # noqa: BLE001 - whatever it is, the supervisor raises it
            self._failed(exc)
        finally:
            self._reader.close()
            self.done = True
            self._changed()

    async def _pump_once(self) -> bool:
        last = self._finishing
        ended = self._reader.read_rest() if last else self._reader.read_some(1)
        chunks = self._chunks[:]
        self._chunks.clear()
        for chunk in chunks:
            try:
                self._intake.take(chunk)
            except BaseException as exc:  # noqa: BLE001 - a predicate's; the stream goes on
                self._failed(exc)
            self._changed()
            await self._deliver(chunk)
        self._intake.complete = ended
        if ended or last or self._closing or self._intake.matched:
            return True
        if chunks:
            # A sink that never waits, and a child that writes faster than it takes: without this
            # the loop would never get a turn, and no timeout would ever come.
            await trio.lowlevel.checkpoint()
        else:
            await self._wait_readable()
        return False

    async def _wait_readable(self) -> None:
        assert self._reader.fd is not None
        self._waiting = True
        try:
            await trio.lowlevel.wait_readable(self._reader.fd)
        except trio.ClosedResourceError:
            pass  # woken by `finish` or `close`
        except OSError as exc:
            if exc.errno not in NO_ROOM:
                raise
            await trio.sleep(LOOK_AGAIN)
        finally:
            self._waiting = False

    async def _deliver(self, chunk: bytes) -> None:
        if self._sink is None:
            return
        self._call = trio.CancelScope(deadline=trio.current_time() + self._grace)
        try:
            with self._call:
                await self._sink(chunk)
        except BaseException as exc:  # noqa: BLE001 - the supervisor raises it
            # The child is ended for it, and what it still writes must be read all the same.
            self._sink = None
            self._failed(exc)
        if self._call.cancelled_caught:
            self._sink = None
            log.warning("a sink took more than %g s after the end was decided", self._grace)
        self._call = None

    def limit_calls(self, grace: float) -> None:
        """From now on no call of the sink may take more than ``grace`` seconds."""
        self._grace = min(self._grace, grace)
        if self._call is not None:
            self._call.deadline = min(self._call.deadline, trio.current_time() + grace)

    def finish(self) -> None:
        """Read what is there now, and end."""
        self._finishing = True
        self._wake()

    def close(self) -> None:
        """End after the chunk at hand."""
        self._closing = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting and self._reader.fd is not None:
            trio.lowlevel.notify_closing(self._reader.fd)
