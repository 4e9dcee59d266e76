"""A training table, played and learned slowly: what the fast path must come to.

Every slot's game is played alone, one decision at a time, and each seat's decisions stand in a list. What is learned
from the lists stands in `reference_learning.py`. The draws are the counter-based ones of `league.games.counter_rng`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from reference_learning import Decision, Student, average, log_probs
from torch import Tensor

from league.games.core import Game, GameSpec, RoleSpec, Turn
from league.games.counter_rng import fold, mix, uniform
from league.records import Seating, TrainingResult

Says = Callable[[Tensor, int], Tensor]
"""A policy: one observation and its seat → logits `[A]`."""


def post_of(spec: GameSpec, seat: int) -> int:
    """The index of the post that holds a seat."""
    return next(index for index, post in enumerate(spec.posts) if seat in post.seats)


@dataclass
class Happened:
    """One turn of one slot. decisions: by role and row. The rest as in `Turn`, of this slot."""

    lineup: tuple[str, ...]
    decisions: dict[tuple[str, int], Decision]
    reward: list[float]
    terminated: list[bool]
    truncated: list[bool]
    ended: bool
    score: list[float]
    length: int


class Slot:
    """One game, played alone: episodes `number`, `number + slots`, …"""

    def __init__(self, game: Game, number: int, slots: int, job: int) -> None:
        self.game, self.number, self.slots, self.job = game, number, slots, job
        self.episode, self.clock = number, 0
        self.turn: Turn | None = None
        self.lineup: tuple[str, ...] = ()
        self.open: dict[int, Decision] = {}

    def rollout(self, lineup: tuple[str, ...], says: Mapping[str, Says], turns: int) -> list[Happened]:
        """So many turns. lineup: of the episodes that begin from now on. Also sets what follows each decision."""
        if self.turn is None:
            self.lineup = lineup
            self.turn = self.game.start(self._seed(self.episode))
        found = [self._one_turn(lineup, says) for _ in range(turns)]
        # Who acts next already sees what his last decision led to, if that was in this episode.
        for role in self.game.spec.roles:
            for _, seat, obs, _ in acting(self.turn, role):
                if seat in self.open:
                    self.open.pop(seat).then = obs if self.turn.state is None else self.turn.state[0].clone()
        return found

    def _one_turn(self, lineup: tuple[str, ...], says: Mapping[str, Says]) -> Happened:
        spec, before = self.game.spec, self.turn
        assert before is not None
        decisions: dict[tuple[str, int], Decision] = {}
        actions = {role.name: torch.zeros((1, role.acting), dtype=torch.int64) for role in spec.roles}
        for role in spec.roles:
            for row, seat, obs, legal in acting(before, role):
                owner = self.lineup[post_of(spec, seat)]
                draw = float(uniform(mix(self.job, 1, torch.tensor([self.episode])), self.clock, seat))
                logs = log_probs(says[owner](obs, seat), legal)
                action = drawn([math.exp(float(log)) for log in logs], legal, draw)
                sees = obs if before.state is None else before.state[0].clone()
                log_prob = float(logs[legal.index(action)])
                decision = Decision(self.number, seat, role.name, owner, obs, sees, legal, action, log_prob)
                decisions[role.name, row] = decision
                actions[role.name][0, row] = action
                if seat in self.open:
                    self.open[seat].next = decision
                self.open[seat] = decision
            # Rows in which nobody acts still need an action that is legal.
            mask, absent = before.acts[role.name].mask, ~before.acts[role.name].present
            if mask is not None:
                actions[role.name][absent] = mask[absent].to(torch.uint8).argmax(1)
        after = self.turn = self.game.step(actions, self._seed(self.episode + self.slots))
        for seat in list(self.open):
            self.open[seat].reward += float(after.reward[0, seat])
            if after.terminated[0, seat]:
                self.open.pop(seat).terminated = True
            elif after.truncated[0, seat]:
                assert after.final_state is not None
                self.open.pop(seat).then = after.final_state[0].clone()
        happened = Happened(
            self.lineup,
            decisions,
            after.reward[0].tolist(),
            after.terminated[0].tolist(),
            after.truncated[0].tolist(),
            bool(after.ended[0]),
            after.score[0].tolist(),
            self.clock + 1,
        )
        self.clock += 1
        if happened.ended:
            self.episode, self.clock, self.lineup = self.episode + self.slots, 0, lineup
        return happened

    def _seed(self, episode: int) -> Tensor:
        return mix(self.job, 0, torch.tensor([episode]))


def acting(turn: Turn, role: RoleSpec) -> list[tuple[int, int, Tensor, list[int]]]:
    """Row, seat, observation and legal actions of everybody of a role who is to act, in a game played alone."""
    here = turn.acts[role.name]
    found = []
    for row in range(role.acting):
        if here.present[0, row]:
            mask = [True] * role.actions.width if here.mask is None else here.mask[0, row].tolist()
            legal = [action for action in range(role.actions.width) if mask[action]]
            found.append((row, int(here.seat[0, row]), here.obs[0, row].clone(), legal))
    return found


def drawn(probabilities: list[float], legal: list[int], draw: float) -> int:
    """The first legal action whose cumulative probability exceeds the draw."""
    reached = 0.0
    for action, probability in zip(legal, probabilities, strict=True):
        reached += probability
        if reached > draw:
            return action
    return legal[-1]


@dataclass
class Lesson:
    """What a reference round brought. turns: by slot. learned: by learner, in the order that was shuffled."""

    turns: list[list[Happened]]
    learned: dict[str, list[Decision]]
    metrics: dict[str, dict[str, float]]
    results: tuple[TrainingResult, ...]
    opponent_steps: int


@dataclass
class SlowTable:
    """`TrainingTable` without its speed. make: a game of one slot. frozen: every other policy, by name."""

    make: Callable[[], Game]
    slots: int
    job: int
    students: list[Student]
    frozen: Mapping[str, Says]
    games: list[Slot] = field(default_factory=list)

    def round(self, number: int, seatings: Sequence[Seating], turns: int) -> Lesson:
        """One round, as `TrainingTable.round`. Each seating's share of the slots must be a whole number of them."""
        if not self.games:
            self.games = [Slot(self.make(), slot, self.slots, self.job) for slot in range(self.slots)]
        spec = self.games[0].game.spec
        lineups = [seating.lineup for seating in seatings for _ in range(round(seating.share * self.slots))]
        says: dict[str, Says] = {student.name: student.actor for student in self.students}
        chains = {
            (slot, seat): waiting(game.open.get(seat))
            for slot, game in enumerate(self.games)
            for seat in range(len(spec.seats))
        }
        played = []
        with torch.no_grad():
            for slot, (game, lineup) in enumerate(zip(self.games, lineups, strict=True)):
                played.append(game.rollout(lineup, {**self.frozen, **says}, turns))
                for happened in played[-1]:
                    for decision in happened.decisions.values():
                        chains[slot, decision.seat].append(decision)
        learned, metrics = {}, {}
        for index, student in enumerate(self.students):
            lessons = []
            for chain in chains.values():
                for place, decision in enumerate(chain):
                    decision.place = place
                lessons += student.judge(chain)
            # Everybody's first decision, then everybody's second: the order is nothing but a convention.
            lessons.sort(key=lambda lesson: (lesson.place, lesson.slot, lesson.seat))
            generator = torch.Generator().manual_seed(fold(self.job, number, index))
            learned[student.name] = lessons
            metrics[student.name] = student.learn(lessons, generator) | returns(spec, student.name, played)
            role = student.role
            for seat in role.seats if len(role.seats) > 1 else ():
                taken = [h.decisions.values() for slot in played for h in slot]
                own = [d for decisions in taken for d in decisions if (d.owner, d.seat) == (student.name, seat)]
                metrics[student.name][f"agent_steps/{spec.seats[seat]}"] = float(len(own))
            mine = [d for slot in played for h in slot for d in h.decisions.values() if d.owner == student.name]
            metrics[student.name]["same_action"] = favourite_share(mine)
        taken = [d for slot in played for happened in slot for d in happened.decisions.values()]
        others = sum(decision.owner not in says for decision in taken)
        return Lesson(played, learned, metrics, results(spec, list(says), played, number), others)

    def close(self) -> None:
        """Close every game."""
        for slot in self.games:
            slot.game.close()


