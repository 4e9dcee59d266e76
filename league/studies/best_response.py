"""`league exploit --train`: best responses trained against a frozen policy, a lower bound on its exploitability.

A response is an ordinary run in a folder of its own, whose matchmaker (`matchmaking.best_response`) seats the learners
against the frozen policy alone. One learner starts from scratch, another from the policy's strongest known opponent.
What the best of them scores is at most what a best response would (Timbers et al. 2022, "Approximate Exploitability:
Learning a Best Response", arXiv:2004.09677).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from league import files
from league.api import Run, open_run
from league.config.load import with_overrides
from league.config.run import RunConfig
from league.errors import PolicyError
from league.events import Event, RoundFinished, Tick, part
from league.games.core import Game, GameSpec
from league.games.counter_rng import fold
from league.orchestrator import League
from league.policies import weights
from league.policies.names import RANDOM, is_scripted
from league.policies.neural import NeuralPolicy, snapshot_metadata
from league.records import PolicyId, Snapshot, anchor_id
from league.run.learners import start_from
from league.run.roster.lookup import Found, find
from league.run.roster.roster import Roster
from league.studies.contest import filled_roles
from league.studies.response_games import Interval, SideScore, candidates, chosen, mean_of_sides, measured

TARGET = "target"
"""The folder of the frozen policy's weights, below the response's run."""

_TRAINING = 0.9
"""The share of training in the progress that is shown."""

_CHOICE, _TEST = 1, 2
"""What the seeds of games are drawn for: the choice of the response, and its test by new games."""

MATCHMAKER = "league.matchmaking.best_response:BestResponse"


@dataclass(frozen=True, slots=True, kw_only=True)
class BestResponseBudget:
    """How long to train: minutes of this call, or agent-steps in total over all calls, of all learners together."""

    minutes: float | None = None
    steps: int | None = None

    def done(self, seconds: float, steps: int) -> float:
        """The share that is done."""
        of_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(max(of_time, steps / self.steps if self.steps else 0.0), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BestResponseReport:
    """What was found against the policy `label`.

    exploitability: mean gain over both sides, and its 95 % interval: a lower bound, in the game's score an episode.
    sides: by side, the response found there. folder: of the response's run. started: what each of its learners started
    from. candidates: how many of its snapshots were compared. games: at each side, of which none was used in training
    or to choose the response.
    """

    game: str
    label: str
    exploitability: Interval
    sides: tuple[SideScore, ...]
    folder: str
    started: tuple[str, ...]
    rounds: int
    steps: int
    candidates: int
    games: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Target:
    """The frozen policy. anchors: the texts that name it in `rating.anchors`. ids: by role, as lineups name it."""

    label: str
    anchors: tuple[str, ...]
    ids: Mapping[str, PolicyId]


def train_response(
    make: Callable[[int], Game],
    run: Run,
    text: str,
    out: Path,
    budget: BestResponseBudget,
    games: int,
    seed: int = 0,
    tick: Tick = lambda fraction: None,
) -> BestResponseReport:
    """Train responses to the policy that `text` names, or go on with them, and measure the best.

    make: creates a game with a number of slots. run: whose config the learners have. out: the folder of the response's
    run. Raises PolicyError if the game does not have two sides, or the policy cannot be found, ConfigError if the
    folder holds another run.
    """
    began, spec = time.monotonic(), run.roster.spec
    if len(spec.sides) != 2:
        raise PolicyError(f"a best response is trained in games of two sides; {spec.id} has {len(spec.sides)}")
    roles = filled_roles(text, run.roster)
    found = {role: find(word, role, run.roster) for role, word in roles.items()}
    target = _target(roles, found, spec, out / TARGET)
    opponents = _strongest(run.roster, found)
    config = _config(run.config, target, learners=2 if opponents else 1, budget=budget, seed=seed)

    def tell(event: Event) -> None:
        if isinstance(event, RoundFinished):
            tick(_TRAINING * budget.done(time.monotonic() - began, event.steps))

    with League(config, out, [tell]) as league:
        if league.store.last_round() is None and opponents:
            for learner in league.tables[1]:
                one = opponents[learner.role.name]
                league.progress[learner.name].parent = start_from(one.id, [learner], run.roster)[learner.name]
        league.run()
        tables = [[learner.name for learner in table] for table in league.tables]
        rounds, steps = league.round_number, league.steps
    with open_run(out) as opened:
        every = candidates(opened.store, tables)
        best = chosen(make, opened.roster, every, target.ids, fold(seed, _CHOICE), part(tick, _TRAINING, 0.05))
        sides = measured(make, opened.roster, best, target.ids, games, fold(seed, _TEST), part(tick, 0.95, 0.05))
    return BestResponseReport(
        game=spec.id,
        label=target.label,
        exploitability=mean_of_sides(sides),
        sides=sides,
        folder=str(out),
        started=("scratch", *(["+".join(one.name for one in opponents.values())] if opponents else [])),
        rounds=rounds,
        steps=steps,
        candidates=len(every),
        games=games,
        seconds=time.monotonic() - began,
    )


def _target(roles: Mapping[str, str], found: Mapping[str, Found], spec: GameSpec, folder: Path) -> _Target:
    """The policy as the response's run names it. Networks are copied to `folder`, which outlives their own run."""
    texts = {}
    for role, text in roles.items():
        policy = found[role].policy
        if isinstance(policy, NeuralPolicy):
            about = snapshot_metadata(spec, spec.role(role), policy.actor.spec, policy.epsilon)
            label = {"learner": found[role].label, "number": 0}
            files.make_folder(folder)
            id = weights.write(folder, weights.pack(policy.weights(), about | label))
            texts[role] = str(files.content_path(folder, id))
        elif is_scripted(text) or ":" in text:
            texts[role] = text
        else:
            raise PolicyError(f"'{text}' cannot be played against elsewhere: name it by what it is, as in one-ply")
    return _Target(
        label="+".join(dict.fromkeys(one.label for one in found.values())),
        anchors=tuple(dict.fromkeys(text for text in texts.values() if text != RANDOM)),
        ids={role: anchor_id(role, len(roles), text) for role, text in texts.items()},
    )


