"""One round of a training table: rollout, updates, and the results of its episodes.

A table seats one learner of every role. Its **carry** is everything kept between rounds: the games' state, episode
numbers, lineups, memories and pending decisions as tensors, and the policy ids that indices in lineups refer to.
Letters in shapes: T turns, B slots, S seats, P posts, E episodes that ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from league.errors import SnapshotError
from league.events import part
from league.execution.random_starts import RandomStarts
from league.games.actions import ActionSpace, Discrete
from league.games.core import Game, GameSpec, RoleSpec
from league.games.counter_rng import fold, mix
from league.learning.learner import Learner, TrainingInput
from league.matchmaking.core import largest_remainder
from league.play.decisions import Decisions
from league.play.match import post_scores
from league.play.rollout import collect, nothing_pending
from league.play.table import Table
from league.play.trajectory import Rollout, chains, still_pending
from league.policies.core import Policy
from league.records import PolicyId, Post, Seating, TrainingResult
from league.threads import Threads

_DEPENDS_ON_LEARNER = ("memory", "joint_action")
"""Columns of pending decisions whose shape depends on the learner, and not on the game alone."""

_STORED_AS = {"present": "valid", "joint_action": "joint"}
"""Columns of pending decisions that are stored under another name in carries."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of one table's round.

    metrics: by learner. phases: seconds by name. agent_steps: learners' decisions that entered an update.
    opponent_steps: decisions of frozen policies, those of random starts included.
    """

    metrics: Mapping[str, Mapping[str, float]]
    results: tuple[TrainingResult, ...]
    phases: Mapping[str, float]
    agent_steps: int
    opponent_steps: int


class TrainingTable:
    """One table and its carry. number: its index in the run. job: the seed of all randomness here.

    team_reward: seats learn from the mean reward of their side instead of their own. posts: filled by its lineups; by
    default the game's own. starts: which episodes begin with random play; None: none.
    """

    def __init__(
        self,
        game: Game,
        number: int,
        job: int,
        threads: Threads | None = None,
        team_reward: bool = False,
        posts: Sequence[Post] | None = None,
        starts: RandomStarts | None = None,
    ) -> None:
        self.game, self.number, self.job, self._seed = game, number, job, job
        self._threads, self._team_reward, self._starts = threads or Threads(1), team_reward, starts
        self.posts = tuple(game.spec.posts if posts is None else posts)
        self._carry: dict[str, Tensor] = {}
        self._names: tuple[PolicyId, ...] = ()
        self._pending = {role.name: nothing_pending(game, role) for role in game.spec.roles}
        self._critic_memory: dict[str, Tensor] = {}
        self._table: Table | None = None

    def seated(self) -> set[PolicyId]:
        """The policies seated in unfinished episodes."""
        lineup = self._table.lineup if self._table is not None else self._carry.get("lineup")
        return set() if lineup is None else {self._names[index] for index in lineup.unique().tolist()}

    def round(
        self,
        number: int,
        learners: Sequence[Learner],
        frozen: Mapping[PolicyId, Policy],
        seatings: Sequence[Seating],
        turns: int,
        tick: Callable[[float], None] = lambda fraction: None,
    ) -> Trained:
        """Play `turns` turns in every slot and update each learner. frozen: all other seated policies.

        Learners are trained in place. Equal carry, learners, seatings and number give equal results.
        """
        began = time.perf_counter()
        if not self.game.replays:
            self._start_afresh(number)
        for learner in learners:
            self._allocate_memory(learner)
        table = self._seat(learners, frozen, seatings)
        rollout = collect(table, turns, self._pending, part(tick, 0.0, 0.6))
        if self._team_reward or any(learner.uses_team_reward for learner in learners):
            rollout.reward = team_rewards(self.game.spec, rollout.reward)
        played = time.perf_counter()
        phases = {"games": table.games_seconds, "inference": played - began - table.games_seconds}
        metrics: dict[str, Mapping[str, float]] = {}
        roles = {role.name: role for role in self.game.spec.roles}
        linked = {name: chains(rollout, role) for name, role in roles.items()}
        counts = {"advantages": time.perf_counter() - played, "update": 0.0}
        decided = sum(int(rows.present.sum()) for rows in rollout.rows.values())
        trained = 0
        for index, learner in enumerate(learners):
            role, share = learner.role.name, 0.4 / len(learners)
            generator = torch.Generator().manual_seed(fold(self.job, number, index))
            inputs = TrainingInput(
                rollout=rollout,
                chains=linked[role],
                owner=index,
                critic_memory=self._critic_memory.get(role),
                generator=generator,
            )
            found = learner.learn(inputs, part(tick, 0.6 + share * index, share), self._threads)
            if found.critic_memory is not None:
                self._critic_memory[role] = found.critic_memory
            for phase, seconds in found.seconds.items():
                counts[phase] = counts.get(phase, 0.0) + seconds
            trained += int(found.metrics["agent_steps"])
            decisions = _decisions_by_seat(self.game.spec, rollout, learner.role.name, index)
            decisions |= same_action(learner.role.actions, rollout.rows[role], index)
            metrics[learner.name] = found.metrics | decisions | _returns(self.game.spec, rollout, index)
        own = sum(int(((rows.owner < len(learners)) & rows.present).sum()) for rows in rollout.rows.values())
        live = [learner.name for learner in learners]
        results = training_results(self.game.spec, self.posts, rollout, names=self._names, learners=live, number=number)
        self._pending = {name: still_pending(rollout, role, linked[name]) for name, role in roles.items()}
        return Trained(
            metrics=metrics,
            results=results,
            phases=phases | counts,
            agent_steps=trained,
            opponent_steps=decided - own,
        )

    def carry(self) -> tuple[dict[str, Tensor], tuple[PolicyId, ...]]:
        """The tensors, and the policy ids that indices in them refer to."""
        if self._table is None:
            return dict(self._carry), self._names
        table = self._table
        found = {f"game.{key}": value for key, value in self.game.save().items()}
        found |= {"episode": table.episode, "clock": table.clock, "lineup": table.lineup}
        found |= {"memory": table.memory} if table.memory.numel() else {}
        found |= {f"context.{role}": context for role, context in self._critic_memory.items()}
        for role, pending in self._pending.items():
            found |= {_key(role, name): column for name, column in pending.columns().items() if name != "seat"}
        return found, self._names

    def restore(self, tensors: Mapping[str, Tensor], names: Sequence[PolicyId]) -> None:
        """Continue from a carry; an empty one starts afresh. Raises SnapshotError if it does not fit this table."""
        self._carry = {key: value.to(self.game.device) for key, value in tensors.items()}
        self._names, self._table = tuple(names), None
        contexts = {key.removeprefix("context."): key for key in self._carry if key.startswith("context.")}
        self._critic_memory = {role: self._carry[key] for role, key in contexts.items()}
        for role in self.game.spec.roles:
            self._pending[role.name] = self._restored(role) if tensors else nothing_pending(self.game, role)
        for key in ("episode", "clock", "lineup") if tensors else ():
            if key not in self._carry or len(self._carry[key]) != self.game.slots:
                raise self._misfit(key)

    def _restored(self, role: RoleSpec) -> Decisions:
        """A role's pending decisions from the carry. Raises SnapshotError if a tensor has another shape than here."""
        empty = nothing_pending(self.game, role)
        columns = {"seat": empty.seat}
        for field in fields(Decisions):
            key, here = _key(role.name, field.name), getattr(empty, field.name)
            saved = self._carry.get(key)
            if field.name == "seat":
                continue
            if field.name not in _DEPENDS_ON_LEARNER:
                # There is no mask if every action is always legal.
                if saved is None and here is not None and field.name != "mask":
                    raise self._misfit(key)
                if saved is not None and (here is None or saved.shape != here.shape):
                    raise self._misfit(key)
            if saved is not None:
                columns[field.name] = saved
        return Decisions.of(columns)

    def _allocate_memory(self, learner: Learner) -> None:
        """Allocate a learner's memory. Raises SnapshotError if the carry's memory has another shape."""
        role = learner.role.name
        pending = self._pending[role]
        empty = nothing_pending(self.game, learner.role, learner.actor.memory, learner.needs_joint_actions)
        shape = (*pending.present.shape, learner.critic_memory_width)
        memory = torch.zeros(shape, device=self.game.device) if learner.critic_memory_width else None
        begun = self._table is not None or bool(self._carry)
        for name in _DEPENDS_ON_LEARNER:
            if not begun:
                setattr(pending, name, getattr(empty, name))
            elif _shape(getattr(pending, name)) != _shape(getattr(empty, name)):
                raise self._misfit(_key(role, name))
        if not begun and memory is not None:
            self._critic_memory[role] = memory
        elif _shape(self._critic_memory.get(role)) != _shape(memory):
            raise self._misfit(f"context.{role}")

    def _misfit(self, key: str) -> SnapshotError:
        return SnapshotError(f"table {self.number}: its state in the checkpoint does not fit this game (at '{key}')")

    def _start_afresh(self, number: int) -> None:
        """Start fresh episodes, because the state of a game that does not replay cannot be saved."""
        self._table, self._carry, self._names = None, {}, ()
        self._seed = fold(self.job, number)
        self._pending = {role.name: nothing_pending(self.game, role) for role in self.game.spec.roles}
        self._critic_memory = {}

    def _seat(
        self, learners: Sequence[Learner], frozen: Mapping[PolicyId, Policy], seatings: Sequence[Seating]
    ) -> Table:
        """The table of this round: unfinished episodes keep their lineups, new ones follow the seatings."""
        live = [learner.name for learner in learners]
        wanted = {policy for seating in seatings for policy in seating.lineup} | self.seated()
        seated = (*live, *sorted(wanted - set(live)))
        openers = self._starts.openers(self.game.spec) if self._starts else {}
        names = (*seated, *openers)
        number = {name: index for index, name in enumerate(names)}
        policies: list[Policy] = [
            *(learner.policy for learner in learners),
            *(frozen[name] for name in seated[len(live) :]),
            *openers.values(),
        ]
        counts = largest_remainder([seating.share for seating in seatings], self.game.slots)
        rows = [seating.lineup for seating, count in zip(seatings, counts, strict=True) for _ in range(count)]
        lineup = torch.tensor([[number[policy] for policy in row] for row in rows], device=self.game.device)
        now = [number.get(name, 0) for name in self._names]
        old = torch.tensor(now, dtype=torch.int64, device=self.game.device)
        unfinished = lineup[:0]
        if self._table is not None:
            unfinished = old[self._table.lineup]
        elif self._carry:
            unfinished = old[self._carry["lineup"]]
        places = self._places(lineup, unfinished, len(names))
        table = Table(
            self.game,
            policies,
            EndlessSchedule(lineup, self._seed),
            places=places,
            posts=self.posts,
            opening=self._starts.opening(self._seed, number, openers) if self._starts else None,
        )
        if self._table is not None:
            old_table = self._table
            table.go_on(old_table.turn, old_table.episode, old_table.clock, unfinished, old_table.memory)
        elif self._carry:
            state = {key.removeprefix("game."): value for key, value in self._carry.items() if key.startswith("game.")}
            memory = self._carry.get("memory", table.memory[..., :0])
            table.resume(state, self._carry["episode"], self._carry["clock"], unfinished, memory)
            self._carry = {}
        else:
            table.start()
        for pending in self._pending.values():
            # Owners beyond the names are members of mixtures, which are nobody's learners.
            owners = torch.cat((old, old.new_tensor([len(names)])))
            pending.owner = owners[pending.owner.clamp(max=len(old))]
        self._table, self._names = table, names
        return table

    def _places(self, new: Tensor, old: Tensor, policies: int) -> list[int]:
        """The most seats that each policy may hold in unfinished and new episodes: its most rows in a turn.

        new: `[B, P]`, the lineups of new episodes. old: `[B, P]` or empty, the lineups of unfinished ones.
        """
        seats = torch.tensor([len(post.seats) for post in self.posts])
        counts = torch.zeros(policies, dtype=torch.int64)
        for lineup in (new.cpu(), old.cpu()):
            counts.index_add_(0, lineup.flatten(), seats.repeat(len(lineup)))
        found: list[int] = counts.tolist()
        return found


