"""Makes the caller's handle, sees that the child is ready, and hands the handle over, once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import FdStream, enable_ki_protection

from ._process import owned_process
from ._running import Owner, RunningProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._launch import Launch


class HandOver:
    """The way of a handle to whoever waits for it.

    Attributes:
        running: The handle; None until the program runs.
        ready: Whether the child is ready, or need not be.
        done: Whether the handle was handed over.
    """

    def __init__(self, launch: Launch, on_started: Callable[[RunningProcess], object]) -> None:
        self.running: RunningProcess | None = None
        self.ready = launch.options.ready is None
        self.done = False
        self._launch = launch
        self._on_started = on_started
        self._exited = trio.Event()
        self._scope: trio.CancelScope | None = None

    def make(self, owner: Owner) -> RunningProcess:
        """The program runs: make the handle, and the caller's streams with it."""
        stdio = self._launch.stdio
        ends = (stdio.stdin, stdio.stdout, stdio.stderr)
        stdio.stdin = stdio.stdout = stdio.stderr = None
        stdin, stdout, stderr = (None if fd is None else FdStream(fd) for fd in ends)
        process = owned_process(self._launch.child, self._exited)
        program = self._launch.options.program
        self.running = RunningProcess(
            owner, process, program, stdin=stdin, stdout=stdout, stderr=stderr
        )
        return self.running

    @enable_ki_protection
    async def run_ready(
        self, *, changed: Callable[[], None], failed: Callable[[BaseException], None]
    ) -> None:
        """Await the async function of ``ready``. Never raises; ended by `end_ready`."""
        assert self._scope is not None
        ready = self._launch.options.ready
        try:
            with self._scope:
                if callable(ready) and self.running is not None:
                    await ready(self.running)
                    self.ready = True
        except BaseException as exc:  # noqa: BLE001 - it comes out when the child is ended
            failed(exc)
        finally:
            self._scope = None
            changed()

    def begin_ready(self) -> None:
        """`run_ready` is about to be started."""
        self._scope = trio.CancelScope(shield=True)

    @property
    def in_ready(self) -> bool:
        """Whether the async function has not ended yet."""
        return self._scope is not None

    def end_ready(self) -> None:
        """Cancel the async function."""
        if self._scope is not None:
            self._scope.cancel()

    def offer(self, *, shielded: bool) -> None:
        """Hand the handle over if all is ready, and whoever waits for it still does."""
        if self.running is None or self.done or not self.ready:
            return
        # Cancelled already: `task_status.started` would do nothing, and `start` drop its value.
        if shielded or trio.current_effective_deadline() != -math.inf:
            self.done = True
            self._on_started(self.running)

    def close_stdin(self) -> None:
        """A policy was applied: nobody is to feed the child any more."""
        if self.running is not None and self.running.stdin is not None:
            self.running.stdin.close()

    def close_unclaimed(self) -> None:
        """Close the streams of a handle that nobody has got."""
        if self.running is not None and not self.done:
            for stream in (self.running.stdin, self.running.stdout, self.running.stderr):
                if stream is not None:
                    stream.close()

    def tell_exit(self) -> None:
        """The status of the child is known: wake who waits for its `Process`."""
        self._exited.set()
