"""From a config and a folder to the parts of a league: store, game, roster, learners, matchmaker, executor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from league.config.compare import blocking
from league.config.explain import show
from league.config.load import from_dict, to_dict
from league.config.run import RunConfig
from league.errors import ConfigError, PlanError, PolicyError, nearest
from league.events import Exploited
from league.execution.executor import Executor
from league.games.core import Game, GameSpec
from league.games.counter_rng import fold
from league.games.native.core import NativeGame
from league.games.registry import make
from league.learning.algorithms import LEARNERS
from league.learning.learner import Learner
from league.matchmaking.core import Matchmaker, log_uniform, make_matchmaker
from league.matchmaking.posts import by_seat
from league.policies import weights
from league.policies.core import Policy
from league.policies.neural import ACTOR_SETTINGS, NeuralPolicy, describe
from league.records import LearnerView, MatchResult, Origin, PolicyId, Post, Snapshot
from league.run.anchors import anchors_for
from league.run.ranking import keep_facts
from league.run.roster import Roster
from league.run.tuning import FACT, Tuning, choose
from league.storage.provenance import provenance
from league.storage.store import FILE, Store
from league.threads import Threads, alone

SLOTS = "slots"
"""The key under which a run keeps, among its facts, how many games are played side by side."""

_NATIVE_SLOTS, _PYTHON_SLOTS, _FIRST_SLOTS = 512, (16, 256), 64
"""Games side by side: of native games; the fewest and the most environments in Python; of runs that kept no number."""

_DECISIONS, _SEEN = 256, 2**20
"""Of environments in Python, so many are played side by side that a turn has about so many decisions (fewer waste time
on starting the work of each turn), and that what is seen on it has no more bytes than this."""

_LEARNER, _TABLE, _SPREAD = 11, 12, 13


@dataclass(frozen=True, slots=True)
class Parts:
    """What a league is made of. posts: those that the lineups of training tables fill.

    tables: the learners of each training table, by role.
    parents: by learner, the policy that it starts from, where the run starts from one (`population.init`).
    tuning: how the machine is used; tuned_before: how the run used it until now, as `Tuning.to_dict`, if it did.
    """

    store: Store
    roster: Roster
    executor: Executor
    posts: tuple[Post, ...]
    learners: tuple[Learner, ...]
    tables: tuple[tuple[Learner, ...], ...]
    matchmaker: Matchmaker
    parents: Mapping[str, PolicyId]
    tuning: Tuning
    tuned_before: Mapping[str, object] | None


@dataclass(slots=True)
class LearnerProgress:
    """A learner's place in the lineage. parent: its next snapshot's; taken: snapshots so far; exploited_at: steps."""

    parent: PolicyId | None = None
    taken: int = 0
    exploited_at: int = 0

    def view(self, learner: Learner, table: int, roster: Roster) -> LearnerView:
        """What a matchmaker may know of the learner."""
        latest = next(s.id for s in reversed(roster.snapshots) if s.learner == learner.name)
        return LearnerView(
            learner.name,
            learner.role.name,
            table,
            learner.steps,
            learner.steps - self.exploited_at,
            latest,
            hyperparameters_of(learner),
        )

    def record(self, learner: Learner) -> dict[str, object]:
        """As JSON, with the learner's counters: what a round's row keeps."""
        return {
            "steps": learner.steps,
            "skipped": learner.skipped,
            "hyperparameters": dict(learner.hyperparameters),
            "parent": self.parent,
            "taken": self.taken,
            "exploited_at": self.exploited_at,
        }

    @staticmethod
    def restore(learner: Learner, record: Mapping[str, object]) -> LearnerProgress:
        """The inverse of `record`; sets the learner's counters."""
        values = dict(record)
        learner.steps, learner.skipped = int(str(values["steps"])), int(str(values["skipped"]))
        hyperparameters = values["hyperparameters"]
        assert isinstance(hyperparameters, dict)
        learner.hyperparameters = dict(hyperparameters)
        parent = values["parent"]
        return LearnerProgress(
            None if parent is None else str(parent), int(str(values["taken"])), int(str(values["exploited_at"]))
        )


