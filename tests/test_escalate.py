"""The choice of the next signal, whatever happens in whatever order."""

import math
import signal
from collections.abc import Iterable

import pytest
from hypothesis import given, settings, strategies as st

from trio_coreshift import CancelPolicy, ShutdownReason
from trio_coreshift._escalate import Escalation, Stage

GRACEFUL, KILL, NONE = CancelPolicy.GRACEFUL, CancelPolicy.KILL, CancelPolicy.NONE
TERMINATE = (signal.SIGTERM, signal.SIGCONT)
EVENTS = ("note", "linger", "calm", "apply", "override", "kill", "tick", "tick at deadline")

times = st.floats(min_value=0, max_value=10) | st.just(math.inf)
policies = st.sampled_from(CancelPolicy)
reasons = st.sampled_from(ShutdownReason)
escalations = st.builds(Escalation, policies, times, st.none() | times)
happenings = st.tuples(
    st.sampled_from(EVENTS), reasons, policies, st.floats(min_value=0, max_value=5)
)
histories = st.lists(happenings, max_size=12)
thorough = settings(deadline=None, database=None, max_examples=60)


def happen(
    escalation: Escalation,
    event: str,
    reason: ShutdownReason,
    policy: CancelPolicy,
    now: float,
) -> tuple[signal.Signals, ...]:
    """Let one thing happen and return the signals that are to be sent for it."""
    match event:
        case "note":
            escalation.note(reason)
        case "linger":
            escalation.linger(reason, now)
        case "calm":
            escalation.calm()
        case "apply":
            return escalation.apply(reason, now)
        case "override":
            return escalation.apply(reason, now, policy)
        case "kill":
            return escalation.kill(reason, now)
        case "tick":
            return escalation.tick(now)
        case _ if escalation.deadline < math.inf:
            return escalation.tick(max(now, escalation.deadline))
    return ()


def play(
    escalation: Escalation,
    history: Iterable[tuple[str, ShutdownReason, CancelPolicy, float]],
) -> list[signal.Signals]:
    """Let a history happen and return all the signals of it."""
    now = 0.0
    sent: list[signal.Signals] = []
    for event, reason, policy, passed in history:
        now += passed
        stage = escalation.stage
        first = escalation.reason
        sent += happen(escalation, event, reason, policy, now)
        assert escalation.stage >= stage, "it never goes back"
        assert first is None or escalation.reason is first, "the first reason stands"
    return sent


@thorough
@given(escalations, histories, histories)
def test_nothing_is_sent_after_the_end(
    escalation: Escalation,
    before: list[tuple[str, ShutdownReason, CancelPolicy, float]],
    after: list[tuple[str, ShutdownReason, CancelPolicy, float]],
) -> None:
    """Once nothing of the target is left, no event whatsoever brings a signal or a deadline."""
    play(escalation, before)
    escalation.end()
    assert play(escalation, after) == []
    assert escalation.once_more() == ()
    assert escalation.deadline == math.inf


@thorough
@given(escalations, histories)
def test_it_never_goes_back_from_kill(
    escalation: Escalation, history: list[tuple[str, ShutdownReason, CancelPolicy, float]]
) -> None:
    """SIGTERM and SIGCONT come once and in this order, SIGKILL once and last."""
    sent = play(escalation, history)
    assert sent in (
        [],
        list(TERMINATE),
        [signal.SIGKILL],
        [*TERMINATE, signal.SIGKILL],
    )


@thorough
@given(
    st.sampled_from([GRACEFUL, KILL]),
    st.floats(min_value=0, max_value=10),
    st.none() | times,
    st.lists(st.tuples(st.sampled_from(["note", "linger"]), reasons, policies, st.just(0.5))),
    reasons,
)
def test_graceful_and_kill_always_reach_kill(
    policy: CancelPolicy,
    kill_grace: float,
    abandon_after: float | None,
    history: list[tuple[str, ShutdownReason, CancelPolicy, float]],
    reason: ShutdownReason,
) -> None:
    """Once a policy that signals was applied, following the deadlines leads to SIGKILL in time."""
    escalation = Escalation(policy, kill_grace, abandon_after)
    play(escalation, history)
    now = 100.0
    sent = list(escalation.apply(reason, now))
    while escalation.stage < Stage.KILLING:
        assert now <= escalation.deadline < math.inf
        now = escalation.deadline
        sent += escalation.tick(now)
    assert sent[-1] is signal.SIGKILL
    assert now <= 100.0 + kill_grace


@thorough
@given(times, st.none() | times, histories)
def test_none_sends_nothing(
    kill_grace: float,
    abandon_after: float | None,
    history: list[tuple[str, ShutdownReason, CancelPolicy, float]],
) -> None:
    """Under NONE neither an event nor a deadline brings a signal, unless SIGKILL is demanded."""
    escalation = Escalation(NONE, kill_grace, abandon_after)
    harmless = [
        (event if event not in {"kill", "override"} else "apply", reason, policy, passed)
        for event, reason, policy, passed in history
    ]
    assert play(escalation, harmless) == []
    assert escalation.stage <= Stage.WAITING


