"""Rounds: who is measured when, how often and how large."""

from __future__ import annotations

import enum
import importlib.util
import shutil
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_T = TypeVar("_T")

_NEEDS = {"anyio": "anyio"}


class Scale(enum.Enum):
    """How large the sizes are."""

    FULL = "full"
    QUICK = "quick"
    TINY = "tiny"
    """For tests: it runs, and proves nothing."""


@attrs.frozen
class Bench:
    """What a family of figures has to know.

    Attributes:
        scale: How large the sizes are.
        floor: The C program that shows how fast it could be; None: there is no compiler.
    """

    scale: Scale
    floor: Path | None = None

    def pick(self, *, full: _T, quick: _T, tiny: _T) -> _T:
        """Choose by scale."""
        match self.scale:
            case Scale.FULL:
                return full
            case Scale.QUICK:
                return quick
            case Scale.TINY:
                return tiny

    def present(self, *contenders: str) -> list[str]:
        """Of these contenders, the ones that can be had here."""
        return [name for name in contenders if self._has(name)]

    def _has(self, contender: str) -> bool:
        if contender == "floor":
            return self.floor is not None
        needed = _NEEDS.get(contender)
        return needed is None or importlib.util.find_spec(needed) is not None

    @property
    def floor_path(self) -> str | None:
        """The same as text, for a worker."""
        return None if self.floor is None else str(self.floor)

    def say(self, text: str) -> None:
        """Tell the person who waits what is going on."""
        print(text, file=sys.stderr, flush=True)


def interleave(
    contenders: Sequence[str],
    rounds: int,
    measure: Callable[[str], _T],
    warm_up: Callable[[str], object] | None = None,
) -> dict[str, list[_T]]:
    """Measure every contender once in each round, and each round in another order.

    So whatever the machine does in the meantime hits all of them, and nobody always comes first.

    Args:
        contenders: Who.
        rounds: How often.
        measure: Takes one sample of a contender.
        warm_up: Called once for each contender before the first round.
    """
    if warm_up is not None:
        for contender in contenders:
            warm_up(contender)
    results: dict[str, list[_T]] = {contender: [] for contender in contenders}
    for number in range(rounds):
        first = number % len(contenders)
        for contender in (*contenders[first:], *contenders[:first]):
            results[contender].append(measure(contender))
    return results


def interleave_workers(
    contenders: Sequence[str],
    rounds: int,
    function: str,
    cases: Sequence[Mapping[str, Any]],
    warm_up: Mapping[str, Any],
) -> list[dict[str, list[dict[str, Any]]]]:
    """Let each contender have a process of its own that takes all its samples.

    Args:
        contenders: Who; passed to the function as ``contender``.
        rounds: How often.
        function: ``module:function``, which takes one sample.
        cases: What else it is given, for each case that is to be measured.
        warm_up: What is different in the samples that are thrown away.
    """
    with ExitStack() as stack:
        workers = {contender: stack.enter_context(Worker()) for contender in contenders}

        def call(contender: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
            return workers[contender].call(function, {"contender": contender, **arguments})

        return [
            interleave(
                contenders,
                rounds,
                partial(call, arguments=case),
                partial(call, arguments={**case, **warm_up}),
            )
            for case in cases
        ]


def column(results: Mapping[str, list[dict[str, Any]]], key: str) -> dict[str, list[float]]:
    """One value out of the results of every round."""
    return {name: [float(result[key]) for result in each] for name, each in results.items()}


def build_floor(folder: Path) -> Path | None:
    """Compile the C program into ``folder``; None: there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program = folder / "floor"
    source = Path(__file__).with_name("floor.c")
    subprocess.run((compiler, "-O2", "-Wall", "-o", program, source), check=True)
    return program
