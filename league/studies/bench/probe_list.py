"""The list of probes of a benchmark: which measurements there are for a workload, and their ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from league.errors import ConfigError, nearest
from league.games.catalogue import catalogue
from league.games.registry import NATIVE
from league.run.roster.ratings import COMPARED
from league.studies.bench.inference_probe import InferenceProbe
from league.studies.bench.limit_probe import MachineLimit
from league.studies.bench.match_probe import MatchProbe
from league.studies.bench.probe import Probe, Workload, workload
from league.studies.bench.rating_probes import ColdStandings, RatingRefit, SyntheticRun
from league.studies.bench.stepping_probes import AdaptedStepping, NativeStepping, RawStepping
from league.studies.bench.training_probes import PopulationTraining, RunTraining, Training

PETTINGZOO = ("pettingzoo:classic/connect_four-v3", "mpe2:simple_spread_v3")
"""Environments that the PettingZoo adapter is measured with, if they are installed."""

OPPONENTS = (1, 8, 64)
"""Numbers of distinct opponents."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The rate of the probe `over` divided by that of `under`, within a cycle. scale: converts between their units."""

    name: str
    about: str
    over: str
    under: str
    scale: float = 1.0


@dataclass(slots=True)
class ProbeList:
    """All measurements for a workload. skipped: by name, the reason why a measurement is not possible."""

    probes: list[Probe] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def choose(self, only: Sequence[str]) -> list[Probe]:
        """The probes with these names or below them; all if `only` is empty. A ratio's name selects its two probes.

        Raises ConfigError for an unknown name.
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


def all_probes(main: Workload, archive: SyntheticRun) -> ProbeList:
    """All probes in the order in which they are sampled. Probes that are compared are next to each other."""
    found = ProbeList()
    _add_training(found, main)
    device, effort = str(main.device), main.effort
    found.probes += [NativeStepping(id, device, effort, rules) for id in NATIVE for rules in (False, True)]
    for id in PETTINGZOO:
        _add_pettingzoo(found, main, id)
    found.probes.append(MatchProbe(main))
    found.probes += [RatingRefit(archive, kind) for kind in COMPARED]
    found.probes.append(ColdStandings(archive))
    return found


def _add_training(found: ProbeList, main: Workload) -> None:
    """Add the machine's limit, all kinds of training, and inference."""
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
    found.probes += [RunTraining(single), MachineLimit(main, "bfloat16")]
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
            found.probes.append(InferenceProbe(main, count))
        else:
            found.skipped[f"inference.{count}"] = f"{game} has no opponents"


def _add_pettingzoo(found: ProbeList, main: Workload, id: str) -> None:
    """Add the stepping of an environment, bare and adapted, and training on it with an MLP."""
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


def _below(name: str, prefix: str) -> bool:
    """Whether a dotted name is `prefix` or begins with it: `training.self_play` is below `training`."""
    return name == prefix or name.startswith(f"{prefix}.")
