"""What agents see: inside the space that was declared, finite, and not always the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.studies.check.check_report import Level
from league.studies.check.environment import Agent, BareEnvironment, TurnState
from league.studies.check.finding_log import FindingLog

_SHOWN = 6


@dataclass(slots=True)
class _Range:
    """What an agent has seen so far: `[L]` lowest and highest of each entry; how many observations; after an action."""

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    observations: int = 1
    later: bool = False


class ObservationCheck:
    """Looks at every observation of an agent that acts."""

    def __init__(self, bare: BareEnvironment, log: FindingLog) -> None:
        self._env, self._log = bare, log
        self._first, self._method = bare.observing_methods
        self._ranges: dict[Agent, _Range] = {}

    def begin(self, state: TurnState) -> None:
        """See `Watcher`."""
        self._inspect(state, self._first)

    def turn(self, before: TurnState, actions: Mapping[Agent, Any], after: TurnState) -> None:
        """See `Watcher`."""
        self._inspect(after, self._method)

    def finish(self) -> None:
        """What can be said at the end: entries that never changed."""
        for agent, found in self._ranges.items():
            still = found.low == found.high
            if found.observations < 2 or not still.any():
                continue
            if still.all():
                advice = "nothing can be learned from it: does it show what the agent's choice depends on?"
                # Where everybody chooses once, there is nothing that could have changed.
                level: Level = "warning" if found.later else "note"
                text = f"all that '{agent}' sees never changes ({found.observations} observations)"
                self._log.add(level, "observations.constant", text, f"agent '{agent}'", advice, self._method)
                continue
            places = np.flatnonzero(still)
            named = ", ".join(map(str, places[:_SHOWN])) + (", …" if len(places) > _SHOWN else "")
            self._log.add(
                "note",
                "observations.entries",
                f"{len(places)} of {len(still)} entries that '{agent}' sees never changed ({named})",
                f"agent '{agent}'",
                "fine where they are rarely used; else they are dead weight",
                self._method,
            )

    def _inspect(self, state: TurnState, method: str) -> None:
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
        """Whether one part of an observation is as declared, finite and of its shape."""

        def add(level: Level, check: str, what: str, advice: str) -> None:
            self._log.add(level, f"observations.{check}", what, state.place(agent), advice, method, of=(agent, name))

        which = f"'{agent}' sees{f' in {name!r}' if name else ''}"
        if not isinstance(space, spaces.Box):
            if not space.contains(value):
                add("error", "space", f"{which} {value!r}, which is not in {space}", "declare what it really sees")
                return False
            return True
        array = np.asarray(value)
        if array.shape != space.shape:
            what = f"{which} an array of shape {array.shape}, but {space.shape} is declared"
            add("error", "shape", what, "observation_space and what is handed out must agree")
            return False
        if not np.issubdtype(array.dtype, np.number) and array.dtype != np.bool_:
            add("error", "dtype", f"{which} {array.dtype}, which are no numbers", "hand out numbers")
            return False
        if not (finite := np.isfinite(array)).all():
            place = tuple(int(index) for index in np.argwhere(~finite)[0])
            what = f"{which} {array[place]} at {list(place)}"
            advice = "networks give nothing but NaN once they have seen one: look for 0/0, an empty mean, an overflow"
            add("error", "finite", what, advice)
            return False
        if not np.can_cast(array.dtype, space.dtype or array.dtype):
            what = f"{which} {array.dtype}, but {space.dtype} is declared"
            add("warning", "dtype", what, f"hand out .astype(np.{space.dtype})")
        low, high = array < space.low, array > space.high
        if (outside := low | high).any():
            place = tuple(int(index) for index in np.argwhere(outside)[0])
            bounds = f"{space.low[place]:g} to {space.high[place]:g}"
            what = f"{which} {array[place]:g} at {list(place)}, but {bounds} is declared"
            # Whole numbers are kept as narrow as they are declared, so that one from outside becomes another.
            whole = np.issubdtype(space.dtype or array.dtype, np.integer)
            add("error" if whole else "warning", "range", what, "widen the Box, or clip or scale what is handed out")
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
            found = value[index] if isinstance(value, tuple) and index < len(value) else None
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
