"""Which agents share a policy (roles), which share an outcome (sides), and what an outcome is: pure functions.

The user's options come first (`roles`, `sides`, `outcome`), then what is known of a family of environments, then what a
few random episodes show (`probe`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from league.errors import GameError, nearest
from league.games.pettingzoo.options import OutcomeKind
from league.games.pettingzoo.sources import Environment, Source

Groups = tuple[tuple[int, ...], ...]
"""Disjoint groups of seats."""

_SYMMETRIC_NAMES = (
    {"black", "white"},
    {"red", "blue"},
    {"left", "right"},
    {"first", "second", "third", "fourth"},
    {"north", "east", "south", "west"},
)
_BOARDS = {"tictactoe", "connect_four", "go", "chess"}
_MIN_CORRELATION = 0.5


def acting_seat_sees_all(source: Source) -> bool:
    """Whether the acting agent observes the whole position: then a critic needs no other state."""
    return source.family == "classic" and source.name in _BOARDS


def infer_roles(agents: Sequence[str], signatures: Sequence[Hashable]) -> dict[str, tuple[int, ...]]:
    """Seats by role, in the order of their first seats.

    Agents have one role if their signatures (shapes of observation and action) are equal and their names differ only in
    a trailing number, or form a known symmetric set (black and white). A name with several signatures is split, and
    each part is named after its first agent.
    """
    stems = [re.sub(r"_?\d+$", "", agent) or "player" for agent in agents]
    if {"redmelee", "bluemelee"} <= set(stems):
        stems = [stem.removeprefix("red").removeprefix("blue") for stem in stems]
    if len(set(stems)) > 1 and any(set(stems) <= names for names in _SYMMETRIC_NAMES):
        stems = ["player"] * len(agents)
    groups: dict[tuple[str, Hashable], list[int]] = {}
    for seat, key in enumerate(zip(stems, signatures, strict=True)):
        groups.setdefault(key, []).append(seat)
    unsplit = {stem for stem in stems if sum(stem == other for other, _ in groups) == 1}
    return {stem if stem in unsplit else agents[seats[0]]: tuple(seats) for (stem, _), seats in groups.items()}


def parse_roles(
    game: str, option: object, agents: Sequence[str], signatures: Sequence[Hashable]
) -> dict[str, tuple[int, ...]]:
    """The user's `roles = {name = [agents]}`.

    Raises GameError unless every agent is named once, and where the agents of a role have different shapes.
    """
    if not isinstance(option, Mapping) or not option:
        raise GameError(f"{game}: roles must be a table of lists of agents, such as {{player = ['{agents[0]}', …]}}")
    groups = _parse_groups(game, "roles", list(option.values()), agents)
    for name, seats in zip(option, groups, strict=True):
        for seat in seats:
            if signatures[seat] != signatures[seats[0]]:
                raise GameError(
                    f"{game}: role '{name}' cannot hold both '{agents[seats[0]]}' and '{agents[seat]}': their "
                    f"(observation, dtype, actions) are {signatures[seats[0]]} and {signatures[seat]}"
                )
    return {str(name): seats for name, seats in zip(option, groups, strict=True)}


def parse_sides(game: str, option: object, agents: Sequence[str]) -> Groups:
    """The user's `sides = [[agents], …]`. Raises GameError unless every agent is named once."""
    if not isinstance(option, Sequence) or isinstance(option, str) or not option:
        raise GameError(f"{game}: sides must be a list of lists of agents, such as [['{agents[0]}'], …]")
    return _parse_groups(game, "sides", option, agents)


