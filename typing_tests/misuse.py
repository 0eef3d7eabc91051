"""Mistakes that a type checker must find: never run, read by mypy and pyright in strict mode.

Each ignore is an expected error. Both checkers report one that is not needed, so a mistake that is
no longer found fails the check.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import AsyncIterator
from pathlib import Path

import trio

from trio_coreshift import (
    CancelPolicy,
    Exited,
    ExitStatus,
    Output,
    ProcessGroup,
    RunningProcess,
    Signaled,
    SpawnBackend,
    SpawnOptions,
    spawn,
    spawn_start,
)

VFORK = SpawnBackend.VFORK


def argv_is_a_sequence_of_arguments(options: SpawnOptions) -> None:
    """Neither one string, nor what has no order, nor arguments that are no strings."""
    SpawnOptions("ls -l", backend=VFORK)  # type: ignore[arg-type]
    SpawnOptions(b"ls", backend=VFORK)  # type: ignore[arg-type]
    SpawnOptions(Path("ls"), backend=VFORK)  # type: ignore[arg-type]
    SpawnOptions({"ls", "-l"}, backend=VFORK)  # type: ignore[arg-type]
    SpawnOptions({"ls": "-l"}, backend=VFORK)  # type: ignore[arg-type]
    SpawnOptions(["sleep", 1], backend=VFORK)  # type: ignore[list-item]
    SpawnOptions(None, backend=VFORK)  # type: ignore[arg-type]
    SpawnOptions("ls", "-l", backend=VFORK)  # type: ignore[arg-type,misc]
    options.argv.append("-l")  # type: ignore[attr-defined]


def options_are_named_and_known() -> None:
    """The backend is never chosen for the caller, everything is by keyword, nothing is made up."""
    SpawnOptions(["ls"])  # type: ignore[call-arg]
    SpawnOptions(["ls"], VFORK)  # type: ignore[call-arg]
    SpawnOptions(["ls"], backend="vfork")  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=None)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, text=True)  # type: ignore[call-arg]
    SpawnOptions(["ls"], backend=VFORK, timeout_ms=100)  # type: ignore[call-arg]
    SpawnOptions(["ls"], backend=VFORK, image=None)  # type: ignore[call-arg]


def values_have_their_types() -> None:
    """A wrong type is found before the run that would refuse it."""
    SpawnOptions(["ls"], backend=VFORK, env={"KEY": 1})  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, env=["KEY=value"])  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, stdin="text")  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, stdout="file")  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, stdout=b"data")  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, timeout="1")  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, kill_grace=None)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, cancel="kill")  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, fd_policy=[3])  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, pgroup=0)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, pass_fds=3)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, max_output=None)  # type: ignore[arg-type]
    ProcessGroup(leader="0")  # type: ignore[arg-type]


def plain_sink(chunk: bytes) -> None:
    """Be no async function."""


async def text_sink(chunk: str) -> None:
    """Want text, which a stream is not."""


async def async_predicate(chunk: bytes) -> bool:
    """Be async where a plain answer is wanted."""
    await trio.lowlevel.checkpoint()
    return bool(chunk)


async def check_without_argument() -> None:
    """Want no handle."""


def callbacks_have_their_shapes() -> None:
    """What is awaited is async and what is asked is not."""
    SpawnOptions(["ls"], backend=VFORK, stdout_sink=plain_sink)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, stderr_sink=text_sink)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, stdout_sink=print)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, capture_stdout=True, early_exit=async_predicate)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, capture_stdout=True, early_exit="text")  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, ready=check_without_argument)  # type: ignore[arg-type]
    SpawnOptions(["ls"], backend=VFORK, capture_stdout=True, ready="text")  # type: ignore[arg-type]


def values_are_frozen(options: SpawnOptions, output: Output, running: RunningProcess) -> None:
    """Nothing that was decided or has happened can be assigned to."""
    options.timeout = 3.0  # type: ignore[misc]
    output.stdout = b""  # type: ignore[misc]
    Exited(0).code = 1  # type: ignore[misc]
    ProcessGroup().leader = 0  # type: ignore[misc]
    running.pid = 1  # type: ignore[misc]
    running.output = output  # type: ignore[misc]
    running.stdin = None  # type: ignore[misc]


async def streams_may_be_none(running: RunningProcess) -> None:
    """Whether there is a pipe is for the caller to say, or to ask."""
    await running.stdin.send_all(b"")  # type: ignore[union-attr]
    await running.stdout.receive_some()  # type: ignore[union-attr]


def wants_text(lines: AsyncIterator[str]) -> None:
    """Be given text."""


def wants_bytes(lines: AsyncIterator[bytes]) -> None:
    """Be given bytes."""


async def lines_are_text_or_bytes(running: RunningProcess) -> None:
    """The two are not mixed up."""
    wants_text(running.lines(encoding=None))  # type: ignore[arg-type]
    wants_bytes(running.lines())  # type: ignore[arg-type]
    running.lines(encoding=b"utf-8")  # type: ignore[call-overload]
    for _line in running.lines():  # type: ignore[attr-defined]
        pass


async def results_are_asked_for(options: SpawnOptions, running: RunningProcess) -> None:
    """What is not there yet, or was not awaited, cannot be used."""
    running.output.check()  # type: ignore[union-attr]
    spawn(options).check()  # type: ignore[attr-defined]
    with spawn_start(options):  # type: ignore[attr-defined]
        pass
    await spawn_start(options)  # type: ignore[misc]
    await spawn(options, timeout=3.0)  # type: ignore[call-arg]
    await spawn(["ls"])  # type: ignore[arg-type]
    running.stop("kill")  # type: ignore[arg-type,unused-coroutine]
    running.stop(CancelPolicy.KILL)  # type: ignore[unused-coroutine]
    RunningProcess()  # type: ignore[call-arg]


def status_has_three_kinds(status: ExitStatus) -> int:  # type: ignore[return]
    """A match that forgets one is found."""
    match status:  # type: ignore[exhaustive-match]
        case Exited(code):
            return code
        case Signaled(number):
            return -number
