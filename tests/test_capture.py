"""What is kept of output: never more than the limit, and patterns wherever the chunks are cut."""

import pytest
from hypothesis import given, settings, strategies as st

from tests.support.chunks import cut
from trio_coreshift._capture import Capture, Intake, OutputBudget, PatternMatcher, matcher_of

thorough = settings(deadline=None, database=None, max_examples=60)
chunks = st.lists(st.binary(max_size=20), max_size=12)
# Few letters, so that patterns are found, begun and begun again.
text = st.text("ab", max_size=30).map(str.encode)
patterns = st.text("ab", min_size=1, max_size=6).map(str.encode)


@thorough
@given(st.integers(0, 60), st.lists(st.tuples(st.booleans(), st.binary(max_size=20)), max_size=12))
def test_two_streams_never_keep_more_than_the_limit(
    limit: int, writes: list[tuple[bool, bytes]]
) -> None:
    """Both streams together keep the first bytes up to the limit, in the order they came."""
    budget = OutputBudget(limit)
    captures = (Capture(budget), Capture(budget))
    kept = (bytearray(), bytearray())
    left = limit
    for stream, chunk in writes:
        captures[stream].add(chunk)
        kept[stream].extend(chunk[:left])
        left -= len(chunk[:left])
        assert sum(len(capture.value()) for capture in captures) <= limit
    assert [capture.value() for capture in captures] == [bytes(one) for one in kept]
    assert budget.left == left
    assert budget.overflowed is (sum(len(chunk) for _, chunk in writes) > limit)


@pytest.mark.parametrize(
    ("size", "overflowed"), [(0, False), (9, False), (10, False), (11, True), (1000, True)]
)
def test_exactly_the_limit_is_no_overflow(size: int, overflowed: bool) -> None:  # noqa: FBT001 - expected
    """Output of the limit fits; one byte more does not."""
    budget = OutputBudget(10)
    capture = Capture(budget)
    for _ in range(size):
        capture.add(b"x")
    assert budget.overflowed is overflowed
    assert capture.value() == b"x" * min(size, 10)


def test_a_limit_of_zero_keeps_nothing() -> None:
    """With a limit of 0 silence is no overflow, and the first byte is one."""
    budget = OutputBudget(0)
    capture = Capture(budget)
    capture.add(b"")
    silent = budget.overflowed
    capture.add(b"x")
    assert (silent, budget.overflowed) == (False, True)
    assert capture.value() == b""


@thorough
@given(chunks)
def test_value_may_be_asked_for_at_any_time(pieces: list[bytes]) -> None:
    """Asking for what was kept changes nothing, and gives the same until more is added."""
    capture = Capture(OutputBudget(10_000))
    whole = b""
    for piece in pieces:
        capture.add(piece)
        whole += piece
        assert capture.value() == capture.value() == whole


@thorough
@given(patterns, text, st.lists(st.integers(0, 40), max_size=12))
def test_a_pattern_is_found_however_the_stream_is_cut(
    pattern: bytes, data: bytes, places: list[int]
) -> None:
    """A pattern is seen with the chunk that completes it, not before and not later."""
    matcher = PatternMatcher(pattern)
    seen = b""
    for chunk in cut(data, places):
        before = pattern in seen
        seen += chunk
        found = matcher(chunk)
        if before:
            break
        assert found is (pattern in seen)


@thorough
@given(patterns, text)
def test_a_pattern_is_found_byte_by_byte(pattern: bytes, data: bytes) -> None:
    """The hardest cut, into single bytes, finds what is there and nothing else."""
    matcher = PatternMatcher(pattern)
    found = [matcher(bytes([byte])) for byte in data]
    assert any(found) is (pattern in data)
    if any(found):
        assert found.index(True) == data.index(pattern) + len(pattern) - 1


def test_a_predicate_is_used_as_it_is() -> None:
    """A predicate of the caller's sees each chunk as it comes."""
    seen = []

    def predicate(chunk: bytes) -> bool:
        seen.append(chunk)
        return chunk == b"stop"

    intake = Intake(early_exit=predicate)
    assert [intake.take(chunk) for chunk in (b"a", b"stop")] == [False, True]
    assert seen == [b"a", b"stop"]
    assert matcher_of(predicate) is predicate


def test_a_predicate_that_has_matched_is_not_called_again() -> None:
    """After the match the predicate has done its work."""
    calls = []

    def predicate(chunk: bytes) -> bool:
        calls.append(chunk)
        return True

    intake = Intake(early_exit=predicate)
    intake.take(b"a")
    intake.take(b"b")
    assert calls == [b"a"]
    assert intake.matched


def test_a_predicate_that_raises_is_not_called_again() -> None:
    """What raised once is out of the game, and what came with it is kept."""
    calls = []

    def predicate(chunk: bytes) -> bool:
        calls.append(chunk)
        raise LookupError

    budget = OutputBudget(100)
    intake = Intake(Capture(budget), early_exit=predicate)
    with pytest.raises(LookupError):
        intake.take(b"a")
    intake.take(b"b")
    assert calls == [b"a"]
    assert intake.value() == b"ab"
    assert not intake.matched


def test_patterns_look_beyond_the_limit() -> None:
    """What no longer fits into the budget is still looked at."""
    intake = Intake(Capture(OutputBudget(2)), early_exit=b"stop", ready=b"up")
    intake.take(b"u")
    intake.take(b"p..st")
    assert (intake.ready, intake.matched) == (True, False)
    intake.take(b"op")
    assert intake.matched
    assert intake.value() == b"up"


def test_an_intake_without_a_capture_keeps_nothing() -> None:
    """A stream that is not captured is looked at and thrown away."""
    intake = Intake(ready=b"up")
    intake.take(b"up")
    assert intake.ready
    assert not intake.captured
    assert intake.value() == b""
