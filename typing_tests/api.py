"""What the types of the public names say: never run, read by mypy and pyright in strict mode."""

import signal
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol, assert_never, assert_type

import attrs
import trio
from trio.lowlevel import FdStream, checkpoint

from trio_coreshift import (
    Allowlist,
    CancelPolicy,
    CloexecOnly,
    CloseFrom3,
    CoreError,
    Exited,
    ExitStatus,
    ExitStatusError,
    Output,
    OutputLimitError,
    OverflowPolicy,
    Process,
    ProcessAbandonedError,
    ProcessGroup,
    ResourceUsage,
    RunningProcess,
    Shutdown,
    ShutdownReason,
    Signaled,
    SignalSent,
    SpawnBackend,
    SpawnFdPolicy,
    SpawnOptions,
    Unknown,
    spawn,
    spawn_start,
)


async def sink(chunk: bytes) -> None:
    """Be a sink."""
    await trio.sleep(len(chunk))


async def sink_that_returns(chunk: bytes) -> int:
    """Be a sink whose result nobody wants."""
    await checkpoint()
    return len(chunk)


class ObjectSink:
    """An object with state can be a sink, a predicate or a check of readiness."""

    async def __call__(self, chunk: bytes) -> None:
        """Be a sink."""

    def matches(self, chunk: bytes) -> bool:
        """Be a predicate."""
        return bool(chunk)

    async def is_ready(self, running: RunningProcess) -> None:
        """Be a check."""


def options_take() -> None:
    """Everything a field may be given."""
    vfork = SpawnBackend.VFORK
    with Path("log").open("wb") as log:
        SpawnOptions(
            ["prog", b"bytes", Path("path")],
            backend=vfork,
            env={"KEY": "value", "OTHER": "value"},
            cwd=Path(),
            stdin=b"data",
            stdout=log,
            stderr=subprocess.STDOUT,
            wait=True,
            pgroup=ProcessGroup(leader=0, isolated=False, sweep=True),
            max_output=10,
            overflow=OverflowPolicy.TRUNCATE,
            timeout=1,
            cancel=CancelPolicy.GRACEFUL,
            kill_grace=0.5,
            drain_grace=float("inf"),
            abandon_after=None,
            fd_policy=Allowlist([4]),
            pass_fds=[log.fileno()],
        )
    # All kinds of sequences, of one kind of argument or of several.
    SpawnOptions(("prog", "arg"), backend=vfork)
    SpawnOptions((b"prog", "arg", Path("path")), backend=vfork)
    SpawnOptions([Path("prog")], backend=vfork)
    SpawnOptions(deque(["prog"]), backend=vfork)
    strings: list[str] = ["prog"]
    SpawnOptions(strings, backend=vfork, env={b"KEY": b"value"})
    SpawnOptions(argv=[*strings, "more"], backend=vfork)
    # Callbacks: functions, methods, objects; and patterns of any kind of bytes.
    tap = ObjectSink()
    SpawnOptions(
        strings, backend=vfork, stdout_sink=sink, stderr_sink=sink_that_returns, early_exit=b"x"
    )
    SpawnOptions(
        strings,
        backend=vfork,
        stdout_sink=tap,
        early_exit=tap.matches,
        ready=tap.is_ready,
        stdin=bytearray(b"data"),
    )
    SpawnOptions(
        strings,
        backend=vfork,
        capture_stdout=True,
        ready=bytearray(b"listening"),
        early_exit=lambda chunk: b"x" in chunk,
        stdin=memoryview(b"data"),
    )


