"""The runs of a comparison: one for each config and seed, in a folder of its own below the comparison's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from league.config.compare import blocking_differences
from league.config.explain import toml_text
from league.config.load import from_dict, load, to_dict
from league.config.run import RunConfig
from league.config.user_code import at_places_of
from league.errors import ConfigError, RunError
from league.storage.store import FILE, Store


@dataclass(frozen=True, slots=True)
class Contender:
    """One run. name: its config's, without folder and suffix. folder: of the run."""

    name: str
    seed: int
    config: RunConfig
    folder: Path

    @property
    def label(self) -> str:
        """The name of its folder."""
        return self.folder.name


@dataclass(frozen=True, slots=True)
class Trained:
    """How far a run is. steps: agent-steps of all its learners. seconds: of all its rounds."""

    steps: int
    seconds: float


def contenders(paths: Sequence[str], seeds: int, steps: int, out: Path, overrides: Sequence[str]) -> list[Contender]:
    """The runs of all configs with the seeds 1 to `seeds`, config by config, each with the budget of `steps` alone.

    overrides: `KEY=VALUE` for all of them. Raises ConfigError where the configs do not form a comparison.
    """
    names = [Path(path).stem for path in paths]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ConfigError(
            f"two configs are called {twice[0]}: their runs would share a folder, so rename one of the files"
        )
    if len(paths) < 2:
        raise ConfigError("a comparison needs two configs or more")
    budget = ["budget.rounds=none", "budget.minutes=none", f"budget.steps={steps}"]
    found = [
        Contender(name, seed, load(path, [*overrides, *budget, f"seed={seed}"]), out / f"{name}-{seed}")
        for name, path in zip(names, paths, strict=True)
        for seed in range(1, seeds + 1)
    ]
    first, played = found[0], found[0].config.game.label
    for one in found:
        if (other := one.config.game.label) != played:
            raise ConfigError(f"all configs must play the same game: {first.name} plays {played}, {one.name} {other}")
    return found


def trained(one: Contender) -> Trained:
    """How far a run is; (0, 0) before it begins.

    Raises RunError if it is another run than is asked for, or if it was trained for more agent-steps.
    """
    if not (one.folder / FILE).is_file():
        return Trained(0, 0.0)
    with Store.reader(one.folder) as store:
        before, last = from_dict(store.config(), str(one.folder)), store.last_round()
        if faults := blocking_differences(at_places_of(to_dict(before), to_dict(one.config)), to_dict(one.config)):
            shown = "; ".join(f"{fault.key} was {toml_text(fault.old)}, now {toml_text(fault.new)}" for fault in faults)
            raise RunError(f"{one.folder} was trained with another config ({shown}): name another folder by --out")
        if last is None:
            return Trained(0, 0.0)
        steps = one.config.budget.steps or 0
        if store.steps_after(last.round - 1) >= steps:
            raise RunError(
                f"{one.folder} was trained for {last.steps:,} agent-steps, more than {steps:,}: "
                "name another folder by --out, or as many --steps"
            )
        return Trained(last.steps, store.seconds())
