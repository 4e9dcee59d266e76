"""A native game with equal observation shapes and numbers of actions for all seats, so that one policy serves all.

Letters in shapes: B slots, K acting seats, S seats, W numbers of the longest observation, A of the most actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import pad

from league.errors import GameError
from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.native.core import ActsAndState, NativeGame, Outcome


class Padded(NativeGame):
    """The game `game` with all seats in one role, as the option `pad` (`AdapterOptions`) makes it of an environment.

    Observations are one row of W numbers, padded with zeros; there are A actions, and those that a seat does not have
    are never legal. The role keeps the name of the game's only role; several become "player". State, rules and the
    critic's state are the game's. Raises GameError unless all actions are Discrete and, where there are several roles,
    all seats act at once.
    """

    def __init__(self, game: NativeGame) -> None:
        roles, id = game.spec.roles, game.spec.id
        counts = [role.actions.n for role in roles if isinstance(role.actions, Discrete)]
        if len(counts) < len(roles):
            raise GameError(f"{id}: pad = true needs agents with Discrete actions")
        if len(roles) > 1 and any(role.acting < len(role.seats) for role in roles):
            raise GameError(f"{id}: pad = true needs a game with one role, or one whose seats all act at once")
        self._game, self._roles = game, roles
        self._width = max(int(torch.Size(role.obs_shape).numel()) for role in roles)
        super().__init__(_spec(game.spec, self._width, max(counts)), game.slots, game.device)
        self.forfeits = game.forfeits
        # Rows are grouped by role; this index puts them into seat order.
        order = [seat for role in roles for seat in role.seats]
        self._order = None if order == sorted(order) else torch.tensor(order, device=self.device).argsort()
        self._seats = {role.name: torch.tensor(role.seats, device=self.device) for role in roles}
        self._masked = len(set(counts)) > 1
        self._own = [torch.arange(max(counts), device=self.device) < count for count in counts]

    def deal(self, seeds: Tensor) -> State:
        return self._game.deal(seeds)

    def every_deal(self) -> State:
        return self._game.every_deal()

    def renewed(self, state: State, ended: Tensor, seeds: Tensor) -> State:
        return self._game.renewed(state, ended, seeds)

    def text(self, state: State) -> str:
        return self._game.text(state)

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        (chosen,) = actions.values()
        if len(self._roles) == 1:
            return self._game.play(state, {self._roles[0].name: chosen})
        return self._game.play(state, {name: chosen.index_select(1, seats) for name, seats in self._seats.items()})

    def look(self, state: State) -> ActsAndState:
        acts, critic = self._game.look(state)
        (name,) = (role.name for role in self.spec.roles)
        rows = [acts[role.name] for role in self._roles]
        dtype = self.spec.roles[0].obs_dtype
        obs = [pad(one.obs.flatten(2).to(dtype), (0, self._width - one.obs[0, 0].numel())) for one in rows]
        return {
            name: Acting(
                self._in_order(obs),
                self._masks(rows),
                self._in_order([one.seat for one in rows]),
                self._in_order([one.present for one in rows]),
            )
        }, critic

    def _masks(self, rows: list[Acting]) -> Tensor | None:
        """`[B, K, A]`: the legal actions among those that a seat has; None where all are legal."""
        if not self._masked and all(one.mask is None for one in rows):
            return None
        masks = []
        for one, own in zip(rows, self._own, strict=True):
            shape = (*one.seat.shape, len(own))
            masks.append(own.expand(shape) if one.mask is None else pad(one.mask, (0, len(own) - one.mask.shape[2])))
        return self._in_order(masks)

    def _in_order(self, parts: list[Tensor]) -> Tensor:
        """Rows of the game's roles as rows in seat order."""
        whole = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        return whole if self._order is None or len(parts) == 1 else whole.index_select(1, self._order)


def _spec(spec: GameSpec, width: int, actions: int) -> GameSpec:
    dtypes = {role.obs_dtype for role in spec.roles}
    role = RoleSpec(
        name=spec.roles[0].name if len(spec.roles) == 1 else "player",
        seats=tuple(range(len(spec.seats))),
        acting=sum(role.acting for role in spec.roles),
        obs_shape=(width,),
        obs_dtype=dtypes.pop() if len(dtypes) == 1 else torch.float32,
        actions=Discrete(actions),
    )
    seen = f"{spec.observation}; then zeros" if spec.observation else ""
    return replace(spec, roles=(role,), options={**spec.options, "pad": True}, observation=seen)
