"""The choice of the next signal: a state machine without I/O and without a clock of its own.

Events go in with the time they happened at; signals come out, and `Escalation.deadline` says when
`Escalation.tick` wants to be called next. It only ever moves forward through `Stage`.
"""

from __future__ import annotations

import enum
import math
import signal
from typing import TYPE_CHECKING

import attrs

from ._policy import CancelPolicy

if TYPE_CHECKING:
    from ._output import ShutdownReason

_TERMINATE = (signal.SIGTERM, signal.SIGCONT)
_KILL = (signal.SIGKILL,)


class Stage(enum.IntEnum):
    """How far it has gone. There is no way back."""

    RUNNING = 0
    """Left alone."""
    LINGERING = 1
    """Its pipe was closed; it has ``kill_grace`` to end by itself."""
    WAITING = 2
    """The policy is NONE: waiting for the natural end."""
    TERMINATING = 3
    """SIGTERM was sent; SIGKILL follows at the deadline."""
    KILLING = 4
    """SIGKILL was sent or refused."""
    ABANDONED = 5
    """It did not end in time after SIGKILL."""
    ENDED = 6
    """Nothing of the target is left."""


@attrs.define
class Escalation:
    """Brings one target to its end.

    Attributes:
        policy: The policy of the options.
        kill_grace: Seconds from SIGTERM to SIGKILL.
        abandon_after: Seconds to wait after SIGKILL, or None.
        stage: How far it has gone.
        reason: The first reason for not leaving it alone.
        deadline: When `tick` has something to do next.
    """

    policy: CancelPolicy
    kill_grace: float
    abandon_after: float | None = None
    stage: Stage = attrs.field(default=Stage.RUNNING, init=False)
    reason: ShutdownReason | None = attrs.field(default=None, init=False)
    deadline: float = attrs.field(default=math.inf, init=False)

    def note(self, reason: ShutdownReason) -> None:
        """Record ``reason`` unless an earlier one stands."""
        if self.reason is None:
            self.reason = reason

    def linger(self, reason: ShutdownReason, now: float) -> None:
        """Its pipe was closed: give it ``kill_grace`` to end by itself, then apply the policy."""
        self.note(reason)
        if self.stage is Stage.RUNNING:
            self.stage = Stage.LINGERING
            self.deadline = now + self.kill_grace

    def calm(self) -> None:
        """It has ended by itself while it lingered: there is nothing left to wait for."""
        if self.stage is Stage.LINGERING:
            self.deadline = math.inf

    def apply(
        self, reason: ShutdownReason, now: float, policy: CancelPolicy | None = None
    ) -> tuple[signal.Signals, ...]:
        """Apply ``policy`` (by default that of the options); return the signals to send now."""
        self.note(reason)
        match policy or self.policy:
            case CancelPolicy.NONE:
                self._advance(Stage.WAITING, math.inf)
            case CancelPolicy.GRACEFUL:
                if self._advance(Stage.TERMINATING, now + self.kill_grace):
                    return _TERMINATE
            case CancelPolicy.KILL:
                return self.kill(reason, now)
        return ()

    def kill(self, reason: ShutdownReason, now: float) -> tuple[signal.Signals, ...]:
        """Go to SIGKILL at once, whatever the policy."""
        self.note(reason)
        patience = math.inf if self.abandon_after is None else self.abandon_after
        return _KILL if self._advance(Stage.KILLING, now + patience) else ()

    def once_more(self) -> tuple[signal.Signals, ...]:
        """What was sent last, for a target that has grown since."""
        match self.stage:
            case Stage.TERMINATING:
                return _TERMINATE
            case Stage.KILLING:
                return _KILL
            case _:
                return ()

    def tick(self, now: float) -> tuple[signal.Signals, ...]:
        """Do what is due at ``now``."""
        if now < self.deadline:
            return ()
        assert self.reason is not None, "a deadline has a reason"
        match self.stage:
            case Stage.LINGERING:
                return self.apply(self.reason, now)
            case Stage.TERMINATING:
                return self.kill(self.reason, now)
            case _:
                self._advance(Stage.ABANDONED, math.inf)
                return ()

    def end(self) -> None:
        """Nothing of the target is left: no signal from here on."""
        self._advance(Stage.ENDED, math.inf)

    def _advance(self, stage: Stage, deadline: float) -> bool:
        if stage <= self.stage:
            return False
        self.stage = stage
        self.deadline = deadline
        return True
