"""The one loop in which policies sit at games. Rollouts, matches and studies all advance a Table turn by turn.

Letters in shapes: B slots, S seats, P posts, K acting seats of a role, A actions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.chance import uniform
from league.games.core import Acting, Game, RoleSpec, Turn
from league.policies.core import Policy, Rows, choose, masked


class Schedule(Protocol):
    """Who plays which episode. Episodes are numbered; slot b plays b, b + B, b + 2B, …"""

    def lineups(self, episodes: Tensor) -> Tensor:
        """`[B, P]` int64, index of a policy by post, for the episodes `[B]` that slots 0 … B-1 begin."""
        ...

    def seeds(self, episodes: Tensor) -> Tensor:
        """`[B]` int64, all that chance in these episodes depends on."""
        ...

    def keys(self, episodes: Tensor) -> Tensor:
        """`[B]` int64, all that the policies' draws in these episodes depend on: different in every episode."""
        ...


@dataclass(slots=True)
class Move:
    """One turn of a table: who acted on what, what they chose, and what came of it.

    acts: by role, as in `Turn`. action: `[B, K]` int64, log_prob: `[B, K]` float32, owner: `[B, K]` int64 (index of
    the policy that decided), each by role. lineup: `[B, P]` during this turn. state: `[B, *state]` before the move.
    episode: `[B]` during this turn. clock: `[B]`, turns that the episode had before it. turn: what followed, already
    showing new episodes where old ones ended.
    """

    acts: dict[str, Acting]
    action: dict[str, Tensor]
    log_prob: dict[str, Tensor]
    owner: dict[str, Tensor]
    lineup: Tensor
    episode: Tensor
    clock: Tensor
    state: Tensor | None
    turn: Turn


class Table:
    """Policies seated at B slots of a game. A slot's lineup changes only when its episode ends.

    policies: by index, as lineups name them. Every decision uses one uniform number, a hash of (the episode's key, turn
    of the episode, seat): what else is in the batch cannot shift it. games_seconds: time spent in the game itself.
    """

    def __init__(
        self,
        game: Game,
        policies: Sequence[Policy],
        schedule: Schedule,
        temperature: float = 1.0,
    ) -> None:
        self.game, self.policies, self.schedule = game, policies, schedule
        self.temperature = temperature
        self.games_seconds = 0.0
        self._post_of_seat = torch.tensor(game.spec.post_of_seat, device=game.device)
        self.episode = torch.arange(game.slots, device=game.device)
        self.clock = torch.zeros_like(self.episode)
        self.lineup = torch.empty(0)
        self.turn: Turn

    def start(self) -> None:
        """Begin the first episodes of the schedule."""
        self.lineup = self.schedule.lineups(self.episode)
        self.turn = self.game.start(self.schedule.seeds(self.episode))

    def resume(self, game_state: Mapping[str, Tensor], episode: Tensor, clock: Tensor, lineup: Tensor) -> None:
        """Go on from saved tensors; `lineup` names policies by this table's indices."""
        self.turn = self.game.load(dict(game_state))
        self.episode, self.clock = episode.to(self.game.device), clock.to(self.game.device)
        self.lineup = lineup.to(self.game.device)

    def advance(self) -> Move:
        """Everybody who is to act decides; the game takes one turn in every slot."""
        before = self.turn
        seated = self.lineup[:, self._post_of_seat]
        key = self.schedule.keys(self.episode)[:, None]
        action: dict[str, Tensor] = {}
        log_prob: dict[str, Tensor] = {}
        owner: dict[str, Tensor] = {}
        for role in self.game.spec.roles:
            acting = before.acts[role.name]
            owner[role.name] = seated.gather(1, acting.seat)
            draw = uniform(key, self.clock[:, None], acting.seat)
            action[role.name], log_prob[role.name] = self._decide(role, acting, owner[role.name], draw)
        following = self.episode + self.game.slots
        began = time.perf_counter()
        self.turn = self.game.step(action, self.schedule.seeds(following))
        self.games_seconds += time.perf_counter() - began
        move = Move(
            before.acts, action, log_prob, owner, self.lineup, self.episode, self.clock, before.state, self.turn
        )
        ended = self.turn.ended
        self.lineup = torch.where(ended[:, None], self.schedule.lineups(following), self.lineup)
        self.episode = torch.where(ended, following, self.episode)
        self.clock = torch.where(ended, 0, self.clock + 1)
        return move

    def _decide(self, role: RoleSpec, acting: Acting, owner: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
        """Actions and their log-probabilities, `[B, K]`: one forward for each policy over all its rows.

        Where nobody acts, the action is some legal one. Raises PolicyError for logits that cannot be used.
        """
        obs, seat = acting.obs.flatten(0, 1), acting.seat.flatten()
        mask = None if acting.mask is None else acting.mask.flatten(0, 1)
        logits = torch.zeros((len(seat), role.actions), device=seat.device)
        decider = torch.where(acting.present, owner, -1).flatten()
        for index, rows in _by_policy(decider, len(self.policies)):
            fork = self._fork(rows, role.acting) if self.game.can_fork else None
            if len(rows) == len(seat):
                logits = self._logits(index, role, Rows(obs, mask, seat, fork))
            else:
                part = Rows(obs[rows], None if mask is None else mask[rows], seat[rows], fork)
                logits[rows] = self._logits(index, role, part)
        log_probs = masked(logits, mask)
        if bool(log_probs.isnan().any()):
            index = int(decider[log_probs.isnan().any(1)][0])
            raise PolicyError(f"{self._called(index)} gives no distribution: its logits are NaN, or -inf where legal")
        action = choose(log_probs, draw.flatten(), self.temperature)
        log_prob = log_probs.gather(1, action[:, None])[:, 0]
        return action.view(owner.shape), log_prob.view(owner.shape)

    def _logits(self, index: int, role: RoleSpec, rows: Rows) -> Tensor:
        """What one policy says of its rows. Raises PolicyError where its role or its answer does not fit."""
        policy = self.policies[index]
        if policy.role != role.name:
            raise PolicyError(f"{self._called(index)} plays the role '{policy.role}', it was seated as '{role.name}'")
        logits = policy.logits(rows)
        wanted = [len(rows.seat), role.actions]
        if not isinstance(logits, Tensor):
            raise PolicyError(f"{self._called(index)} gives a {type(logits).__name__}, not a tensor of shape {wanted}")
        if list(logits.shape) != wanted:
            raise PolicyError(f"{self._called(index)} gives logits of shape {list(logits.shape)}, not {wanted}")
        return logits.to(torch.float32)

    def _called(self, index: int) -> str:
        return f"policy {index} of the table ({type(self.policies[index]).__name__})"

    def _fork(self, rows: Tensor, acting: int) -> Callable[[], Game]:
        return lambda: self.game.fork(rows // acting)


def _by_policy(decider: Tensor, policies: int) -> Iterator[tuple[int, Tensor]]:
    """Each policy that decides anything, and its rows in order. decider: `[N]`, -1 where nobody does."""
    counts = torch.bincount(decider + 1, minlength=policies + 1).tolist()
    for index, rows in enumerate(decider.argsort(stable=True).split(counts), -1):
        if index >= 0 and len(rows):
            yield index, rows
