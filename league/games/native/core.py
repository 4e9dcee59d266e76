"""Games in batched torch: rules are pure functions of explicit state; auto-reset, forks and forfeits surround them.

Letters in shapes: as in `games/core.py`; N is any number of slots.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Discrete
from league.games.core import Acting, Game, GameSpec, State, Turn

ActsAndState = tuple[dict[str, Acting], Tensor | None]
"""The acting seats by role, and the critic's global state `[N, *state_shape]` or None."""


@dataclass(slots=True)
class Outcome:
    """The result of a native game's `play`, before any new episode begins. Shapes as in `Turn`.

    reward: `[B, S]`. ended: `[B]`, by the rules or by truncation. score: `[B, S]`, valid where ended.
    truncated: `[B]`, the slots of `ended` that were truncated; None where the game cannot truncate.
    """

    reward: Tensor
    ended: Tensor
    score: Tensor
    truncated: Tensor | None = None


class NativeGame(Game):
    """A game in batched torch. A subclass passes its `spec` and defines `deal`, `play`, `look` and `text`.

    Its state tensors are `[B, ...]` on one device. If it can truncate, all seats of a role must act at once, in the
    order of `role.seats`, so that `look` at the last position gives every seat's final observation; raises GameError
    otherwise.
    """

    can_fork = True
    forfeits: tuple[float, float] = (-1.0, 1.0)
    """Scores of a forfeit, for the offender's side and for the others, where the spec has no score range."""
    sees: str = ""
    does: str = ""
    """What the numbers of an observation and of an action mean: `GameSpec.observation` and `.action`, if these are
    empty."""

    def __init__(self, spec: GameSpec, slots: int, device: torch.device | str = "cpu") -> None:
        spec = replace(spec, observation=spec.observation or self.sees, action=spec.action or self.does)
        self.spec, self.slots, self.device = spec, slots, torch.device(device)
        for role in spec.roles:
            if spec.can_truncate and role.acting < len(role.seats):
                raise GameError(
                    f"{spec.id} can truncate, so all {len(role.seats)} seats of '{role.name}' must act at once"
                )
        self.state: State = {}
        self._acts: dict[str, Acting] = {}
        side = torch.tensor(spec.side_of_seat, device=self.device)
        self._same_side = side[:, None] == side

    @abstractmethod
    def deal(self, seeds: Tensor) -> State:
        """The state of `len(seeds)` new episodes. All chance of an episode is drawn here from its seed, `[N]` int64."""

    def every_deal(self) -> State:
        """One slot for each deal, all equally probable: where an exact traversal of the game begins.

        Override it where the deals are few; a game without chance has one. Raises GameError otherwise.
        """
        raise GameError(f"{self.spec.id} cannot be traversed: it does not list its deals (NativeGame.every_deal)")

    @abstractmethod
    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        """The state after legal actions (`[N, K, *shape]` by role), as new tensors, and the result."""

    @abstractmethod
    def look(self, state: State) -> ActsAndState:
        """The seats that act in each position with their observations, and the critic's global state (or None)."""

    @abstractmethod
    def text(self, state: State) -> str:
        """One position (a state of one slot) as text."""

    def renewed(self, state: State, ended: Tensor, seeds: Tensor) -> State:
        """The state with a new episode in every slot whose episode ended; the arguments are not changed.

        ended: `[B]` bool. seeds: `[B]` int64. A subclass may override it with a faster equivalent.
        """
        fresh = self.deal(seeds)
        return {
            key: torch.where(ended.view(-1, *([1] * (value.dim() - 1))), fresh[key], value)
            for key, value in state.items()
        }

    def start(self, seeds: Tensor) -> Turn:
        self.slots = len(seeds)
        self.state = self.deal(seeds.to(self.device))
        return self._turn(None, None)

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        illegal = None
        # Reading the tensors is cheap on a CPU and usually saves the rest; elsewhere it would wait for the device.
        if self.device.type != "cpu" or not self._all_legal(actions):
            legal = {
                name: self.spec.role(name).actions.legal(action, self._acts[name].mask)
                for name, action in actions.items()
            }
            illegal = self._illegal(legal)
            actions = {name: self._legalized(name, action, legal[name]) for name, action in actions.items()}
        state, outcome = self.play(self.state, actions)
        if illegal is not None:
            outcome = self._with_forfeits(outcome, illegal)
        final = self._final(state, outcome)
        self.state = self.renewed(state, outcome.ended, seeds)
        return self._turn(outcome, illegal, final)

    def save(self) -> State:
        return {key: value.clone() for key, value in self.state.items()}

    def load(self, state: State) -> Turn:
        self.state = {key: value.to(self.device).clone() for key, value in state.items()}
        self.slots = len(next(iter(self.state.values())))
        return self._turn(None, None)

    def fork(self, rows: Tensor) -> Game:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.state = {key: value[rows] for key, value in self.state.items()}
        twin.slots = len(rows)
        twin._turn(None, None)
        return twin

    def render(self, slot: int) -> str:
        return self.text({key: value[slot : slot + 1] for key, value in self.state.items()})

    def _final(self, state: State, outcome: Outcome) -> ActsAndState | None:
        """`look` at episodes that were truncated, before new ones begin in their slots; None where none was."""
        # A second `look` on every turn is expensive. Reading `truncated` is cheap on a CPU; elsewhere it would wait.
        if outcome.truncated is None or (self.device.type == "cpu" and not outcome.truncated.any().item()):
            return None
        if self.device.type == "cpu" and (outcome.truncated & ~outcome.ended).any().item():
            raise GameError(f"{self.spec.id}: a truncated episode has ended: set Outcome.ended, too")
        return self.look(state)

    def _turn(self, outcome: Outcome | None, illegal: Tensor | None, final: ActsAndState | None = None) -> Turn:
        self._acts, state = self.look(self.state)
        shape = (self.slots, len(self.spec.seats))
        never = torch.zeros(shape, dtype=torch.bool, device=self.device)
        if outcome is None:
            zero = torch.zeros(shape, device=self.device)
            return Turn(
                acts=self._acts,
                reward=zero,
                terminated=never,
                truncated=never,
                ended=never[:, 0],
                score=zero,
                state=state,
            )
        terminated, truncated = outcome.ended.unsqueeze(1).expand(shape), never
        final_state, final_obs = None, None
        if outcome.truncated is not None:
            truncated = outcome.truncated.unsqueeze(1).expand(shape).clone()
            terminated = terminated & ~truncated
            # Without a truncation the final state is ignored, but the Turn must have one on a CPU and elsewhere alike.
            acts, final_state = final or (self._acts, state)
            final_obs = {role: acting.obs for role, acting in acts.items()}
        return Turn(
            acts=self._acts,
            reward=outcome.reward,
            terminated=terminated,
            truncated=truncated,
            ended=outcome.ended,
            score=outcome.score,
            state=state,
            final_state=final_state,
            forfeit=illegal,
            final_obs=final_obs,
        )

    def _all_legal(self, actions: Mapping[str, Tensor]) -> bool:
        """Whether every action is legal, also in rows where nobody acts: read on a CPU only."""
        for role, action in actions.items():
            mask, space = self._acts[role].mask, self.spec.role(role).actions
            if not isinstance(space, Discrete):
                if not space.legal(action, mask).all().item():
                    return False
            elif action.numel():
                low, high = action.aminmax()
                if low.item() < 0 or high.item() >= space.n:
                    return False
                if mask is not None and not mask.gather(2, action.unsqueeze(2)).all().item():
                    return False
        return True

    def _legalized(self, role: str, action: Tensor, legal: Tensor) -> Tensor:
        """The actions, with the first legal one in place of each illegal one. legal: `[B, K]` bool."""
        space, acting = self.spec.role(role).actions, self._acts[role]
        draw = torch.zeros((*acting.seat.shape, space.draws), device=action.device)
        first = space.uniform(draw, acting.mask).to(action.dtype)
        return torch.where(legal.view(*legal.shape, *(1 for _ in space.shape)), action, first)

    def _illegal(self, legal: Mapping[str, Tensor]) -> Tensor:
        """`[B, S]` bool: the seats that acted and chose an illegal action. legal: by role, `[B, K]`."""
        illegal = torch.zeros((self.slots, len(self.spec.seats)), dtype=torch.bool, device=self.device)
        for name, right in legal.items():
            acting = self._acts[name]
            wrong = acting.present & ~right
            # A seat acts at most once a turn, but rows where nobody acts may name the same seat: hence the maximum.
            illegal = illegal | torch.zeros_like(illegal).scatter_reduce(1, acting.seat, wrong, "amax")
        return illegal

    def _with_forfeits(self, outcome: Outcome, illegal: Tensor) -> Outcome:
        """Illegal actions end episodes as by the rules: offending sides get the worst score, the others the best."""
        low, high = self.spec.score_range or self.forfeits
        broken = illegal.any(1)
        offending = (illegal.unsqueeze(2) & self._same_side).any(1)
        verdict = torch.where(offending, low, high).to(outcome.score.dtype)
        score = torch.where(broken[:, None], verdict, outcome.score)
        reward = torch.where(broken[:, None], verdict, outcome.reward)
        cut = None if outcome.truncated is None else outcome.truncated & ~broken
        return replace(outcome, reward=reward, ended=outcome.ended | broken, score=score, truncated=cut)


def all_acting(obs: Tensor, seats: Tensor) -> Acting:
    """All seats of a role act at once, and every action is legal. obs: `[N, K, *obs_shape]`. seats: `[K]` int64."""
    shape = obs.shape[:2]
    return Acting(obs, None, seats.expand(shape), torch.ones(shape, dtype=torch.bool, device=obs.device))