def _strongest(roster: Roster, found: Mapping[str, Found]) -> dict[str, Snapshot]:
    """By role, the snapshot of the run that is predicted to score best against the policy, else the best or latest.

    Empty before there are any.
    """
    opponents = {}
    for role, target in found.items():
        rivals = [one for one in roster.entrants.snapshots if one.role == role and one.id != target.id]
        payoff = roster.ratings.payoff
        known = {}
        if payoff is not None and target.id is not None:
            predicted = {one.id: payoff.predict(one.id, target.id) for one in rivals}
            known = {id: value[0] for id, value in predicted.items() if value is not None}
        strongest = next((one for one in rivals if known and one.id == max(known, key=known.__getitem__)), None)
        usual = roster.ranking.best(role) or roster.entrants.latest(role)
        if (start := strongest or usual) is not None:
            opponents[role] = start
    return opponents if len(opponents) == len(found) else {}


def _config(
    config: Mapping[str, object], target: _Target, learners: int, budget: BestResponseBudget, seed: int
) -> RunConfig:
    """The run's own config, with learners that train against the target alone."""
    ids = ", ".join(f"{json.dumps(role)} = {json.dumps(id)}" for role, id in target.ids.items())
    return with_overrides(
        config,
        [
            f"seed={seed}",
            f"matchmaking.kind={MATCHMAKER}",
            f"matchmaking.target={{{ids}}}",
            f"population.learners={learners}",
            'population.init=""',
            "population.spread={}",
            f"rating.anchors={json.dumps(target.anchors)}",
            "budget.rounds=none",
            f"budget.steps={'none' if budget.steps is None else budget.steps}",
            f"budget.minutes={'none' if budget.minutes is None else budget.minutes}",
        ],
        "the run's config",
    )
