"""The benchmark itself: which probes there are, and the loop that takes all of them in turn, again and again.

Interleaved, a machine that is slower for a while is slower for all; ratios are taken within one turn through the
probes, so that they hold where rates do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

from league.config.load import to_dict
from league.config.run import RunConfig
from league.errors import ConfigError, nearest
from league.files import canonical_json, digest
from league.games.catalogue import catalogue
from league.games.registry import NATIVE
from league.learning.learner import Learner
from league.learning.settings import ActorCriticSettings
from league.rating.core import RATINGS
from league.run.learners import new_learner
from league.storage.provenance import provenance
from league.studies.bench.bench_report import BenchReport, Summary, summary
from league.studies.bench.limit_probe import MachineLimit, flop_per_step
from league.studies.bench.play_probes import Inference, MatchPlay
from league.studies.bench.probe import FULL, QUICK, Effort, Probe, Workload, workload
from league.studies.bench.rating_probes import ColdStandings, RatingRefit, SyntheticRun
from league.studies.bench.stepping_probes import AdaptedStepping, NativeStepping, RawStepping
from league.studies.bench.training_probes import PopulationTraining, RunTraining, Training
from league.threads import alone

PETTINGZOO = ("pettingzoo:classic/connect_four-v3", "mpe2:simple_spread_v3")
"""Environments that the adapter is measured with, where they are installed."""

OPPONENTS = (1, 8, 64)
"""Numbers of distinct opponents."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One probe's rate as a share of another's, taken within a cycle. scale: of the first's units in the second's."""

    name: str
    about: str
    over: str
    under: str
    scale: float = 1.0


@dataclass(slots=True)
class ProbeList:
    """All that could be measured. skipped: by name, why it cannot be."""

    probes: list[Probe] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def choose(self, only: Sequence[str]) -> list[Probe]:
        """The probes of these names, or below them; a ratio's name means the two that it is of. None named: all.

        Raises ConfigError for a name that there is not.
        """
        chosen: set[str] = set()
        for name in only:
            found = {probe.name for probe in self.probes if _below(probe.name, name)}
            found |= {one for ratio in self.ratios if ratio.name == name for one in (ratio.over, ratio.under)}
            why_not = [why for one, why in self.skipped.items() if _below(one, name)]
            if not found and why_not:
                raise ConfigError(f"--only {name}: it cannot be measured here: {why_not[0]}")
            if not found:
                known = [*(probe.name for probe in self.probes), *(ratio.name for ratio in self.ratios)]
                groups = list(dict.fromkeys(one.partition(".")[0] for one in known))
                hint = nearest(name, [*groups, *known])
                raise ConfigError(f"--only {name}: there is no such measurement{hint} (groups: {', '.join(groups)})")
            chosen |= found
        return [probe for probe in self.probes if not only or probe.name in chosen]


def bench(
    config: RunConfig,
    quick: bool = False,
    only: Sequence[str] = (),
    tick: Callable[[float], None] = lambda fraction: None,
) -> BenchReport:
    """Measure how well this machine is used for a config. No run is written but in temporary folders.

    quick: less of everything, in under a minute. only: names of probes or ratios, or what stands before a dot in them.
    tick: told how much is done. Raises ConfigError for unknown names, LeagueError for what a run could not do either.
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


def all_probes(main: Workload, archive: SyntheticRun) -> ProbeList:
    """All probes in the order in which they are taken, those that are compared next to each other."""
    found = ProbeList()
    _add_training(found, main)
    device, effort = str(main.device), main.effort
    found.probes += [NativeStepping(id, device, effort, rules) for id in NATIVE for rules in (False, True)]
    for id in PETTINGZOO:
        _add_pettingzoo(found, main, id)
    found.probes.append(MatchPlay(main))
    found.probes += [RatingRefit(archive, kind) for kind in RATINGS if kind != "mean-score"]
    found.probes.append(ColdStandings(archive))
    return found


def _add_training(found: ProbeList, main: Workload) -> None:
    """The machine's limit, inference, and training in all ways."""
    game = main.config.game.id
    single = main.variant("algorithm.precision=float32")
    mixed = main.variant("algorithm.precision=bfloat16")
    several = main.variant("algorithm.precision=float32", "population.learners=8")
    found.probes += [
        MachineLimit(main, "float32"),
        Training("training.self_play", f"{game}, self-play", single),
    ]
    found.ratios.append(
        Ratio(
            "training.share_of_limit",
            "self-play / matrix products alone",
            "training.self_play",
            "machine.limit.float32",
        )
    )
    others: list[Training] = []
    for count in OPPONENTS[1:]:
        name = f"training.opponents_{count}"
        if len(main.spec.sides) > 1:
            others.append(Training(name, f"{game}, {count} distinct opponents", single, count))
        else:
            found.skipped[name] = f"{game} has no opponents"
    others.append(PopulationTraining("training.population_8", f"{game}, a population of eight", several))
    others.append(Training("training.bfloat16", f"{game}, self-play, bfloat16", mixed))
    for probe in others:
        found.probes.append(probe)
        what = probe.about.rpartition(", ")[2]
        found.ratios.append(
            Ratio(f"{probe.name}.of_self_play", f"{what} / self-play", probe.name, "training.self_play")
        )
    found.probes += [RunTraining(main), MachineLimit(main, "bfloat16")]
    found.ratios.append(
        Ratio("training.run.of_self_play", "a whole league / self-play", "training.run", "training.self_play")
    )
    found.ratios.append(
        Ratio(
            "machine.limit.bfloat16.of_float32",
            "matrix products, bfloat16 / float32",
            "machine.limit.bfloat16",
            "machine.limit.float32",
        )
    )
    for count in OPPONENTS:
        if len(main.spec.sides) > 1:
            found.probes.append(Inference(main, count))
        else:
            found.skipped[f"inference.{count}"] = f"{game} has no opponents"


