"""Random episodes settle what cannot be asked of an environment: masks, state, sides, replays. The result is the game.

`probe` plays a few bounded episodes in environments that are used for nothing else, and returns the `GameSpec` and the
`BatchSpec` that follow from the options, the spaces and what was seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from league.games.actions import Box
from league.games.core import GameSpec, RoleSpec
from league.games.pettingzoo.driver import Driver, ParallelDriver, new_driver
from league.games.pettingzoo.options import AdapterOptions
from league.games.pettingzoo.roles import (
    Groups,
    acting_seat_sees_all,
    infer_outcome,
    infer_roles,
    known_score_range,
    known_sides,
    parse_roles,
    parse_sides,
    sides_from_returns,
)
from league.games.pettingzoo.shared_buffer import BatchSpec, RoleLayout
from league.games.pettingzoo.sources import Source
from league.games.pettingzoo.spaces import Encoding, ObservationOptions, agents_of
from league.games.pettingzoo.turn_view import TORCH_DTYPES

_FIRST_TURNS = 13  # a prime, so that whatever reset() forgets is in the middle of its count
_MAX_TURNS, _MIN_TURNS, _MAX_NUMBERS = 256, 16, 2**24
"""Turns of a random episode: fewer where observations are large, so that an episode has at most `_MAX_NUMBERS`."""
_MAX_STATE_NUMBERS = 2**20
"""Largest global state, for all seats' critics together, that is made of all observations in a row."""
_MAX_ENV_STATE = 65_536
_SIDE_TURNS, _SIDE_EPISODES = 3_000, 32
"""How long random play may take that infers sides."""


