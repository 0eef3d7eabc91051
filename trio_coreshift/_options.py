"""`SpawnOptions`: everything a caller says about a run, checked when it is said."""

from __future__ import annotations

import operator
import subprocess
from typing import TYPE_CHECKING, Final

import attrs

from . import _option_values as values
from ._errors import invalid
from ._exec_image import ExecImage, checked_argv, checked_cwd, checked_env, exec_image
from ._policy import (
    Allowlist,
    CancelPolicy,
    CloexecOnly,
    CloseFrom3,
    OverflowPolicy,
    ProcessGroup,
    SpawnBackend,
    SpawnFdPolicy,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._option_values import Redirect, Sink
    from ._running import RunningProcess

_MIB: Final = 1024 * 1024
_BACKGROUND_IO: Final = "background I/O capture not supported (wait must be true)"
# What a field must be an instance of.
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "backend": (SpawnBackend,),
    "capture_stdout": (bool,),
    "capture_stderr": (bool,),
    "wait": (bool,),
    "pgroup": (ProcessGroup,),
    "overflow": (OverflowPolicy,),
    "cancel": (CancelPolicy,),
    "fd_policy": (CloexecOnly, CloseFrom3, Allowlist),
}
_values_to_check: Final = operator.attrgetter(*_KINDS)


def _image(options: SpawnOptions) -> ExecImage:
    return exec_image(options.argv, options.env, options.cwd)


@attrs.frozen(repr=False)
class SpawnOptions:
    """What to run and how: keyword-only but ``argv``, checked when built, reusable.

    Use `attrs.evolve` to make a variant. All times are seconds, 0 or more; infinity is allowed.

    Attributes:
        argv: The program and its arguments, run exactly as given: no shell. With a slash in it,
            ``argv[0]`` is the file; without one it is looked up on the PATH the child will have.
        backend: What starts the program.
        env: The whole environment, or None to inherit.
        cwd: The directory to run in; a relative ``argv[0]`` with a slash is resolved there.
        stdin: Bytes to feed and then close (empty: /dev/null), None to inherit,
            `subprocess.PIPE`, `subprocess.DEVNULL`, or a descriptor or object that has one.
        stdout: None to inherit, ``PIPE``, ``DEVNULL``, or a descriptor.
        stderr: The same, or `subprocess.STDOUT`.
        capture_stdout: Collect stdout into `Output`.
        capture_stderr: Collect stderr into `Output`.
        wait: False: return at once; the child is reaped in the background.
        pgroup: The group and session it runs in.
        max_output: The most bytes kept of captured stdout and stderr together.
        overflow: What happens when it writes more.
        timeout: Seconds after which the cancel policy is applied; this does not raise.
        cancel: What a cancelled scope, an exception in the body or a timeout does to the child.
        kill_grace: Seconds from SIGTERM to SIGKILL, and the bound on draining after the death of
            a cancelled child.
        drain_grace: Seconds to keep reading, after a natural exit, a pipe that someone else holds
            open; None: to its end.
        abandon_after: Seconds to wait for the end after SIGKILL was sent or refused, before
            `ProcessAbandonedError`; None: as long as it takes.
        fd_policy: Which descriptors from 3 on the child inherits.
        pass_fds: Descriptors that the child gets at the same number, whatever their flags and
            the policy say.
        early_exit: Called with each chunk of stdout, or a pattern found across chunks; on a match
            stdout is closed and what was read is kept.
        stdout_sink: Awaited with each chunk of stdout as it arrives.
        stderr_sink: Awaited with each chunk of stderr as it arrives.
        ready: A pattern in a captured or sunk stream, or an async function given the
            `RunningProcess`: what ``nursery.start`` and `spawn_start` wait for.
        image: What execve(2) is given, made from ``argv``, ``env`` and ``cwd``.
    """

    argv: tuple[str | bytes, ...] = attrs.field(converter=checked_argv)
    backend: SpawnBackend = attrs.field(kw_only=True)
    env: dict[str | bytes, str | bytes] | None = attrs.field(
        kw_only=True, default=None, converter=checked_env
    )
    cwd: str | bytes | None = attrs.field(kw_only=True, default=None, converter=checked_cwd)
    stdin: bytes | Redirect = attrs.field(kw_only=True, default=b"", converter=values.stdin)
    stdout: Redirect = attrs.field(kw_only=True, default=None, converter=values.stdout)
    stderr: Redirect = attrs.field(kw_only=True, default=None, converter=values.stderr)
    capture_stdout: bool = attrs.field(kw_only=True, default=False)
    capture_stderr: bool = attrs.field(kw_only=True, default=False)
    wait: bool = attrs.field(kw_only=True, default=True)
    pgroup: ProcessGroup = attrs.field(kw_only=True, default=ProcessGroup())
    max_output: int = attrs.field(kw_only=True, default=_MIB, converter=values.max_output)
    overflow: OverflowPolicy = attrs.field(kw_only=True, default=OverflowPolicy.DRAIN)
    timeout: float | None = attrs.field(kw_only=True, default=None, converter=values.timeout)
    cancel: CancelPolicy = attrs.field(kw_only=True, default=CancelPolicy.KILL)
    kill_grace: float = attrs.field(kw_only=True, default=2.0, converter=values.kill_grace)
    drain_grace: float | None = attrs.field(
        kw_only=True, default=None, converter=values.drain_grace
    )
    abandon_after: float | None = attrs.field(
        kw_only=True, default=None, converter=values.abandon_after
    )
    fd_policy: SpawnFdPolicy = attrs.field(kw_only=True, default=CloexecOnly())
    pass_fds: tuple[int, ...] = attrs.field(kw_only=True, default=(), converter=values.pass_fds)
    early_exit: Callable[[bytes], bool] | bytes | None = attrs.field(
        kw_only=True, default=None, converter=values.early_exit
    )
    stdout_sink: Sink | None = attrs.field(kw_only=True, default=None)
    stderr_sink: Sink | None = attrs.field(kw_only=True, default=None)
    ready: Callable[[RunningProcess], Awaitable[object]] | bytes | None = attrs.field(
        kw_only=True, default=None, converter=values.ready
    )
    image: ExecImage = attrs.field(
        init=False, eq=False, default=attrs.Factory(_image, takes_self=True)
    )

    def __attrs_post_init__(self) -> None:
        """Refuse values of the wrong kind, and combinations that could not be honoured."""
        _check_kinds(self)
        _check_streams(self)
        _check_callbacks(self)
        _check_background(self)
        _check_backend(self)

    @property
    def program(self) -> str:
        """The program as text, which is ``argv[0]``: the only argument that is logged or shown."""
        program = self.argv[0]
        return program if isinstance(program, str) else program.decode(errors="replace")

    @property
    def piped(self) -> bool:
        """Whether a standard stream is a pipe for the caller."""
        return _is_pipe(self.stdin) or _is_pipe(self.stdout) or _is_pipe(self.stderr)

    @property
    def sunk(self) -> bool:
        """Whether a standard stream goes to a sink."""
        # A callable may be false, when it has a length or a truth value of its own.
        return self.stdout_sink is not None or self.stderr_sink is not None

    def __repr__(self) -> str:
        """Name the program; its arguments and environment may hold secrets and stay out."""
        more = len(self.argv) - 1
        return f"<SpawnOptions {self.program!r} and {more} arguments, {self.backend}>"