@thorough
@given(escalations, histories)
def test_a_deadline_that_was_met_is_gone(
    escalation: Escalation, history: list[tuple[str, ShutdownReason, CancelPolicy, float]]
) -> None:
    """Following the deadlines comes to an end: there is no loop that never waits."""
    play(escalation, history)
    for _ in range(len(Stage)):
        if escalation.deadline == math.inf:
            break
        stage = escalation.stage
        escalation.tick(escalation.deadline)
        assert escalation.stage > stage
    assert escalation.deadline == math.inf


def test_graceful_gives_its_grace() -> None:
    """SIGTERM and SIGCONT at once, nothing before the grace is over, then SIGKILL."""
    escalation = Escalation(GRACEFUL, 2.0)
    assert escalation.apply(ShutdownReason.CANCELLED, 10.0) == TERMINATE
    assert escalation.deadline == 12.0
    assert escalation.tick(11.9) == ()
    assert escalation.tick(12.0) == (signal.SIGKILL,)
    assert escalation.deadline == math.inf


def test_kill_is_at_once() -> None:
    """KILL sends SIGKILL and waits as long as it takes."""
    escalation = Escalation(KILL, 2.0)
    assert escalation.apply(ShutdownReason.TIMEOUT, 10.0) == (signal.SIGKILL,)
    assert escalation.deadline == math.inf


def test_none_may_be_followed_by_a_stronger_policy() -> None:
    """Who waits for the natural end may still be stopped with a policy of its own."""
    escalation = Escalation(NONE, 2.0)
    assert escalation.apply(ShutdownReason.CANCELLED, 0.0) == ()
    assert escalation.apply(ShutdownReason.STOP, 1.0, GRACEFUL) == TERMINATE
    assert escalation.reason is ShutdownReason.CANCELLED


def test_a_second_interruption_does_not_wait() -> None:
    """SIGKILL can be demanded while the grace still runs, and then the grace is over."""
    escalation = Escalation(GRACEFUL, 60.0)
    escalation.apply(ShutdownReason.CANCELLED, 0.0)
    assert escalation.kill(ShutdownReason.ERROR, 1.0) == (signal.SIGKILL,)
    assert escalation.kill(ShutdownReason.ERROR, 1.0) == ()


@pytest.mark.parametrize(
    ("policy", "sent"), [(NONE, ()), (GRACEFUL, TERMINATE), (KILL, (signal.SIGKILL,))]
)
def test_lingering_ends_with_the_policy(
    policy: CancelPolicy, sent: tuple[signal.Signals, ...]
) -> None:
    """A child whose pipe was closed has its grace, and then the policy is applied."""
    escalation = Escalation(policy, 2.0)
    escalation.linger(ShutdownReason.EARLY_EXIT, 10.0)
    assert (escalation.stage, escalation.deadline) == (Stage.LINGERING, 12.0)
    assert escalation.tick(11.0) == ()
    assert escalation.tick(12.0) == sent
    assert escalation.reason is ShutdownReason.EARLY_EXIT


def test_lingering_is_not_prolonged() -> None:
    """A second reason to linger does not move the deadline."""
    escalation = Escalation(KILL, 2.0)
    escalation.linger(ShutdownReason.EARLY_EXIT, 10.0)
    escalation.linger(ShutdownReason.OVERFLOW, 11.0)
    assert escalation.deadline == 12.0


def test_a_natural_end_while_lingering_leaves_nothing_to_wait_for() -> None:
    """A child that ends by itself while it lingers has no deadline any more."""
    escalation = Escalation(KILL, 2.0)
    escalation.linger(ShutdownReason.EARLY_EXIT, 10.0)
    escalation.calm()
    assert escalation.deadline == math.inf


def test_patience_after_kill() -> None:
    """With ``abandon_after`` the target is given up that long after SIGKILL, without a signal."""
    escalation = Escalation(GRACEFUL, 2.0, 5.0)
    escalation.apply(ShutdownReason.CANCELLED, 0.0)
    escalation.tick(2.0)
    assert (escalation.stage, escalation.deadline) == (Stage.KILLING, 7.0)
    assert escalation.tick(6.9) == ()
    assert escalation.tick(7.0) == ()
    assert escalation.stage is Stage.ABANDONED


def test_no_grace_and_no_patience_are_allowed() -> None:
    """Zero seconds are due at once, each in its own step."""
    escalation = Escalation(GRACEFUL, 0.0, 0.0)
    assert escalation.apply(ShutdownReason.TIMEOUT, 1.0) == TERMINATE
    assert escalation.tick(1.0) == (signal.SIGKILL,)
    assert escalation.tick(1.0) == ()
    assert escalation.stage is Stage.ABANDONED


def test_a_target_that_has_grown_gets_the_same_again() -> None:
    """What was sent last can be asked for again; before and after the signals there is nothing."""
    escalation = Escalation(GRACEFUL, 2.0, 3.0)
    assert escalation.once_more() == ()
    escalation.apply(ShutdownReason.STOP, 0.0)
    assert escalation.once_more() == TERMINATE
    escalation.tick(2.0)
    assert escalation.once_more() == (signal.SIGKILL,)
    escalation.tick(5.0)
    assert escalation.once_more() == ()