def open_league(config: RunConfig, folder: Path, retune: bool = False) -> Parts:
    """Create the run in `folder`, or open it to go on. Raises ConfigError where a running league's config differs.

    retune: choose anew how to use this machine, instead of what the run has kept.
    """
    device = resolve_device(config.device)
    alone()
    probe = make(config.game.id, 1, str(device), config.game.made_with)
    spec, native, replays = probe.spec, isinstance(probe, NativeGame), probe.replays
    try:
        anchors = anchors_for(config.rating.anchors, probe)
    finally:
        probe.close()
    matchmaker = make_matchmaker(config.matchmaking.kind, config.matchmaking.settings)
    tables = tuple(
        tuple(new_learner(config, spec, index, role, device) for role in range(len(spec.roles)))
        for index in range(config.population.learners)
    )
    learners = tuple(learner for table in tables for learner in table)
    roster = Roster(spec, folder / "snapshots", rating=config.rating, device=str(device))
    store, parents = _existing(config, folder), dict[str, PolicyId]()
    try:
        if config.population.init and (store is None or store.last_round() is None):
            parents = start_from(config.population.init, learners, roster)
        kept: dict[str, Any] = {SLOTS: usual_slots(spec, native)} if store is None else store.facts()
        slots = config.algorithm.slots or kept.get(SLOTS, _NATIVE_SLOTS if native else _FIRST_SLOTS)
        before = kept.get(FACT)
        tuning = choose(config, native, device, None if retune else before)
        # Last: whatever could not be used above must not leave a run behind that nobody can go on with.
        store = store or Store.create(folder, to_dict(config), {**kept, FACT: tuning.to_dict()}, provenance())
        if before is not None and tuning.to_dict() != before:
            store.put_fact(FACT, tuning.to_dict())
        for learner in learners:
            learner.microbatch_rows = tuning.piece
        keep_facts(store, roster.game)
        roster.load(store)
        roster.join(anchors)

        def new_game(count: int) -> Game:
            # A single game needs no processes beside this one.
            return make(config.game.id, count, str(device), config.game.made_with, tuning.workers if count > 1 else 0)

        posts = by_seat(spec.posts) if config.game.posts == "seat" else spec.posts
        executor = Executor(
            make_game=new_game,
            seeds=tuple(fold(config.seed, _TABLE, table) for table in range(len(tables))),
            slots=slots,
            posts=posts,
            replays=replays,
            threads=Threads(tuning.threads),
            team_reward=config.game.reward == "team",
        )
        return Parts(store, roster, executor, posts, learners, tables, matchmaker, parents, tuning, before)
    except BaseException:
        if store is not None:
            store.close()
        raise