def options_are(options: SpawnOptions) -> None:
    """What the fields hold once they are checked."""
    assert_type(options.argv, tuple[str | bytes, ...])
    assert_type(options.backend, SpawnBackend)
    assert_type(options.cwd, str | bytes | None)
    assert_type(options.capture_stdout, bool)
    assert_type(options.capture_stderr, bool)
    assert_type(options.wait, bool)
    assert_type(options.pgroup, ProcessGroup)
    assert_type(options.max_output, int)
    assert_type(options.overflow, OverflowPolicy)
    assert_type(options.timeout, float | None)
    assert_type(options.cancel, CancelPolicy)
    assert_type(options.kill_grace, float)
    assert_type(options.drain_grace, float | None)
    assert_type(options.abandon_after, float | None)
    assert_type(options.fd_policy, CloexecOnly | CloseFrom3 | Allowlist)
    assert_type(options.pass_fds, tuple[int, ...])
    assert_type(options.early_exit, Callable[[bytes], bool] | bytes | None)
    assert_type(options.stdout_sink, Callable[[bytes], Awaitable[object]] | None)
    assert_type(options.stderr_sink, Callable[[bytes], Awaitable[object]] | None)
    assert_type(options.ready, Callable[[RunningProcess], Awaitable[object]] | bytes | None)
    assert_type(attrs.evolve(options, timeout=3.0), SpawnOptions)
    assert_type(options.pgroup.leader, int | None)
    assert_type(options.pgroup.isolated, bool)
    assert_type(options.pgroup.sweep, bool)


async def doors(options: SpawnOptions) -> None:
    """What each of the three doors gives."""
    assert_type(await spawn(options), Output)
    assert_type(spawn_start(options), AbstractAsyncContextManager[RunningProcess, bool | None])
    async with spawn_start(options) as running:
        assert_type(running, RunningProcess)
    async with trio.open_nursery() as nursery:
        # trio gives what `start` returns no type; saying it here is believed.
        started: RunningProcess = await nursery.start(spawn, options)
        assert_type(started, RunningProcess)
        nursery.start_soon(spawn, options)


async def running_is(running: RunningProcess) -> None:
    """What a handle offers."""
    assert_type(running.process, Process)
    assert_type(running.pid, int)
    assert_type(running.stdin, FdStream | None)
    assert_type(running.stdout, FdStream | None)
    assert_type(running.stderr, FdStream | None)
    assert_type(running.io_done, bool)
    assert_type(running.output, Output | None)
    assert_type(await running.wait(), Output)
    assert_type(await running.stop(), Output)
    assert_type(await running.stop(CancelPolicy.GRACEFUL), Output)


async def a_block_can_be_returned_from(options: SpawnOptions) -> int:
    """The block swallows no exception, so what follows a return in it is not reached."""
    async with spawn_start(options) as running:
        return running.pid


async def narrowing_lasts(running: RunningProcess) -> None:
    """One question whether there is a stdin is enough, for a nested function as well."""
    if running.stdin is None:
        return
    await running.stdin.send_all(b"request\n")
    stdin = running.stdin

    async def send() -> None:
        assert_type(stdin, FdStream)
        await stdin.aclose()

    await send()
    assert_type(running.stdin, FdStream)


async def lines_are(running: RunningProcess, encoding: str | None) -> None:
    """Text with an encoding, bytes without, either where that is not known; never None."""
    assert_type(running.lines(), AsyncIterator[str])
    assert_type(running.lines("latin-1", "strict"), AsyncIterator[str])
    assert_type(running.lines(errors="ignore", max_line=10), AsyncIterator[str])
    assert_type(running.lines(None), AsyncIterator[bytes])
    assert_type(running.lines(encoding=None, max_line=10), AsyncIterator[bytes])
    assert_type(running.lines(encoding), AsyncIterator[str] | AsyncIterator[bytes])
    assert_type(running.stderr_lines(), AsyncIterator[str])
    assert_type(running.stderr_lines(encoding=None), AsyncIterator[bytes])
    async for line in running.lines():
        assert_type(line, str)
    async for raw in running.stderr_lines(encoding=None):
        assert_type(raw, bytes)
    assert_type(await anext(running.lines()), str)


