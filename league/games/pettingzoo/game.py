"""Any PettingZoo environment as a batched `Game`: B environments stepped in a loop, with masks, deaths and truncation.

`PettingZooGame` keeps the contract: forfeits, scores, and episodes that can be saved. Everything before it is in the
files of this folder, in the order that its `__init__` lists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.errors import GameError
from league.games.actions import Box
from league.games.core import Game, RoleSpec, State, Turn
from league.games.openspiel.search import positions
from league.games.pettingzoo.driver import has_text
from league.games.pettingzoo.options import comparable, split_options
from league.games.pettingzoo.probe import probe
from league.games.pettingzoo.sources import Environment, find
from league.games.pettingzoo.turn_view import TurnView
from league.games.pettingzoo.vector_env import HOLD, RESET, STEP, EnvBackend, EnvBatch
from league.games.pettingzoo.workers import WorkerPool, name_of

_FIRST_CAPACITY = 32
"""Capacity of the action history at first, in turns; it doubles when it is full."""


class PettingZooGame(Game):
    """`slots` copies of a PettingZoo environment (AEC or Parallel), stepped in this process or by workers.

    origin: an id for `sources.find`, such as `pettingzoo:FAMILY/NAME-vN`, or a callable that makes an environment.
    workers: processes that share the slots, at most one a slot; 0 steps them in this process. The results are the same.
        Workers build environments by name: `named` (`package.module:Name`, `file.py:Name`) is where they find a
        callable; by default its own module and name.
    options: keyword arguments of the environment, and of this adapter (`options.AdapterOptions`).

    Observations are uint8 where they are bits or bytes, and images are `(channels, height, width)`. There is no global
    state where an agent observes the whole position (classic boards). Otherwise it is the environment's own `state()`
    where a parallel environment has one of a fixed size; otherwise all seats' observations in seat order, zeros for
    seats that are done. Where those are too large together, it is the mean observation of each role's living seats (a
    mean field, Yang et al. 2018, arXiv:1802.05438). The environment never receives an action outside the mask: the
    episode ends as a forfeit, with the lowest score for the offender's side and the highest for the others (of
    `score_range`, otherwise of -1, 1 and a few random episodes).

    `save` keeps the seed (folded to 31 bits) and the actions of each slot's episode, and `load` plays them again.
    Raises GameError for what is unknown, missing or not supported, and for what goes wrong in a worker.
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
        adapter, env_options = split_options(options)
        self._source = find(origin, env_options, adapter.wrappers, named)
        self.device, self.slots = torch.device(device), 0
        _check_slots(self._source.id, slots)
        pool = None
        if workers:
            # Started before the probe, so that they are ready when it is done.
            pool = WorkerPool(
                self._source.id,
                origin if isinstance(origin, str) else named or name_of(self._source.id, origin),
                user_code=not isinstance(origin, str),
                options=env_options,
                wrappers=adapter.wrappers,
                count=min(workers, slots),
            )
        try:
            probed = probe(self._source, adapter, comparable(options))
            self.spec, self._batch, self.replays = probed.spec, probed.batch, probed.replays
            self._worst, self._best, self._probes = probed.worst, probed.best, probed.drivers
            if pool is not None:
                pool.configure(self._batch)
            self._backend: EnvBackend = pool or EnvBatch(self._source, self._batch)
            self._resize(slots)
        except BaseException:
            if pool is not None:
                pool.close()
            raise

    def start(self, seeds: Tensor) -> Turn:
        self._resize(len(seeds))
        self._reset_all(seeds)
        return self._view.turn()

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        buffer, by_seat, done = self._buffer, self._by_seat(actions), self._done
        illegal = self._illegal(by_seat)
        buffer.command.fill(STEP)
        if illegal is not None:
            buffer.command[illegal.any(1)] = RESET
        buffer.seed[:] = seeds.cpu().numpy()
        self._step_all(by_seat)
        self._score += buffer.env_reward
        buffer.reward[:], buffer.score[:], buffer.forfeit[:] = buffer.env_reward, self._score, False
        if illegal is not None:
            self._forfeit(illegal)
        self._done = done | buffer.terminated | buffer.truncated
        ended = np.flatnonzero(buffer.ended)
        if len(ended):
            self._done[ended], self._score[ended], self._length[ended] = False, 0.0, 0
            self._seed[ended] = buffer.seed[ended]
        return self._view.turn()

    def save(self) -> State:
        """seed: `[B]` int64. length: `[B]` int64, turns so far. actions: `[B, T, S]` int64 by turn and seat, -1 where
        a seat did not act (`[B, T, S, D]` where actions have parts; float32 and infinite instead of -1 where some are
        points in boxes). score: `[B, S]` float64, so far."""
        longest = int(self._length.max())
        past = (np.arange(longest) < self._length[:, None]).reshape(self.slots, longest, *[1] * (self._past.ndim - 2))
        actions = np.where(past, self._past[:, :longest], self._batch.no_action).astype(self._batch.action_dtype)
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
        self._reset_all(state["seed"])
        buffer = self._buffer
        for turn in range(int(lengths.max())):
            live, by_seat = lengths > turn, actions[:, turn].astype(self._batch.action_dtype)
            acting = np.zeros(buffer.forfeit.shape, dtype=np.bool_)
            for seat, present in zip(buffer.seat, buffer.present, strict=True):
                acting[np.nonzero(present)[0], seat[present]] = True
            first = by_seat[..., 0] if self._batch.action_shape else by_seat
            acted = first != self._batch.no_action
            wrong, illegal = acting != acted, self._illegal(by_seat)
            self._check_replay(live & (wrong if illegal is None else wrong | illegal).any(1))
            buffer.command[:] = np.where(live, STEP, HOLD)
            self._step_all(by_seat)
            self._check_replay(buffer.ended)
            self._score += buffer.env_reward
            self._done |= buffer.terminated | buffer.truncated
        self._check_replay((self._score != score).any(1))
        buffer.terminated[:] = buffer.truncated[:] = False
        return self._view.turn()

    def positions(self, rows: Tensor) -> Sequence[object]:
        if self._source.family != "openspiel":
            return super().positions(rows)
        played = ((int(self._seed[b]), self._past[b, : self._length[b]].tolist()) for b in rows.tolist())
        return positions(self._probes[0], played)

    def render(self, slot: int) -> str:
        """Tic-tac-toe and Connect Four as boards (X moves first), and OpenSpiel's own text."""
        return self._backend.render(slot) if has_text(self._source) else super().render(slot)

    def close(self) -> None:
        for driver in self._probes:
            driver.env.close()
        self._probes = []
        self._backend.close()

    def _resize(self, slots: int) -> None:
        if slots == self.slots:
            return
        _check_slots(self._source.id, slots)
        self.slots = 0  # until all is done: an interrupt must not leave two processes on different buffers
        self._buffer = self._backend.resize(slots)
        self._view = TurnView(self._buffer, self.spec.roles, self.device)
        self._slot = np.arange(slots)
        # A history of actions: half the memory of the buffer's int64 is enough.
        dtype = np.int32 if self._batch.action_dtype == "int64" else np.float32
        self._past = np.zeros((slots, _FIRST_CAPACITY, len(self.spec.seats), *self._batch.action_shape), dtype=dtype)
        self.slots = slots

    def _reset_all(self, seeds: Tensor) -> None:
        """Begin new episodes in all slots."""
        buffer = self._buffer
        self._seed = seeds.cpu().numpy().astype(np.int64)
        self._length, self._score = np.zeros_like(self._seed), np.zeros_like(buffer.env_reward)
        self._done = np.zeros_like(buffer.forfeit)
        buffer.command[:], buffer.seed[:] = RESET, self._seed
        self._backend.step()
        buffer.reward[:], buffer.score[:], buffer.forfeit[:] = 0.0, 0.0, False

    def _step_all(self, by_seat: npt.NDArray[Any]) -> None:
        """Take a turn by the buffer's commands, and record it. by_seat: actions `[B, S, *action_shape]`."""
        buffer, length = self._buffer, self._length
        if int(length.max()) == self._past.shape[1]:
            self._past = np.concatenate([self._past, np.zeros_like(self._past)], 1)
        self._past[self._slot, length] = by_seat
        length += buffer.command == STEP
        buffer.action[:] = by_seat
        self._backend.step()

    def _by_seat(self, actions: Mapping[str, Tensor]) -> npt.NDArray[Any]:
        """Actions by role as `[B, S, *action_shape]`, as the buffer has them."""
        buffer, nothing = self._buffer, self._batch.no_action
        by_seat = np.full(buffer.action.shape, nothing, dtype=buffer.action.dtype)
        for role, seat, present in zip(self.spec.roles, buffer.seat, buffer.present, strict=True):
            chosen = actions[role.name].cpu().numpy()
            # Rows where nobody acts name a seat as well, but never one that acts.
            if not self._batch.action_shape:
                by_seat[self._slot[:, None], seat] = np.where(present, chosen, -1)
                continue
            parts = slice(role.actions.draws)
            chosen = np.where(present[..., None], chosen.reshape(*present.shape, -1), nothing)
            by_seat[self._slot[:, None], seat, parts] = chosen
        return by_seat

    def _illegal(self, by_seat: npt.NDArray[Any]) -> npt.NDArray[np.bool_] | None:
        """`[B, S]`, the seats that act and whose action is illegal; None where all are legal."""
        buffer, slot = self._buffer, self._slot[:, None]
        illegal = None
        for role, mask, seat, present in zip(self.spec.roles, buffer.mask, buffer.seat, buffer.present, strict=True):
            chosen = by_seat[slot, seat]
            if self._batch.action_shape:
                legal = _legal_parts(role, chosen, mask)
            else:
                legal = chosen.view(np.uint64) < role.actions.width  # as unsigned, what is below 0 is very large
                if mask is not None:
                    first = np.arange(0, mask.size, role.actions.width).reshape(chosen.shape)
                    legal &= mask.reshape(-1).take(first + chosen, mode="clip")
            wrong = present & ~legal
            if wrong.any():
                illegal = np.zeros(buffer.forfeit.shape, dtype=np.bool_) if illegal is None else illegal
                b, k = np.nonzero(wrong)
                illegal[b, seat[b, k]] = True
        return illegal

    def _forfeit(self, illegal: npt.NDArray[np.bool_]) -> None:
        """End the episodes of offenders `[B, S]`: the lowest score for their sides, the highest for the others."""
        buffer, sides = self._buffer, self.spec.side_of_seat
        for b in np.flatnonzero(illegal.any(1)):
            offending = {sides[seat] for seat in np.flatnonzero(illegal[b])}
            buffer.score[b] = [self._worst if side in offending else self._best for side in sides]
            buffer.reward[b] = np.where(self._done[b], 0.0, buffer.score[b])
            buffer.forfeit[b], buffer.terminated[b], buffer.ended[b] = illegal[b], ~self._done[b], True

    def _check_replay(self, differs: npt.NDArray[np.bool_]) -> None:
        """Raise a GameError where some slot's episode, played again, is not as it was saved. differs: `[B]`."""
        if differs.any():
            raise GameError(
                f"{self.spec.id}: slot {int(differs.argmax())}'s episode, played again from its seed and actions, came "
                "out differently: the environment uses randomness that reset(seed=…) does not set, so its episodes "
                "cannot be saved"
            )


def _legal_parts(role: RoleSpec, chosen: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
    """`[B, K]`, whether actions that have parts, `[B, K, D]`, are legal."""
    parts = torch.from_numpy(chosen[..., : role.actions.draws])
    if not isinstance(role.actions, Box):
        parts = parts.nan_to_num(-1, -1, -1).long() if parts.is_floating_point() else parts
    action = parts if role.actions.shape else parts[..., 0]
    legal = role.actions.legal(action, None if mask is None else torch.from_numpy(mask))
    found: npt.NDArray[np.bool_] = legal.numpy()
    return found


def _check_slots(game: str, slots: int) -> None:
    if slots < 1:
        raise GameError(f"{game}: a game needs at least 1 slot, not {slots}")
