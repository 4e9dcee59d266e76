"""The report of `league bench`: how it is written, read and compared with an earlier one."""

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
"""The value of the key "report" in every report."""

_CAP = 2**24
_NOT_A_REPORT = f"is not a report of `{KIND} --json`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The median and range of the samples of one probe or one ratio.

    about: what was measured, in a few words. samples: their number. details: other facts that the probe reports.
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

    version: of league. machine: cpu, cores, gpu, torch, python, platform and device. config: the sections that affect
    speed, and their digest. effort: how much was measured. tuning: threads, workers and microbatches. flop_per_step:
    FLOP of the matrix products of one agent-step, including the update. probes, ratios: by name. phases: by probe, each
    phase's share of the time. skipped: by name, the reason. quick: whether the benchmark was the short one. seconds:
    of the whole benchmark.
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
        """As plain JSON values, which `read` reads back."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Change:
    """An earlier value, and the new value divided by it."""

    old: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A report compared with an earlier one, for the names in both. warnings: other differences between the two."""

    file: str
    warnings: tuple[str, ...]
    probes: Mapping[str, Change]
    ratios: Mapping[str, Change]


def summary(values: Sequence[float], about: str, unit: str, details: Mapping[str, object] | None = None) -> Summary:
    """The median and range of one or more samples."""
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
    """Read a report. Raises ConfigError if the file holds no report, OSError if it cannot be read."""
    try:
        found = TypeAdapter(BenchReport).validate_json(read_capped(path, _CAP))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ConfigError(f"{path} {_NOT_A_REPORT} ({place + ': ' if place else ''}{fault['msg']})") from None
    if found.report != KIND:
        raise ConfigError(f"{path} {_NOT_A_REPORT} (report: '{found.report}')")
    return found


def compare(new: BenchReport, old: BenchReport, file: str) -> Comparison:
    """Compare a report with an earlier one, which was read from `file`."""
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