def _is_pipe(redirect: object) -> bool:
    # One that is no int is an object of the caller's, whose __eq__ may do anything.
    return isinstance(redirect, int) and redirect == subprocess.PIPE


def _check_kinds(options: SpawnOptions) -> None:
    # In one go: a validator for each field takes six times as long, at every construction.
    if not all(map(isinstance, _values_to_check(options), _KINDS.values())):
        for name, kinds in _KINDS.items():
            value = getattr(options, name)
            if not isinstance(value, kinds):
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise values.wrong_kind(name, expected, value)
    if options.stdout_sink is not None and not callable(options.stdout_sink):
        raise values.wrong_kind("stdout_sink", "an async function", options.stdout_sink)
    if options.stderr_sink is not None and not callable(options.stderr_sink):
        raise values.wrong_kind("stderr_sink", "an async function", options.stderr_sink)


def _check_streams(options: SpawnOptions) -> None:
    if options.stdout is not None and (options.capture_stdout or options.stdout_sink is not None):
        raise invalid("spawn stdout both collected and redirected")
    if options.stderr is not None and (options.capture_stderr or options.stderr_sink is not None):
        raise invalid("spawn stderr both collected and redirected")


def _check_callbacks(options: SpawnOptions) -> None:
    stdout_is_read = options.capture_stdout or options.stdout_sink is not None
    stderr_is_read = options.capture_stderr or options.stderr_sink is not None
    if options.early_exit is not None and not stdout_is_read:
        raise invalid("spawn early_exit needs capture_stdout or stdout_sink")
    if isinstance(options.ready, bytes) and not (stdout_is_read or stderr_is_read):
        raise invalid("spawn ready pattern needs a captured stream or a sink")


def _check_background(options: SpawnOptions) -> None:
    if options.wait:
        return
    fed = isinstance(options.stdin, bytes) and options.stdin
    captured = options.capture_stdout or options.capture_stderr
    if fed or options.piped or captured or options.sunk:
        raise invalid(_BACKGROUND_IO)
    if options.timeout is not None or options.ready is not None:
        raise invalid("background timeout or ready not supported (wait must be true)")


def _check_backend(options: SpawnOptions) -> None:
    if options.backend is not SpawnBackend.POSIX_SPAWN:
        return
    if options.cwd is not None:
        raise invalid("posix_spawn cwd unsupported")
    if options.pgroup.isolated:
        raise invalid("posix_spawn setsid unsupported")
    if options.fd_policy != CloexecOnly():
        raise invalid("posix_spawn fd policy unsupported")
