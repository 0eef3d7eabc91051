"""The three doors to one supervisor: `spawn`, ``nursery.start(spawn, ...)`` and `spawn_start`."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

import trio
from trio.lowlevel import enable_ki_protection

from ._errors import invalid
from ._launch import launch
from ._outcome import is_cancellation
from ._supervise import Supervisor

if TYPE_CHECKING:
    from types import TracebackType

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
    on_started = None
    if task_status is trio.TASK_STATUS_IGNORED:
        _check_unreachable(options)
    else:
        on_started = task_status.started
    supervisor = Supervisor(await launch(options), on_started=on_started)
    await supervisor.run()
    output = supervisor.result()
    if not supervisor.handed_over:
        # 1. `start` is cancelled, so it was told nothing. 2. The program has ended by itself
        # before we took notice. To return now would look like a task that has not started.
        await trio.lowlevel.checkpoint_if_cancelled()
    return output


def _check_unreachable(options: SpawnOptions) -> None:
    if options.piped:
        raise invalid("spawn PIPE needs nursery.start or spawn_start")
    if options.ready is not None:
        raise invalid("spawn ready needs nursery.start or spawn_start")


def spawn_start(options: SpawnOptions) -> AbstractAsyncContextManager[RunningProcess]:
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
    return _Block(options)


class _Block(AbstractAsyncContextManager["RunningProcess"]):
    """One ``async with spawn_start(...)``: the supervisor beside the body.

    A class and not a generator under `contextlib.asynccontextmanager`: Ctrl+C can hit the frames
    of contextlib, and then the generator would never go on and never end its child.
    """

    def __init__(self, options: SpawnOptions) -> None:
        self._options = options
        self._body = trio.CancelScope()
        self._started = trio.Event()
        self._supervisor: Supervisor | None = None
        self._nursery: AbstractAsyncContextManager[trio.Nursery] | None = None
        self._running: RunningProcess | None = None
        self._error: BaseException | None = None

    @enable_ki_protection
    async def __aenter__(self) -> RunningProcess:
        """Start the program and wait until it is ready."""
        if not self._options.wait:
            raise invalid("spawn_start needs wait")
        supervisor = Supervisor(
            await launch(self._options), on_started=self._on_started, shielded=True
        )
        self._supervisor = supervisor
        self._nursery = trio.open_nursery()
        nursery = await self._nursery.__aenter__()
        nursery.start_soon(self._run)
        try:
            await self._started.wait()
        except BaseException as exc:  # noqa: BLE001 - raised when the child is gone
            self._interrupted(exc)
        if self._running is None or self._error is not None:
            await self._end()
            self._raise()
        assert self._running is not None, "a child that has not become ready is an error"
        self._body.__enter__()
        supervisor.on_failure = self._body.cancel
        if supervisor.outcome.failure is not None:
            self._body.cancel()
        return self._running

    @enable_ki_protection
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Wait until nothing of the child is left; end it first where the body has failed."""
        assert self._nursery is not None
        error = exc
        try:
            if self._body.__exit__(kind, exc, traceback):
                error = None
        except BaseException as rest:  # noqa: BLE001 - what the scope has left of a group
            error = rest
        if error is None:
            self._close_streams()
        else:
            self._interrupted(error)
        await self._end()
        try:
            self._raise()
        except BaseException as outcome:
            if outcome is exc:
                return False
            raise
        finally:
            del error
        return True

    @enable_ki_protection
    async def _run(self) -> None:
        assert self._supervisor is not None
        try:
            await self._supervisor.run()
        finally:
            self._started.set()

    def _on_started(self, running: RunningProcess) -> None:
        self._running = running
        self._started.set()

    def _interrupted(self, exc: BaseException) -> None:
        # The body, or the waiting for its child, has ended with `exc`.
        assert self._supervisor is not None
        if self._error is None or not is_cancellation(exc):
            self._error = exc
        self._supervisor.interrupt(exc)
        self._supervisor.abandon_streams(at_once=True)

    async def _end(self) -> None:
        # Wait until nothing of the child, and none of our tasks, is left.
        assert self._supervisor is not None
        assert self._nursery is not None
        while not self._supervisor.done:
            try:
                with trio.CancelScope(shield=self._error is not None):
                    await self._supervisor.wait_done()
            except BaseException as exc:  # noqa: BLE001 - raised when the child is gone
                self._interrupted(exc)
        self._close_streams()
        try:
            await self._nursery.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            # Our tasks raise nothing, so this is a Ctrl+C that has hit the nursery's last step.
            self._error = group.exceptions[0]

    def _close_streams(self) -> None:
        # stdin first: a child that waits for input sees its end before its output breaks.
        running = self._running
        if running is not None:
            for stream in (running.stdin, running.stdout, running.stderr):
                if stream is not None:
                    stream.close()

    def _raise(self) -> None:
        # What has ended the body, unless it is a mere cancellation and there is worse.
        assert self._supervisor is not None
        error, self._error = self._error, None
        supervisor, self._supervisor = self._supervisor, None
        try:
            if error is not None and not is_cancellation(error):
                _show_with(error, supervisor.outcome.failure)
                raise error
            if error is not None:
                supervisor.outcome.keep(error)
            supervisor.result()
        finally:
            del error, supervisor


def _show_with(error: BaseException, earlier: BaseException | None) -> None:
    # A callback has failed, the body was cancelled for it and has raised something else in answer:
    # what came first is at the end of the chain that a traceback shows.
    if earlier is None or is_cancellation(earlier):
        return
    last = error
    while last is not earlier and last.__context__ is not None:
        last = last.__context__
    if last is not earlier:
        last.__context__ = earlier
