"""How the observations of a game's seats differ: who sees what others do not. Letters in shapes: N observations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from league.games.conformance.suite import random_actions
from league.games.core import Game
from league.games.counter_rng import fold, mix

SLOTS, TURNS = 16, 32
"""Of the random play that is looked at: games side by side, and turns."""

_STILL = 1e-6
"""The deviation below which a number does not vary."""

_SHIFTED = 0.5
"""Standard deviations by which two seats' means of a number must differ to be worth naming."""

_NAMED = 6


def observation_differences(seen: Mapping[str, Tensor]) -> str:
    """How seats' observations differ, in words. seen: `[N, *obs]` by seat, of any number of observations each.

    Seats of different shapes are told apart by how much they see; of the others, which numbers of the flattened
    observation vary at some seats only, and by how much their means differ, in units of the standard deviation.
    """
    flat = {seat: one.flatten(1).to(torch.float64).cpu() for seat, one in seen.items() if len(one)}
    by_width: dict[int, list[str]] = {}
    for seat, one in flat.items():
        by_width.setdefault(one.shape[1], []).append(seat)
    told = []
    if len(by_width) > 1:
        told.append(", ".join(f"{width} numbers seen by {_listed(seats)}" for width, seats in by_width.items()))
    told += [_of_one_width(seats, [flat[seat] for seat in seats]) for seats in by_width.values() if len(seats) > 1]
    return "; ".join(told)


def peek(game: Game, seed: int) -> dict[str, Tensor]:
    """What every seat observes in some turns of random play, `[N, *obs]` by seat."""
    spec, slots = game.spec, torch.arange(game.slots, device=game.device)
    found: dict[str, list[Tensor]] = {seat: [] for seat in spec.seats}
    turn = game.start(mix(slots, seed, 0))
    for number in range(1, TURNS + 1):
        for role in spec.roles:
            acting = turn.acts[role.name]
            for seat in role.seats:
                found[spec.seats[seat]].append(acting.obs[acting.present & (acting.seat == seat)].clone())
        turn = game.step(random_actions(game, turn, fold(seed, number)), mix(slots, seed, number))
    return {seat: torch.cat(parts) for seat, parts in found.items()}


def _of_one_width(seats: Sequence[str], seen: Sequence[Tensor]) -> str:
    """How observations of one width differ. seen: `[N, F]` by seat."""
    mean, deviation = torch.stack([one.mean(0) for one in seen]), torch.stack([one.std(0, False) for one in seen])
    varies = deviation > _STILL
    told = []
    for seat, here in zip(seats, varies, strict=True):
        still = (varies.any(0) & ~here).nonzero()[:, 0].tolist()
        if still:
            told.append(f"what varies for others and not for {seat}: {_listed(still)} of {len(here)} numbers")
    # Numbers that vary nowhere, and differ, are the seat's own name or the like: no shift is measured against them.
    scale = deviation.square().mean(0).sqrt()
    scale[scale < _STILL] = math.inf
    shifts = [((mean[a] - mean[b]).abs() / scale, a, b) for a, b in combinations(range(len(seats)), 2)]
    shift, a, b = max(shifts, key=lambda one: float(one[0].mean()))
    most = int(shift.argmax())
    apart = f"means of {seats[a]} and {seats[b]} differ by {float(shift.mean()):.2g} deviations on average"
    if float(shift[most]) > _SHIFTED:
        apart += f", most in number {most} ({float(mean[a, most]):.3g} and {float(mean[b, most]):.3g})"
    return ", ".join([*(told or [f"the same numbers vary for {_listed(seats)}"]), apart])


def _listed(items: Sequence[object]) -> str:
    shown = ", ".join(str(item) for item in items[:_NAMED])
    return shown + (f" and {len(items) - _NAMED} more" if len(items) > _NAMED else "")
