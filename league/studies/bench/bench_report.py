"""The report of `league bench`: a record that can be written, read back and compared with another."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from league.config.compare import differences
from league.errors import ConfigError
from league.files import read_capped

KIND = "league bench"
"""What a report's "report" says."""

_CAP = 2**24
_NONE = f"is no report of `{KIND} --json`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The samples of one probe, or of one ratio: unit, median, lowest, highest, and how many there were.

    about: what was measured, in a few words. details: further facts of the probe.
    """

    about: str
    unit: str
    median: float
    low: float
    high: float
    samples: int
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchReport:
    """One run of the benchmark.

    version: league's. machine: cpu, cores, gpu, torch, python, platform and device. config: the sections that matter,
    and their digest. effort: how much was measured. tuning: how the machine was used. flop_per_step: FLOP of an
    agent-step in matrix products, update included. probes, ratios: by name. phases: by probe, the share of each phase
    in its time. skipped: by name, why it was not measured. quick: whether it was the short one. seconds: of the whole
    benchmark.
    """

    version: str
    machine: Mapping[str, str]
    config: Mapping[str, object]
    effort: Mapping[str, object]
    tuning: Mapping[str, object]
    flop_per_step: float
    probes: Mapping[str, Summary]
    ratios: Mapping[str, Summary]
    phases: Mapping[str, Mapping[str, float]]
    skipped: Mapping[str, str]
    quick: bool
    seconds: float
    report: str = KIND

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values; `read` is the way back."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Change:
    """An earlier value, and the new one as a multiple of it."""

    old: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A report against an earlier one, for names that both have. warnings: differences that make comparison hard."""

    file: str
    warnings: tuple[str, ...]
    probes: Mapping[str, Change]
    ratios: Mapping[str, Change]


def summary(values: Sequence[float], about: str, unit: str, details: Mapping[str, object] | None = None) -> Summary:
    """Median and range of some samples, of which there is at least one."""
    return Summary(
        about=about,
        unit=unit,
        median=statistics.median(values),
        low=min(values),
        high=max(values),
        samples=len(values),
        details=dict(details or {}),
    )


def read(path: Path) -> BenchReport:
    """The report in a file. Raises ConfigError where it is none, OSError where there is no file."""
    try:
        found = TypeAdapter(BenchReport).validate_json(read_capped(path, _CAP))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ConfigError(f"{path} {_NONE} ({place + ': ' if place else ''}{fault['msg']})") from None
    if found.report != KIND:
        raise ConfigError(f"{path} {_NONE} (report: '{found.report}')")
    return found


def compare(new: BenchReport, old: BenchReport, file: str) -> Comparison:
    """A report against an earlier one that was read from `file`."""
    warnings = [
        f"{what} {one.key} was {one.old}, is {one.new}"
        for what, before, after in (
            ("machine:", old.machine, new.machine),
            ("config:", old.config, new.config),
            ("effort:", old.effort, new.effort),
        )
        for one in differences(before, after)
        if one.key != "digest"
    ]
    return Comparison(file, tuple(warnings), _changes(new.probes, old.probes), _changes(new.ratios, old.ratios))


def _changes(new: Mapping[str, Summary], old: Mapping[str, Summary]) -> dict[str, Change]:
    return {
        name: Change(old[name].median, one.median / old[name].median)
        for name, one in new.items()
        if name in old and old[name].unit == one.unit and old[name].median > 0
    }
