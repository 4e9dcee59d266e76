"""The benchmark's loop: all probes are sampled in turn, again and again.

If the machine is slower for a while, all probes are slower together. Ratios are taken within one pass over the probes,
so that they hold even where rates do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict

from league.config.load import to_dict
from league.config.run import RunConfig
from league.errors import ConfigError
from league.files import canonical_json, digest
from league.learning.learner import Learner
from league.learning.settings import ActorCriticSettings
from league.run.learners import new_learner
from league.storage.provenance import provenance
from league.studies.bench.bench_report import BenchReport, Summary, summary
from league.studies.bench.limit_probe import flop_per_step
from league.studies.bench.probe import FULL, QUICK, Effort, Probe, Workload, workload
from league.studies.bench.probe_list import Ratio, all_probes
from league.studies.bench.rating_probes import SyntheticRun
from league.threads import alone


def bench(
    config: RunConfig,
    quick: bool = False,
    only: Sequence[str] = (),
    tick: Callable[[float], None] = lambda fraction: None,
) -> BenchReport:
    """Measure how fast this machine runs a config. Runs are written to temporary folders only.

    quick: a smaller benchmark, of under a minute. only: names of probes or ratios, or the beginning of names up to a
    dot. tick: called with the fraction done. Raises ConfigError for unknown names, LeagueError if a run would.
    """
    began = time.perf_counter()
    alone()
    effort = QUICK if quick else FULL
    with ExitStack() as stack:
        archive = SyntheticRun(effort)
        stack.callback(archive.close)
        _measurable(config)
        main = workload(config, effort)
        listed = all_probes(main, archive)
        probes = listed.choose(only)
        for probe in probes:
            stack.callback(probe.close)
        samples = measured(probes, effort, tick)
        found = {
            probe.name: summary([*samples[probe.name].values()], probe.about, probe.unit, probe.details())
            for probe in probes
        }
        phases = {probe.name: dict(probe.phases()) for probe in probes if probe.phases()}
    facts = provenance()
    named = ("cpu", "cores", "gpu", "torch", "python", "platform")
    matters = {key: value for key, value in to_dict(config).items() if key in ("game", "network", "algorithm")}
    return BenchReport(
        version=facts["league"],
        machine={name: facts[name] for name in named} | {"device": str(main.device)},
        config={"digest": digest(canonical_json(matters).encode()), **matters},
        effort=asdict(effort) | {"batches": list(effort.batches)},
        tuning=main.tuning.to_dict(),
        flop_per_step=flop_per_step(_learners(main), main.epochs),
        probes=found,
        ratios={ratio.name: one for ratio in listed.ratios if (one := ratio_of(ratio, samples)) is not None},
        phases=phases,
        skipped=listed.skipped if not only else {},
        quick=quick,
        seconds=time.perf_counter() - began,
    )


def measured(probes: Sequence[Probe], effort: Effort, tick: Callable[[float], None]) -> dict[str, dict[int, float]]:
    """The samples by probe and cycle. A probe is skipped once it has used up its time or has enough samples."""
    samples: dict[str, dict[int, float]] = {probe.name: {} for probe in probes}
    spent = dict.fromkeys(samples, 0.0)
    expected = dict.fromkeys(samples, 2 * effort.seconds)
    begun, most = time.perf_counter(), 0.0

    def is_finished(probe: Probe) -> bool:
        had = len(samples[probe.name])
        late = spent[probe.name] >= effort.limit or time.perf_counter() - begun >= effort.enough
        return had >= probe.most or (late and had > 0)

    def tell(cycle: int, place: int) -> None:
        nonlocal most
        left = 0.0
        for index, probe in enumerate(probes):
            cycles = effort.cycles - cycle - (index < place)
            left += 0.0 if is_finished(probe) else expected[probe.name] * min(cycles, probe.most)
        elapsed = time.perf_counter() - begun
        most = max(most, elapsed / (elapsed + left) if left else 1.0)
        tick(most)

    for place, probe in enumerate(probes):
        tell(-1, place)
        probe.prepare()
        began = time.perf_counter()
        probe.warm()
        expected[probe.name] = max(expected[probe.name], time.perf_counter() - began)
    for cycle in range(effort.cycles):
        for place, probe in enumerate(probes):
            tell(cycle, place)
            if is_finished(probe):
                continue
            began = time.perf_counter()
            samples[probe.name][cycle] = probe.sample()
            expected[probe.name] = time.perf_counter() - began
            spent[probe.name] += expected[probe.name]
    tick(1.0)
    return samples


def ratio_of(ratio: Ratio, samples: dict[str, dict[int, float]]) -> Summary | None:
    """A ratio over the cycles in which both probes were sampled; None if there are none."""
    over, under = samples.get(ratio.over, {}), samples.get(ratio.under, {})
    values = [ratio.scale * over[cycle] / under[cycle] for cycle in over if cycle in under]
    return summary(values, ratio.about, "ratio") if values else None


def _measurable(config: RunConfig) -> None:
    """Raises ConfigError for an algorithm whose cost per decision is not known."""
    if not isinstance(config.algorithm, ActorCriticSettings):
        raise ConfigError(
            f"league bench measures algorithms that learn from their latest rollout, not {config.algorithm.kind}: "
            "choose another with --set algorithm.kind=mappo"
        )


def _learners(main: Workload) -> list[Learner]:
    return [new_learner(main.config, main.spec, 0, role, main.device) for role in range(len(main.spec.roles))]
