"""Starts programs with `os.posix_spawn`. Knows the plan, not the other backends, not trio."""

from __future__ import annotations

import os
from typing import Any

from trio_coreshift._errors import core_error

from .plan import DEVNULL, RESTORED_SIGNALS, Launched, LaunchPlan


def _file_actions(plan: LaunchPlan) -> list[tuple[Any, ...]]:
    actions: list[tuple[Any, ...]] = []
    for target, source in enumerate(plan.stdio):
        if source == DEVNULL:
            actions.append((os.POSIX_SPAWN_OPEN, target, os.devnull, os.O_RDWR, 0))
        elif source is not None:
            actions.append((os.POSIX_SPAWN_DUP2, source, target))
    # POSIX: a dup2 of a descriptor to itself clears its close-on-exec flag (glibc 2.29).
    actions.extend((os.POSIX_SPAWN_DUP2, fd, fd) for fd in plan.pass_fds)
    return actions


def start(plan: LaunchPlan) -> Launched:
    """Start the child.

    Raises:
        CoreError: ``op`` "posix_spawn": the kernel's errno, without the stage.
    """
    env = plan.image.env
    group: dict[str, Any] = {} if plan.pgid is None else {"setpgroup": plan.pgid}
    try:
        pid = os.posix_spawn(
            plan.path,
            plan.image.argv,
            dict(os.environb) if env is None else env.variables,
            file_actions=_file_actions(plan),
            setsigmask=(),
            setsigdef=RESTORED_SIGNALS,
            **group,
        )
    except OSError as exc:
        raise core_error(exc, "posix_spawn", plan.path) from exc
    return Launched(pid)