def _add_pettingzoo(found: ProbeList, main: Workload, id: str) -> None:
    """NativeStepping an environment, bare and adapted, and training on it; with the configured network as an MLP."""
    here = {listed.id: listed.why_not for listed in catalogue()}
    names = [f"stepping.{id}.bare", f"stepping.{id}", f"training.{id}"]
    if here.get(id, "it is not installed"):
        found.skipped |= dict.fromkeys(names, here.get(id, "it is not installed"))
        return
    changes = (f"game.id={id!r}", "algorithm.slots=none", "algorithm.precision=float32", "network.kind=mlp")
    adapted = workload(main.changed(*changes), main.effort)
    short = id.partition(":")[2]
    processes = max(adapted.tuning.workers, 1)
    found.probes += [
        RawStepping(names[0], id, processes, main.effort),
        AdaptedStepping(names[1], adapted),
        Training(names[2], f"{short}, self-play", adapted),
    ]
    acting = sum(role.acting for role in adapted.spec.roles)
    found.ratios += [
        Ratio(f"{names[1]}.of_bare", f"{short}, stepping / bare", names[1], names[0]),
        Ratio(f"{names[2]}.of_bare", f"{short}, training / bare", names[2], names[0], 1 / acting),
    ]


def measured(probes: Sequence[Probe], effort: Effort, tick: Callable[[float], None]) -> dict[str, dict[int, float]]:
    """Samples by probe and cycle. A probe that has had its time, or as many samples as it needs, rests."""
    samples: dict[str, dict[int, float]] = {probe.name: {} for probe in probes}
    spent = dict.fromkeys(samples, 0.0)
    expected = dict.fromkeys(samples, 2 * effort.seconds)
    begun, most = time.perf_counter(), 0.0

    def rests(probe: Probe) -> bool:
        had = len(samples[probe.name])
        late = spent[probe.name] >= effort.limit or time.perf_counter() - begun >= effort.enough
        return had >= probe.most or (late and had > 0)

    def tell(cycle: int, place: int) -> None:
        nonlocal most
        left = 0.0
        for index, probe in enumerate(probes):
            cycles = effort.cycles - cycle - (index < place)
            left += 0.0 if rests(probe) else expected[probe.name] * min(cycles, probe.most)
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
            if rests(probe):
                continue
            began = time.perf_counter()
            samples[probe.name][cycle] = probe.sample()
            expected[probe.name] = time.perf_counter() - began
            spent[probe.name] += expected[probe.name]
    tick(1.0)
    return samples


def ratio_of(ratio: Ratio, samples: dict[str, dict[int, float]]) -> Summary | None:
    """A ratio of the cycles in which both were measured; None where there are none."""
    over, under = samples.get(ratio.over, {}), samples.get(ratio.under, {})
    values = [ratio.scale * over[cycle] / under[cycle] for cycle in over if cycle in under]
    return summary(values, ratio.about, "ratio") if values else None


def _measurable(config: RunConfig) -> None:
    """Raises ConfigError where what a decision costs is not known."""
    if not isinstance(config.algorithm, ActorCriticSettings):
        raise ConfigError(
            f"league bench measures algorithms that learn from their latest rollout, not {config.algorithm.kind}: "
            "choose another with --set algorithm.kind=mappo"
        )


def _learners(main: Workload) -> list[Learner]:
    return [new_learner(main.config, main.spec, 0, role, main.device) for role in range(len(main.spec.roles))]


def _below(name: str, prefix: str) -> bool:
    """`training` is what `training.self_play` stands below."""
    return name == prefix or name.startswith(f"{prefix}.")
