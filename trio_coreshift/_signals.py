"""Sends the signals of one run, and keeps the record of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ._kernel.child import Delivery
from ._output import SignalSent
from ._status import named_signal, signal_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._output import ShutdownReason
    from ._target import Target

log = logging.getLogger("trio_coreshift")


class SignalRecord:
    """What was sent, to what, when, and what the kernel said.

    Attributes:
        sent: The record so far.
    """

    __slots__ = ("_program", "_warned", "sent")

    def __init__(self, program: str) -> None:
        self.sent: list[SignalSent] = []
        self._program = program
        self._warned = False

    def send(
        self,
        target: Target,
        numbers: Iterable[int],
        *,
        reason: ShutdownReason | None,
        seconds: float,
    ) -> None:
        """Send each of ``numbers``; one that finds nobody is not recorded."""
        sent: list[tuple[int, Delivery]] = []
        for number in numbers:
            delivery = target.send(number)
            if delivery is Delivery.GONE:
                break
            sent.append((number, delivery))
        # All of them before any of it is told: what listens to the log may raise.
        why = "" if reason is None else reason.value
        for number, delivery in sent:
            self.note(target, number, delivery, seconds=seconds)
            log.info(
                "%s: %s to %s (%s)", self._program, signal_name(number), target.describe(), why
            )

    def note(self, target: Target, number: int, delivery: Delivery, *, seconds: float) -> None:
        """Record a signal; a refusal is warned about, once."""
        refused = delivery is Delivery.REFUSED
        self.sent.append(SignalSent(named_signal(number), target.describe(), seconds, refused))
        if refused and not self._warned:
            self._warned = True
            log.warning(
                "%s: the kernel refused %s to %s",
                self._program,
                signal_name(number),
                target.describe(),
            )
