"""The contract of a game: B copies (slots) of one game, stepped together, tensors on one device.

Letters in shapes: B slots, S seats, K acting seats of a role, A actions, P posts.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import ActionSpace, Box, Discrete
from league.games.symmetry import Symmetry
from league.records import Post

_NAMED = 4
"""The largest number of seats that are named one by one."""

State = dict[str, Tensor]
"""The complete state of B games: named tensors, each `[B, ...]`."""


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """Seats that one policy's weights can take, with their observations and actions.

    seats: all seats of this role. acting: K, how many of them act at once (1 in turn-based games, all of them in
    simultaneous ones). obs_shape: of one observation; three dimensions are planes `(channels, height, width)`.
    actions: what one decision is. symmetries: relabellings that leave the rules as they are, and with those that repeat
    or join them make up a group; in games of several roles, the same number for each, which belong together in their
    order. Raises GameError for actions that are no action space, or symmetries of other sizes.
    """

    name: str
    seats: tuple[int, ...]
    acting: int
    obs_shape: tuple[int, ...]
    obs_dtype: torch.dtype
    actions: ActionSpace
    symmetries: tuple[Symmetry, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.actions, ActionSpace):
            raise GameError(
                f"role {self.name}: actions must be Discrete(n), MultiDiscrete(sizes) or Box(low, high) of "
                f"league.games.actions, not {self.actions!r}"
            )
        sizes = math.prod(self.obs_shape), self.actions.n if isinstance(self.actions, Discrete) else None
        for one in self.symmetries:
            if (len(one.observation), len(one.actions)) != sizes:
                raise GameError(
                    f"role {self.name}: a symmetry relabels all {sizes[0]} numbers of an observation, and discrete "
                    f"actions, of which there are {sizes[1] or 'none'}; not {len(one.observation)} numbers and "
                    f"{len(one.actions)} actions"
                )

    @property
    def action_dtype(self) -> torch.dtype:
        """int64, or float32 for a Box."""
        return torch.float32 if isinstance(self.actions, Box) else torch.int64


@dataclass(frozen=True)
class GameSpec:
    """The fixed facts of a game.

    id, version: what a snapshot is bound to; the version rises when rules, observations or actions change.
    seats: seat names. sides: seats that share one outcome; every seat is on exactly one side.
    can_truncate: an episode may be truncated for reasons outside the rules, such as a time limit. The critic then
        bootstraps from `final_state`, so the game must have a `state_shape`.
    outcome: "placements" (win, draw, loss) or "score" (its size matters: poker, cooperative games).
    score_range: lowest and highest possible score of a seat, or None where unknown.
    state_shape: of the critic's global state, or None where an acting seat's observation is the whole state.
    options: the game's own options; snapshots are bound to them, too.
    perfect_information: whether every seat that acts sees all that has happened, as in board games; False if unknown.
    observation, action: what the numbers of an observation and of an action mean, in words; empty if nobody says it.
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
    perfect_information: bool = False
    observation: str = ""
    action: str = ""

    def __post_init__(self) -> None:
        seats = sorted(seat for side in self.sides for seat in side)
        if seats != list(range(len(self.seats))):
            raise GameError(f"{self.id}: every seat must be on exactly one side; the sides hold seats {seats}")
        seats = sorted(seat for role in self.roles for seat in role.seats)
        if seats != list(range(len(self.seats))):
            raise GameError(f"{self.id}: every seat must have exactly one role; the roles hold seats {seats}")
        if len({len(role.symmetries) for role in self.roles}) > 1:
            raise GameError(f"{self.id}: its roles must have the same number of symmetries, which belong together")
        if self.can_truncate and self.state_shape is None:
            raise GameError(f"{self.id}: a game that can truncate must have a global state (state_shape, final_state)")

    @cached_property
    def posts(self) -> tuple[Post, ...]:
        """What a lineup fills, ordered by side, then by role: the seats of one role on one side make one post."""
        return tuple(
            Post(index, role.name, seats)
            for index, side in enumerate(self.sides)
            for role in self.roles
            if (seats := tuple(seat for seat in role.seats if seat in side))
        )

    @property
    def scored(self) -> bool:
        """Whether the size of a score counts: if the outcome is "score", and in every game with only one side."""
        return self.outcome == "score" or len(self.sides) == 1

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

    def role(self, name: str) -> RoleSpec:
        """The role called `name`. Raises GameError."""
        for role in self.roles:
            if role.name == name:
                return role
        raise GameError(f"{self.id} has no role '{name}'; its roles are {', '.join(r.name for r in self.roles)}")


