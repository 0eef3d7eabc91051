"""From options to a pid: everything between them is either undone or handed over whole."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import attrs
import trio

from ._backends import launch as launch_with
from ._backends.plan import LaunchPlan
from ._errors import invalid
from ._gate import current_gate
from ._kernel.child import Child
from ._kernel.fds import check_open, close_all
from ._kernel.lookup import find_program
from ._kernel.poller import Poller
from ._policy import Allowlist, CloexecOnly, CloseFrom3, SpawnBackend
from ._stdio import Stdio

if TYPE_CHECKING:
    from ._backends.plan import ErrorPipe, Launched
    from ._options import SpawnOptions


@attrs.define(eq=False)
class Launch:
    """A child that exists, with all that belongs to it.

    Attributes:
        options: What was asked for.
        child: The child.
        stdio: Our ends of its pipes.
        stdin_rest: What of the bytes for stdin did not fit into the pipe.
        error_pipe: The child-error pipe of FORK, as long as it is open.
        poller: Ready for all that will be watched.
        started: When it was started, on trio's clock.
    """

    options: SpawnOptions
    child: Child
    stdio: Stdio
    stdin_rest: bytes
    error_pipe: ErrorPipe | None
    poller: Poller
    started: float


async def launch(options: SpawnOptions) -> Launch:
    """Start the child, on this thread, in a turn of its own.

    Cancelled while it waits for its turn, it raises and there is no child. From the turn on there
    is no checkpoint until the child belongs to the caller.
    """
    gate = current_gate()
    await gate.enter()
    try:
        return _launch_now(options)
    finally:
        gate.leave()


def _launch_now(options: SpawnOptions) -> Launch:
    _check(options)
    image = options.image
    env = os.environb if image.env is None else image.env.variables
    path = find_program(image.argv[0], env, image.cwd)
    poller = Poller()
    stdio = Stdio(options)
    try:
        rest = b""
        if stdio.stdin is not None and isinstance(options.stdin, bytes):
            rest = stdio.feed_now(options.stdin)
        if _needs_epoll(options, rest):
            poller.prepare()
        started = trio.current_time()
        launched = launch_with(options.backend, _plan(options, path, stdio))
    except BaseException:
        poller.close()
        stdio.close()
        raise
    child = None
    try:
        stdio.release_child_ends()
        child = Child(launched.pid, owned=True)
        return Launch(options, child, stdio, rest, launched.error_pipe, poller, started)
    except BaseException:  # MemoryError, a fault of ours
        _undo(launched, child)
        poller.close()
        stdio.close()
        raise


def _undo(launched: Launched, child: Child | None) -> None:
    if launched.error_pipe is not None:
        close_all((launched.error_pipe.fd,))
    if child is None or not child.reaped:
        with contextlib.suppress(OSError):
            os.kill(launched.pid, signal.SIGKILL)
            os.waitpid(launched.pid, 0)
    if child is not None:
        child.close()


def _check(options: SpawnOptions) -> None:
    """What can only be known at the time of the spawn."""
    if isinstance(options.fd_policy, Allowlist):
        for fd in options.fd_policy.fds:
            check_open(fd, "spawn fd allowlist")
    for fd in options.pass_fds:
        check_open(fd, "spawn pass_fds")
    if options.pgroup.leader and options.pgroup.leader == os.getpgrp():
        raise invalid("pgroup leader is the caller's own group")


def _needs_epoll(options: SpawnOptions, stdin_rest: bytes) -> bool:
    # With nothing to watch but the pidfd, the loop can wait for that directly.
    return (
        bool(stdin_rest)
        or options.backend is SpawnBackend.FORK
        or (options.capture_stdout and options.stdout_sink is None)
        or (options.capture_stderr and options.stderr_sink is None)
    )


def _plan(options: SpawnOptions, path: bytes, stdio: Stdio) -> LaunchPlan:
    keep: tuple[int, ...] | None
    match options.fd_policy:
        case CloexecOnly():
            keep = None
        case CloseFrom3():
            keep = ()
        case Allowlist(fds):
            keep = fds
    return LaunchPlan(
        image=options.image,
        path=path,
        stdio=stdio.sources,
        setsid=options.pgroup.isolated,
        pgid=options.pgroup.leader,
        keep=keep,
        pass_fds=options.pass_fds,
    )
