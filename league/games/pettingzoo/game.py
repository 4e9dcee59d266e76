"""Any PettingZoo environment as a batched `Game`: B environments stepped in a loop, with masks, deaths and truncation.

`PettingZooGame` keeps the contract: forfeits, scores, episodes that can be saved. `bank.py` steps the environments,
here or in the processes of `workers.py`; `environments.py` finds them, `drivers.py` plays one of them, `spaces.py`
turns what agents see into arrays, and `roles.py` says who shares a policy and who shares an outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Box
from league.games.core import Game, GameSpec, RoleSpec, State, Turn
from league.games.openspiel.search import positions
from league.games.pettingzoo.driver import Driver, ParallelDriver, drive
from league.games.pettingzoo.options import Adapting, adapting
from league.games.pettingzoo.roles import (
    Groups,
    Trace,
    known_range,
    known_sides,
    native_state,
    outcome_of,
    roles_from,
    roles_of,
    sees_all,
    sides_from,
    sides_from_returns,
    trace,
)
from league.games.pettingzoo.sources import Environment, find
from league.games.pettingzoo.spaces import Looks
from league.games.pettingzoo.turn_view import TORCH, Showing
from league.games.pettingzoo.vector_env import (
    BEGIN,
    HOLD,
    PLAY,
    Bank,
    Plan,
    RolePlan,
    Stage,
    agents_of,
    has_text,
    make_driver,
    text_of,
)
from league.games.pettingzoo.workers import Workers, name_of

_FIRST_TURNS = 13  # a prime: what is not reset should stand in mid-count
_PROBE_TURNS, _FEWEST_PROBE_TURNS, _PROBE_NUMBERS = 256, 16, 2**24
"""Of a random episode so many turns are looked at: fewer where agents see much, so that not more numbers are seen."""
_LONGEST = 2**20
"""Numbers that the critics of all seats are shown of one position, at most, where it is shown seat by seat."""
_SAMPLE_TURNS, _SAMPLE_EPISODES = 3_000, 32


class PettingZooGame(Game):
    """`slots` copies of a PettingZoo environment (AEC or Parallel), stepped here or by workers.

    origin: `pettingzoo:FAMILY/NAME-vN`, `mpe2:NAME_vN`, `openspiel:NAME`, or a callable that makes an environment.
    workers: processes that share the slots, at most one a slot; 0: they are stepped in this process. What comes out is
        the same. Workers build environments by name: `named` (`package.module:Name`, `file.py:Name`) says where they
        find a callable, unless its own module and name do.
    options: keyword arguments of the environment, and of this adapter (`adapting.Adapting`).

    Observations are uint8 where they are bits or bytes, images `(channels, height, width)`. There is no global state
    where an agent sees the whole position (classic boards). Else it is the environment's own `state()` where a parallel
    environment has one of a fixed size, else all seats' observations in seat order, zeros for those who are over; where
    many see too much for that, the mean observation of each role's living (a mean field, Yang et al. 2018,
    arXiv:1802.05438). An action outside the mask is never given to the environment: the episode ends as a forfeit, the
    offender's side scoring least and the others most (of `score_range`, else of -1, 1 and a few random episodes).

    `replays` is found out by playing one random episode twice, in a used and in a fresh environment. `save` keeps the
    seed (folded to 31 bits) and the actions of each slot's episode, and `load` plays them again.
    Raises GameError for what is unknown, missing or unsupported, and for what goes wrong in a worker.
    """

    _done: npt.NDArray[np.bool_]

    def __init__(
        self,
        origin: str | Callable[..., Environment],
        slots: int,
        device: torch.device | str = "cpu",
        workers: int = 0,
        named: str | None = None,
        /,
        **options: object,
    ) -> None:
        wanted, given = adapting(options)
        self._source, self.device, self.slots = find(origin, given, wanted.wrappers), torch.device(device), 0
        game, looks = self._source.id, Looks(wanted.channels or self._source.channels, wanted.shrink, wanted.pad)
        settled = wanted.horizon or ("terminal" if self._source.family in ("classic", "openspiel") else "truncation")
        self._cut_is_end, self._probes = settled == "terminal", list[Driver]()
        if slots < 1:
            raise self._no_slots(slots)
        # First of all, so that they are ready when this process knows what to ask of them.
        pool = None
        if workers:
            where = origin if isinstance(origin, str) else named or name_of(game, origin)
            pool = Workers(game, where, not isinstance(origin, str), given, wanted.wrappers, min(workers, slots))
        try:
            environment = self._source.build()
            self._agents, self._seen = agents_of(game, environment, looks)
            depth = self._seen[0].depth
            boxes = any(isinstance(seen.actions, Box) for seen in self._seen)
            self._action = (depth,) if depth else (), "float32" if boxes else "int64"
            self._nothing = np.inf if boxes else -1
            self._groups: Groups = ()
            used = self._driver(environment)
            self._together = isinstance(used, ParallelDriver)
            traces, native_state = self._probe(used)
            self.spec = self._describe(used, traces, wanted, dict(options))
            low, high = self.spec.score_range or (-1.0, 1.0)
            if self.spec.score_range is None:
                low = min(low, *(float(trace.returns.min()) for trace in traces))
                high = max(high, *(float(trace.returns.max()) for trace in traces))
            self._worst, self._best = low, high
            plan = self._plan(traces, native_state, looks)
            self._stage: Stage
            if pool is None:
                make, text = partial(make_driver, self._source, plan), partial(text_of, self._source)
                self._stage = Bank(make, plan, text)
            else:
                pool.open(plan)
                self._stage = pool
            self._resize(slots)
        except BaseException:
            if pool is not None:
                pool.close()
            raise

    def start(self, seeds: Tensor) -> Turn:
        self._resize(len(seeds))
        self._begin(seeds)
        return self._showing.turn()

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        sheet, wanted, done = self._sheet, self._wanted(actions), self._done
        illegal = self._illegal(wanted)
        sheet.todo.fill(PLAY)
        if illegal is not None:
            sheet.todo[illegal.any(1)] = BEGIN
        sheet.seed[:] = seeds.cpu().numpy()
        self._play(wanted)
        self._score += sheet.reward
        sheet.paid[:], sheet.score[:], sheet.forfeit[:] = sheet.reward, self._score, False
        if illegal is not None:
            self._forfeit(illegal)
        self._done = done | sheet.terminated | sheet.truncated
        ended = np.flatnonzero(sheet.ended)
        if len(ended):
            self._done[ended], self._score[ended], self._length[ended] = False, 0.0, 0
            self._seed[ended] = sheet.seed[ended]
        return self._showing.turn()

    def save(self) -> State:
        """seed: `[B]` int64. length: `[B]` int64, turns so far. actions: `[B, T, S]` int64 by turn and seat, -1 where
        none (`[B, T, S, D]` where some seat's actions have parts, float32 and infinite where some are points in boxes).
        score: `[B, S]` float64, so far."""
        longest = int(self._length.max())
        past = (np.arange(longest) < self._length[:, None]).reshape(self.slots, longest, *[1] * (self._past.ndim - 2))
        actions = np.where(past, self._past[:, :longest], self._nothing).astype(self._action[1])
        return {
            "seed": torch.from_numpy(self._seed.copy()),
            "length": torch.from_numpy(self._length.copy()),
            "actions": torch.from_numpy(actions),
            "score": torch.from_numpy(self._score.copy()),
        }

    def load(self, state: State) -> Turn:
        """As `Game.load`. Raises GameError where the episodes, played again, do not come out as they were saved."""
        lengths, actions, score = (state[name].cpu().numpy() for name in ("length", "actions", "score"))
        self._resize(len(lengths))
        self._begin(state["seed"])
        sheet = self._sheet
        for turn in range(int(lengths.max())):
            live, wanted = lengths > turn, actions[:, turn].astype(self._action[1])
            acting = np.zeros(sheet.forfeit.shape, dtype=np.bool_)
            for seat, present in zip(sheet.seat, sheet.present, strict=True):
                acting[np.nonzero(present)[0], seat[present]] = True
            first = wanted[..., 0] if self._action[0] else wanted
            chose = first != self._nothing
            wrong, illegal = acting != chose, self._illegal(wanted)
            self._agree(live & (wrong if illegal is None else wrong | illegal).any(1))
            sheet.todo[:] = np.where(live, PLAY, HOLD)
            self._play(wanted)
            self._agree(sheet.ended)
            self._score += sheet.reward
            self._done |= sheet.terminated | sheet.truncated
        self._agree((self._score != score).any(1))
        sheet.terminated[:] = sheet.truncated[:] = False
        return self._showing.turn()

    def positions(self, rows: Tensor) -> Sequence[object]:
        if self._source.family != "openspiel":
            return super().positions(rows)
        played = ((int(self._seed[b]), self._past[b, : self._length[b]].tolist()) for b in rows.tolist())
        return positions(self._probes[0], played)

    def render(self, slot: int) -> str:
        """Tic-tac-toe and Connect Four as boards (X moves first), and OpenSpiel's own text."""
        return self._stage.render(slot) if has_text(self._source) else super().render(slot)

    def close(self) -> None:
        for driver in self._probes:
            driver.env.close()
        self._probes = []
        self._stage.close()

    def _driver(self, environment: Environment) -> Driver:
        """A driver to learn from; its environment is kept: some close windows and fonts that others still use."""
        driver = drive(self._source.id, environment, self._agents, self._seen)
        driver.cut_is_end = self._cut_is_end
        self._probes.append(driver)
        return driver

    def _probe(self, used: Driver) -> tuple[list[Trace], bool]:
        """Random episodes, to learn what cannot be asked, and whether the state is the environment's own.

        Sets `replays`. What was used here is never played with: slots are equally new, wherever they are stepped.
        """
        fresh = self._driver(self._source.build())
        seen = sum(seen.size for seen in self._seen)
        self._look = max(min(_PROBE_TURNS, _PROBE_NUMBERS // seen), _FEWEST_PROBE_TURNS)
        traces = [trace(used, 0, _FIRST_TURNS), trace(used, 1, self._look)]
        self.replays = trace(fresh, 1, self._look).digest == traces[1].digest
        used.native_state = native_state(traces)
        return traces, used.native_state

    def _describe(
        self,
        driver: Driver,
        traces: list[Trace],
        wanted: Adapting,
        options: Mapping[str, object],
    ) -> GameSpec:
        source, names = self._source, tuple(str(agent) for agent in self._agents)
        kinds = [seen.kind for seen in self._seen]
        if wanted.roles is not None:
            groups = roles_from(source.id, wanted.roles, names, kinds)
        else:
            groups = roles_of(names, kinds)
            if wanted.pad and len(groups) > 1:
                groups = {"player": tuple(range(len(names)))}
        if wanted.sides is not None:
            sides = sides_from(source.id, wanted.sides, names)
        else:
            sides = known_sides(source, driver.env, self._agents) or self._guess_sides(driver, traces)
        roles = tuple(
            RoleSpec(
                name,
                seats,
                len(seats) if self._together else 1,
                self._seen[seats[0]].shape,
                TORCH[self._seen[seats[0]].dtype],
                self._seen[seats[0]].actions,
            )
            for name, seats in groups.items()
        )
        size = sum(seen.size for seen in self._seen)
        if not driver.native_state and size * len(names) > _LONGEST:
            self._groups = tuple(groups.values())
            driver.groups = self._groups
        score_range = known_range(source, driver.env)
        return GameSpec(
            id=source.id,
            version=source.version,
            seats=names,
            sides=sides,
            roles=roles,
            outcome=wanted.outcome or outcome_of(source, sides, score_range, traces),
            can_truncate=not self._cut_is_end,
            score_range=score_range,
            state_shape=None if self._cut_is_end and sees_all(source) else driver.state().shape,
            options=options,
        )

    def _guess_sides(self, driver: Driver, traces: list[Trace]) -> Groups:
        """Play more random episodes, a bounded number of turns, and see whose returns go together."""
        turns = 0
        while len(traces) < _SAMPLE_EPISODES and turns < _SAMPLE_TURNS:
            traces.append(trace(driver, len(traces), self._look))
            turns += traces[-1].turns
        return sides_from_returns(np.stack([trace.returns for trace in traces]))

    def _plan(self, traces: list[Trace], native_state: bool, looks: Looks) -> Plan:
        masked = set[int]().union(*(trace.masked for trace in traces))
        roles = tuple(
            RolePlan(
                role.seats,
                role.acting,
                role.obs_shape,
                self._seen[role.seats[0]].dtype,
                role.actions.width,
                any(seat in masked for seat in role.seats),
            )
            for role in self.spec.roles
        )
        seats, state = len(self.spec.seats), self.spec.state_shape
        truncates = self.spec.can_truncate
        return Plan(roles, seats, state, native_state, self._cut_is_end, truncates, looks, self._action, self._groups)

    def _resize(self, slots: int) -> None:
        if slots == self.slots:
            return
        if slots < 1:
            raise self._no_slots(slots)
        self.slots = 0  # until all is done: an interrupt must not leave two processes on different sheets
        self._sheet = self._stage.seat(slots)
        self._slot = np.arange(slots)
        kept = np.int32 if self._action[1] == "int64" else np.float32
        self._past = np.zeros((slots, 32, len(self.spec.seats), *self._action[0]), dtype=kept)
        self._showing = Showing(self._sheet, self.spec.roles, self.device)
        self.slots = slots

    def _begin(self, seeds: Tensor) -> None:
        """New episodes in all slots."""
        sheet = self._sheet
        self._seed = seeds.cpu().numpy().astype(np.int64)
        self._length, self._score = np.zeros_like(self._seed), np.zeros_like(sheet.reward)
        self._done = np.zeros_like(sheet.forfeit)
        sheet.todo[:], sheet.seed[:] = BEGIN, self._seed
        self._stage.turn()
        sheet.paid[:], sheet.score[:], sheet.forfeit[:] = 0.0, 0.0, False

    def _play(self, wanted: npt.NDArray[Any]) -> None:
        """Take a turn as the sheet's `todo` says, and note it. wanted: `[B, S, *action]`, as on the sheet."""
        sheet, length = self._sheet, self._length
        if int(length.max()) == self._past.shape[1]:
            self._past = np.concatenate([self._past, np.zeros_like(self._past)], 1)
        self._past[self._slot, length] = wanted
        length += sheet.todo == PLAY
        sheet.action[:] = wanted
        self._stage.turn()

    def _wanted(self, actions: Mapping[str, Tensor]) -> npt.NDArray[Any]:
        """Actions by role as `[B, S, *action]`, as on the sheet."""
        sheet = self._sheet
        wanted = np.full(sheet.action.shape, self._nothing, dtype=sheet.action.dtype)
        for role, seat, present in zip(self.spec.roles, sheet.seat, sheet.present, strict=True):
            chosen = actions[role.name].cpu().numpy()
            # Rows where nobody acts name a seat as well, but never one that acts.
            if not self._action[0]:
                wanted[self._slot[:, None], seat] = np.where(present, chosen, -1)
                continue
            parts = slice(role.actions.draws)
            chosen = np.where(present[..., None], chosen.reshape(*present.shape, -1), self._nothing)
            wanted[self._slot[:, None], seat, parts] = chosen
        return wanted

    def _illegal(self, wanted: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
        """`[B, S]`, who is to act and may not do what is wanted; None where everybody may."""
        sheet, slot = self._sheet, self._slot[:, None]
        illegal = None
        for role, mask, seat, present in zip(self.spec.roles, sheet.mask, sheet.seat, sheet.present, strict=True):
            chosen = wanted[slot, seat]
            if self._action[0]:
                legal = self._legal(role, chosen, mask)
            else:
                legal = chosen.view(np.uint64) < role.actions.width  # as unsigned, what is below 0 is very large
                if mask is not None:
                    first = np.arange(0, mask.size, role.actions.width).reshape(chosen.shape)
                    legal &= mask.reshape(-1).take(first + chosen, mode="clip")
            wrong = present & ~legal
            if wrong.any():
                illegal = np.zeros(sheet.forfeit.shape, dtype=np.bool_) if illegal is None else illegal
                b, k = np.nonzero(wrong)
                illegal[b, seat[b, k]] = True
        return illegal

    def _legal(
        self, role: RoleSpec, chosen: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.bool_]:
        """`[B, K]`, of actions that have parts, `[B, K, D]`."""
        parts = torch.from_numpy(chosen[..., : role.actions.draws])
        if not isinstance(role.actions, Box):
            parts = parts.nan_to_num(-1, -1, -1).long() if parts.is_floating_point() else parts
        action = parts if role.actions.shape else parts[..., 0]
        found: npt.NDArray[np.bool_] = role.actions.legal(
            action, None if mask is None else torch.from_numpy(mask)
        ).numpy()
        return found

    def _forfeit(self, illegal: npt.NDArray[np.bool_]) -> None:
        """The episodes of offenders, `[B, S]`, are over: the lowest score for their sides, the highest for others."""
        sheet, sides = self._sheet, self.spec.side_of_seat
        for b in np.flatnonzero(illegal.any(1)):
            guilty = {sides[seat] for seat in np.flatnonzero(illegal[b])}
            sheet.score[b] = [self._worst if side in guilty else self._best for side in sides]
            sheet.paid[b] = np.where(self._done[b], 0.0, sheet.score[b])
            sheet.forfeit[b], sheet.terminated[b], sheet.ended[b] = illegal[b], ~self._done[b], True

    def _agree(self, wrong: npt.NDArray[np.bool_]) -> None:
        """Raise a GameError where some slot's episode, played again, is not what it was. wrong: `[B]`."""
        if wrong.any():
            raise GameError(
                f"{self.spec.id}: slot {int(wrong.argmax())}'s episode, played again from its seed and actions, came "
                "out differently: the environment draws on chance that reset(seed=…) does not set, so its games cannot "
                "be saved"
            )

    def _no_slots(self, slots: int) -> GameError:
        return GameError(f"{self._source.id}: a game needs at least 1 slot, not {slots}")
