"""Who shares a policy and who shares an outcome: roles, sides and outcomes of a PettingZoo environment.

What the user says comes first (`roles`, `sides`, `outcome`), then what is known of a family of environments, then what
a few random episodes show. Only `trace` plays; all else takes data and returns data.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from league.errors import GameError, nearest
from league.games.pettingzoo.driver import Driver, ParallelDriver
from league.games.pettingzoo.sources import Environment, Source

Outcome = Literal["placements", "score"]
Groups = tuple[tuple[int, ...], ...]

_SYMMETRIC = (
    {"black", "white"},
    {"red", "blue"},
    {"left", "right"},
    {"first", "second", "third", "fourth"},
    {"north", "east", "south", "west"},
)
_BOARDS = {"tictactoe", "connect_four", "go", "chess"}
_RELATED = 0.5
_LONGEST = 65_536


@dataclass(slots=True)
class Trace:
    """One random episode, or its first turns.

    digest: of all that was seen and given. returns: `[S]`. turns: how many were played. ended: it reached its end.
    masked: seats that had an action mask. own_state: sizes of the environment's own global state turn by turn, None
    where it has none. state_is_seen: that state was always just all observations in a row.
    """

    digest: bytes
    returns: npt.NDArray[np.float64]
    turns: int = 0
    ended: bool = False
    masked: set[int] = field(default_factory=set)
    own_state: set[int | None] = field(default_factory=set)
    state_is_seen: bool = True


def trace(driver: Driver, seed: int, turns: int) -> Trace:
    """Play at most `turns` turns of one episode at random; environment and actions follow from `seed` (below 2**31)."""
    rng, hashed = np.random.default_rng(seed), hashlib.blake2b()
    result = Trace(b"", np.zeros(len(driver.agents)))
    driver.reset(seed)
    for _ in range(turns):
        _note_state(driver, result)
        hashed.update(driver.state().tobytes())
        actions: list[Any] = [None] * len(driver.agents)
        for seat in driver.acting:
            _, mask = driver.look(seat)
            if mask is not None:
                result.masked.add(seat)
                hashed.update(mask.tobytes())
            actions[seat] = driver.seen[seat].any_action(rng, mask)
        step = driver.step(actions)
        result.turns += 1
        result.returns += step.reward
        for part in (driver.acting, step.reward, step.terminated, step.truncated):
            hashed.update(repr(part).encode())
        if step.ended:
            result.ended = True
            _note_state(driver, result)
            break
    result.digest = hashed.digest()
    return result


def native_state(traces: Sequence[Trace]) -> bool:
    """Whether the environment's own `state()` serves the critic: always there, of one size and not a whole screen.

    It must have been there at an episode's end too, where agents are gone; and where it is only the observations in a
    row, those are used themselves, since they are computed anyhow.
    """
    sizes = set[int | None]().union(*(trace.own_state for trace in traces))
    size = next(iter(sizes)) if len(sizes) == 1 else None
    seen = all(trace.state_is_seen for trace in traces)
    return size is not None and size <= _LONGEST and any(trace.ended for trace in traces) and not seen


def sees_all(source: Source) -> bool:
    """Whether whoever acts sees the whole position: then its observation is all that a critic can want."""
    return source.family == "classic" and source.name in _BOARDS


def roles_of(agents: Sequence[str], kinds: Sequence[Hashable]) -> dict[str, tuple[int, ...]]:
    """Seats by role, in the order of their first seats.

    Agents are of one role if their names differ only in a trailing number, or are a known symmetric set (black and
    white), and their kinds (shapes of observation and action) are equal. A name that covers several kinds is split,
    and each part called by its first agent.
    """
    stems = [re.sub(r"_?\d+$", "", agent) or "player" for agent in agents]
    if {"redmelee", "bluemelee"} <= set(stems):
        stems = [stem.removeprefix("red").removeprefix("blue") for stem in stems]
    if len(set(stems)) > 1 and any(set(stems) <= names for names in _SYMMETRIC):
        stems = ["player"] * len(agents)
    groups: dict[tuple[str, Hashable], list[int]] = {}
    for seat, key in enumerate(zip(stems, kinds, strict=True)):
        groups.setdefault(key, []).append(seat)
    whole = {stem for stem in stems if sum(stem == other for other, _ in groups) == 1}
    return {stem if stem in whole else agents[seats[0]]: tuple(seats) for (stem, _), seats in groups.items()}


def roles_from(
    game: str, option: object, agents: Sequence[str], kinds: Sequence[Hashable]
) -> dict[str, tuple[int, ...]]:
    """The user's `roles = {name = [agents]}`. Raises GameError where agents differ in shapes or are not named once."""
    if not isinstance(option, Mapping) or not option:
        raise GameError(f"{game}: roles must be a table of lists of agents, such as {{player = ['{agents[0]}', …]}}")
    groups = _groups_from(game, "roles", list(option.values()), agents)
    for name, seats in zip(option, groups, strict=True):
        for seat in seats:
            if kinds[seat] != kinds[seats[0]]:
                raise GameError(
                    f"{game}: role '{name}' cannot hold both '{agents[seats[0]]}' and '{agents[seat]}': their "
                    f"(observation, dtype, actions) are {kinds[seats[0]]} and {kinds[seat]}"
                )
    return {str(name): seats for name, seats in zip(option, groups, strict=True)}


