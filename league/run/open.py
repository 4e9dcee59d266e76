"""Opening a run: from a config and a folder to the parts of a league, for new and for resumed runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from league.config.compare import blocking_differences
from league.config.explain import toml_text
from league.config.load import from_dict, to_dict
from league.config.run import RunConfig
from league.config.user_code import at_places_of
from league.errors import ConfigError, GameError, SnapshotError
from league.execution.executor import Executor
from league.execution.random_starts import RandomStarts
from league.games.core import Game, GameSpec
from league.games.counter_rng import fold
from league.games.exact.sequence_form import SequenceForm
from league.games.native.core import NativeGame
from league.games.registry import is_own, make
from league.learning.learner import Learner
from league.learning.settings import ActorCriticSettings
from league.matchmaking.core import Matchmaker, make_matchmaker, table_labels
from league.matchmaking.posts import by_seat
from league.policies import weights
from league.policies.neural import fits
from league.rating.core import make_rating
from league.records import PolicyId, Post
from league.run import code
from league.run.exploitability import traversed
from league.run.folders import BEGUN_FACT, require_run, run_option
from league.run.learners import new_learner, start_from
from league.run.rated_budget import rated_turns
from league.run.roster.anchors import anchors_for
from league.run.roster.game_facts import keep_facts
from league.run.roster.lookup import Found
from league.run.roster.roster import Roster
from league.run.slots import NATIVE_SLOTS, OLD_SLOTS, SLOTS_FACT, usual_slots
from league.run.tuning import TUNING_FACT, Tuning, choose
from league.storage.provenance import provenance
from league.storage.store import FILE, Store
from league.threads import Threads, alone

_TABLE_SEED = 12
"""The constant in the seeds of training tables."""

_RANDOM_STARTS = 0.5
"""The share of random starts in games of perfect information, where the config says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a league. posts: filled by the lineups of training tables.

    tables: the learners of each training table, by role. parents: by learner, the policy that it starts from
    (`population.init`). rated_turns: turns of rated games for each round of training. sequence_form: the whole game,
    if exploitability is measured in it. tuning: how the machine is used. tuned_before: the tuning that the run used
    until now, as `Tuning.to_dict`; None for a new run. own_code: the user's own. changes: what of it has
    changed since the last round and was accepted.
    """

    store: Store
    roster: Roster
    executor: Executor
    matchmaker: Matchmaker
    posts: tuple[Post, ...]
    tables: tuple[tuple[Learner, ...], ...]
    parents: Mapping[str, PolicyId]
    rated_turns: float
    sequence_form: SequenceForm | None
    tuning: Tuning
    tuned_before: Mapping[str, object] | None
    own_code: Sequence[code.Code]
    changes: Sequence[code.Change]

    @property
    def learners(self) -> tuple[Learner, ...]:
        """All learners, table by table."""
        return tuple(learner for table in self.tables for learner in table)


def open_league(config: RunConfig, folder: Path, retune: bool = False, accept_changes: bool = False) -> Parts:
    """Create the run in `folder`, or open it to resume. Raises ConfigError if the run there has another config.

    retune: choose a new tuning for this machine instead of using the stored one. accept_changes: go on although code of
    the user's has changed.
    """
    device = resolve_device(config.device)
    alone()
    _require_files(config, folder)
    probe = make(config.game.id, 1, str(device), config.game.make_options)
    spec, native, replays = probe.spec, isinstance(probe, NativeGame), probe.replays
    store, begun = None, dict[str, Found]()
    try:
        with closing(probe):
            store = _open_existing(config, folder, spec)
            anchors = anchors_for(config.rating.anchors, probe)
        matchmaker = make_matchmaker(config.matchmaking.kind, config.matchmaking.settings)
        used = _own_code(config)
        changes = [] if store is None else code.changes(code.kept(store), used)
        if store is not None and not accept_changes:
            code.require_unchanged(store, changes)
        sequence_form = traversed(config, spec)
        tables = _tables(config, spec, matchmaker, device)
        learners = tuple(learner for table in tables for learner in table)
        roster = Roster(spec, folder / "snapshots", config.rating, str(device), code.places(used))
        if config.population.init and (store is None or store.last_round() is None):
            begun = start_from(config.population.init, learners, roster)
        kept: dict[str, Any] = {SLOTS_FACT: usual_slots(spec, native)} if store is None else store.facts()
        slots = config.algorithm.slots or kept.get(SLOTS_FACT, NATIVE_SLOTS if native else OLD_SLOTS)
        before = kept.get(TUNING_FACT)
        tuning = choose(config, native, device, None if retune else before)
        # The folder is created last, so that an unusable config does not leave a run behind that cannot be resumed.
        store = store or Store.create(folder, to_dict(config), {**kept, TUNING_FACT: tuning.to_dict()}, provenance())
        if before is not None and tuning.to_dict() != before:
            store.put_fact(TUNING_FACT, tuning.to_dict())
        if begun:
            store.put_fact(BEGUN_FACT, {one.id: one.label for one in begun.values() if one.id is not None})
        for learner in learners:
            learner.microbatch_rows, learner.auto_precision = tuning.microbatch_rows, tuning.precision
        keep_facts(store, roster.ranking.game)
        code.record(store, used, to_dict(config), changes)
        roster.places = code.places(code.kept(store))
        roster.ranking.load(store, guests=False)
        roster.entrants.join(anchors)

        posts = by_seat(spec.posts) if config.game.posts == "seat" else spec.posts
        executor = Executor(
            make_game=partial(_new_game, config, str(device), tuning.workers),
            seeds=tuple(fold(config.seed, _TABLE_SEED, table) for table in range(len(tables))),
            slots=slots,
            posts=posts,
            replays=replays,
            threads=Threads(tuning.threads),
            team_reward=config.game.reward == "team",
            starts=random_starts(config, spec),
        )
        return Parts(
            store=store,
            roster=roster,
            executor=executor,
            matchmaker=matchmaker,
            posts=posts,
            tables=tables,
            parents={learner: found.id for learner, found in begun.items() if found.id is not None},
            rated_turns=_rated_turns(config, slots, native, learners),
            sequence_form=sequence_form,
            tuning=tuning,
            tuned_before=before,
            own_code=used,
            changes=changes,
        )
    except BaseException:
        if store is not None:
            store.close()
        raise


def random_starts(config: RunConfig, spec: GameSpec) -> RandomStarts | None:
    """Which training episodes begin with random play; None: none. Without `game.random_starts` the game decides."""
    share = config.game.random_starts
    if share is None:
        knows_all = spec.perfect_information and isinstance(config.algorithm, ActorCriticSettings)
        share = _RANDOM_STARTS if knows_all else 0.0
    return RandomStarts(share, config.game.random_start_turns) if share else None


def resolve_device(name: str) -> torch.device:
    """ "auto" is CUDA if available. Raises ConfigError if the device does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device '{name}' does not exist: this machine has {torch.cuda.device_count()} CUDA devices that torch can "
            "use; --device cpu works everywhere"
        )
    return device


