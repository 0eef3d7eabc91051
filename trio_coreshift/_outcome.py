"""How a run comes out: what is returned, and which of the things that hit it is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from ._errors import ExitStatusError, OutputLimitError, ProcessAbandonedError
from ._policy import OverflowPolicy

if TYPE_CHECKING:
    from ._options import SpawnOptions
    from ._output import Output


def is_cancellation(exc: BaseException) -> bool:
    """Whether ``exc`` is a mere cancellation; a nursery may have made a group of it."""
    if isinstance(exc, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", exc)
        return group.split(trio.Cancelled)[1] is None
    return isinstance(exc, trio.Cancelled)


class Outcome:
    """What is known of how a run goes, until it is told.

    Attributes:
        output: How it went; None until it is over.
        failure: What hit the loop, or None.
        launch_error: Why there is no program, or None.
        abandoned: Whether the child is still there.
        overflowed: Whether more was written than may be kept.
        ready: Whether it became ready, if it was to.
    """

    output: Output | None = None
    failure: BaseException | None = None
    launch_error: BaseException | None = None
    abandoned = False
    overflowed = False
    ready = True

    def keep(self, exc: BaseException) -> None:
        """Keep ``exc`` to be raised, unless there is one already."""
        # What is not a mere cancellation must not be lost behind one.
        failure = self.failure
        if failure is None or (is_cancellation(failure) and not is_cancellation(exc)):
            self.failure = exc

    def tell(self, options: SpawnOptions) -> Output:
        """Return or raise what `spawn` does."""
        failure, self.failure = self.failure, None
        try:
            if self.launch_error is not None and (failure is None or is_cancellation(failure)):
                raise self.launch_error
            if self.output is None:
                assert failure is not None, "what has kept it from being made"
                raise failure
            if self.abandoned and not isinstance(failure, KeyboardInterrupt):
                raise ProcessAbandonedError(self.output) from failure
            if failure is not None:
                raise failure
            if self.overflowed and options.overflow is not OverflowPolicy.TRUNCATE:
                raise OutputLimitError("spawn output limit", self.output)
            if not self.ready and options.wait:
                raise ExitStatusError(self.output)
            return self.output
        finally:
            # The exception's traceback refers to this frame, and the frame would to it.
            del failure
