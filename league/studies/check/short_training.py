"""Each role in turn is trained briefly against random play: does the training pipeline learn anything at all?

Letters in shapes: B slots, S seats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from league.config.run import RunConfig
from league.execution.training_table import TrainingTable
from league.games.core import Game, GameSpec, State, Turn
from league.games.counter_rng import fold
from league.learning.settings import AlgorithmSettings
from league.matchmaking.posts import post_of_seat
from league.policies.core import Policy
from league.policies.scripted import make_scripted
from league.records import Seating
from league.run.learners import new_learner
from league.studies.check.check_report import Curve, Mean, Play, ShortTraining, learner_returns
from league.studies.check.finding_log import FindingLog

SETTINGS = (
    "device='cpu'",
    "algorithm.learning_rate=3e-3",
    "algorithm.epochs=4",
    "algorithm.minibatch=512",
    "algorithm.discount=0.98",
    "algorithm.max_grad_norm=1.0",
    "algorithm.entropy=0.01",
    "algorithm.entropy_end=none",
    "network.actor=[64, 64]",
    "network.critic=[64, 64]",
)
"""Settings that learn quickly rather than well: small networks and large steps. The user's own --set override them."""

CHANGED, CLEARLY_CHANGED = 3.0, 6.0
"""Standard errors above which a return has changed, and above which training may stop early."""

_MIN_ROUNDS, ENOUGH_ROUNDS = 3, 6
_SLOTS = (8, 128)
_ROUND, _ROUNDS = (0.05, 0.4), 24
"""Fewest rounds, and rounds for which training may take twice its time; fewest and most games side by side; seconds of
play per round, and number of rounds to aim for."""


def settings_for(algorithm: AlgorithmSettings) -> list[str]:
    """`SETTINGS` without the keys of [algorithm] that this kind of algorithm does not have."""
    keys = {"algorithm." + name for name in type(algorithm).model_fields}
    return [one for one in SETTINGS if not one.startswith("algorithm.") or one.partition("=")[0] in keys]


class RecordedGame(Game):
    """A game that records ended episodes, and that can give a seat the rewards of others.

    pay: `[S, S]`, the share that each seat (column) gets of every seat's reward (row); None: each its own.
    """

    def __init__(self, game: Game, pay: Tensor | None = None) -> None:
        self.spec, self.slots, self.device, self.replays = game.spec, game.slots, game.device, game.replays
        self._game, self._pay = game, pay
        self.ended: list[tuple[Tensor, Tensor]] = []

    def start(self, seeds: Tensor) -> Turn:
        return self._game.start(seeds)

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        turn = self._game.step(actions, seeds)
        if bool(turn.ended.any()):
            rows = turn.ended.nonzero()[:, 0]
            self.ended.append((rows, turn.score[rows].clone()))
        if self._pay is not None:
            turn.reward = turn.reward @ self._pay
        return turn

    def save(self) -> State:
        return self._game.save()

    def load(self, state: State) -> Turn:
        return self._game.load(state)


def train_role(
    config: RunConfig,
    game: Game,
    play: Play,
    role: int,
    seconds: float,
    tick: Callable[[float], None] = lambda done: None,
    posts: Sequence[int] | None = None,
    pay: Tensor | None = None,
    until: Callable[[Sequence[Curve]], bool] | None = None,
) -> ShortTraining:
    """Train a role against random play, seated at each of its posts (or at `posts`) in turn.

    play: random play of the same game, which training starts from. seconds: training ends then, or once `until` is true
    of its curves (by default: its own return has clearly risen). pay: see `RecordedGame`. Raises what the game or
    the learner raises.
    """
    until = until or has_improved
    spec, desk = game.spec, RecordedGame(game, pay)
    learner = new_learner(config, spec, 0, role, torch.device("cpu"))
    if posts is None:
        posts = [index for index, post in enumerate(spec.posts) if post.role == learner.role.name]
    others = {f"random {one.name}": make_scripted("random", one.name, spec) for one in spec.roles}
    lineups = [
        tuple(learner.name if index == mine else f"random {post.role}" for index, post in enumerate(spec.posts))
        for mine in posts
    ]
    frozen: dict[str, Policy] = {name: others[name] for lineup in lineups for name in lineup if name in others}
    seatings = [Seating(lineup, 1 / len(lineups)) for lineup in lineups]
    table = TrainingTable(desk, 0, fold(config.seed, role))
    record = _ReturnsByRound(spec, posts, game.slots)
    turns = turns_per_round(play)
    began, rounds, steps, spent = time.perf_counter(), 0, 0, 0.0
    while spent < seconds or rounds < _MIN_ROUNDS or (rounds < ENOUGH_ROUNDS and spent < 2 * seconds):
        steps += table.round(rounds, [learner], frozen, seatings, turns).agent_steps
        record.round(desk.ended)
        desk.ended = []
        rounds, spent = rounds + 1, time.perf_counter() - began
        tick(min(spent / seconds, 1.0) if seconds else 1.0)
        if rounds >= ENOUGH_ROUNDS and until(record.curves(play)):
            break
    return ShortTraining(learner.role.name, rounds, steps, spent, record.curves(play))