def sides_from(game: str, option: object, agents: Sequence[str]) -> Groups:
    """The user's `sides = [[agents], …]`. Raises GameError unless every agent is named once."""
    if not isinstance(option, Sequence) or isinstance(option, str) or not option:
        raise GameError(f"{game}: sides must be a list of lists of agents, such as [['{agents[0]}'], …]")
    return _groups_from(game, "sides", option, agents)


def known_sides(source: Source, env: Environment, agents: Sequence[Any]) -> Groups | None:
    """The sides of an environment whose family is known, or None.

    MPE: adversaries against the others, as its world says. MAgent: red against blue, or one kind against the other.
    Butterfly, SISL, Hanabi, Level-Based Foraging and RWARE: all together. Classic: each agent for itself. OpenSpiel:
    together where the game's utilities are identical, else each for itself.
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
    """Sides guessed from returns `[E, S]` of random episodes: agents whose returns rise and fall together.

    Two agents are joined if their returns were identical (and not all zero) or correlate above 0.5; the joining is
    transitive. Agents that nothing joins, as where random play never scores, are each a side of their own.
    """
    seats = returns.shape[1]
    side = list(range(seats))
    for first in range(seats):
        for second in range(first + 1, seats):
            if _together(returns[:, first], returns[:, second]):
                old, new = side[second], side[first]
                side = [new if label == old else label for label in side]
    return tuple(tuple(seat for seat in range(seats) if side[seat] == label) for label in dict.fromkeys(side))


def outcome_of(
    source: Source, sides: Groups, score_range: tuple[float, float] | None, seen: Sequence[Trace]
) -> Outcome:
    """What an episode's scores mean: placements for board games and for games that only ever give -1, 0 or 1."""
    if len(sides) == 1 or source.family in ("mpe2", "magent2"):
        return "score"
    if source.family == "classic":
        return "placements" if source.name in _BOARDS or source.name == "rps" else "score"
    if score_range is not None:
        return "placements" if score_range == (-1.0, 1.0) else "score"
    scores = {float(value) for trace in seen if trace.ended for value in trace.returns}
    return "placements" if scores and scores <= {-1.0, 0.0, 1.0} else "score"


def known_range(source: Source, env: Environment) -> tuple[float, float] | None:
    """The lowest and highest score that a seat can have, where the rules say."""
    if source.family == "classic" and source.name in _BOARDS:
        return -1.0, 1.0
    if source.family == "openspiel":
        game = env.game_state.get_game()
        return float(game.min_utility()), float(game.max_utility())
    return None


def _together(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> bool:
    if np.array_equal(one, other):
        return bool(one.any())
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return False
    return bool(np.corrcoef(one, other)[0, 1] > _RELATED)


def _note_state(driver: Driver, result: Trace) -> None:
    """Ask the environment for its own global state, which may be missing, change its size, or stop with the agents."""
    if not isinstance(driver, ParallelDriver):
        result.own_state.add(None)
        return
    try:
        state = np.asarray(driver.env.state(), dtype=np.float32).reshape(-1)
    except Exception:  # whatever it raises, the environment has no state that can be used
        result.own_state.add(None)
        return
    result.own_state.add(state.size)
    # At the end all agents are gone and their rows zero: there is nothing to compare.
    if driver.acting and result.state_is_seen:
        result.state_is_seen = np.array_equal(state, driver.state())


def _groups_from(game: str, what: str, option: Sequence[object], agents: Sequence[str]) -> Groups:
    groups = []
    for group in option:
        if not isinstance(group, Sequence) or isinstance(group, str) or not group:
            raise GameError(f"{game}: {what} must hold lists of agents, not {group!r}")
        for agent in group:
            if agent not in agents:
                raise GameError(f"{game}: {what} names '{agent}', which is no agent{nearest(str(agent), agents)}")
        groups.append(tuple(agents.index(agent) for agent in group))
    named = sorted(seat for group in groups for seat in group)
    if named != list(range(len(agents))):
        wrong = [agent for seat, agent in enumerate(agents) if named.count(seat) != 1]
        raise GameError(f"{game}: {what} must name every agent exactly once; look at {', '.join(wrong)}")
    return tuple(groups)