def favourite_share(decisions: Sequence[Decision]) -> float:
    """How often the favourite action is taken where there is a choice and it is legal, which is so in half of these."""
    choices = [one for one in decisions if len(one.legal) > 1]
    shares = []
    for action in {action for one in choices for action in one.legal}:
        chances = [one.action == action for one in choices if action in one.legal]
        if 2 * len(chances) >= len(choices):
            shares.append(sum(chances) / len(chances))
    return max(shares)


def waiting(decision: Decision | None) -> list[Decision]:
    """What a seat's list begins with: the decision whose future was not known when the last round ended."""
    return [] if decision is None else [decision]


def returns(spec: GameSpec, name: str, played: list[list[Happened]]) -> dict[str, float]:
    """A learner's mean returns in the episodes that ended."""
    over = [happened for slot in played for happened in slot if happened.ended]
    found = {"episodes": float(len(over))}
    mine = [(h, seat) for h in over for seat in range(len(spec.seats)) if h.lineup[post_of(spec, seat)] == name]
    if mine:
        found["episode_length"] = average([float(happened.length) for happened in over])
        if spec.can_truncate:
            found["truncated"] = average([float(any(happened.truncated)) for happened in over])
        found["return"] = average([happened.score[seat] for happened, seat in mine])
    for seat, called in enumerate(spec.seats):
        scores = [happened.score[seat] for happened, held in mine if held == seat]
        if scores:
            found[f"return/{called}"] = average(scores)
    for side, seats in enumerate(spec.sides):
        there = [h for h in over if any(h.lineup[post_of(spec, seat)] == name for seat in seats)]
        if there and len(seats) > 1:
            found[f"return/side{side}"] = average([sum(h.score[seat] for seat in seats) for h in there])
    return found


def results(
    spec: GameSpec, learners: list[str], played: list[list[Happened]], number: int
) -> tuple[TrainingResult, ...]:
    """What each learner scored against each lineup of others in the episodes that ended."""
    scores: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for happened in (happened for slot in played for happened in slot if happened.ended):
        totals = [sum(happened.score[seat] for seat in seats) for seats in spec.sides]
        for index, (post, policy) in enumerate(zip(spec.posts, happened.lineup, strict=True)):
            if policy in learners:
                own, others = totals[post.side], totals[: post.side] + totals[post.side + 1 :]
                beaten = [1.0 if own > other else 0.5 if own == other else 0.0 for other in others] or [0.5]
                versus = "+".join(happened.lineup[:index] + happened.lineup[index + 1 :])
                mean = average([happened.score[seat] for seat in post.seats])
                scores.setdefault((policy, versus), []).append((average(beaten), mean))
    return tuple(
        TrainingResult(
            learner=learner,
            round=number,
            opponent=other,
            episodes=len(rows),
            score=average([r[0] for r in rows]),
            return_mean=average([r[1] for r in rows]),
        )
        for (learner, other), rows in sorted(scores.items())
    )