def has_improved(curves: Sequence[Curve]) -> bool:
    """Whether the learner's own return has clearly risen."""
    random, last = learner_returns(curves)
    return last.n > 0 and last.standard_errors_above(random) > CLEARLY_CHANGED


def slots_for(posts: int, play: Play, seconds: float) -> int:
    """Games side by side with which `seconds` of training have several rounds; at least one for every post."""
    shortest, longest = _ROUND
    fewest, most = _SLOTS
    moment = min(max(seconds / _ROUNDS, shortest), longest)
    return max(min(int(play.steps_per_second * moment / turns_per_round(play)), most), fewest, posts)


def turns_per_round(play: Play) -> int:
    """Turns of a round, enough for an episode to end in most slots."""
    return min(max(int(1.25 * play.median), 16), 64)


class _ReturnsByRound:
    """Returns of ended episodes by round, seat, and whether the learner had the seat."""

    def __init__(self, spec: GameSpec, posts: Sequence[int], slots: int) -> None:
        self._spec = spec
        counts = [slots // len(posts) + (index < slots % len(posts)) for index in range(len(posts))]
        of_slot = np.repeat(np.array(posts), counts)
        # Slot b always has the same lineup: `[B, S]`, whether the learner has the seat.
        self._learns = of_slot[:, None] == np.array(post_of_seat(spec.posts))[None, :]
        self._rounds: list[tuple[np.ndarray, np.ndarray]] = []

    def round(self, ended: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Add one round's ended episodes, each (slots `[E]`, scores `[E, S]`)."""
        rows = torch.cat([rows for rows, _ in ended]).cpu().numpy() if ended else np.zeros(0, dtype=np.int64)
        none = np.zeros((0, len(self._spec.seats)))
        score = torch.cat([score for _, score in ended]).double().cpu().numpy() if ended else none
        self._rounds.append((rows, score))

    def curves(self, play: Play) -> tuple[Curve, ...]:
        """The curve of every seat, separately for the learner and for random play in it."""
        found = []
        late = self._rounds[-max(len(self._rounds) // 3, 1) :]
        for seat, name in enumerate(self._spec.seats):
            for learns in (True, False):
                if not (self._learns[:, seat] == learns).any():
                    continue
                returns = [self._of(one, seat, learns) for one in self._rounds]
                last = Mean.of(np.concatenate([self._of(one, seat, learns) for one in late]))
                random = play.scores[name]
                change = last.standard_errors_above(random) if last.n else 0.0
                points = tuple(float(one.mean()) if len(one) else None for one in returns)
                found.append(Curve(agent=name, learns=learns, returns=points, random=random, last=last, change=change))
        return tuple(found)

    def _of(self, one: tuple[np.ndarray, np.ndarray], seat: int, learns: bool) -> np.ndarray:
        rows, score = one
        chosen: np.ndarray = score[self._learns[rows, seat] == learns, seat]
        return chosen


def assess_training(one: ShortTraining, spec: GameSpec, log: FindingLog) -> None:
    """Report what short training showed."""
    random, last = one.learner_returns
    steps = f"{one.agent_steps:,} agent-steps"
    if not last.n:
        log.add(
            "note",
            "learning.unknown",
            f"no episode of {one.role} ended during its training ({steps})",
            f"role '{one.role}'",
            "train for longer with --seconds",
            of=one.role,
        )
        return
    change, returns = last.standard_errors_above(random), f"{format_mean(random)} → {format_mean(last)}"
    if change >= CHANGED:
        what = f"{one.role} learns against random play: return {returns} in {steps}"
        log.add("ok", "learning.climbs", what, of=one.role)
    elif change <= -CHANGED:
        log.add(
            "warning",
            "learning.drops",
            f"{one.role} gets worse as it learns from its own reward: return {returns} in {steps}",
            f"role '{one.role}'",
            "does the reward have the right sign, and does it go to this agent?",
            "step",
            of=one.role,
        )
    else:
        log.add(
            "note",
            "learning.flat",
            f"{one.role} did not measurably improve on random play: return {returns} in {steps}",
            f"role '{one.role}'",
            "train for longer with --seconds; some games take more",
            of=one.role,
        )
    _assess_divergence(one, spec, log)


def _assess_divergence(one: ShortTraining, spec: GameSpec, log: FindingLog) -> None:
    """In a game of one side, returns should not diverge."""
    if len(spec.sides) > 1:
        return
    up = max(one.curves, key=lambda curve: curve.change)
    down = min(one.curves, key=lambda curve: curve.change)
    if up.change >= CHANGED and down.change <= -CHANGED:
        log.add(
            "warning",
            "learning.apart",
            f"all agents are on one side, but '{up.agent}' climbs "
            f"({format_mean(up.random)} → {format_mean(up.last)}) as '{down.agent}' drops "
            f"({format_mean(down.random)} → {format_mean(down.last)})",
            f"role '{one.role}' learning",
            "does each get its own reward? If they compete, declare it: --set 'game.options.sides=[[…], […]]'",
            "step",
            of=one.role,
        )


def format_mean(value: Mean) -> str:
    """A mean with its 95 % interval."""
    return f"{value.value:.3g} ±{value.half:.2g}"