def _require_files(config: RunConfig, folder: Path) -> None:
    """Raises GameError where a file that the run in `folder` has used until now is gone."""
    if (folder / FILE).exists():
        with Store.reader(folder) as store:
            code.require_there(store, to_dict(config))


def _tables(
    config: RunConfig, spec: GameSpec, matchmaker: Matchmaker, device: torch.device
) -> tuple[tuple[Learner, ...], ...]:
    """New learners, table by table, by role."""
    return tuple(
        tuple(new_learner(config, spec, index, role, device, called) for role in range(len(spec.roles)))
        for index, called in enumerate(table_labels(matchmaker, config.population.learners))
    )


def _new_game(config: RunConfig, device: str, workers: int, slots: int) -> Game:
    """A game of so many slots; a single one needs no worker processes."""
    return make(config.game.id, slots, device, config.game.make_options, workers if slots > 1 else 0)


def _own_code(config: RunConfig) -> list[code.Code]:
    """The user's own code that a config names; its game, matchmaker and anchors are loaded already."""
    if is_own(config.rating.by):
        make_rating(config.rating.by)
    return code.loaded(to_dict(config))


def _open_existing(config: RunConfig, folder: Path, spec: GameSpec) -> Store | None:
    """The run in `folder`, opened to resume; None if there is none yet."""
    if not (folder / FILE).exists():
        return None
    store = Store.open(folder)
    try:
        require_run(store)
        # Settings that an older version lacked have their defaults.
        before = at_places_of(to_dict(from_dict(store.config(), str(folder))), to_dict(config))
        if faults := blocking_differences(before, to_dict(config)):
            shown = "; ".join(f"{one.key} was {toml_text(one.old)}, now {toml_text(one.new)}" for one in faults)
            raise ConfigError(
                f"{folder} is a run with another config ({shown}). Go on with the same, or start afresh beside it "
                "with --new (`league docs storage` says what may differ)"
            )
        _require_same_game(store, spec)
    except BaseException:
        store.close()
        raise
    return store


def _require_same_game(store: Store, spec: GameSpec) -> None:
    """Raises GameError if the game is not what the run's snapshots were trained for, before a checkpoint is read."""
    newest = {one.role: one for one in store.snapshots() if one.origin != "anchor"}
    for snapshot in newest.values():
        try:
            metadata = weights.metadata_of(store.snapshot_folder, snapshot.id)
        except SnapshotError:
            continue  # a run can go on without the file of a snapshot that plays no more
        if reason := fits(metadata, spec):
            raise GameError(
                f"{store.folder} cannot go on, because its game has changed: of {snapshot.name}, {reason}. Put "
                "the game back as it was, or begin a new run of the game as it is now, beside this one: "
                f"`league run --new{run_option(store.folder)}`"
            )


def _rated_turns(config: RunConfig, slots: int, native: bool, learners: Sequence[Learner]) -> float:
    """`rated_turns` of these learners."""
    half_precision = any(learner.half_precision() for learner in learners)
    weights = max(learner.actor.weights for learner in learners)
    return rated_turns(config, slots, native, half_precision, weights)
