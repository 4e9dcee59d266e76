"""`league probe`: policies against labelled positions. How much of their play keeps the result that best play brings?

A move keeps the result if its score has the sign of the best score: a won position stays won, a drawn one drawn.
Letters in shapes: N positions, B slots, A actions, S seats, M numbers of memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from league.errors import PolicyError
from league.events import part
from league.execution.executor import MATCH_SLOTS
from league.games.core import Acting, Game
from league.games.native.core import NativeGame
from league.play.inference import BatchedInference
from league.policies.core import Policy, memory_width
from league.policies.scripted import Random
from league.rating.payoff import wilson
from league.run.roster.lookup import find
from league.run.roster.roster import Roster
from league.run.slots import usual_slots
from league.studies.contest import every_snapshot, filled_roles, label_of, snapshot_of
from league.studies.probe.labelled_positions import LabelledPosition, read_positions
from league.studies.probe.walk import Step, check_walkable, walk
from league.studies.teams import halfwidth
from league.threads import alone

Interval = tuple[float, float, float]
"""A share of positions, and the ends of its 95 % interval: (value, low, high)."""

UNIFORM = "uniform play"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """How one policy plays the positions, as shares of them.

    round, steps: of its snapshot; None if there is none. sampled: the mean probability of moves that keep the result.
    most_likely: the share of positions whose most likely move keeps it; of equally likely moves, their mean.
    """

    label: str
    round: int | None
    steps: int | None
    sampled: Interval
    most_likely: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """lines: one for each policy in order. uniform: what every legal move with equal probability scores."""

    game: str
    file: str
    positions: int
    lines: tuple[Probed, ...]
    uniform: Probed
    seconds: float


def probe(
    make: Callable[[int], Game],
    roster: Roster,
    text: str,
    file: Path,
    every: bool = False,
    tick: Callable[[float], None] = lambda fraction: None,
) -> ProbeReport:
    """Probe a policy. make: creates a game with a number of slots. text: its POLICY, which fills every role.

    every: first probe every snapshot of the run, in order. Raises PositionError for a file that does not fit the game,
    and PolicyError.
    """
    alone()
    began, spec = time.monotonic(), roster.spec
    check_walkable(spec)
    wanted = [*(every_snapshot(roster) if every else []), filled_roles(text, roster)]
    positions, lines = read_positions(file), list[Probed]()
    with probing_game(make, positions) as game:
        # Uniform play goes first: a file that does not fit the game is refused before any policy thinks for long.
        random = {role.name: Random(role.name, role.actions) for role in spec.roles}
        uniform = _probed(UNIFORM, *keeping(game, positions, random))
        for number, roles in enumerate(wanted):
            found = {role: find(text, role, roster) for role, text in roles.items()}
            policies = {role: one.policy for role, one in found.items()}
            kept = keeping(game, positions, policies, part(tick, number / len(wanted), 1 / len(wanted)))
            snapshot = snapshot_of(found.values(), roster)
            about = (None, None) if snapshot is None else (snapshot.round, snapshot.steps)
            lines.append(_probed(label_of(found.values()), *kept, *about))
    return ProbeReport(
        game=spec.id,
        file=str(file),
        positions=len(positions),
        lines=tuple(lines),
        uniform=uniform,
        seconds=time.monotonic() - began,
    )


@contextmanager
def probing_game(make: Callable[[int], Game], positions: Sequence[LabelledPosition]) -> Iterator[Game]:
    """A game with as many slots as suit the positions, closed on exit. make: creates a game with a number of slots."""
    game = make(1)
    slots = min(len(positions), MATCH_SLOTS if isinstance(game, NativeGame) else usual_slots(game.spec, False))
    if slots > 1:
        game.close()
        game = make(slots)
    try:
        yield game
    finally:
        game.close()


@torch.inference_mode()
def keeping(
    game: Game,
    positions: Sequence[LabelledPosition],
    policies: Mapping[str, Policy],
    tick: Callable[[float], None] = lambda fraction: None,
) -> tuple[Tensor, Tensor]:
    """How much of a policy's play keeps the result: `[N]` the probability, and `[N]` the share of its likeliest moves.

    policies: by role. Raises PositionError where a position cannot be reached, PolicyError where a policy cannot play.
    """
    sampled, likely = torch.zeros(len(positions)), torch.zeros(len(positions))
    done = 0
    for begin in range(0, len(positions), game.slots):
        batch = positions[begin : begin + game.slots]
        decisions = _Decisions(game, policies)
        for step in walk(game, batch):
            for rows, log_probs in decisions.at(step):
                scores = torch.tensor([[_number(one) for one in batch[row].scores] for row in rows.tolist()])
                keeps = scores.sign() == scores.nan_to_num(-torch.inf).amax(1, keepdim=True).sign()
                top = log_probs == log_probs.amax(1, keepdim=True)
                sampled[begin + rows] = (log_probs.exp() * keeps).sum(1)
                likely[begin + rows] = (top & keeps).sum(1) / top.sum(1)
                done += len(rows)
                tick(done / len(positions))
    return sampled, likely


class _Decisions:
    """What policies would do at the positions of a walk. Policies with memory also follow the moves that lead there.

    policies: by role.
    """

    def __init__(self, game: Game, policies: Mapping[str, Policy]) -> None:
        self._game, self._policies, roles = game, policies, game.spec.roles
        self._inference = {
            role.name: BatchedInference(role, [policies[role.name]], None, True, game.slots) for role in roles
        }
        width = max(memory_width(policy) for policy in policies.values())
        self._memory = torch.zeros((game.slots, len(game.spec.seats), width))

    def at(self, step: Step) -> Iterator[tuple[Tensor, Tensor]]:
        """The slots `[n]` that are at their positions, and the log-probabilities there, `[n, A]`, by role."""
        for role, policy in self._policies.items():
            acting = step.turn.acts[role]
            present, seat = acting.present[:, 0], acting.seat[:, 0]
            remembers = memory_width(policy) > 0
            asked = (present & (step.playing if remembers else step.reached)).nonzero()[:, 0]
            if not len(asked):
                continue
            memory = self._memory[torch.arange(len(seat)), seat][:, None] if remembers else None
            only = torch.zeros_like(acting.present).index_fill(0, asked, True)
            log_probs, after = self._inference[role].distribution(
                Acting(acting.obs, acting.mask, acting.seat, only), torch.zeros_like(acting.seat), self._game, memory
            )
            if after is not None:
                self._memory[asked, seat[asked]] = after[asked, 0]
            here = asked[step.reached[asked]]
            if bool(log_probs[here].isnan().any()):
                raise PolicyError(
                    f"{type(policy).__name__} gives no distribution: its logits are NaN, or -inf where legal"
                )
            if len(here):
                yield here, log_probs[here]


def _number(score: float | None) -> float:
    return math.nan if score is None else score


def _probed(label: str, sampled: Tensor, likely: Tensor, round: int | None = None, steps: int | None = None) -> Probed:
    """One line of the report. sampled, likely: as `keeping` gives them."""
    count, values = len(sampled), sampled.double()
    mean = float(values.mean())
    # A single position says nothing about the spread.
    half = halfwidth(float(values.square().sum()), mean, count) if count > 1 else 1.0
    hits = float(likely.double().sum())
    return Probed(
        label=label,
        round=round,
        steps=steps,
        sampled=(mean, max(mean - half, 0.0), min(mean + half, 1.0)),
        most_likely=(hits / count, *wilson(hits, count)),
    )
