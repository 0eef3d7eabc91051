"""The three ways to start a program, behind one contract: see `plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from trio_coreshift._policy import SpawnBackend

from . import fork, posix_spawn, vfork

if TYPE_CHECKING:
    from .plan import Launched, LaunchPlan


def launch(backend: SpawnBackend, plan: LaunchPlan) -> Launched:
    """Start the child with the backend the caller chose."""
    match backend:
        case SpawnBackend.FORK:
            return fork.start(plan)
        case SpawnBackend.POSIX_SPAWN:
            return posix_spawn.start(plan)
        case SpawnBackend.VFORK:
            return vfork.start(plan)
        case _:
            assert_never(backend)
