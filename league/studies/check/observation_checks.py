"""Observations must be inside their declared space, finite, and not constant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.games.pettingzoo.answers import UnusableError, read_observation
from league.studies.check.check_report import Level
from league.studies.check.environment import Agent, BareEnvironment, EnvironmentCheck, TurnState
from league.studies.check.finding_log import FindingLog

_SHOWN = 6


@dataclass(slots=True)
class _Range:
    """An agent's observations. low, high: `[L]` of each entry. seen: their number. later: some came after an action."""

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    observations: int = 1
    later: bool = False


class ObservationCheck(EnvironmentCheck):
    """Checks every observation of an acting agent."""

    def __init__(self, bare: BareEnvironment, log: FindingLog) -> None:
        super().__init__(bare, log)
        self._method = bare.observing_methods[1]
        self._ranges: dict[Agent, _Range] = {}

    def finish(self) -> None:
        """Report the entries that never changed."""
        for agent, found in self._ranges.items():
            still = found.low == found.high
            if found.observations < 2 or not still.any():
                continue
            if still.all():
                advice = "nothing can be learned from a constant: include what the agent's choice should depend on"
                # If every agent acts only once, nothing could have changed.
                level: Level = "warning" if found.later else "note"
                text = f"the observation of '{agent}' never changes ({found.observations} observations)"
                self._log.add(level, "observations.constant", text, f"agent '{agent}'", advice, self._method)
                continue
            places = np.flatnonzero(still)
            named = ", ".join(map(str, places[:_SHOWN])) + (", …" if len(places) > _SHOWN else "")
            self._log.add(
                "note",
                "observations.entries",
                f"{len(places)} of {len(still)} observation entries of '{agent}' never changed ({named})",
                f"agent '{agent}'",
                "fine for rarely used entries; otherwise remove them",
                self._method,
            )

    def look(self, state: TurnState) -> None:
        """See `Watcher`."""
        method = self._env.observing_method(state)
        for agent, whole in state.observations.items():
            space = self._env.observation_spaces.get(agent)
            if not isinstance(space, spaces.Space):
                continue
            fine = True
            for name, part, value in leaf_parts(space, whole):
                fine &= self._check_part(agent, state, method, name, part, value)
            if fine:
                self._update_range(agent, space, whole, state.turn > 0)

    def _check_part(self, agent: Agent, state: TurnState, method: str, name: str, space: Any, value: Any) -> bool:
        """Whether one part of an observation is finite and as declared."""

        def add(level: Level, check: str, what: str, advice: str) -> None:
            self._log.add(level, f"observations.{check}", what, state.place(agent), advice, method, of=(agent, name))

        which = f"'{agent}' sees{f' in {name!r}' if name else ''}"
        try:
            taken = read_observation(space, value)
        except UnusableError as fault:
            add("error", fault.kind, f"{which} {fault.what}", fault.advice)
            return False
        if not isinstance(space, spaces.Box):
            return True
        array = np.asarray(value)
        if array.shape != space.shape:
            what = f"{which} an array of shape {array.shape}, which is taken for one of {space.shape}"
            add("warning", "shape", what, "make observation_space and observations agree")
        array = taken
        if not np.can_cast(array.dtype, space.dtype or array.dtype):
            what = f"{which} {array.dtype}, but the declared dtype is {space.dtype}"
            add("warning", "dtype", what, f"return .astype(np.{space.dtype})")
        low, high = array < space.low, array > space.high
        if (outside := low | high).any():
            place = tuple(int(index) for index in np.argwhere(outside)[0])
            bounds = f"{space.low[place]:g} to {space.high[place]:g}"
            what = f"{which} {array[place]:g} at {list(place)}, but the declared range is {bounds}"
            # Integers are stored in the declared dtype, in which a value from outside the range would become another.
            whole = np.issubdtype(space.dtype or array.dtype, np.integer)
            add("error" if whole else "warning", "range", what, "widen the Box, or clip or scale the observation")
        return True

    def _update_range(self, agent: Agent, space: spaces.Space[Any], whole: Any, later: bool) -> None:
        flat = np.concatenate([_flat(part, value) for _, part, value in leaf_parts(space, whole)] or [np.zeros(0)])
        known = self._ranges.get(agent)
        if known is None or known.low.shape != flat.shape:
            self._ranges[agent] = _Range(flat, flat.copy(), later=later)
            return
        np.minimum(known.low, flat, out=known.low)
        np.maximum(known.high, flat, out=known.high)
        known.observations, known.later = known.observations + 1, known.later or later


def leaf_parts(space: spaces.Space[Any], value: Any, name: str = "") -> Iterator[tuple[str, spaces.Space[Any], Any]]:
    """An observation's parts with their names and spaces, without the action mask. A part that is missing is None."""
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            if key != "action_mask":
                found = value.get(key) if isinstance(value, Mapping) else None
                yield from leaf_parts(inner, found, f"{name}.{key}" if name else str(key))
    elif isinstance(space, spaces.Tuple):
        for index, inner in enumerate(space.spaces):
            found = value[index] if isinstance(value, tuple | list) and index < len(value) else None
            yield from leaf_parts(inner, found, f"{name}.{index}" if name else str(index))
    else:
        yield name, space, value


def _flat(space: spaces.Space[Any], value: Any) -> npt.NDArray[np.float64]:
    if isinstance(space, spaces.Box):
        return np.array(value, dtype=np.float64).reshape(-1)
    try:
        return np.array(spaces.flatten(space, value), dtype=np.float64).reshape(-1)
    except (NotImplementedError, TypeError, ValueError):  # text, graphs, sequences
        return np.zeros(0)