@dataclass(slots=True, kw_only=True)
class RandomEpisode:
    """One random episode, or its first turns.

    returns: `[S]`. digest: of everything that was observed and returned. turns: how many were played. ended: it reached
    its end. masked: seats that had an action mask. state_sizes: of the environment's own global state, turn by turn,
    None where it has none. state_is_observations: that state was always just all observations in a row.
    """

    returns: npt.NDArray[np.float64]
    digest: bytes = b""
    turns: int = 0
    ended: bool = False
    masked: set[int] = field(default_factory=set)
    state_sizes: set[int | None] = field(default_factory=set)
    state_is_observations: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What is known of a game after its probe.

    replays: as `Game.replays`. worst, best: a seat's lowest and highest score, for forfeits. drivers: of environments
    that nobody plays with. They must stay open: some environments close windows and fonts that others still use.
    """

    spec: GameSpec
    batch: BatchSpec
    replays: bool
    worst: float
    best: float
    drivers: list[Driver]


def probe(source: Source, adapter: AdapterOptions, options: Mapping[str, object]) -> Probed:
    """Play a few random episodes and describe the game. options: all that the user gave.

    `replays` is settled by playing one episode in a used and in a fresh environment. Raises GameError for environments
    that are not supported, and for roles and sides that do not fit.
    """
    observations = ObservationOptions(adapter.channels or source.channels, adapter.shrink, adapter.pad)
    horizon = adapter.horizon or ("terminal" if source.family in ("classic", "openspiel") else "truncation")
    environment = source.build()
    agents, encodings = agents_of(source.id, environment, observations)
    driver = new_driver(source.id, environment, agents, encodings)
    fresh = new_driver(source.id, source.build(), agents, encodings)
    driver.horizon_is_terminal = fresh.horizon_is_terminal = horizon == "terminal"

    turns = max(min(_MAX_TURNS, _MAX_NUMBERS // sum(encoding.size for encoding in encodings)), _MIN_TURNS)
    episodes = [play_random(driver, 0, _FIRST_TURNS), play_random(driver, 1, turns)]
    replays = play_random(fresh, 1, turns).digest == episodes[1].digest
    driver.uses_env_state = env_state_serves(episodes)

    roles = _roles(source, adapter, driver)
    sides = parse_sides(source.id, adapter.sides, _names(driver)) if adapter.sides is not None else None
    sides = sides or known_sides(source, driver.env, agents)
    if sides is None:
        episodes += _more_episodes(driver, turns, len(episodes))
        sides = sides_from_returns(np.stack([episode.returns for episode in episodes]))
    if not driver.uses_env_state and sum(encoding.size for encoding in encodings) * len(agents) > _MAX_STATE_NUMBERS:
        driver.mean_groups = [role.seats for role in roles]

    spec = _game_spec(source, adapter, driver, roles=roles, sides=sides, episodes=episodes, options=options)
    worst, best = spec.score_range or (-1.0, 1.0)
    if spec.score_range is None:
        worst = min(worst, *(float(episode.returns.min()) for episode in episodes))
        best = max(best, *(float(episode.returns.max()) for episode in episodes))
    batch = _batch_spec(spec, driver, observations, episodes)
    return Probed(spec=spec, batch=batch, replays=replays, worst=worst, best=best, drivers=[driver, fresh])


def play_random(driver: Driver, seed: int, turns: int) -> RandomEpisode:
    """Play at most `turns` turns of one episode at random; environment and actions follow from `seed` (below 2**31)."""
    rng, digest = np.random.default_rng(seed), hashlib.blake2b()
    episode = RandomEpisode(returns=np.zeros(len(driver.agents)))
    driver.reset(seed)
    for _ in range(turns):
        _note_env_state(driver, episode)
        digest.update(driver.state().tobytes())
        actions: list[Any] = [None] * len(driver.agents)
        for seat in driver.acting:
            _, mask = driver.observe_with_mask(seat)
            if mask is not None:
                episode.masked.add(seat)
                digest.update(mask.tobytes())
            actions[seat] = driver.encodings[seat].random_action(rng, mask)
        step = driver.step(actions)
        episode.turns += 1
        episode.returns += step.reward
        for part in (driver.acting, step.reward, step.terminated, step.truncated):
            digest.update(repr(part).encode())
        if step.ended:
            episode.ended = True
            _note_env_state(driver, episode)
            break
    episode.digest = digest.digest()
    return episode


def env_state_serves(episodes: Sequence[RandomEpisode]) -> bool:
    """Whether the environment's own `state()` serves the critic: always there, of one size, and not a whole screen.

    It must also be there at an episode's end, when agents are gone. Where it is only all observations in a row, those
    are used instead, since they are computed anyway.
    """
    sizes = set[int | None]().union(*(episode.state_sizes for episode in episodes))
    size = next(iter(sizes)) if len(sizes) == 1 else None
    redundant = all(episode.state_is_observations for episode in episodes)
    return size is not None and size <= _MAX_ENV_STATE and any(episode.ended for episode in episodes) and not redundant


def _note_env_state(driver: Driver, episode: RandomEpisode) -> None:
    """Ask the environment for its own global state, which may be missing, change its size, or stop with the agents."""
    if not isinstance(driver, ParallelDriver):
        episode.state_sizes.add(None)
        return
    try:
        state = np.asarray(driver.env.state(), dtype=np.float32).reshape(-1)
    except Exception:  # whatever it raises, the environment has no state that can be used
        episode.state_sizes.add(None)
        return
    episode.state_sizes.add(state.size)
    # At the end all agents are gone and their rows zero: there is nothing to compare.
    if driver.acting and episode.state_is_observations:
        episode.state_is_observations = np.array_equal(state, driver.state())


def _more_episodes(driver: Driver, turns: int, seed: int) -> list[RandomEpisode]:
    """More random episodes, with the seeds from `seed` on, for at most `_SIDE_TURNS` turns."""
    episodes: list[RandomEpisode] = []
    while seed + len(episodes) < _SIDE_EPISODES and sum(episode.turns for episode in episodes) < _SIDE_TURNS:
        episodes.append(play_random(driver, seed + len(episodes), turns))
    return episodes


def _names(driver: Driver) -> tuple[str, ...]:
    return tuple(str(agent) for agent in driver.agents)


def _roles(source: Source, adapter: AdapterOptions, driver: Driver) -> tuple[RoleSpec, ...]:
    names, signatures = _names(driver), [encoding.signature for encoding in driver.encodings]
    if adapter.roles is not None:
        groups = parse_roles(source.id, adapter.roles, names, signatures)
    else:
        groups = infer_roles(names, signatures)
        if adapter.pad and len(groups) > 1:
            groups = {"player": tuple(range(len(names)))}
    return tuple(
        RoleSpec(
            name=name,
            seats=seats,
            acting=len(seats) if isinstance(driver, ParallelDriver) else 1,
            obs_shape=driver.encodings[seats[0]].shape,
            obs_dtype=TORCH_DTYPES[driver.encodings[seats[0]].dtype],
            actions=driver.encodings[seats[0]].actions,
        )
        for name, seats in groups.items()
    )


def _game_spec(
    source: Source,
    adapter: AdapterOptions,
    driver: Driver,
    *,
    roles: tuple[RoleSpec, ...],
    sides: Groups,
    episodes: Sequence[RandomEpisode],
    options: Mapping[str, object],
) -> GameSpec:
    score_range = known_score_range(source, driver.env)
    scores = {float(score) for episode in episodes if episode.ended for score in episode.returns}
    no_state = driver.horizon_is_terminal and acting_seat_sees_all(source)
    return GameSpec(
        id=source.id,
        version=source.version,
        seats=_names(driver),
        sides=sides,
        roles=roles,
        outcome=adapter.outcome or infer_outcome(source, sides, score_range, scores),
        can_truncate=not driver.horizon_is_terminal,
        score_range=score_range,
        state_shape=None if no_state else driver.state().shape,
        options=options,
        observation=_said(driver, "observation"),
        action=_said(driver, "action"),
    )


def _said(driver: Driver, of: str) -> str:
    """What an environment says in its `metadata` of the numbers of an observation or an action."""
    metadata = getattr(driver.env, "metadata", None)
    words = metadata.get(of, "") if isinstance(metadata, Mapping) else ""
    return words if isinstance(words, str) else ""


def _batch_spec(
    spec: GameSpec, driver: Driver, observations: ObservationOptions, episodes: Sequence[RandomEpisode]
) -> BatchSpec:
    encodings: Sequence[Encoding] = driver.encodings
    masked = set[int]().union(*(episode.masked for episode in episodes))
    roles = tuple(
        RoleLayout(
            seats=role.seats,
            acting=role.acting,
            shape=role.obs_shape,
            dtype=encodings[role.seats[0]].dtype,
            width=role.actions.width,
            masked=any(seat in masked for seat in role.seats),
        )
        for role in spec.roles
    )
    length = encodings[0].action_length
    return BatchSpec(
        roles=roles,
        seats=len(spec.seats),
        state=spec.state_shape,
        uses_env_state=driver.uses_env_state,
        horizon_is_terminal=driver.horizon_is_terminal,
        truncates=spec.can_truncate,
        observations=observations,
        action_shape=(length,) if length else (),
        action_dtype="float32" if any(isinstance(one.actions, Box) for one in encodings) else "int64",
        mean_groups=tuple(tuple(group) for group in driver.mean_groups),
    )