def output_is(output: Output) -> None:
    """What a run tells."""
    assert_type(output.pid, int)
    assert_type(output.program, str)
    assert_type(output.status, Exited | Signaled | Unknown | None)
    assert_type(output.stdout, bytes)
    assert_type(output.stderr, bytes)
    assert_type(output.timed_out, bool)
    assert_type(output.stdout_early_exited, bool)
    assert_type(output.truncated, bool)
    assert_type(output.complete, bool)
    assert_type(output.duration, float)
    assert_type(output.usage, ResourceUsage | None)
    assert_type(output.shutdown, Shutdown | None)
    assert_type(output.returncode, int | None)
    assert_type(output.check(), Output)
    assert_type(output.check().stdout, bytes)
    if output.usage is not None:
        assert_type(output.usage.user, float)
        assert_type(output.usage.system, float)
        assert_type(output.usage.max_rss, int)
    if output.shutdown is not None:
        assert_type(output.shutdown.reason, ShutdownReason)
        assert_type(output.shutdown.signals, tuple[SignalSent, ...])
        sent = output.shutdown.signals[0]
        assert_type(sent.signal, int)
        assert_type(sent.target, str)
        assert_type(sent.seconds, float)
        assert_type(sent.refused, bool)


async def process_is(process: Process) -> None:
    """What a process by its id offers."""
    assert_type(process.wait_step(), ExitStatus | None)
    assert_type(process.wait_blocking(), ExitStatus)
    assert_type(await process.wait(), ExitStatus)
    process.kill(signal.SIGTERM)
    process.kill(9)
    process.kill_pgroup(signal.SIGKILL)


def status_is(status: ExitStatus) -> int:
    """A match over the three kinds of status is exhaustive."""
    match status:
        case Exited(code):
            assert_type(code, int)
            return code
        case Signaled(number):
            assert_type(number, int)
            return -number
        case Unknown():
            return 1
        case _:
            assert_never(status)


def fd_policy_is(policy: SpawnFdPolicy) -> tuple[int, ...]:
    """A match over the three descriptor policies is exhaustive."""
    match policy:
        case CloexecOnly():
            return ()
        case CloseFrom3():
            return (3,)
        case Allowlist(fds):
            assert_type(fds, tuple[int, ...])
            return fds
        case _:
            assert_never(policy)


def enums_are(
    backend: SpawnBackend, cancel: CancelPolicy, overflow: OverflowPolicy, why: ShutdownReason
) -> str:
    """Each enum can be matched exhaustively."""
    match backend:
        case SpawnBackend.FORK | SpawnBackend.POSIX_SPAWN | SpawnBackend.VFORK:
            pass
        case _:
            assert_never(backend)
    match cancel:
        case CancelPolicy.NONE | CancelPolicy.GRACEFUL | CancelPolicy.KILL:
            pass
        case _:
            assert_never(cancel)
    match overflow:
        case OverflowPolicy.DRAIN | OverflowPolicy.STOP | OverflowPolicy.TRUNCATE:
            pass
        case _:
            assert_never(overflow)
    match why:
        case ShutdownReason.CANCELLED | ShutdownReason.ERROR | ShutdownReason.TIMEOUT:
            return "from outside"
        case ShutdownReason.EARLY_EXIT | ShutdownReason.OVERFLOW:
            return "from its output"
        case ShutdownReason.STOP | ShutdownReason.SWEEP:
            return "at the end"
        case _:
            assert_never(why)


def errors_are(options: SpawnOptions) -> None:
    """Errors are caught as ours and as the built-in classes they also are."""
    try:
        trio.run(spawn, options)
    except ExitStatusError as exc:
        assert_type(exc.result, Output)
        as_standard: subprocess.CalledProcessError = exc
        assert_type(as_standard.returncode, int)
    except OutputLimitError as exc:
        assert_type(exc.output, Output | None)
        assert_type(exc.head, bytes)
    except ProcessAbandonedError as exc:
        assert_type(exc.output, Output)
        assert_type(exc.pid, int)
    except CoreError as exc:
        as_os_error: OSError = exc
        assert_type(exc.op, str)
        assert_type(as_os_error.errno, int | None)
        assert_type(exc.filename, Any)


class Runs(Protocol):
    """What a caller may demand of something that runs programs; `spawn` fits."""

    async def __call__(self, options: SpawnOptions, /) -> Output:
        """Run a program to its end."""
        ...


runs: Runs = spawn