class EndlessSchedule:
    """An endless schedule in which slot b keeps its lineup. lineup: `[B, P]`."""

    def __init__(self, lineup: Tensor, job: int) -> None:
        self._lineup, self._job = lineup, job

    def lineups(self, episodes: Tensor) -> Tensor:
        """See `Schedule.lineups`."""
        return self._lineup[episodes % len(self._lineup)]

    def seeds(self, episodes: Tensor) -> Tensor:
        """See `Schedule.seeds`."""
        return mix(self._job, 0, episodes)

    def keys(self, episodes: Tensor) -> Tensor:
        """See `Schedule.keys`."""
        return mix(self._job, 1, episodes)


def _key(role: str, column: str) -> str:
    """The key in a carry of a column of pending decisions."""
    return f"pending.{role}.{_STORED_AS.get(column, column)}"


def _shape(tensor: Tensor | None) -> torch.Size | None:
    return None if tensor is None else tensor.shape


def team_rewards(spec: GameSpec, reward: Tensor) -> Tensor:
    """`[T, B, S]` rewards → the mean over each seat's side, `[T, B, S]`."""
    mean = torch.stack([reward[..., list(side)].mean(-1) for side in spec.sides], -1)
    return mean[..., list(spec.side_of_seat)]


def training_results(
    spec: GameSpec,
    posts: Sequence[Post],
    rollout: Rollout,
    names: Sequence[PolicyId],
    learners: Sequence[str],
    number: int,
) -> tuple[TrainingResult, ...]:
    """Each learner's mean result against each lineup of others, over the episodes that ended in a rollout."""
    if not bool(rollout.ended.any()):
        return ()
    score = post_scores(posts, rollout.score[rollout.ended].double().cpu().numpy())
    sides = score_of_sides(spec, rollout.score[rollout.ended].double())
    lineups, which = rollout.lineup[rollout.ended].unique(dim=0, return_inverse=True)
    sums: dict[tuple[str, str], list[float]] = {}
    for index, lineup in enumerate(lineups.tolist()):
        rows = (which == index).cpu().numpy()
        for place, policy in enumerate(lineup):
            if policy >= len(learners):
                continue
            others = [names[other] for post, other in enumerate(lineup) if post != place]
            total = sums.setdefault((learners[policy], "+".join(others)), [0.0, 0.0, 0.0])
            total[0] += float(rows.sum())
            total[1] += float(sides[rows, posts[place].side].sum())
            total[2] += float(score[rows, place].sum())
    return tuple(
        TrainingResult(
            learner=learner,
            round=number,
            opponent=opponent,
            episodes=int(count),
            score=result / count,
            return_mean=returns / count,
        )
        for (learner, opponent), (count, result, returns) in sorted(sums.items())
    )


