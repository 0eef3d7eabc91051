"""Figures, their ratios, and the JSON they are kept in. No measuring here."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = 1
OURS: Final = "vfork"
TRIO: Final = "trio"


@attrs.frozen
class Bound:
    """A demand on the subject of a figure.

    Attributes:
        limit: What the ratio, or the value itself, has to reach or not to exceed.
        against: Whose multiple the limit is; None: it is absolute, in the figure's unit.
        text: How the contract says it, where the number alone would not do.
    """

    limit: float
    against: str | None = TRIO
    text: str = ""


@attrs.frozen
class Spread:
    """What is told of many samples."""

    median: float
    low: float
    high: float


def spread_of(samples: list[float]) -> Spread:
    """Summarise samples, of which there must be one."""
    return Spread(statistics.median(samples), min(samples), max(samples))


@attrs.frozen(kw_only=True)
class Figure:
    """One thing that was measured, with every sample of every contender.

    The n-th samples of two contenders are of the same round: a ratio is taken within the round, so
    that a machine that gets slower or faster in between changes both of its terms.

    Attributes:
        name: Short and unique; its first word is the family.
        title: What was measured.
        unit: Of the samples.
        higher_is_better: How to read it.
        samples: By contender, one for each round.
        baseline: Whom the others are divided by; None: only absolute values make sense.
        subject: Whom the bounds are about.
        must: What has to hold.
        aims: What would be better still.
        curves: By contender, percentiles 0 to 100 for a plot.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool = False
    samples: dict[str, list[float]]
    baseline: str | None = TRIO
    subject: str = OURS
    must: Bound | None = None
    aims: tuple[Bound, ...] = ()
    curves: dict[str, list[float]] = attrs.field(factory=dict)

    def spread(self, contender: str) -> Spread | None:
        """The contender's samples in short; None: it took no part."""
        samples = self.samples.get(contender)
        return spread_of(samples) if samples else None

    def ratios(self, contender: str, against: str) -> list[float]:
        """One contender's samples as multiples of another's of the same round."""
        pairs = zip(
            self.samples.get(contender, ()), self.samples.get(against, ()), strict=False
        )  # a contender that took no part leaves no pair
        return [ours / theirs for ours, theirs in pairs if theirs]

    def ratio(self, contender: str, against: str) -> Spread | None:
        """The ratios in short; None: one of the two took no part."""
        ratios = self.ratios(contender, against)
        return spread_of(ratios) if ratios else None

    def meets(self, bound: Bound) -> bool | None:
        """Whether the subject keeps to a bound; None: it was not measured."""
        if bound.against is None:
            found = self.spread(self.subject)
        else:
            found = self.ratio(self.subject, bound.against)
        if found is None:
            return None
        if self.higher_is_better:
            return found.median >= bound.limit
        return found.median <= bound.limit

    def to_json(self) -> dict[str, Any]:
        """Return what the JSON file has of it: what was measured, then what follows from it."""
        baseline = self.baseline
        return {
            **attrs.asdict(self),
            "medians": {
                name: statistics.median(each) for name, each in self.samples.items() if each
            },
            "ratios": {
                name: {"all": self.ratios(name, baseline), **attrs.asdict(ratio)}
                for name in self.samples
                if baseline is not None and (ratio := self.ratio(name, baseline)) is not None
            },
            "must_met": None if self.must is None else self.meets(self.must),
            "aims_met": [self.meets(bound) for bound in self.aims],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Figure:
        """Make it again; what follows from the samples is worked out anew."""
        known = {field.name: data[field.name] for field in attrs.fields(cls)}
        known["must"] = None if data["must"] is None else Bound(**data["must"])
        known["aims"] = tuple(Bound(**bound) for bound in data["aims"])
        return cls(**known)


@attrs.frozen(kw_only=True)
class Report:
    """A run of the benchmarks.

    Attributes:
        machine: On what they were measured, as label and text.
        scale: How large the sizes were.
        figures: What was measured.
    """

    machine: dict[str, str]
    scale: str
    figures: list[Figure]

    def save(self, path: Path) -> None:
        """Write the JSON file."""
        data = {
            "schema": SCHEMA,
            "machine": self.machine,
            "scale": self.scale,
            "figures": [figure.to_json() for figure in self.figures],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Report:
        """Read a JSON file that `save` wrote.

        Raises:
            ValueError: It is of another schema.
        """
        data = json.loads(path.read_text())
        if data["schema"] != SCHEMA:
            raise ValueError(f"{path} has schema {data['schema']}, not {SCHEMA}")
        return cls(
            machine=data["machine"],
            scale=data["scale"],
            figures=[Figure.from_json(figure) for figure in data["figures"]],
        )
