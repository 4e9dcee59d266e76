"""The one loop in which policies sit at games. Rollouts, matches and studies all advance a Table turn by turn.

Letters in shapes: B slots, S seats, P posts, K acting seats of a role, A actions, M numbers of memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.core import Acting, Game, Turn
from league.games.counter_rng import uniform
from league.matchmaking.posts import post_of_seat
from league.play.inference import BatchedInference, policy_label
from league.play.mixture_draws import MixtureDraws
from league.policies.core import Policy, memory_width
from league.policies.distributions import choose
from league.policies.distributions import log_prob as log_prob_of
from league.policies.mixture import Mixture
from league.records import Post


class Schedule(Protocol):
    """Who plays which episode. Episodes are numbered; slot b plays b, b + B, b + 2B, …"""

    def lineups(self, episodes: Tensor) -> Tensor:
        """`[B, P]` int64, index of a policy by post, for the episodes `[B]` that slots 0 … B-1 begin."""
        ...

    def seeds(self, episodes: Tensor) -> Tensor:
        """`[B]` int64, the seeds of all chance events in these episodes."""
        ...

    def keys(self, episodes: Tensor) -> Tensor:
        """`[B]` int64, the seeds of the policies' draws in these episodes: different in every episode."""
        ...


@dataclass(frozen=True, slots=True)
class Opening:
    """Turns at the start of episodes in which other policies decide for all seats.

    turns: of episodes `[B]` → `[B]` int64. policy: by role, the index of the policy that decides.
    """

    turns: Callable[[Tensor], Tensor]
    policy: Mapping[str, int]