def score_of_sides(spec: GameSpec, score: Tensor) -> Tensor:
    """`[E, S]` scores → `[E, sides]` results in [0, 1]: the fraction of other sides beaten; ties count half."""
    total = torch.stack([score[:, list(side)].sum(1) for side in spec.sides], 1)
    if total.shape[1] == 1:
        return torch.full_like(total, 0.5)
    ahead = (total[:, :, None] > total[:, None, :]).sum(2) + 0.5 * ((total[:, :, None] == total[:, None, :]).sum(2) - 1)
    return ahead / (total.shape[1] - 1)


def _decisions_by_seat(spec: GameSpec, rollout: Rollout, role: str, index: int) -> dict[str, float]:
    """A learner's decisions at each seat of its role; empty if the role has one seat."""
    seats, rows = spec.role(role).seats, rollout.rows[role]
    if len(seats) == 1:
        return {}
    counts = torch.bincount(rows.seat[rows.present & (rows.owner == index)], minlength=len(spec.seats)).tolist()
    return {f"agent_steps/{spec.seats[seat]}": float(counts[seat]) for seat in seats}


def same_action(space: ActionSpace, rows: Decisions, index: int) -> dict[str, float]:
    """How often a learner takes its favourite action where it can, in [0, 1]: near 1, it always does the same.

    rows: `[...]` of its role. index: of the learner among the owners. Empty unless it chooses one of n actions.
    Decisions without a choice do not count, nor do actions that are legal in fewer than half of the others.
    """
    if not isinstance(space, Discrete):
        return {}
    mine = rows.present & (rows.owner == index)
    if rows.mask is not None:
        mine = mine & (rows.mask.sum(-1) > 1)
    taken = torch.bincount(rows.action[mine], minlength=space.width)
    legal = mine.sum().expand(space.width) if rows.mask is None else rows.mask[mine].sum(0)
    usual = (legal > 0) & (2 * legal >= mine.sum())
    return {"same_action": float((taken[usual].double() / legal[usual]).max())} if bool(usual.any()) else {}


def _returns(spec: GameSpec, rollout: Rollout, index: int) -> dict[str, float]:
    """Mean returns of a learner's finished episodes: over all its seats, per seat, and per side (sum over a team)."""
    ended = rollout.ended
    found = {"episodes": float(ended.sum())}
    if not bool(ended.any()):
        return found
    score, mine = rollout.score[ended], rollout.lineup[ended][:, rollout.post_of_seat] == index
    if not bool(mine.any()):
        return found
    found["episode_length"] = float(rollout.length[ended].double().mean())
    if spec.can_truncate:
        found["truncated"] = float(rollout.truncated[ended].any(1).double().mean())
    found["return"] = float(score[mine].double().mean())
    for seat, name in enumerate(spec.seats):
        if bool(mine[:, seat].any()):
            found[f"return/{name}"] = float(score[:, seat][mine[:, seat]].double().mean())
    for side, seats in enumerate(spec.sides):
        rows = mine[:, list(seats)].any(1)
        if len(seats) > 1 and bool(rows.any()):
            found[f"return/side{side}"] = float(score[rows][:, list(seats)].sum(1).double().mean())
    return found
