"""`league probe`: policies against labelled positions. How much of their play keeps the result that best play brings?

A move keeps the result if its score has the sign of the best score: a won position stays won, a drawn one drawn.
Letters in shapes: N positions, B slots, A actions, S seats, M numbers of memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from league.errors import PolicyError, PositionError
from league.events import part
from league.execution.executor import MATCH_SLOTS
from league.games.core import Acting, Game, GameSpec
from league.games.native.core import NativeGame
from league.play.inference import BatchedInference
from league.policies.core import Policy, highest, memory_width
from league.policies.scripted import Random
from league.rating.payoff import wilson
from league.records import Snapshot
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
    asymmetry: how differently positions and their relabelled ones are played (`asymmetry`); None if not asked.
    """

    label: str
    round: int | None
    steps: int | None
    sampled: Interval
    most_likely: Interval
    asymmetry: float | None = None


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
    symmetry: bool = False,
    tick: Callable[[float], None] = lambda fraction: None,
) -> ProbeReport:
    """Probe a policy. make: creates a game with a number of slots. text: its POLICY, which fills every role.

    every: first probe every snapshot of the run, in order. symmetry: also measure `asymmetry`. Raises PositionError for
    a file that does not fit the game, or a game without the symmetries that are asked for, and PolicyError.
    """
    alone()
    began, spec = time.monotonic(), roster.spec
    check_walkable(spec)
    if symmetry:
        check_symmetric(spec)
    wanted = [*(every_snapshot(roster) if every else []), filled_roles(text, roster)]
    positions, lines = read_positions(file), list[Probed]()
    with probing_game(make, positions) as game:
        # Uniform play goes first: a file that does not fit the game is refused before any policy thinks for long.
        random = {role.name: Random(role.name, role.actions) for role in spec.roles}
        uniform = _probed(UNIFORM, keeping(game, positions, random))
        for number, roles in enumerate(wanted):
            found = {role: find(text, role, roster) for role, text in roles.items()}
            policies = {role: one.policy for role, one in found.items()}
            played = answers(game, positions, policies, part(tick, number / len(wanted), 1 / len(wanted)))
            uneven = _asymmetry(game, positions, policies, played) if symmetry else None
            kept = _keeping(positions, played)
            lines.append(_probed(label_of(found.values()), kept, snapshot_of(found.values(), roster), uneven))
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


def keeping(
    game: Game,
    positions: Sequence[LabelledPosition],
    policies: Mapping[str, Policy],
    tick: Callable[[float], None] = lambda fraction: None,
) -> tuple[Tensor, Tensor]:
    """How much of a policy's play keeps the result: `[N]` the probability, and `[N]` the share of its likeliest moves.

    policies: by role. Raises PositionError where a position cannot be reached, PolicyError where a policy cannot play.
    """
    return _keeping(positions, answers(game, positions, policies, tick))


def _keeping(positions: Sequence[LabelledPosition], log_probs: Tensor) -> tuple[Tensor, Tensor]:
    """As `keeping`, of play as `answers` gives it."""
    width = log_probs.shape[1]
    scores = torch.tensor([[_number(one) for one in _filled(position.scores, width)] for position in positions])
    keeps = scores.sign() == scores.nan_to_num(-torch.inf).amax(1, keepdim=True).sign()
    top = highest(log_probs)
    return (log_probs.exp() * keeps).sum(1), (top & keeps).sum(1) / top.sum(1)


def asymmetry(game: Game, positions: Sequence[LabelledPosition], policies: Mapping[str, Policy]) -> float:
    """How differently positions and their relabelled ones are played: the mean total variation distance, 0 to 1.

    It is the mean over the symmetries that the game lists. See `check_symmetric` for the games that have it.
    """
    return _asymmetry(game, positions, policies, answers(game, positions, policies))


def _asymmetry(
    game: Game, positions: Sequence[LabelledPosition], policies: Mapping[str, Policy], log_probs: Tensor
) -> float:
    """As `asymmetry`. log_probs: the play at the positions themselves, as `answers` gives it."""
    (role,) = game.spec.roles
    before, distance = log_probs.exp(), 0.0
    for one in role.symmetries:
        moved = [
            replace(
                position,
                moves=tuple(one.new_action[move] for move in position.moves),
                scores=tuple(position.scores[action] for action in one.actions),
            )
            for position in positions
        ]
        after = answers(game, moved, policies).exp()
        distance += float((before[:, list(one.actions)] - after).abs().sum(1).mean()) / 2
    return distance / len(role.symmetries)


def check_symmetric(spec: GameSpec) -> None:
    """Raises PositionError unless a game has symmetries, and one role that they relabel."""
    if len(spec.roles) > 1 or not spec.roles[0].symmetries:
        raise PositionError(f"{spec.id} has no symmetries, by which --symmetry could relabel its positions")


@torch.inference_mode()
def answers(
    game: Game,
    positions: Sequence[LabelledPosition],
    policies: Mapping[str, Policy],
    tick: Callable[[float], None] = lambda fraction: None,
) -> Tensor:
    """The log-probabilities of all actions at each position, `[N, A]`; A of the role that has most.

    policies: by role. Raises PositionError where a position cannot be reached, PolicyError where a policy cannot play.
    """
    found = torch.full((len(positions), max(role.actions.width for role in game.spec.roles)), -torch.inf)
    done = 0
    for begin in range(0, len(positions), game.slots):
        batch = positions[begin : begin + game.slots]
        decisions = _Decisions(game, policies)
        for step in walk(game, batch):
            for rows, log_probs in decisions.at(step):
                found[begin + rows, : log_probs.shape[1]] = log_probs
                done += len(rows)
                tick(done / len(positions))
    return found


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


def _filled(scores: Sequence[float | None], width: int) -> list[float | None]:
    return [*scores, *[None] * (width - len(scores))]


def _number(score: float | None) -> float:
    return math.nan if score is None else score


def _probed(
    label: str, kept: tuple[Tensor, Tensor], snapshot: Snapshot | None = None, uneven: float | None = None
) -> Probed:
    """One line of the report. kept: as `keeping` gives it. uneven: the asymmetry, if it was measured."""
    sampled, likely = kept
    count, values = len(sampled), sampled.double()
    mean = float(values.mean())
    # A single position says nothing about the spread.
    half = halfwidth(float(values.square().sum()), mean, count) if count > 1 else 1.0
    hits = float(likely.double().sum())
    return Probed(
        label=label,
        round=None if snapshot is None else snapshot.round,
        steps=None if snapshot is None else snapshot.steps,
        sampled=(mean, max(mean - half, 0.0), min(mean + half, 1.0)),
        most_likely=(hits / count, *wilson(hits, count)),
        asymmetry=uneven,
    )
