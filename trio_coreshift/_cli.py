"""The command line: one run under a signal receiver, its report, and an exit status.

It is a door like `_spawn` and uses only what a program of the caller's could use.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import json
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from ._arguments import UsageError, parse
from ._errors import CoreError
from ._policy import CancelPolicy
from ._report import BY_SIGNAL, FAILED, NOT_FOUND, NOT_RUNNABLE, Ended, as_json, timeline
from ._signals import log
from ._spawn import spawn_start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ._arguments import Settings
    from ._options import SpawnOptions
    from ._running import RunningProcess

_LOOKUP: Final = "exec path lookup"
_INTERPRETER: Final = "vfork child interpreter"
# The stages at which a failure is the program's and not ours.
_EXEC_OPS: Final = frozenset(
    {
        _LOOKUP,
        "fork child execve",
        "posix_spawn",
        "vfork child execve",
        _INTERPRETER,
    }
)
_NO_RESOURCES: Final = frozenset({errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def _version() -> str:
    try:
        return importlib.metadata.version("trio-coreshift")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _write(text: str) -> None:
    if sys.stderr is not None:  # it is None where the process was started without one
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
            sys.stderr.flush()


def _say(text: str) -> None:
    _write(f"trio_coreshift: {text}\n")


class _Warnings(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _say(record.getMessage())


@attrs.define(eq=False)
class _Run:
    """One program under the care of this command."""

    options: SpawnOptions
    ended: Ended | None = None
    error: Exception | None = None
    _interrupted_by: int | None = None

    async def main(self) -> None:
        """Run it; signals are listened to before it is started."""
        # nohup(1) and shells ignore the latter two for what is to go on without its terminal.
        hangups = {signal.SIGHUP, signal.SIGQUIT}
        ignored = {number for number in hangups if signal.getsignal(number) is signal.SIG_IGN}
        numbers = {signal.SIGINT, signal.SIGTERM, *hangups} - ignored
        with trio.open_signal_receiver(*numbers) as arrivals:
            async with trio.open_nursery() as nursery:
                await self._own(arrivals, nursery)
                nursery.cancel_scope.cancel()

    async def _own(self, arrivals: AsyncIterator[int], nursery: trio.Nursery) -> None:
        try:
            async with spawn_start(self.options) as running:
                # What arrived during the launch is taken now. A cancellation of the launch would
                # do, too, but leave us without a handle for the second signal and for the report.
                nursery.start_soon(self._listen, arrivals, running, nursery)
                output = await running.wait()
            self.ended = Ended(output, self._interrupted_by)
        except Exception as exc:  # noqa: BLE001 - `_run` turns it into an exit status
            self.error = exc

    async def _listen(
        self, arrivals: AsyncIterator[int], running: RunningProcess, nursery: trio.Nursery
    ) -> None:
        async for number in arrivals:
            first = self._interrupted_by is None
            if first:
                self._interrupted_by = number
            nursery.start_soon(running.stop, None if first else CancelPolicy.KILL)


def _failure(exc: Exception, options: SpawnOptions) -> int:
    """Say why there was no run; return the exit status."""
    if not isinstance(exc, OSError):
        place = traceback.extract_tb(exc.__traceback__)[-1]
        _say(f"internal error: {type(exc).__name__} at {place.filename}:{place.lineno}")
        return FAILED
    _say(str(exc))
    if not isinstance(exc, CoreError) or exc.op not in _EXEC_OPS or exc.errno in _NO_RESOURCES:
        return FAILED
    if exc.errno != errno.ENOENT:
        return NOT_RUNNABLE
    # ENOENT is also what a script gets whose interpreter does not exist; one backend says so.
    program = Path(os.fsdecode(options.cwd or ""), exc.filename or "")
    found = exc.op == _INTERPRETER or (exc.op != _LOOKUP and program.exists())
    return NOT_RUNNABLE if found else NOT_FOUND


def _run(settings: Settings) -> int:
    run = _Run(settings.options)
    warnings = _Warnings(logging.WARNING)
    log.addHandler(warnings)
    try:
        trio.run(run.main)
    except Exception as exc:  # noqa: BLE001 - it is turned into an exit status below
        run.error = exc
    finally:
        log.removeHandler(warnings)
    if run.error is not None:
        return _failure(run.error, settings.options)
    assert run.ended is not None, "it has ended, or there is an error"
    if settings.json:
        _write(json.dumps(as_json(run.ended)) + "\n")
    elif settings.report:
        _say(timeline(run.ended))
    return run.ended.exit_code


def _main(argv: Sequence[str] | None) -> int:
    try:
        settings = parse(argv)
    except UsageError as exc:
        _say(f"{exc} (see --help)")
        return FAILED
    except CoreError as exc:
        _say(str(exc))
        return FAILED
    if settings is None:
        print(f"trio_coreshift {_version()}")  # noqa: T201 - what was asked for
        return 0
    return _run(settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: The arguments, without the command itself; None for those of the process.

    Raises:
        SystemExit: After ``--help``.
    """
    try:
        return _main(argv)
    except KeyboardInterrupt:
        # Before the signal receiver was there or after it was closed: there is no child.
        return BY_SIGNAL + signal.SIGINT
