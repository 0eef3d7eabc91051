"""What is kept of a child's output: a budget for both streams, and patterns across chunks.

Pure: no descriptors, no waiting.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class OutputBudget:
    """The bytes that may be kept of captured stdout and stderr together."""

    __slots__ = ("left", "overflowed")

    def __init__(self, limit: int) -> None:
        self.left = limit
        self.overflowed = False

    def admit(self, chunk: bytes) -> bytes:
        """Return the part of ``chunk`` that may be kept.

        Output of exactly the limit is no overflow; the first byte beyond it is.
        """
        size = len(chunk)
        if size <= self.left:
            self.left -= size
            return chunk
        self.overflowed = True
        kept = chunk[: self.left]
        self.left = 0
        return kept


class Capture:
    """What was kept of one stream."""

    __slots__ = ("_budget", "_kept")

    def __init__(self, budget: OutputBudget) -> None:
        self._budget = budget
        self._kept = io.BytesIO()

    def add(self, chunk: bytes) -> None:
        """Keep as much of ``chunk`` as the budget admits."""
        self._kept.write(self._budget.admit(chunk))

    def value(self) -> bytes:
        """Everything that was kept."""
        # CPython hands out the buffer itself, without a copy. Joining a list of chunks instead
        # touches the memory twice, which for large output takes longer than the reading.
        return self._kept.getvalue()


class PatternMatcher:
    """Finds a bytes pattern in a stream, wherever the chunks are cut."""

    __slots__ = ("_pattern", "_tail")

    def __init__(self, pattern: bytes) -> None:
        self._pattern = pattern
        self._tail = b""

    def __call__(self, chunk: bytes) -> bool:
        """Return whether the pattern has been seen, given the next ``chunk``."""
        seen = self._tail + chunk
        keep = len(self._pattern) - 1
        self._tail = seen[-keep:] if keep else b""
        return self._pattern in seen


def matcher_of(rule: Callable[[bytes], bool] | bytes) -> Callable[[bytes], bool]:
    """The predicate for a rule that is a predicate or a pattern."""
    return PatternMatcher(rule) if isinstance(rule, bytes) else rule


class Intake:
    """Where the chunks of one stream go, and what they have brought about.

    Attributes:
        matched: Whether ``early_exit`` has matched.
        ready: Whether the pattern of ``ready`` was seen.
        complete: Whether the stream was read to its end.
    """

    __slots__ = ("_capture", "_early_exit", "_ready", "complete", "matched", "ready")

    def __init__(
        self,
        capture: Capture | None = None,
        early_exit: Callable[[bytes], bool] | bytes | None = None,
        ready: bytes | None = None,
    ) -> None:
        self._capture = capture
        self._early_exit = None if early_exit is None else matcher_of(early_exit)
        self._ready = None if ready is None else PatternMatcher(ready)
        self.matched = False
        self.ready = False
        self.complete = False

    def take(self, chunk: bytes) -> bool:
        """Pass ``chunk`` to everyone who wants it; a predicate of the caller's may raise.

        Returns:
            Whether ``early_exit`` has matched, so that no more is to be read.
        """
        if self._capture is not None:
            self._capture.add(chunk)
        if self._ready is not None and self._ready(chunk):
            self.ready = True
            self._ready = None
        if self._early_exit is not None:
            # One that raises is not called again: the child is ended for it.
            early_exit, self._early_exit = self._early_exit, None
            if early_exit(chunk):
                self.matched = True
            else:
                self._early_exit = early_exit
        return self.matched

    def value(self) -> bytes:
        """What was captured of the stream."""
        return b"" if self._capture is None else self._capture.value()

    @property
    def captured(self) -> bool:
        """Whether the stream is collected into `Output`."""
        return self._capture is not None