def usual_slots(spec: GameSpec, native: bool) -> int:
    """Games side by side where the config does not say."""
    if native:
        return _NATIVE_SLOTS
    fewest, most = _PYTHON_SLOTS
    decisions = sum(role.acting for role in spec.roles)
    seen = sum(role.acting * prod(role.obs_shape) * role.obs_dtype.itemsize for role in spec.roles)
    slots = max(min(most, _DECISIONS // decisions, _SEEN // max(seen, 1)), fewest)
    return 1 << (slots.bit_length() - 1)


def resolve_device(name: str) -> torch.device:
    """ "auto" is CUDA where there is one. Raises ConfigError where the device is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device '{name}' is not there: this machine has {torch.cuda.device_count()} CUDA devices that torch can "
            "use; --device cpu works everywhere"
        )
    return device


def learner_name(spec: GameSpec, role: int, index: int, count: int) -> str:
    """`main`, `main-0` … where there are several; with several roles, the role instead of "main"."""
    stem = spec.roles[role].name if len(spec.roles) > 1 else "main"
    return stem if count == 1 else f"{stem}-{index}"


def new_learner(config: RunConfig, spec: GameSpec, index: int, role: int, device: torch.device) -> Learner:
    """A fresh learner of a role; its first hyperparameters are drawn where the population has a spread."""
    drawn = log_uniform(config.population.spread, np.random.default_rng(fold(config.seed, _SPREAD, index, role)))
    return LEARNERS[config.algorithm.kind](
        learner_name(spec, role, index, config.population.learners),
        spec,
        spec.roles[role],
        config.network,
        config.algorithm,
        fold(config.seed, _LEARNER, index, role),
        device,
        drawn,
    )


def start_from(text: str, learners: Sequence[Learner], roster: Roster) -> dict[str, PolicyId]:
    """Give the learners the actor weights of a policy; returns its id by learner. `ROLE=POLICY` leaves others fresh.

    Raises PolicyError where it does not fit their network.
    """
    from league.run.lookup import find
    from league.run.names import split_roles

    if text in ("best", "latest"):
        raise PolicyError(f"population.init = '{text}': of which run? Write {text}@RUN, or name an exported folder")
    wanted = split_roles(text, [role.name for role in roster.spec.roles])
    parents = {}
    for learner in learners:
        name = wanted.get(learner.role.name, wanted.get(""))
        if name is None:
            continue
        found = find(name, learner.role.name, roster)
        policy = found.policy
        if not isinstance(policy, NeuralPolicy) or policy.actor.spec != learner.actor.spec:
            raise PolicyError(
                f"population.init = '{text}': it is no network of the same shape as learner {learner.name}'s: "
                f"{_apart(policy, learner)}"
            )
        if (policy.epsilon is None) != (learner.policy.epsilon is None):
            says = [
                "what actions are worth" if one.epsilon is not None else "how likely they should be"
                for one in (policy, learner.policy)
            ]
            raise PolicyError(
                f"population.init = '{text}': its network says {says[0]}, and that of learner {learner.name} is to say "
                f"{says[1]}; begin with a policy of a run whose algorithm.kind is of the same sort"
            )
        learner.initialise_from(policy)
        if found.id is not None:
            parents[learner.name] = found.id
    return parents


def _apart(policy: Policy, learner: Learner) -> str:
    """How a policy's network differs from a learner's, in the words of the config."""
    if not isinstance(policy, NeuralPolicy):
        return "it is scripted and has none"
    theirs, mine = asdict(policy.actor.spec), asdict(learner.actor.spec)
    return "; ".join(
        f"{ACTOR_SETTINGS.get(name, name)} is {show(theirs[name])} there, {show(mine[name])} here"
        for name in mine
        if theirs[name] != mine[name]
    )


def hyperparameters_of(learner: Learner) -> dict[str, float]:
    """Every number of its settings, its own and the run's, in the order in which a snapshot is read back."""
    values = learner.settings.model_dump()
    return {key: float(value) for key, value in sorted(values.items()) if isinstance(value, float)}


def write_snapshot(store: Store, roster: Roster, learner: Learner, progress: LearnerProgress, number: int) -> Snapshot:
    """Write a learner's policy as an immutable file; the returned record is not yet in the database."""
    spec = roster.spec
    origin: Origin = "trained" if learner.steps else "initial"
    lineage = {
        "learner": learner.name,
        "number": progress.taken,
        "round": number,
        "steps": learner.steps,
        "parent": progress.parent,
        "origin": origin,
        "hyperparameters": hyperparameters_of(learner),
    }
    policy = learner.frozen()
    metadata = describe(spec, learner.role, policy.actor.spec, policy.epsilon) | lineage
    id = weights.write(store.snapshot_folder, weights.pack(policy.weights(), metadata))
    return Snapshot(
        id,
        learner.role.name,
        learner.name,
        progress.taken,
        number,
        learner.steps,
        origin,
        progress.parent,
        hyperparameters_of(learner),
    )


def numbered(results: Sequence[MatchResult], number: int) -> list[MatchResult]:
    """The results as rows of a round."""
    return [replace(result, round=number) for result in results]


def exploit_record(event: Exploited) -> dict[str, object]:
    """An exploit as the run's history keeps it."""
    return {
        "learner": event.learner,
        "source": event.source,
        "before": dict(event.before),
        "after": dict(event.after),
    }


def explore(learner: Learner, values: Mapping[str, float]) -> None:
    """Give a learner hyperparameters of its own. Raises PlanError where they are none that its algorithm can use."""
    numbers = hyperparameters_of(learner)
    if unknown := sorted(values.keys() - numbers.keys()):
        raise PlanError(
            f"exploit of '{learner.name}': '{unknown[0]}' is no hyperparameter{nearest(unknown[0], numbers)} "
            f"(there are: {', '.join(numbers)})"
        )
    try:
        type(learner.base_settings).model_validate(learner.base_settings.model_dump() | dict(values))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise PlanError(f"exploit of '{learner.name}': hyperparameters that cannot be used: {wrong}") from error
    learner.hyperparameters = dict(values)


def _existing(config: RunConfig, folder: Path) -> Store | None:
    """The run in `folder`, opened to go on; None where there is none yet."""
    if not (folder / FILE).exists():
        return None
    store = Store.open(folder)
    try:
        # What it has no setting for yet, as a run of an older version, is as it always was: at the default.
        if faults := blocking(to_dict(from_dict(store.config(), str(folder))), to_dict(config)):
            shown = "; ".join(f"{one.key} was {show(one.old)}, now {show(one.new)}" for one in faults)
            raise ConfigError(
                f"{folder} is a run with another config ({shown}). Go on with the same, or start afresh beside it "
                "with --new (`league docs storage` says what may differ)"
            )
    except BaseException:
        store.close()
        raise
    return store
