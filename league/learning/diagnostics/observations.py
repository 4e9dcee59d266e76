"""How the observations of a game's seats differ: which seat sees what others do not. N observations in shapes."""

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
"""Games side by side, and turns, of the random play that is observed."""

_STILL = 1e-6
"""A number with a smaller standard deviation counts as constant."""

_SHIFTED = 0.5
"""A number is named if the means of two seats differ by more standard deviations than this."""

_LISTED = 6
"""Items that a list names at most."""


def observation_differences(seen: Mapping[str, Tensor]) -> str:
    """A sentence on how the seats' observations differ. seen: `[N, *obs]` by seat; N may differ from seat to seat.

    Seats with observations of different sizes are described by size. For seats of equal size it says which numbers of
    the flattened observation vary at some seats only, and how far the means differ, in standard deviations.
    """
    flat = {seat: one.flatten(1).to(torch.float64).cpu() for seat, one in seen.items() if len(one)}
    by_width: dict[int, list[str]] = {}
    for seat, one in flat.items():
        by_width.setdefault(one.shape[1], []).append(seat)
    parts = []
    if len(by_width) > 1:
        parts.append(", ".join(f"{width} numbers seen by {_listed(seats)}" for width, seats in by_width.items()))
    parts += [
        _same_width_differences(seats, [flat[seat] for seat in seats]) for seats in by_width.values() if len(seats) > 1
    ]
    return "; ".join(parts)


def random_observations(game: Game, seed: int) -> dict[str, Tensor]:
    """What each seat observes in `TURNS` turns of random play, `[N, *obs]` by seat."""
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


def _same_width_differences(seats: Sequence[str], seen: Sequence[Tensor]) -> str:
    """How observations of the same width F differ. seen: `[N, F]` by seat."""
    mean, deviation = torch.stack([one.mean(0) for one in seen]), torch.stack([one.std(0, False) for one in seen])
    varies = deviation > _STILL
    parts = []
    for seat, here in zip(seats, varies, strict=True):
        constant = (varies.any(0) & ~here).nonzero()[:, 0].tolist()
        if constant:
            parts.append(f"what varies for others and not for {seat}: {_listed(constant)} of {len(here)} numbers")
    # A number that is constant at every seat but differs between seats is the seat's id or the like: it does not count.
    scale = deviation.square().mean(0).sqrt()
    scale[scale < _STILL] = math.inf
    shifts = [((mean[a] - mean[b]).abs() / scale, a, b) for a, b in combinations(range(len(seats)), 2)]
    shift, a, b = max(shifts, key=lambda one: float(one[0].mean()))
    most = int(shift.argmax())
    apart = f"means of {seats[a]} and {seats[b]} differ by {float(shift.mean()):.2g} deviations on average"
    if float(shift[most]) > _SHIFTED:
        apart += f", most in number {most} ({float(mean[a, most]):.3g} and {float(mean[b, most]):.3g})"
    return ", ".join([*(parts or [f"the same numbers vary for {_listed(seats)}"]), apart])


def _listed(items: Sequence[object]) -> str:
    shown = ", ".join(str(item) for item in items[:_LISTED])
    return shown + (f" and {len(items) - _LISTED} more" if len(items) > _LISTED else "")
