"""Brings a child, and its group, to their end: who is signalled, and whether anything is left.

Synchronous: the supervisor calls in with the time, and asks when to come again. The choice of the
signal is `Escalation`'s, the way to the kernel `Target`'s; here they are held together with what
is seen of the child and of the survivors.
"""

from __future__ import annotations

import contextlib
import math
import signal
from typing import TYPE_CHECKING

from ._escalate import Escalation, Stage
from ._kernel import procfs
from ._output import Shutdown, ShutdownReason
from ._signals import SignalRecord, log
from ._survivors import SurvivorWatch
from ._target import GroupTarget, ProcessTarget

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._kernel.child import Child
    from ._kernel.poller import Poller
    from ._options import SpawnOptions
    from ._policy import CancelPolicy


class Ending:
    """The way of one child to its end.

    Attributes:
        settled_at: When nothing of the child and its group was left to wait for, or None.
        applied_at: When a policy was first applied, or None.
        look_again: A survivor has ended: `tick` is to be called to see what is left.
    """

    __slots__ = (
        "_child",
        "_doomed",
        "_escalation",
        "_options",
        "_poller",
        "_record",
        "_started",
        "_survivors",
        "_target",
        "applied_at",
        "look_again",
        "settled_at",
    )

    def __init__(self, options: SpawnOptions, child: Child, poller: Poller, started: float) -> None:
        self.settled_at: float | None = None
        self.applied_at: float | None = None
        self._options = options
        self._child = child
        # From the start: it could end before its group is known to exist, see `GroupTarget`.
        child.pinned = options.pgroup.isolated or options.pgroup.leader is not None
        self._started = started
        self._escalation = Escalation(options.cancel, options.kill_grace, options.abandon_after)
        self._record: SignalRecord | None = None
        self._target: ProcessTarget | GroupTarget = ProcessTarget(child)
        self._poller = poller
        # What only a group that is waited for needs.
        self.look_again = False
        self._doomed: list[int] | None = None
        self._survivors: SurvivorWatch | None = None

    def form_group(self, now: float) -> None:
        """The program runs, so its group exists: from here on the group is the target."""
        pgroup = self._options.pgroup
        if pgroup.own:
            self._target = GroupTarget(self._child, self._child.pid)
        elif pgroup.leader is not None:
            self._target = GroupTarget(self._child, pgroup.leader)
        else:
            return
        # 1. A policy was applied before the program was known to run: the child alone got the
        # signal. 2. It was running already, and has started others. So: once more, to them all.
        self._send(self._escalation.once_more(), now)

    @property
    def target(self) -> ProcessTarget | GroupTarget:
        """What signals go to now."""
        return self._target

    @property
    def abandoned(self) -> bool:
        """Whether it did not end in time after SIGKILL."""
        return self._escalation.stage is Stage.ABANDONED

    @property
    def deadline(self) -> float:
        """When `tick` has something to do."""
        return min(self._escalation.deadline, self._look_at)

    @property
    def _look_at(self) -> float:
        return math.inf if self._survivors is None else self._survivors.look_at

    @property
    def _watch(self) -> SurvivorWatch:
        if self._survivors is None:
            self._survivors = SurvivorWatch(self._poller, self._survivor_ended)
        return self._survivors

    def _stop_watching(self) -> None:
        if self._survivors is not None:
            self._survivors.stop()

    def shutdown(self) -> Shutdown | None:
        """The record for `Output`."""
        reason = self._escalation.reason
        if reason is None:
            return None
        return Shutdown(reason, () if self._record is None else tuple(self._record.sent))

    def linger(self, reason: ShutdownReason, now: float) -> None:
        """Its pipe was closed: it has ``kill_grace`` to end by itself."""
        if self._child.status is None:
            self._escalation.linger(reason, now)
        else:
            self._escalation.note(reason)

    def apply(self, reason: ShutdownReason, now: float, policy: CancelPolicy | None = None) -> None:
        """Apply the policy; where nobody is left to be signalled, only note why."""
        if self.applied_at is None:
            self.applied_at = now
        if self._nothing_left():
            self._escalation.note(reason)
            return
        self._send(self._escalation.apply(reason, now, policy), now)

    def kill(self, reason: ShutdownReason, now: float) -> None:
        """SIGKILL at once, whatever the policy."""
        if self.applied_at is None:
            self.applied_at = now
        if not self._nothing_left():
            self._send(self._escalation.kill(reason, now), now)

    def _nothing_left(self) -> bool:
        if self._child.status is None:
            return False
        if isinstance(self._target, ProcessTarget) or self._escalation.stage is Stage.ENDED:
            return True
        return self._target.is_empty() or not self._may_survive(self._target)

    def _send(self, signals: tuple[signal.Signals, ...], now: float) -> None:
        if not signals:
            return
        self._the_record().send(
            self._target,
            signals,
            reason=self._escalation.reason,
            seconds=now - self._started,
        )
        if self._child.status is not None:
            # The child has ended before, but not its group, which is waited for from here on.
            self.settled_at = None
            self.settle(now)

    def _the_record(self) -> SignalRecord:
        if self._record is None:
            self._record = SignalRecord(self._options.program)
        return self._record

    def tick(self, now: float) -> bool:
        """Do what is due at ``now``; return whether that was to apply the policy."""
        applied = False
        if now >= self._escalation.deadline:
            if self._escalation.stage is Stage.LINGERING and self.applied_at is None:
                self.applied_at = now
                applied = True
            self._send(self._escalation.tick(now), now)
        if (self.look_again or now >= self._look_at) and self.settled_at is None:
            self.look_again = False
            self.settle(now)
        return applied

    def _survivor_ended(self) -> None:
        self.look_again = True

    def settle(self, now: float) -> None:
        """The child has ended: see what is left of its group, and whether to wait for it."""
        target = self._target
        if isinstance(target, ProcessTarget) or self._is_over_for(target):
            self._all_gone(now)
            return
        match self._escalation.stage:
            case Stage.TERMINATING:
                self._await_them(target.survivors, target, now)
            case Stage.KILLING:
                self._await_them(lambda: self._find_doomed(target), target, now)
            case Stage.ABANDONED | Stage.ENDED:
                self._stop_watching()  # nothing would ever be done about what it tells
            case _ if self._options.pgroup.own and self._options.pgroup.sweep:
                self._sweep(target, now)
            case _:
                # A natural end, and the rest of the group is none of our business. It can still
                # be named: a policy may be applied while pipes are drained.
                self._escalation.calm()
                self.settled_at = now

    def _await_them(self, find: Callable[[], list[int]], target: GroupTarget, now: float) -> None:
        try:
            waiting = self._watch.watch(find(), target.pgid, now)
        except OSError:
            # /proc cannot be read, so there is no telling who is left. What SIGKILL was sent to
            # is not waited for then; what has its grace has all of it.
            waiting = self._escalation.stage is Stage.TERMINATING
        if not waiting:
            self._all_gone(now)

    def _is_over_for(self, target: GroupTarget) -> bool:
        if self._doomed is None and target.is_lost():
            return True
        # 1. Where the group can be named without it, reap the child, whose zombie would count as
        # a member. 2. Ask the kernel, through the pidfd, whether anybody is left: mostly nobody
        # is, and that was all. 3. Only then look at /proc.
        if not target.unpin():
            return False
        self._child.poll()
        return target.is_empty()

    def _find_doomed(self, target: GroupTarget) -> list[int]:
        # SIGKILL reaches every member at once, and a dying one cannot fork: no others appear.
        if self._doomed is None:
            self._doomed = target.survivors()
        return self._doomed

    def _sweep(self, target: GroupTarget, now: float) -> None:
        if self._child.pinned:
            self._sweep_unseen(target, now)
            return
        if not self._may_survive(target):
            self._all_gone(now)
            return
        signals = self._escalation.kill(ShutdownReason.SWEEP, now)
        self._send(signals, now)
        self._warn_of_sweep(target)

    @staticmethod
    def _may_survive(target: GroupTarget) -> bool:
        try:
            return bool(target.survivors())
        except OSError:
            return True  # there is no telling, so they get the signal

    def _sweep_unseen(self, target: GroupTarget, now: float) -> None:
        # Without the group flag of pidfds the number is only safe while the child is unreaped,
        # and as long as it is, nothing short of a walk over /proc tells whether anybody else is
        # there. So: 1. SIGKILL to whoever there is. 2. Reap. 3. Ask, harmlessly, with signal 0.
        delivery = target.send(signal.SIGKILL)
        self._child.pinned = False
        self._child.poll()
        doomed: list[int] = []
        with contextlib.suppress(OSError):  # there is no telling, and SIGKILL was sent
            if target.answers():
                doomed = procfs.killed_members(target.pgid)
        self._doomed = doomed
        if doomed:
            self._escalation.kill(ShutdownReason.SWEEP, now)
            seconds = now - self._started
            self._the_record().note(target, signal.SIGKILL, delivery, seconds=seconds)
            self._warn_of_sweep(target)
        self._await_them(lambda: doomed, target, now)

    def _warn_of_sweep(self, target: GroupTarget) -> None:
        log.warning(
            "%s ended, and left something behind in %s that was killed",
            self._options.program,
            target.describe(),
        )

    def _all_gone(self, now: float) -> None:
        self.settled_at = now
        self._escalation.end()
        self.close()

    def close(self) -> None:
        """Let go of the group's number and of the last survivor; reap the child if it has ended."""
        self._stop_watching()
        self._child.pinned = False
        if not self._child.reaped:
            self._child.poll()
        if self.abandoned and self._nothing_left():
            self._escalation.end()  # it has died after all, while its last output was read
