"""The three doors to one supervisor: `spawn`, ``nursery.start(spawn, ...)`` and `spawn_start`."""

from __future__ import annotations

import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ._errors import invalid
from ._launch import launch
from ._supervise import Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ._options import SpawnOptions
    from ._output import Output
    from ._running import RunningProcess


@enable_ki_protection
async def spawn(
    options: SpawnOptions,
    *,
    task_status: trio.TaskStatus[RunningProcess] = trio.TASK_STATUS_IGNORED,
) -> Output:
    """Run a program to its end.

    As ``await nursery.start(spawn, options)`` it is a background task, and ``start`` returns the
    `RunningProcess` as soon as the program runs and, where the options say so, is ready.

    It returns or raises when the child is reaped, its group swept, every descriptor closed.

    Args:
        options: What to run and how.
        task_status: Given by ``nursery.start``.

    Returns:
        How it went. Neither a timeout (see `Output.timed_out`) nor an exit code other than 0 (see
        `Output.check`) is an error.

    Raises:
        CoreError: The program could not be started: ``op`` says at what stage. For options that
            cannot be honoured it has EINVAL and is a `ValueError`, too.
        OutputLimitError: More than ``max_output`` was written; what was kept is in its ``output``.
        ProcessAbandonedError: It did not end within ``abandon_after`` of its SIGKILL.
        ExitStatusError: It ended before it was ready.

    Cancellation:
        Before the launch: there is no child. After it: ``options.cancel`` is applied, and
        `trio.Cancelled` goes on when nothing of the child is left. What was captured until then
        is on `RunningProcess.output`. Any other exception thrown in has the same effect, and a
        second one, Ctrl+C for instance, sends SIGKILL at once.
    """
    if task_status is trio.TASK_STATUS_IGNORED:
        _check_unreachable(options)
    supervisor = Supervisor(await launch(options), on_started=task_status.started)
    await supervisor.run()
    return _outcome(supervisor)


def _outcome(supervisor: Supervisor) -> Output:
    try:
        return supervisor.result()
    finally:
        # The exception's traceback refers to this frame and, through it, to the supervisor.
        supervisor.failure = None
        del supervisor


def _check_unreachable(options: SpawnOptions) -> None:
    if subprocess.PIPE in (options.stdin, options.stdout, options.stderr):
        raise invalid("spawn PIPE needs nursery.start or spawn_start")
    if options.ready is not None:
        raise invalid("spawn ready needs nursery.start or spawn_start")


@asynccontextmanager
@enable_ki_protection
async def spawn_start(options: SpawnOptions) -> AsyncGenerator[RunningProcess, None]:
    """Run a program around the block of an ``async with``, whose target is `RunningProcess`.

    The block begins when the program runs and, where the options say so, is ready. It is left
    when the child is reaped, its group swept, every descriptor closed. At the end of the body the
    caller's streams are closed, stdin first, and the child is waited for.

    Args:
        options: What to run and how; ``wait=False`` is refused.

    Raises:
        CoreError: As `spawn`; ``op`` "spawn_start needs wait" for ``wait=False``.
        OutputLimitError: As `spawn`, after the body.
        ProcessAbandonedError: As `spawn`.
        ExitStatusError: It ended before it was ready.

    Cancellation:
        A cancellation or an exception in the body applies ``options.cancel`` and leaves the block
        as itself, in no group, when nothing of the child is left. While the policy works, output
        that the body can no longer read is discarded, so that the child can end. A second
        exception, Ctrl+C for instance, sends SIGKILL at once.
    """
    if not options.wait:
        raise invalid("spawn_start needs wait")
    block = _Block(Supervisor(await launch(options), shielded=True))
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(block.run)
            try:
                running = await block.started()
                if running is not None:
                    with trio.CancelScope() as body:
                        block.supervisor.on_failure = body.cancel
                        yield running
            except BaseException as exc:  # noqa: BLE001 - raised when the child is gone
                block.interrupted(exc)
            else:
                block.ended()
            await block.see_through()
            # A cancellation of the few steps left would come out of the nursery in a group.
            nursery.cancel_scope.shield = True
    except BaseExceptionGroup as group:
        # Our tasks raise nothing, so this is a Ctrl+C that has hit the nursery's last step.
        raise group.exceptions[0] from None
    block.raise_error()
    _outcome(block.supervisor)


class _Block:
    """One ``async with spawn_start(...)``: the supervisor beside the body."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        supervisor.on_started = self._on_started
        self._started = trio.Event()
        self._running: RunningProcess | None = None
        self._error: BaseException | None = None

    @enable_ki_protection
    async def run(self) -> None:
        """Run the supervisor in a task of its own."""
        try:
            await self.supervisor.run()
        finally:
            self._started.set()

    def _on_started(self, running: RunningProcess) -> None:
        self._running = running
        self._started.set()

    async def started(self) -> RunningProcess | None:
        """Wait for the program to run; None: it never will, or ended before it was ready."""
        await self._started.wait()
        return self._running

    def ended(self) -> None:
        """The body has ended by itself."""
        self._close_streams()

    def interrupted(self, exc: BaseException) -> None:
        """The body, or the waiting for its child, has ended with ``exc``."""
        if self._error is None or not isinstance(exc, trio.Cancelled):
            self._error = exc
        self.supervisor.interrupt(exc)
        self.supervisor.abandon_streams(at_once=True)

    async def see_through(self) -> None:
        """Wait until nothing of the child is left."""
        while self.supervisor.output is None:
            try:
                with trio.CancelScope(shield=self._error is not None):
                    await self.supervisor.wait_done()
            except BaseException as exc:  # noqa: BLE001 - raised when the child is gone
                self.interrupted(exc)
        self._close_streams()

    def _close_streams(self) -> None:
        # stdin first: a child that waits for input sees its end before its output breaks.
        running = self._running
        if running is not None:
            for stream in (running.stdin, running.stdout, running.stderr):
                if stream is not None:
                    stream.close()

    def raise_error(self) -> None:
        """Raise what has ended the body, unless it is a mere cancellation and there is worse."""
        error, self._error = self._error, None
        try:
            if error is not None and not isinstance(error, trio.Cancelled):
                raise error
            if error is not None:
                self.supervisor.keep(error)
        finally:
            del error