@dataclass(slots=True)
class Acting:
    """The seats of one role that act now.

    obs: `[B, K, *obs_shape]`. mask: `[B, K, A]` bool, True where legal, or None where every action is legal; A is the
    `width` of the role's actions. seat: `[B, K]` int64. present: `[B, K]` bool, False where nobody acts: obs, mask and
    seat are then meaningless, but seat is a valid seat of the role and the mask allows at least one action.
    """

    obs: Tensor
    mask: Tensor | None
    seat: Tensor
    present: Tensor


@dataclass(slots=True, kw_only=True)
class Turn:
    """The result of a step of all slots, and who acts next.

    Slots whose episode ended on this turn have already begun their next one: `acts` and `state` belong to the new
    episode, all other fields to the old one.

    acts: by role name. reward: `[B, S]` float32, since the last turn. terminated, truncated: `[B, S]` bool, True on the
    one turn on which that seat's episode ends by the rules, or by truncation; they never merge. ended: `[B]` bool, the
    episode is over for all seats. score: `[B, S]` float32, the final score of each seat, valid where ended.
    state: `[B, *state_shape]` or None. final_state: likewise, valid where truncated; only where the game can truncate.
    final_obs: by role `[B, R, *obs_shape]` in the role's dtype, for its R seats in the order of `role.seats`: each
    seat's last observation, valid where it is truncated; present exactly when `final_state` is.
    forfeit: `[B, S]` bool, the seats whose illegal action ended the episode, or None.
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
    """B copies of one game: `start`, then `step` repeatedly. Ended slots restart with the seeds given to `step`."""

    spec: GameSpec
    slots: int
    device: torch.device
    can_fork: bool = False
    replays: bool = True
    """Whether equal seeds and actions give equal episodes. Otherwise a resumed run is not bit-identical."""

    @abstractmethod
    def start(self, seeds: Tensor) -> Turn:
        """Begin a new episode in every slot. seeds: `[B]` int64, the only source of chance."""

    @abstractmethod
    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        """Take one turn in every slot.

        actions: by role, `[B, K, *shape]`, with the shape and dtype of the role's action space (Discrete: `[B, K]`
        int64). seeds: `[B]` int64, for the episodes that follow those that end now.
        An illegal action ends the episode as a forfeit: the offender's side gets the worst score, the others win.
        """

    @abstractmethod
    def save(self) -> State:
        """Everything that is needed to continue from here, as tensors; later steps do not change them."""

    @abstractmethod
    def load(self, state: State) -> Turn:
        """Continue from a saved state. The Turn has the `acts` and `state` of then; its outcome fields are zero."""

    def fork(self, rows: Tensor) -> Game:
        """A game of N slots that are copies of the given ones, for look-ahead. rows: `[N]` int64."""
        raise GameError(f"{self.spec.id} cannot be forked: its state cannot be copied")

    def positions(self, rows: Tensor) -> Sequence[object]:
        """Copies of the given slots' positions in the form of the game's own library, for that library's search.

        rows: `[N]` int64. OpenSpiel's games return one `pyspiel.State` for each.
        """
        raise GameError(f"{self.spec.id} has no positions of a library of its own")

    def render(self, slot: int) -> str:
        """The slot's position as text for humans."""
        raise GameError(f"{self.spec.id} cannot show its positions as text")

    def close(self) -> None:  # noqa: B027
        """Release what the game holds (processes, windows)."""
