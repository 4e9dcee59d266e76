"""What the tests of play share: an irregular game, schedules, and a slow, obvious account of who decided what."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import Acting, Game, GameSpec, RoleSpec, State, Turn
from league.games.counter_rng import mix
from league.play.rollout import collect, nothing_pending
from league.play.table import Table
from league.play.trajectory import Rollout, chains, still_pending
from league.policies.core import Policy


class Relay(Game):
    """Three seats that act when a hash says so, are paid at all times, die early, or are cut off; until all are over.

    Seats 0 and 1 ("runner") are on different sides, seat 2 ("judge") is on seat 1's. Rewards are multiples of 1/16, so
    that sums are exact; some depend on the actions. One action is illegal (a forfeit: -10, others 10). Observation:
    (seed, turn, seat), the final one too; state: (seed, turn). masks: whether the Turn says what is legal.
    """

    def __init__(self, slots: int, masks: bool = True) -> None:
        self._masks = masks
        roles = (
            RoleSpec(
                name="runner", seats=(0, 1), acting=2, obs_shape=(3,), obs_dtype=torch.float32, actions=Discrete(3)
            ),
            RoleSpec(name="judge", seats=(2,), acting=1, obs_shape=(3,), obs_dtype=torch.float32, actions=Discrete(4)),
        )
        self.spec = GameSpec(
            id="relay",
            version="1",
            seats=("a", "b", "c"),
            sides=((0,), (1, 2)),
            roles=roles,
            outcome="score",
            can_truncate=True,
            state_shape=(2,),
        )
        self.slots, self.device = slots, torch.device("cpu")

    def start(self, seeds: Tensor) -> Turn:
        self.slots = len(seeds)
        self._seed = [seed % 1_000_003 for seed in seeds.tolist()]
        self._turn = [0] * self.slots
        self._alive = [[True] * 3 for _ in seeds]
        self._score = [[0.0] * 3 for _ in seeds]
        return self._look()

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        before, shape = self._acting(), (self.slots, 3)
        reward, score, final = torch.zeros(shape), torch.zeros(shape), self._states()
        terminated, truncated = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.bool)
        ended = torch.zeros(self.slots, dtype=torch.bool)
        forfeit = torch.zeros(shape, dtype=torch.bool)
        for b in range(self.slots):
            chosen = {seat: int(actions[role][b, row]) for role, row, seat in self._places(b, before[b])}
            offenders = [seat for seat, action in chosen.items() if action == self._illegal(b, seat)]
            for seat in range(3):
                if not self._alive[b][seat]:
                    continue
                reward[b, seat] = self._hash(b, 1, seat) % 5 / 4 + sum(chosen.values()) / 16
                fate = self._hash(b, 2, seat) % 8
                if offenders:
                    forfeit[b, seat], fate = seat in offenders, 0
                    reward[b, seat] = -10.0 if seat in offenders else 10.0
                    self._score[b] = [-10.0 if other in offenders else 10.0 for other in range(3)]
                else:
                    self._score[b][seat] += float(reward[b, seat])
                terminated[b, seat], truncated[b, seat] = fate == 0, fate == 1
                self._alive[b][seat] = fate > 1
            self._turn[b] += 1
            final[b, 1] += 1
            score[b], ended[b] = torch.tensor(self._score[b]), not any(self._alive[b])
            if ended[b]:
                self._seed[b], self._turn[b] = int(seeds[b]) % 1_000_003, 0
                self._alive[b], self._score[b] = [True] * 3, [0.0] * 3
        now = self._look()
        seen = {
            role.name: torch.stack(
                [torch.cat((final, torch.full((self.slots, 1), float(s))), 1) for s in role.seats], 1
            )
            for role in self.spec.roles
        }
        return Turn(
            acts=now.acts,
            reward=reward,
            terminated=terminated,
            truncated=truncated,
            ended=ended,
            score=score,
            state=now.state,
            final_state=final,
            forfeit=forfeit,
            final_obs=seen,
        )

    def save(self) -> State:
        return {
            "seed": torch.tensor(self._seed),
            "turn": torch.tensor(self._turn),
            "alive": torch.tensor(self._alive),
            "score": torch.tensor(self._score),
        }

    def load(self, state: State) -> Turn:
        self._seed, self._turn = state["seed"].tolist(), state["turn"].tolist()
        self._alive, self._score = state["alive"].tolist(), state["score"].tolist()
        self.slots = len(self._seed)
        return self._look()

    def _hash(self, b: int, *parts: int) -> int:
        text = repr((self._seed[b], self._turn[b], parts)).encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest())

    def _acting(self) -> list[list[int]]:
        found = []
        for b in range(self.slots):
            alive = [seat for seat in range(3) if self._alive[b][seat]]
            acting = [seat for seat in alive if self._hash(b, 3, seat) % 2]
            found.append(acting or alive[:1])
        return found

    def _places(self, b: int, acting: list[int]) -> list[tuple[str, int, int]]:
        """Role, row and seat of everybody who acts; runners in an order that changes."""
        runners = [seat for seat in acting if seat < 2]
        if self._hash(b, 4) % 2:
            runners.reverse()
        judges = [("judge", 0, 2)] if 2 in acting else []
        return [("runner", row, seat) for row, seat in enumerate(runners)] + judges

    def _illegal(self, b: int, seat: int) -> int:
        return 1 + self._hash(b, 5, seat) % 2

    def _states(self) -> Tensor:
        return torch.tensor([[seed, turn] for seed, turn in zip(self._seed, self._turn, strict=True)]).float()

    def _look(self) -> Turn:
        acts = {}
        for role in self.spec.roles:
            rows = (self.slots, role.acting)
            seat = torch.full(rows, role.seats[0])
            mask = torch.ones((*rows, role.actions.width), dtype=torch.bool) if self._masks else None
            acts[role.name] = Acting(torch.zeros((*rows, 3)), mask, seat, torch.zeros(rows, dtype=torch.bool))
        for b, acting in enumerate(self._acting()):
            for role_name, row, seat in self._places(b, acting):
                into = acts[role_name]
                into.seat[b, row], into.present[b, row] = seat, True
                into.obs[b, row] = torch.tensor([self._seed[b], self._turn[b], seat])
                if into.mask is not None:
                    into.mask[b, row, self._illegal(b, seat)] = False
        never, zero = torch.zeros((self.slots, 3), dtype=torch.bool), torch.zeros((self.slots, 3))
        return Turn(
            acts=acts,
            reward=zero,
            terminated=never,
            truncated=never,
            ended=never[:, 0],
            score=zero,
            state=self._states(),
        )


@dataclass(frozen=True)
class Hashed:
    """An endless schedule in which every episode draws who sits where. choices: policies by post."""

    choices: tuple[tuple[int, ...], ...]
    job: int = 0

    def lineups(self, episodes: Tensor) -> Tensor:
        posts = []
        for post, choice in enumerate(self.choices):
            drawn = mix(self.job, 7, post, episodes) % len(choice)
            posts.append(torch.tensor(choice)[drawn])
        return torch.stack(posts, 1)

    def seeds(self, episodes: Tensor) -> Tensor:
        return mix(self.job, 8, episodes)

    def keys(self, episodes: Tensor) -> Tensor:
        return mix(self.job, 9, episodes)


@dataclass
class Decision:
    """One decision of one seat, and all that became of it."""

    slot: int
    seat: int
    turn: int
    action: int
    log_prob: float
    owner: int
    obs: Tensor
    mask: Tensor | None
    state: Tensor | None
    reward: float = 0.0
    next: int | None = None
    terminated: int | None = None
    truncated: int | None = None


def play_rollouts(game: Game, policies: list[Policy], schedule: Hashed, turns: int, count: int) -> list[Rollout]:
    """Consecutive rollouts, each beginning with what the one before left pending."""
    table = Table(game, policies, schedule)
    table.start()
    pending = {role.name: nothing_pending(game, role) for role in game.spec.roles}
    found = []
    for _ in range(count):
        rollout = collect(table, turns, pending)
        pending = {role.name: still_pending(rollout, role, chains(rollout, role)) for role in game.spec.roles}
        found.append(rollout)
    return found


def account(spec: GameSpec, rollouts: list[Rollout]) -> list[Decision]:
    """Every decision taken in consecutive rollouts, followed one turn, slot and seat at a time."""
    found: list[Decision] = []
    turns, slots = rollouts[0].ended.shape
    for b in range(slots):
        open_: dict[int, Decision] = {}
        for clock in range(turns * len(rollouts)):
            rollout, t = rollouts[clock // turns], clock % turns
            for role in spec.roles:
                rows = rollout.rows[role.name]
                for k in range(role.acting):
                    if not rows.present[t, b, k]:
                        continue
                    seat = int(rows.seat[t, b, k])
                    if seat in open_:
                        open_[seat].next = clock
                    open_[seat] = Decision(
                        b,
                        seat,
                        clock,
                        int(rows.action[t, b, k]),
                        float(rows.log_prob[t, b, k]),
                        int(rows.owner[t, b, k]),
                        rows.obs[t, b, k],
                        None if rows.mask is None else rows.mask[t, b, k],
                        None if rollout.state is None else rollout.state[t, b],
                    )
                    found.append(open_[seat])
            for seat in list(open_):
                open_[seat].reward += float(rollout.reward[t, b, seat])
                if rollout.terminated[t, b, seat]:
                    open_.pop(seat).terminated = clock
                elif rollout.truncated[t, b, seat]:
                    open_.pop(seat).truncated = clock
    return found