def known_sides(source: Source, env: Environment, agents: Sequence[Any]) -> Groups | None:
    """The sides of an environment whose family is known, or None.

    MPE: adversaries against the others, as its world declares. MAgent: red against blue, or one kind against the other.
    Butterfly, SISL, Hanabi, Level-Based Foraging and RWARE: all together. Classic: each agent for itself. OpenSpiel:
    together where the game's utilities are identical, otherwise each for itself.
    """
    each, together = tuple((seat,) for seat in range(len(agents))), (tuple(range(len(agents))),)
    if source.family == "mpe2":
        adversary = {body.name: bool(getattr(body, "adversary", False)) for body in env.unwrapped.world.agents}
        against = tuple(seat for seat, agent in enumerate(agents) if adversary[agent])
        others = tuple(seat for seat, agent in enumerate(agents) if not adversary[agent])
        return (against, others) if against and others else together
    if source.family == "magent2":
        kinds = [str(agent).rpartition("_")[0] for agent in agents]
        teams = [next((team for team in ("red", "blue") if kind.startswith(team)), kind) for kind in kinds]
        return tuple(tuple(seat for seat, other in enumerate(teams) if other == team) for team in dict.fromkeys(teams))
    if source.family in ("butterfly", "sisl", "lbf", "rware") or source.name == "hanabi":
        return together
    if source.family == "openspiel":
        return together if env.game_type.utility.name == "IDENTICAL" else each
    return each if source.family == "classic" or len(agents) == 1 else None


def sides_from_returns(returns: npt.NDArray[np.float64]) -> Groups:
    """Sides inferred from returns `[E, S]` of E random episodes: agents whose returns rise and fall together.

    Two agents are on one side if their returns are identical (and not all zero) or correlate above 0.5; this relation
    is closed transitively. Every other agent, as where random play never scores, is a side of its own.
    """
    seats = returns.shape[1]
    side = list(range(seats))
    for first in range(seats):
        for second in range(first + 1, seats):
            if _correlated(returns[:, first], returns[:, second]):
                old, new = side[second], side[first]
                side = [new if label == old else label for label in side]
    return tuple(tuple(seat for seat in range(seats) if side[seat] == label) for label in dict.fromkeys(side))


def infer_outcome(
    source: Source, sides: Groups, score_range: tuple[float, float] | None, scores: Collection[float]
) -> OutcomeKind:
    """What scores mean: placements for board games and for games whose scores are only ever -1, 0 or 1.

    scores: of all seats in random episodes that reached their end.
    """
    if len(sides) == 1 or source.family in ("mpe2", "magent2"):
        return "score"
    if source.family == "classic":
        return "placements" if source.name in _BOARDS or source.name == "rps" else "score"
    if score_range is not None:
        return "placements" if score_range == (-1.0, 1.0) else "score"
    return "placements" if scores and set(scores) <= {-1.0, 0.0, 1.0} else "score"


def known_score_range(source: Source, env: Environment) -> tuple[float, float] | None:
    """The lowest and highest possible score of a seat, where the rules determine it."""
    if source.family == "classic" and source.name in _BOARDS:
        return -1.0, 1.0
    if source.family == "openspiel":
        game = env.game_state.get_game()
        return float(game.min_utility()), float(game.max_utility())
    return None


def _correlated(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    if np.array_equal(one, other):
        return bool(one.any())
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return False
    return bool(np.corrcoef(one, other)[0, 1] > _MIN_CORRELATION)


def _parse_groups(game: str, what: str, option: Sequence[object], agents: Sequence[str]) -> Groups:
    groups = []
    for group in option:
        if not isinstance(group, Sequence) or isinstance(group, str) or not group:
            raise GameError(f"{game}: {what} must hold lists of agents, not {group!r}")
        for agent in group:
            if agent not in agents:
                raise GameError(f"{game}: {what} names '{agent}', which is not an agent{nearest(str(agent), agents)}")
        groups.append(tuple(agents.index(agent) for agent in group))
    named = sorted(seat for group in groups for seat in group)
    if named != list(range(len(agents))):
        wrong = [agent for seat, agent in enumerate(agents) if named.count(seat) != 1]
        raise GameError(f"{game}: {what} must name every agent exactly once; check {', '.join(wrong)}")
    return tuple(groups)