@dataclass(slots=True, kw_only=True)
class Move:
    """One turn of a table: who acted on what, what they chose, and the outcome.

    acts: by role, as in `Turn`. action: `[B, K, *shape]` as in `Game.step`, log_prob: `[B, K]` float32, owner:
    `[B, K]` int64 (index in `Table.policies` of the policy that decided), each by role. lineup: `[B, P]` during this
    turn. state: `[B, *state]` before the move. episode: `[B]` during this turn. clock: `[B]`, turns that the episode
    had before it. turn: what followed, already showing new episodes where old ones ended. memory: by role, `[B, K, M]`
    of the policy that decided, before the decision; None if no policy has memory.
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
    memory: dict[str, Tensor] | None = None


class Table:
    """Policies seated at B slots of a game. A slot's lineup changes only when its episode ends.

    policies: by index, as lineups name them. The members of mixtures follow them in `self.policies`; one of them
    decides in place of its mixture (`MixtureDraws`). Every decision uses one uniform number (one for each part of it,
    where it has several), a hash of (the episode's key, turn of the episode, seat): it does not depend on the rest of
    the batch.
    memory: `[B, S, M]` float32, what each seat's policy remembers of the episode, zeros at an episode's start. M is the
    widest memory of them all, of which the others use the beginning.
    games_seconds: time spent in the game itself.
    places: the most rows that each policy can have in one turn, if known; it saves work on devices that must not be
    waited for. counts: whether rows may be counted every turn; by default, on a CPU.
    posts: the seats that each place of a lineup fills; by default the game's own (`GameSpec.posts`).
    opening: who decides at the start of episodes; by default, those who are seated. During an opening nobody remembers.
    """

    def __init__(
        self,
        game: Game,
        policies: Sequence[Policy],
        schedule: Schedule,
        temperature: float = 1.0,
        places: Sequence[int] | None = None,
        counts: bool | None = None,
        posts: Sequence[Post] | None = None,
        opening: Opening | None = None,
    ) -> None:
        draws = self._draws = MixtureDraws(policies, places, game.device)
        self.game, self.policies, self.schedule = game, draws.policies, schedule
        self.temperature = temperature
        self.games_seconds = 0.0
        self._counts = game.device.type == "cpu" if counts is None else counts
        self._inference = {
            role.name: BatchedInference(role, draws.policies, draws.places, self._counts, game.slots * role.acting)
            for role in game.spec.roles
        }
        self.posts = tuple(game.spec.posts if posts is None else posts)
        self.post_of_seat = torch.tensor(post_of_seat(self.posts), device=game.device)
        self.episode, self._stride = torch.arange(game.slots, device=game.device), game.slots
        self.clock = torch.zeros_like(self.episode)
        self.lineup = torch.empty(0)
        self._width = max(memory_width(policy) for policy in draws.policies if not isinstance(policy, Mixture))
        self.memory = self._nothing(game.slots)
        self._seated, self._key, self._next_seed = self.episode, self.episode, self.episode
        self._opening, self._opening_turns = opening, self.clock
        self.turn: Turn

    def start(self) -> None:
        """Begin the first episodes of the schedule."""
        self.lineup = self.schedule.lineups(self.episode)
        self.memory = self._nothing(self.game.slots)
        self.turn = self.game.start(self.schedule.seeds(self.episode))
        self._look_up()

    def resume(
        self, game_state: Mapping[str, Tensor], episode: Tensor, clock: Tensor, lineup: Tensor, memory: Tensor
    ) -> None:
        """Go on from saved tensors; `lineup` names policies by this table's indices."""
        self.go_on(self.game.load(dict(game_state)), episode, clock, lineup, memory)

    def go_on(self, turn: Turn, episode: Tensor, clock: Tensor, lineup: Tensor, memory: Tensor) -> None:
        """Go on from the game as it stands, of which `turn` was the last. Arguments as in `resume`.

        memory: `[B, S, M]`, whose M may differ from this table's; every seat keeps its memory.
        """
        self.turn = turn
        self.episode, self.clock = episode.to(self.game.device), clock.to(self.game.device)
        self.lineup, memory = lineup.to(self.game.device), memory.to(self.game.device)
        both = min(self._width, memory.shape[2])
        self.memory = self._nothing(len(memory))
        self.memory[..., :both] = memory[..., :both]
        self._look_up()

    def keep(self, rows: Tensor) -> None:
        """Go on with the slots `rows` only, each with the episodes that it would have had, of a game that can fork."""
        self.game = self.game.fork(rows)
        turn = self.game.load(self.game.save())
        self.go_on(turn, self.episode[rows], self.clock[rows], self.lineup[rows], self.memory[rows])

    @torch.inference_mode()
    def advance(self) -> Move:
        """All acting seats decide; the game takes one turn in every slot."""
        before = self.turn
        action: dict[str, Tensor] = {}
        log_prob: dict[str, Tensor] = {}
        owner: dict[str, Tensor] = {}
        remembered: dict[str, Tensor] = {}
        for role in self.game.spec.roles:
            acting = before.acts[role.name]
            owner[role.name] = self._deciders(role.name, acting.seat)
            draw, space = self._draw(acting.seat, role.actions.draws), role.actions
            memory = None
            if self._width:
                memory = remembered[role.name] = self._recalled(acting.seat)
            given, after = self._inference[role.name].distribution(acting, owner[role.name], self.game, memory)
            if after is not None:
                self._remember(acting, after)
            chosen = choose(space, given, draw, self.temperature)
            action[role.name] = chosen.view(*acting.seat.shape, *space.shape)
            log_prob[role.name] = log_prob_of(space, given, chosen).view(acting.seat.shape)
        began = time.perf_counter()
        self.turn = self.game.step(action, self._next_seed)
        self.games_seconds += time.perf_counter() - began
        move = Move(
            acts=before.acts,
            action=action,
            log_prob=log_prob,
            owner=owner,
            lineup=self.lineup,
            episode=self.episode,
            clock=self.clock,
            state=before.state,
            turn=self.turn,
            memory=remembered or None,
        )
        self._renew(self.turn.ended)
        return move

    def check(self, log_prob: Tensor, owner: Tensor) -> None:
        """Raises PolicyError if a policy gave no distribution. It waits for the device, so it is not called each turn.

        log_prob, owner: of moves, of any one shape.
        """
        broken = log_prob.isnan()
        if bool(broken.any()):
            called = policy_label(self.policies, int(owner[broken][0]))
            raise PolicyError(f"{called} gives no distribution: its logits are NaN, or -inf where legal")

    def _deciders(self, role: str, seat: Tensor) -> Tensor:
        """`[B, K]` the index of the policy that decides for each of a role's seats `[B, K]`."""
        seated = self._seated.gather(1, seat)
        if self._opening is None:
            return seated
        return torch.where((self.clock < self._opening_turns)[:, None], self._opening.policy[role], seated)

    def _nothing(self, slots: int) -> Tensor:
        """The memory at the start of an episode: zeros."""
        return torch.zeros((slots, len(self.game.spec.seats), self._width), device=self.game.device)

    def _recalled(self, seat: Tensor) -> Tensor:
        """`[B, K, M]`, the memory of the seats `[B, K]`."""
        return self.memory.gather(1, seat[..., None].expand(-1, -1, self._width))

    def _remember(self, acting: Acting, memory: Tensor) -> None:
        """Store the new memory `[B, K, M]` of the seats that acted. Rows in which nobody acts change nothing."""
        slot = torch.arange(len(self.memory), device=memory.device)[:, None].expand(acting.seat.shape)
        # Absent rows may name the seat of a present row: all of them go to an extra seat that is then dropped.
        seats = self.memory.shape[1]
        room = torch.cat((self.memory, self.memory[:, :1]), 1)
        room[slot, torch.where(acting.present, acting.seat, seats)] = memory
        self.memory = room[:, :seats]

    def _draw(self, seat: Tensor, numbers: int) -> Tensor:
        """The uniform numbers of a turn's decisions, `[B * K, numbers]`. seat: `[B, K]`."""
        if numbers == 1:
            return uniform(self._key, self.clock[:, None], seat).view(-1, 1)
        each = torch.arange(numbers, device=seat.device)
        return uniform(self._key[..., None], self.clock[:, None, None], seat[..., None], each).flatten(0, 1)

    def _look_up(self) -> None:
        """Set the seated policies, the key and the next seed of every slot."""
        self._key = self.schedule.keys(self.episode)[:, None]
        self._seat_policies()
        self._next_seed = self.schedule.seeds(self.episode + self._stride)
        if self._opening is not None:
            self._opening_turns = self._opening.turns(self.episode)

    def _seat_policies(self) -> None:
        """Set who decides at every seat."""
        self._seated = self._draws.deciding(self.lineup, self._key)[:, self.post_of_seat]

    def _renew(self, ended: Tensor) -> None:
        """Start the next episode of slots whose episode ended. Tensors that a Move holds are not modified."""
        following = self.episode + self._stride
        if self._counts:
            # Few episodes end on any one turn.
            rows = ended.nonzero()[:, 0]
            if not len(rows):
                self.clock = self.clock + 1
                return
            fresh = following[rows]
            if self._width:
                self.memory = self.memory.index_fill(0, rows, 0.0)
            self.lineup = self.lineup.index_copy(0, rows, self.schedule.lineups(fresh))
            self._key = self._key.index_copy(0, rows, self.schedule.keys(fresh)[:, None])
            self._seat_policies()
            self._next_seed = self._next_seed.index_copy(0, rows, self.schedule.seeds(fresh + self._stride))
            self.episode = self.episode.index_copy(0, rows, fresh)
            if self._opening is not None:
                self._opening_turns = self._opening_turns.index_copy(0, rows, self._opening.turns(fresh))
        else:
            self.lineup = torch.where(ended[:, None], self.schedule.lineups(following), self.lineup)
            self.episode = torch.where(ended, following, self.episode)
            self.memory = torch.where(ended[:, None, None], 0.0, self.memory)
            self._look_up()
        self.clock = torch.where(ended, 0, self.clock + 1)
