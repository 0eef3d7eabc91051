"""Starts programs with the C library's ``posix_spawn``, a vfork-class call.

glibc (2.24) and musl make the child with clone(CLONE_VM | CLONE_VFORK): it shares the parent's
memory until exec, so nothing is copied and the cost does not grow with the parent. The calling
thread stands still meanwhile, with every signal blocked, and learns the child's errno directly.

What libc does not tell is the stage. `_explain` finds it out afterwards, by trying in the parent
what the child tried; it only decides the text of an error that has happened already.
"""

from __future__ import annotations

import errno
import functools
import os
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from trio_coreshift._errors import CoreError
from trio_coreshift._kernel import libc
from trio_coreshift._kernel.fds import gaps

from .plan import DEVNULL, RESTORED_SIGNALS, Launched

if TYPE_CHECKING:
    from trio_coreshift._exec_image import Environment

    from .plan import LaunchPlan

_DEFAULTS: Final = tuple(int(number) for number in RESTORED_SIGNALS)
# Kept for the next spawn of the same options, and no longer than these.
_environments: Final[WeakKeyDictionary[Environment, libc.Vector]] = WeakKeyDictionary()
_DEVNULL_PATH: Final = os.fsencode(os.devnull)
# From clone(2) itself, before there was a child that could fail at a stage.
_NO_CHILD: Final = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENOSYS})


def start(plan: LaunchPlan) -> Launched:
    """Start the child.

    Raises:
        CoreError: ``op`` "vfork child ..." with the stage, "vfork posix_spawn" where it is not
            known, or the name of the call that the C library refused or lacks (ENOSYS).
    """
    # The same numbers come again and again, so most spawns find their actions made.
    make = _actions if plan.keep is None else _actions.__wrapped__
    actions = make(plan.stdio, plan.pass_fds, plan.keep, plan.image.cwd)
    flags = libc.SETSID if plan.setsid else 0
    if plan.pgid is not None:
        flags |= libc.SETPGROUP
    attr = libc.attributes(flags, plan.pgid or 0, _DEFAULTS)
    env = None if plan.image.env is None else _environment(plan.image.env)
    code, pid = actions.spawn(plan.path, attr, libc.vector(plan.image.argv), env)
    if code:
        raise _explain(code, plan)
    return Launched(pid)


def _environment(env: Environment) -> libc.Vector:
    block = _environments.get(env)
    if block is None:
        entries = [b"%b=%b" % variable for variable in env.variables.items()]
        block = _environments[env] = libc.vector(entries)
    return block


@functools.lru_cache(maxsize=64)
def _actions(
    stdio: tuple[int | None, ...],
    pass_fds: tuple[int, ...],
    keep: tuple[int, ...] | None,
    cwd: bytes | None,
) -> libc.FileActions:
    actions = libc.FileActions()
    for target, source in enumerate(stdio):
        if source == DEVNULL:
            actions.open(target, _DEVNULL_PATH, os.O_RDWR)
        elif source is not None:
            actions.dup2(source, target)
    for fd in pass_fds:
        actions.dup2(fd, fd)
    if keep is not None:
        # Every number between the kept ones, open now or not: a list of what is open could miss
        # what another thread opens before the child exists.
        ranges, rest = gaps((*keep, *pass_fds))
        for low, high in ranges:
            for fd in range(low, high):
                actions.close(fd)
        actions.close_from(rest)
    if cwd is not None:
        actions.chdir(cwd)
    return actions


def _explain(code: int, plan: LaunchPlan) -> CoreError:
    cwd = plan.image.cwd
    if code in _NO_CHILD:
        return CoreError(code, "vfork posix_spawn", plan.path)
    if cwd is not None and _errno_of(os.path.join(cwd, b".")) == code:
        return CoreError(code, "vfork child chdir", cwd)
    program = plan.path if cwd is None else os.path.join(cwd, plan.path)
    failure = _errno_of(program)
    if failure == 0 and code == errno.ENOENT:
        return CoreError(code, "vfork child interpreter", _interpreter(program) or plan.path)
    if failure != code and code in (errno.EPERM, errno.ESRCH) and plan.pgid is not None:
        return CoreError(code, "vfork child setpgid")
    if code == errno.EBADF:
        return CoreError(code, "vfork child dup2")
    return CoreError(code, "vfork child execve", plan.path)


def _errno_of(path: bytes) -> int:
    try:
        os.stat(path)
        if os.path.isdir(path) and not os.access(path, os.X_OK):
            return errno.EACCES
    except OSError as exc:
        return exc.errno or errno.EIO
    return 0


def _interpreter(program: bytes) -> bytes | None:
    # execve(2): ENOENT is also what a script gets whose interpreter does not exist.
    try:
        with open(program, "rb") as script:
            head = script.read(256)
    except OSError:
        return None
    if not head.startswith(b"#!"):
        return None
    words = head[2:].split(b"\n", 1)[0].split()
    return words[0] if words else None
