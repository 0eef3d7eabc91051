"""The arguments of the command line, parsed into settings; nothing is run or written here."""

from __future__ import annotations

import argparse
import contextlib
import os
from typing import TYPE_CHECKING, Final, NoReturn

import attrs

from ._options import SpawnOptions
from ._policy import CancelPolicy, ProcessGroup, SpawnBackend
from ._report import FAILED, NOT_FOUND, NOT_RUNNABLE, TIMED_OUT

if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION: Final = """\
Run PROGRAM, and when it ends, times out or is interrupted, leave nothing of it behind. Its
streams are ours. Options after PROGRAM are the program's."""
_EPILOG: Final = f"""\
Exit status: the program's; 128+N when signal N ended it; {TIMED_OUT} after a timeout; {FAILED}
when this command itself fails; {NOT_RUNNABLE} when PROGRAM is found but cannot be run;
{NOT_FOUND} when it is not found. SIGINT (Ctrl+C), SIGTERM, SIGHUP and SIGQUIT apply the cancel
policy and exit with 128+N; a second one sends SIGKILL at once."""


class UsageError(Exception):
    """The command was not given what it needs. Its text quotes no argument."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message)


@attrs.frozen
class Settings:
    """What the arguments say.

    Attributes:
        options: What to run and how.
        report: Whether to report for people.
        json: Whether to report for programs, in place of the other.
    """

    options: SpawnOptions
    report: bool
    json: bool


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if (seconds := float(text)) >= 0:
            return seconds
    raise argparse.ArgumentTypeError("must be a number of seconds, 0 or more")


def _variable(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError("must be KEY=VALUE")
    return key, value


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m trio_coreshift",
        usage="%(prog)s [options] [--] PROGRAM [ARG...]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--timeout", type=_seconds, metavar="S", help="apply the cancel policy after S seconds")
    add(
        "--cancel",
        choices=[policy.value for policy in CancelPolicy],
        default=CancelPolicy.GRACEFUL.value,
        help="none: wait for its end; graceful: SIGTERM, then SIGKILL; kill: SIGKILL"
        " (default: %(default)s)",
    )
    add(
        "--grace",
        type=_seconds,
        default=attrs.fields(SpawnOptions).kill_grace.default,
        metavar="S",
        help="seconds from SIGTERM to SIGKILL (default: %(default)s)",
    )
    add(
        "--backend",
        choices=[backend.value for backend in SpawnBackend],
        default=SpawnBackend.VFORK.value,
        help="what starts the program (default: %(default)s)",
    )
    add(
        "--isolated",
        action=argparse.BooleanOptionalAction,
        help="run it in a session and group of its own, and signal the whole group; --no-isolated:"
        " in our group, and signal the process alone (default: isolated; with posix_spawn, which"
        " cannot start a session, a group of its own)",
    )
    add("--cwd", metavar="DIR", help="run it in DIR")
    add(
        "--env",
        type=_variable,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set a variable of its environment, which else is ours (repeatable)",
    )
    add("--report", action="store_true", help="at the end, write a timeline to stderr")
    add("--json", action="store_true", help="at the end, write one JSON object to stderr instead")
    add("--version", action="store_true", help="show the version and exit")
    add("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _group(backend: SpawnBackend, *, isolated: bool | None) -> ProcessGroup:
    if isolated is None and backend is SpawnBackend.POSIX_SPAWN:
        return ProcessGroup(leader=0)
    return ProcessGroup(isolated=isolated is not False)


def _settings(given: argparse.Namespace) -> Settings:
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        raise UsageError("no PROGRAM is given")
    backend = SpawnBackend(given.backend)
    options = SpawnOptions(
        command,
        backend=backend,
        env={**os.environ, **dict(given.env)} if given.env else None,
        cwd=given.cwd,
        stdin=None,
        timeout=given.timeout,
        cancel=CancelPolicy(given.cancel),
        kill_grace=given.grace,
        pgroup=_group(backend, isolated=given.isolated),
    )
    return Settings(options, report=given.report, json=given.json)


def parse(argv: Sequence[str] | None) -> Settings | None:
    """Read the arguments; None: the version was asked for.

    Args:
        argv: The arguments, without the command itself; None for those of the process.

    Raises:
        UsageError: They make no sense.
        CoreError: They do, but what they ask for cannot be honoured.
        SystemExit: After ``--help``.
    """
    given, unknown = _parser().parse_known_args(argv)
    if unknown:
        raise UsageError(f"unknown option {unknown[0].partition('=')[0]}")
    return None if given.version else _settings(given)
