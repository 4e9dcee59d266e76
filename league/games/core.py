"""The contract of a game: B copies (slots) of one game, stepped together, tensors on one device.

Letters in shapes: B slots, S seats, K acting seats of a role, A actions, P posts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import ActionSpace, Box
from league.records import Post

_NAMED = 4
"""Seats of a post that are named one by one, where there are no more."""

State = dict[str, Tensor]
"""The whole state of B games: named tensors, each `[B, ...]`."""


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """Seats that one policy's weights can take, and what they see and do.

    seats: every seat of this role. acting: K, how many of them act at once (1 in turn-based games, all of them in
    simultaneous ones). obs_shape: of one observation; three dimensions are planes `(channels, height, width)`.
    actions: what one decision is.
    """

    name: str
    seats: tuple[int, ...]
    acting: int
    obs_shape: tuple[int, ...]
    obs_dtype: torch.dtype
    actions: ActionSpace

    def __post_init__(self) -> None:
        if not isinstance(self.actions, ActionSpace):
            raise GameError(
                f"role {self.name}: actions must be Discrete(n), MultiDiscrete(sizes) or Box(low, high) of "
                f"league.games.actions, not {self.actions!r}"
            )

    @property
    def action_dtype(self) -> torch.dtype:
        """Of actions: int64, or float32 in a box."""
        return torch.float32 if isinstance(self.actions, Box) else torch.int64


@dataclass(frozen=True)
class GameSpec:
    """The fixed facts of a game.

    id, version: what a snapshot is bound to; the version rises when rules, observations or actions change.
    seats: seat names. sides: seats that share one outcome; every seat is on exactly one side.
    can_truncate: an episode may be cut off for reasons outside the rules; the bootstrap then needs `final_state`, so
        the game must have a `state_shape`.
    outcome: "placements" (win, draw, loss) or "score" (its size matters: poker, cooperative games).
    score_range: lowest and highest possible score of a seat, or None where unknown.
    state_shape: of the critic's global state, or None: what an acting seat observes is the whole state.
    by_seat: whether every seat is a post of its own (`split`).
    """

    id: str
    version: str
    seats: tuple[str, ...]
    sides: tuple[tuple[int, ...], ...]
    roles: tuple[RoleSpec, ...]
    outcome: Literal["placements", "score"] = "placements"
    can_truncate: bool = False
    score_range: tuple[float, float] | None = None
    state_shape: tuple[int, ...] | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    by_seat: bool = False

    def __post_init__(self) -> None:
        seats = sorted(seat for side in self.sides for seat in side)
        if seats != list(range(len(self.seats))):
            raise GameError(f"{self.id}: every seat must be on exactly one side; the sides hold seats {seats}")
        seats = sorted(seat for role in self.roles for seat in role.seats)
        if seats != list(range(len(self.seats))):
            raise GameError(f"{self.id}: every seat must have exactly one role; the roles hold seats {seats}")
        if self.can_truncate and self.state_shape is None:
            raise GameError(f"{self.id}: a game that can truncate must have a global state (state_shape, final_state)")

    @cached_property
    def posts(self) -> tuple[Post, ...]:
        """What lineups fill, ordered by side, then by role: the seats of one role on one side, or each of them."""
        found = []
        for index, side in enumerate(self.sides):
            for role in self.roles:
                seats = tuple(seat for seat in role.seats if seat in side)
                if self.by_seat:
                    found += [Post(index, role.name, (seat,)) for seat in seats]
                elif seats:
                    found.append(Post(index, role.name, seats))
        return tuple(found)

    @property
    def scored(self) -> bool:
        """Whether the size of a score counts: it does in games of scores, and wherever there is nobody to beat."""
        return self.outcome == "score" or len(self.sides) == 1

    @cached_property
    def post_of_seat(self) -> tuple[int, ...]:
        """Index into `posts` by seat."""
        return tuple(
            next(i for i, post in enumerate(self.posts) if seat in post.seats) for seat in range(len(self.seats))
        )

    @cached_property
    def side_of_seat(self) -> tuple[int, ...]:
        """Index into `sides` by seat."""
        return tuple(next(i for i, side in enumerate(self.sides) if seat in side) for seat in range(len(self.seats)))

    @property
    def seating(self) -> str:
        """Who is on which side and in which role, in words: "adversary_0, adversary_1 (adversary) against agent_0"."""
        sides = []
        for number in range(len(self.sides)):
            posts = [post for post in self.posts if post.side == number]
            sides.append(" and ".join(self._named(post.seats, post.role) for post in posts))
        return " against ".join(sides) if len(sides) > 1 else f"{sides[0]}{' together' * (len(self.seats) > 1)}"

    def _named(self, seats: tuple[int, ...], role: str) -> str:
        names = [self.seats[seat] for seat in seats]
        shown = ", ".join(names if len(names) <= _NAMED else [*names[: _NAMED - 1], "…", names[-1]])
        about = [f"{len(names)} seats"] * (len(names) > _NAMED) + [role] * (len(self.roles) > 1 and names != [role])
        return f"{shown} ({', '.join(about)})" if about else shown

    def split(self) -> GameSpec:
        """The same game with every seat a post of its own, so that team-mates of one role may be different policies."""
        return replace(self, by_seat=True)

    def role(self, name: str) -> RoleSpec:
        """The role called `name`. Raises GameError."""
        for role in self.roles:
            if role.name == name:
                return role
        raise GameError(f"{self.id} has no role '{name}'; its roles are {', '.join(r.name for r in self.roles)}")


@dataclass(slots=True)
class Acting:
    """The seats of one role that act now.

    obs: `[B, K, *obs_shape]`. mask: `[B, K, A]` bool, True where legal, or None where every action is; A is the
    `width` of the role's actions.
    seat: `[B, K]` int64. present: `[B, K]` bool, False where nobody acts (then obs, mask and seat mean nothing,
    though seat is a valid seat of the role and the mask has at least one True).
    """

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    present: Tensor


@dataclass(slots=True)
class Turn:
    """What a step of all slots brought, and who acts next.

    Slots whose episode ended on this turn have already begun their next one: `acts` and `state` belong to the new
    episode; `reward`, `terminated`, `truncated`, `ended`, `score`, `final_state`, `final_obs` and `forfeit` to the old.

    acts: by role name. reward: `[B, S]` float32, since the last turn. terminated, truncated: `[B, S]` bool, True on
    the one turn on which that seat's episode ends by the rules or is cut off; they never merge. ended: `[B]` bool, the
    episode is over for all seats. score: `[B, S]` float32, each seat's outcome, valid where ended.
    state: `[B, *state_shape]` or None. final_state: likewise, valid where truncated (only where `can_truncate`).
    final_obs: by role `[B, R, *obs_shape]` in its dtype, for its R seats in the order of `role.seats`: what each saw as
    its episode was cut off, valid where that seat is truncated; given exactly when `final_state` is.
    forfeit: `[B, S]` bool, seats whose illegal move ended the episode, or None.
    """

    acts: dict[str, Acting]
    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    ended: Tensor
    score: Tensor
    state: Tensor | None = None
    final_state: Tensor | None = None
    forfeit: Tensor | None = None
    final_obs: dict[str, Tensor] | None = None


class Game(ABC):
    """B copies of one game. `start`, then `step` for ever: ended slots begin anew with the seed given to `step`."""

    spec: GameSpec
    slots: int
    device: torch.device
    can_fork: bool = False
    replays: bool = True
    """Whether equal seeds and actions give equal episodes (else a run cannot resume to the same bytes)."""

    @abstractmethod
    def start(self, seeds: Tensor) -> Turn:
        """Begin a new episode in every slot. seeds: `[B]` int64, all that chance in the game depends on."""

    @abstractmethod
    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        """Take one turn in every slot. actions: by role, `[B, K, *shape]`, shape and dtype those of the role's action
        space (for one of n: `[B, K]` int64). seeds: `[B]` for episodes that end now.

        An illegal action ends the episode as a forfeit: the offender's side gets the worst score, the others win.
        """

    @abstractmethod
    def save(self) -> State:
        """Everything needed to go on from here, as tensors (a copy: later steps do not change it)."""

    @abstractmethod
    def load(self, state: State) -> Turn:
        """Go on from a saved state; the Turn's `acts` and `state` are as they were, its outcome fields zero."""

    def fork(self, rows: Tensor) -> Game:
        """A game of `len(rows)` slots that are copies of the given slots, for look-ahead. rows: `[N]` int64."""
        raise GameError(f"{self.spec.id} cannot be forked: its state cannot be copied")

    def positions(self, rows: Tensor) -> Sequence[object]:
        """The given slots' positions as the game's own library has them, to be kept, for a search that comes with it.

        rows: `[N]` int64. OpenSpiel's games have a `pyspiel.State` for each.
        """
        raise GameError(f"{self.spec.id} has no positions apart from its state")

    def render(self, slot: int) -> str:
        """The slot's position as text, for people."""
        raise GameError(f"{self.spec.id} has no text view of its positions")

    def close(self) -> None:  # noqa: B027
        """Give back what the game holds (processes, windows)."""
