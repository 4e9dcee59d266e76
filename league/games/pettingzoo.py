"""Any PettingZoo environment as a batched `Game`: B environments stepped in a loop, with masks, deaths and truncation.

`PettingZooGame` keeps the batch and the contract; `environments.py` finds environments, `drivers.py` plays one of them,
`spaces.py` turns what agents see into arrays, and `inference.py` says who shares a policy and who shares an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.errors import GameError
from league.games import inference
from league.games.core import Acting, Game, GameSpec, RoleSpec, State, Turn
from league.games.drivers import Driver, ParallelDriver, Step, drive
from league.games.environments import Channels, Environment, find
from league.games.spaces import encoding

# A prime that few counters divide: what an environment forgets to reset should stand in mid-count.
_FIRST_TURNS = 13
_PROBE_TURNS = 256
_SAMPLE_TURNS = 3_000
_SAMPLE_EPISODES = 32
_OWN_OPTIONS = ("roles", "sides", "horizon", "outcome", "channels")
_HORIZONS: tuple[Literal["truncation", "terminal"], ...] = ("truncation", "terminal")
_OUTCOMES: tuple[inference.Outcome, ...] = ("placements", "score")
_CHANNELS: tuple[Channels, ...] = ("last", "first")

Choice = TypeVar("Choice", bound=str)


def fold_seed(seed: int) -> int:
    """A 64-bit seed as the 31 bits that environments take; seeds below 2**31 are kept as they are."""
    seed &= (1 << 64) - 1
    return (seed ^ (seed >> 31) ^ (seed >> 62)) & 0x7FFFFFFF


@dataclass(slots=True)
class _Slot:
    """One place of the batch: a driver, and its episode so far (seed, actions by turn and seat, score by seat)."""

    driver: Driver
    seed: int
    past: list[npt.NDArray[np.int64]]
    score: npt.NDArray[np.float64]

    def begin(self, seed: int) -> None:
        self.driver.reset(fold_seed(seed))
        self.seed, self.past, self.score = seed, [], np.zeros_like(self.score)

    def play(self, actions: Mapping[int, int]) -> Step:
        row = np.full(len(self.score), -1, dtype=np.int64)
        row[list(actions)] = list(actions.values())
        self.past.append(row)
        step = self.driver.step(actions)
        self.score += step.reward
        return step


class PettingZooGame(Game):
    """`slots` copies of a PettingZoo environment (AEC or Parallel, discrete actions), stepped in this process.

    origin: `pettingzoo:FAMILY/NAME-vN`, `mpe2:NAME_vN`, `openspiel:NAME`, or a callable that makes an environment.
    options: keyword arguments of the environment, and of this adapter:
        roles: `{name: [agents]}`, who shares a policy (else by the agents' names, `inference.roles_of`).
        sides: `[[agents], …]`, who shares an outcome (else `inference.known_sides`, `inference.sides_from_returns`).
        horizon: "truncation" or "terminal": whether being cut off at the environment's last cycle comes from outside
            or is part of the rules. Terminal for classic environments and OpenSpiel, else truncation.
        outcome: "placements" or "score" (else `inference.outcome_of`).
        channels: "last" or "first", where images keep their channels. First for OpenSpiel, else last.

    Observations are uint8 where they are bits or bytes, images `(channels, height, width)`. The global state is the
    environment's own `state()` where a parallel environment has one of a fixed size, else all seats' observations in
    seat order, zeros for those who are over. An action outside the mask is never given to the environment: the
    episode ends as a forfeit, with the lowest score for the offender's side and the highest for others (of
    `score_range`, else -1 and 1, or the extremes of a few random episodes where these lie beyond).

    `replays` is found out by playing one random episode twice, in a used and in a fresh environment; seeds are folded
    to 31 bits. `save` keeps the seed and the actions of each slot's episode, and `load` plays them again.
    Raises GameError for what is unknown, missing or unsupported.
    """

    def __init__(
        self,
        origin: str | Callable[..., Environment],
        slots: int,
        device: torch.device | str = "cpu",
        **options: object,
    ) -> None:
        own = {name: options[name] for name in _OWN_OPTIONS if name in options}
        self._source = find(origin, {name: value for name, value in options.items() if name not in own})
        game = self._source.id
        horizon = _one_of(game, own, "horizon", _HORIZONS)
        outcome = _one_of(game, own, "outcome", _OUTCOMES)
        channels = _one_of(game, own, "channels", _CHANNELS) or self._source.channels
        environment = self._source.build()
        agents = getattr(environment, "possible_agents", None)
        if not agents:
            raise GameError(
                f"{game}: a {type(environment).__name__} without possible_agents is no PettingZoo environment"
            )
        self._agents = tuple(agents)
        self._names = tuple(str(agent) for agent in agents)
        self._seen = tuple(
            encoding(game, str(agent), environment.observation_space(agent), environment.action_space(agent), channels)
            for agent in agents
        )
        settled = horizon or ("terminal" if self._source.family in ("classic", "openspiel") else "truncation")
        self._cut_is_end, self._native_state = settled == "terminal", False
        used = self._driver(environment)
        self._together = isinstance(used, ParallelDriver)
        traces = self._probe(used)
        self.spec = self._describe(used, traces, own, outcome, dict(options))
        low, high = self.spec.score_range or (-1.0, 1.0)
        if self.spec.score_range is None:
            low = min(low, *(float(trace.returns.min()) for trace in traces))
            high = max(high, *(float(trace.returns.max()) for trace in traces))
        self._worst, self._best = low, high
        self.device = torch.device(device)
        self._resize(slots)

    def start(self, seeds: Tensor) -> Turn:
        self._resize(len(seeds))
        for slot, seed in zip(self._slots, seeds.tolist(), strict=True):
            slot.begin(seed)
        return self._turn()

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        shape = (self.slots, len(self._agents))
        chosen = {name: action.cpu().numpy() for name, action in actions.items()}
        fresh: list[int] = seeds.tolist()
        reward, score = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
        terminated, truncated, forfeit = (np.zeros(shape, dtype=np.bool_) for _ in range(3))
        ended, final = np.zeros(self.slots, dtype=np.bool_), self._no_state() if self.spec.can_truncate else None
        for b, slot in enumerate(self._slots):
            wanted = {seat: int(chosen[self._role[seat]][b, self._place[seat]]) for seat in slot.driver.acting}
            offenders = [seat for seat, action in wanted.items() if not _legal(slot.driver, seat, action)]
            if offenders:
                forfeit[b, offenders], terminated[b], ended[b] = True, ~slot.driver.done, True
                score[b] = self._verdict(offenders)
                reward[b] = np.where(slot.driver.done, 0.0, score[b])
            else:
                step = slot.play(wanted)
                reward[b], score[b], ended[b] = step.reward, slot.score, step.ended
                terminated[b], truncated[b] = step.terminated, step.truncated
                if final is not None and step.final_state is not None:
                    final[b] = step.final_state
            if ended[b]:
                slot.begin(fresh[b])
        turn = self._turn()
        turn.reward, turn.score, turn.ended = self._tensor(reward), self._tensor(score), self._tensor(ended)
        turn.terminated, turn.truncated = self._tensor(terminated), self._tensor(truncated)
        turn.forfeit = self._tensor(forfeit)
        turn.final_state = None if final is None else self._tensor(final)
        return turn

    def save(self) -> State:
        """seed: `[B]` int64. length: `[B]` int64, turns so far. actions: `[B, T, S]` int64 by turn and seat, -1 where
        none. score: `[B, S]` float64, so far."""
        longest = max(len(slot.past) for slot in self._slots)
        actions = np.full((self.slots, longest, len(self._agents)), -1, dtype=np.int64)
        for b, slot in enumerate(self._slots):
            if slot.past:
                actions[b, : len(slot.past)] = slot.past
        return {
            "seed": torch.tensor([slot.seed for slot in self._slots], dtype=torch.int64),
            "length": torch.tensor([len(slot.past) for slot in self._slots], dtype=torch.int64),
            "actions": torch.from_numpy(actions),
            "score": torch.from_numpy(np.stack([slot.score for slot in self._slots])),
        }

    def load(self, state: State) -> Turn:
        """As `Game.load`. Raises GameError where the episodes, played again, do not come out as they were saved."""
        seeds, lengths, score = state["seed"].tolist(), state["length"].tolist(), state["score"].cpu().numpy()
        actions = state["actions"].cpu().numpy()
        self._resize(len(seeds))
        for b, slot in enumerate(self._slots):
            slot.begin(seeds[b])
            for row in actions[b, : lengths[b]]:
                again = {int(seat): int(row[seat]) for seat in np.flatnonzero(row >= 0)}
                legal = set(again) == set(slot.driver.acting) and all(
                    _legal(slot.driver, seat, action) for seat, action in again.items()
                )
                if not legal or slot.play(again).ended:
                    raise self._diverged(b)
            if not np.array_equal(slot.score, score[b]):
                raise self._diverged(b)
        return self._turn()

    def render(self, slot: int) -> str:
        """Tic-tac-toe and Connect Four as boards (X moves first), and OpenSpiel's own text."""
        driver = self._slots[slot].driver
        if self._source.family == "openspiel":
            return str(driver.env.game_state)
        if self._source.family == "classic" and self._source.name in ("tictactoe", "connect_four"):
            own, other = driver.observe(0)
            marks = np.where(own > 0, "X", np.where(other > 0, "O", "."))
            return "\n".join(" ".join(row) for row in marks)
        return super().render(slot)

    def close(self) -> None:
        for slot in self._spare:
            slot.driver.env.close()

    def _driver(self, environment: Environment) -> Driver:
        driver = drive(self._source.id, environment, self._agents, self._seen)
        driver.cut_is_end, driver.native_state = self._cut_is_end, self._native_state
        return driver

    def _resize(self, slots: int) -> None:
        """Environments are kept once made: some close windows and fonts that others of their kind still use."""
        if slots < 1:
            raise GameError(f"{self.spec.id}: a game needs at least 1 slot, not {slots}")
        while len(self._spare) < slots:
            driver = self._driver(self._source.build())
            self._spare.append(_Slot(driver, 0, [], np.zeros(len(self._agents))))
        self._slots, self.slots = self._spare[:slots], slots

    def _probe(self, used: Driver) -> list[inference.Trace]:
        """Random episodes, to learn what cannot be asked; sets `replays` and where the global state comes from."""
        fresh = self._driver(self._source.build())
        traces = [inference.trace(used, 0, _FIRST_TURNS), inference.trace(used, 1, _PROBE_TURNS)]
        self.replays = inference.trace(fresh, 1, _PROBE_TURNS).digest == traces[1].digest
        self._native_state = used.native_state = fresh.native_state = inference.native_state(traces)
        self._spare = [_Slot(driver, 0, [], np.zeros(len(self._agents))) for driver in (used, fresh)]
        return traces

    def _describe(
        self,
        driver: Driver,
        traces: list[inference.Trace],
        own: Mapping[str, object],
        outcome: inference.Outcome | None,
        options: Mapping[str, object],
    ) -> GameSpec:
        source, names = self._source, self._names
        kinds = [seen.kind for seen in self._seen]
        groups = (
            inference.roles_from(source.id, own["roles"], names, kinds)
            if "roles" in own
            else inference.roles_of(names, kinds)
        )
        if "sides" in own:
            sides = inference.sides_from(source.id, own["sides"], names)
        else:
            sides = inference.known_sides(source, driver.env, self._agents) or self._guess_sides(driver, traces)
        roles = tuple(
            RoleSpec(
                name,
                seats,
                len(seats) if self._together else 1,
                self._seen[seats[0]].shape,
                self._seen[seats[0]].torch_dtype,
                self._seen[seats[0]].actions,
            )
            for name, seats in groups.items()
        )
        masked = set[int]().union(*(trace.masked for trace in traces))
        self._masked = {role.name: any(seat in masked for seat in role.seats) for role in roles}
        self._role = {seat: role.name for role in roles for seat in role.seats}
        self._place = {seat: k if self._together else 0 for role in roles for k, seat in enumerate(role.seats)}
        score_range = inference.known_range(source, driver.env)
        return GameSpec(
            id=source.id,
            version=source.version,
            seats=names,
            sides=sides,
            roles=roles,
            outcome=outcome or inference.outcome_of(source, sides, score_range, traces),
            can_truncate=not self._cut_is_end,
            score_range=score_range,
            state_shape=driver.state().shape,
            options=options,
        )

    def _guess_sides(self, driver: Driver, traces: list[inference.Trace]) -> inference.Groups:
        """Play more random episodes, a bounded number of turns, and see whose returns go together."""
        turns = 0
        while len(traces) < _SAMPLE_EPISODES and turns < _SAMPLE_TURNS:
            traces.append(inference.trace(driver, len(traces), _PROBE_TURNS))
            turns += traces[-1].turns
        return inference.sides_from_returns(np.stack([trace.returns for trace in traces]))

    def _turn(self) -> Turn:
        """Who acts in every slot now, with outcome fields that say that nothing happened."""
        seats = len(self._agents)
        obs, mask, seat, present = {}, {}, {}, {}
        for role in self.spec.roles:
            rows = (self.slots, role.acting)
            obs[role.name] = np.zeros((*rows, *role.obs_shape), dtype=self._seen[role.seats[0]].dtype)
            mask[role.name] = np.ones((*rows, role.actions), dtype=np.bool_) if self._masked[role.name] else None
            seat[role.name] = np.tile(np.array(role.seats[: role.acting], dtype=np.int64), (self.slots, 1))
            present[role.name] = np.zeros(rows, dtype=np.bool_)
        state = self._no_state()
        for b, slot in enumerate(self._slots):
            driver = slot.driver
            for actor in driver.acting:
                name, k = self._role[actor], self._place[actor]
                obs[name][b, k], seat[name][b, k], present[name][b, k] = driver.observe(actor), actor, True
                legal, masks = driver.mask(actor), mask[name]
                if masks is not None and legal is not None:
                    masks[b, k] = legal
            state[b] = driver.state()
        acts = {}
        for name in obs:
            masks = mask[name]
            acts[name] = Acting(
                self._tensor(obs[name]),
                None if masks is None else self._tensor(masks),
                self._tensor(seat[name]),
                self._tensor(present[name]),
            )
        never = torch.zeros((self.slots, seats), dtype=torch.bool, device=self.device)
        zero = torch.zeros((self.slots, seats), device=self.device)
        return Turn(acts, zero, never, never, never[:, 0], zero, self._tensor(state))

    def _verdict(self, offenders: list[int]) -> npt.NDArray[np.float32]:
        """`[S]`: what a forfeit scores, by side."""
        sides = self.spec.side_of_seat
        guilty = {sides[seat] for seat in offenders}
        return np.array([self._worst if side in guilty else self._best for side in sides], dtype=np.float32)

    def _no_state(self) -> npt.NDArray[np.float32]:
        return np.zeros((self.slots, *(self.spec.state_shape or ())), dtype=np.float32)

    def _tensor(self, array: npt.NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _diverged(self, slot: int) -> GameError:
        return GameError(
            f"{self.spec.id}: slot {slot}'s episode, played again from its seed and actions, came out differently: "
            "the environment draws on chance that reset(seed=…) does not set, so its games cannot be saved"
        )


def _legal(driver: Driver, seat: int, action: int) -> bool:
    mask = driver.mask(seat)
    return 0 <= action < driver.seen[seat].actions and (mask is None or bool(mask[action]))


def _one_of(game: str, options: Mapping[str, object], name: str, choices: tuple[Choice, ...]) -> Choice | None:
    """The option `name` if it was given. Raises GameError unless it is one of `choices`."""
    if name not in options:
        return None
    for choice in choices:
        if options[name] == choice:
            return choice
    raise GameError(f"{game}: {name} must be '{choices[0]}' or '{choices[1]}', not {options[name]!r}")
