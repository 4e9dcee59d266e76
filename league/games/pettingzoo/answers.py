"""What an environment hands back, read in one place for play and for `league check`.

Numbers that can only mean one thing are taken, such as a reward that is an array of one. Anything else is an
`UnusableError`, which says in words what came and what was expected. Letters in shapes: A actions.
"""

from __future__ import annotations

import inspect
import math
import sysconfig
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

RESET = ("observations", "infos")
STEP = ("observations", "rewards", "terminations", "truncations", "infos")
"""What the calls of a ParallelEnv return, each a dict by agent."""

PAUSES = "set an agent's flag only when it will not act again in this episode: to pause, it leaves `agents` without one"
"""Advice on agents that come back after their episode was over."""

_PLAIN = frozenset((float, int, bool, np.float32, np.float64, np.int32, np.int64))
"""Types of numbers that need no closer look: this is called for every agent on every turn."""

_NUMBERS = "biuf"
"""Kinds of numpy's dtypes that are numbers."""


class UnusableError(ValueError):
    """Something from an environment that cannot be used.

    kind: one word. what: in words, to follow the name of the thing ("has 3 flags, but …"). advice: what would be right.
    """

    def __init__(self, kind: str, what: str, advice: str) -> None:
        super().__init__(f"{what}: {advice}")
        self.kind, self.what, self.advice = kind, what, advice


def read_dicts(given: object, names: tuple[str, ...]) -> tuple[Mapping[Any, Any], ...]:
    """The dicts by agent that `reset` or `step` returned. names: `RESET` or `STEP`. Raises UnusableError."""
    if isinstance(given, tuple) and len(given) == len(names) and all(isinstance(one, Mapping) for one in given):
        return given
    count = {2: "two", 5: "five"}[len(names)]
    raise UnusableError("type", f"returned {_described(given)}", f"it must return ({', '.join(names)}), {count} dicts")


def read_number(value: object) -> float:
    """A reward as a float: a number, or an array with one number. Raises UnusableError, also where it is not finite."""
    if type(value) in _PLAIN:
        number = float(value)  # type: ignore[arg-type]
    else:
        array = _as_array(value)
        if array.dtype.kind not in _NUMBERS or array.size != 1:
            raise UnusableError("number", shortened(value), "a reward must be one number")
        number = float(array.reshape(-1)[0])
    if not math.isfinite(number):
        raise UnusableError("finite", str(number), "a reward must be finite: a single NaN or infinity stops learning")
    return number


def read_flags(flags: Mapping[Any, Any]) -> Mapping[Any, bool]:
    """Terminations or truncations by agent, as True and False. Raises UnusableError, whose `kind` is "flag"."""
    for value in flags.values():
        if type(value) is not bool:
            return {agent: read_flag(agent, value) for agent, value in flags.items()}
    return flags


def read_flag(agent: object, value: object) -> bool:
    """One flag: True or False, 0 or 1, or an array with one of these. Raises UnusableError."""
    array = _as_array(value)
    if array.size == 1 and array.dtype.kind in _NUMBERS and array.reshape(-1)[0] in (0, 1):
        return bool(array.reshape(-1)[0])
    raise UnusableError("flag", f"{value!r} for agent '{agent}'", "a flag must be True or False")


def mask_sizes(space: spaces.Space[Any]) -> tuple[int, ...]:
    """How many flags the mask of each part of an action has; empty where actions cannot be masked."""
    if isinstance(space, spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, spaces.MultiDiscrete):
        return tuple(space.nvec.reshape(-1).tolist())
    if isinstance(space, spaces.MultiBinary):
        return (2,) * int(np.prod(space.shape))
    return ()


def read_mask(raw: Any, sizes: tuple[int, ...]) -> npt.NDArray[Any]:
    """`[A]` of an action mask, nonzero where legal: A actions of a Discrete space, or the sum over an action's parts.

    raw: A flags, each true or false, 1 or 0. Where an action has several parts (MultiDiscrete, MultiBinary), the masks
    of the parts one after the other, or a tuple or list of them, as Gymnasium takes. sizes: `mask_sizes` of the space.
    Raises UnusableError.
    """
    if not sizes:
        raise UnusableError(
            "space", "is there, but points in a Box cannot be masked", "leave it out, or clip in step()"
        )
    parts = _parts(raw) if isinstance(raw, tuple | list) else None
    if parts is not None:
        found = tuple(len(part) for part in parts)
        if found != sizes:
            raise UnusableError("length", f"has parts of {_counted(found)} flags, but {_wanted(sizes)}", _forms(sizes))
        array = np.concatenate(parts)
    else:
        array = _array(raw, sizes)
    if not _are_flags(array):
        shown = np.array2string(array, threshold=12, separator=", ")
        raise UnusableError(
            "values", f"contains values other than 0 and 1: {shown}", "use 1 for legal and 0 for illegal"
        )
    start = 0
    for number, size in enumerate(sizes):
        if not np.count_nonzero(array[start : start + size]):
            where = f" in part {number}" if len(sizes) > 1 else ""
            advice = "end its episode, select another agent, or allow an action that does nothing"
            raise UnusableError("empty", f"allows no action{where}, though it must act", advice)
        start += size
    return array


def read_observation(space: spaces.Space[Any], value: Any) -> Any:
    """An observation as its space declares it; arrays for boxes. A mask within a Dict is left out.

    Shapes that differ only by dimensions of 1 are taken. Raises UnusableError.
    """
    if isinstance(space, spaces.Box):
        return _box(space, value)
    if isinstance(space, spaces.Dict):
        value = {key: _part(space[key], value, key) for key in space.spaces if key != "action_mask"}
    elif isinstance(space, spaces.Tuple):
        if not isinstance(value, tuple | list) or len(value) != len(space.spaces):
            raise UnusableError("space", f"{_described(value)}, which is not in {space}", "make the two agree")
        value = tuple(_part(inner, value, number) for number, inner in enumerate(space.spaces))
    elif not space.contains(value):
        # A bare number or an array of one where the space wants the other form.
        array = _as_array(value)
        if array.size != 1 or array.dtype.kind not in "biu" or not space.contains(value := array.reshape(-1)[0]):
            advice = "make observation_space and observations agree"
            raise UnusableError("space", f"{shortened(value)}, which is not in {space}", advice)
    return value


def observing_methods(env: Any) -> tuple[str, str]:
    """The methods of an environment that make observations at the start of an episode and later."""
    return ("observe", "observe") if hasattr(getattr(env, "unwrapped", env), "observe") else ("reset", "step")


def shortened(value: object) -> str:
    """A value on one line, of at most 80 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"


def method_place(code: type, method: str) -> str:
    """A method of a class as `file.py:41 (Name.method)`; as far as it is known."""
    function = inspect.unwrap(getattr(code, method, None) or code)
    found = getattr(function, "__code__", None)
    owner = next((one for one in code.__mro__ if method in vars(one)), code).__name__
    if found is None:
        return f"{owner}.{method}"
    return f"{display_path(found.co_filename)}:{found.co_firstlineno} ({owner}.{method})"


def raised_at(error: BaseException) -> str:
    """Where an exception was raised, as `file.py:41`; empty if that is unknown.

    The innermost line of code that is not installed; if there is none, the innermost line.
    """
    frames = traceback.extract_tb(error.__traceback__)
    outside = (str(Path(__file__).parents[2]), *sysconfig.get_paths().values())
    own = [frame for frame in frames if not frame.filename.startswith((*outside, "<"))]
    return f"{display_path((own or frames)[-1].filename)}:{(own or frames)[-1].lineno}" if frames else ""


def display_path(file: str) -> str:
    """A path to show: relative to the working directory, or to site-packages."""
    path, here = Path(file), Path.cwd()
    if "site-packages" in path.parts:
        return str(Path(*path.parts[path.parts.index("site-packages") + 1 :]))
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _are_flags(array: npt.NDArray[Any]) -> bool:
    """Whether all numbers are 0 or 1."""
    if array.itemsize == 1:
        return not array.tobytes().strip(b"\0\1")  # ten times faster than comparisons on arrays as short as masks
    return bool(((array == 0) | (array == 1)).all())


def _parts(raw: tuple[Any, ...] | list[Any]) -> list[npt.NDArray[Any]] | None:
    """The masks of an action's parts in order, of nested tuples too; None for flags one after the other."""
    if not any(isinstance(part, tuple | list) or getattr(part, "ndim", 0) for part in raw):
        return None
    found: list[npt.NDArray[Any]] = []
    for part in raw:
        inner = _parts(part) if isinstance(part, tuple | list) else None
        found.extend([_as_array(part).reshape(-1)] if inner is None else inner)
    return found


def _array(raw: Any, sizes: tuple[int, ...]) -> npt.NDArray[Any]:
    array = _as_array(raw)
    if array.dtype.kind not in _NUMBERS:
        raise UnusableError("values", f"is {shortened(raw)}, which are not flags", _forms(sizes))
    if array.shape != (sum(sizes),):
        raise UnusableError("length", f"has shape {array.shape}, but {_wanted(sizes)}", _forms(sizes))
    return array


def _as_array(value: Any) -> npt.NDArray[Any]:
    """A value as an array; of dtype object where it is none, such as rows of several lengths, or a tensor on a GPU."""
    try:
        return np.asarray(value)
    except Exception:  # whatever a class of the user's raises
        array = np.empty((), dtype=object)
        array[()] = value
        return array


def _counted(sizes: tuple[int, ...]) -> str:
    shown = [str(size) for size in sizes[:6]] + ["…"] * (len(sizes) > 6)
    return " + ".join(shown)


def _wanted(sizes: tuple[int, ...]) -> str:
    if len(sizes) == 1:
        return f"there are {sizes[0]} actions"
    return f"the action has {len(sizes)} parts, of {_counted(sizes)} choices"


def _forms(sizes: tuple[int, ...]) -> str:
    if len(sizes) == 1:
        return f"it must be ({sizes[0]},)"
    return f"give the flags of the parts one after the other ({sum(sizes)}), or a tuple with one mask for each part"


def _box(space: spaces.Box, value: Any) -> npt.NDArray[Any]:
    array = _as_array(value)
    if array.dtype.kind not in _NUMBERS:
        raise UnusableError("dtype", f"{shortened(value)}, which is not numeric", "return an array of numbers")
    if array.shape != space.shape:
        if [size for size in array.shape if size != 1] != [size for size in space.shape if size != 1]:
            what = f"an array of shape {array.shape}, but the declared shape is {space.shape}"
            raise UnusableError("shape", what, "make observation_space and observations agree")
        array = array.reshape(space.shape)
    # The sum of squares is quicker than `isfinite`; where it overflows, each number is looked at.
    if (
        array.dtype.kind == "f"
        and not math.isfinite(np.vdot(array, array))
        and not (finite := np.isfinite(array)).all()
    ):
        place = tuple(int(index) for index in np.argwhere(~finite)[0])
        advice = "a single one turns a network's outputs into NaN: look for 0/0, an empty mean, an overflow"
        raise UnusableError("finite", f"{array[place]} at {list(place)}", advice)
    return array


def _part(space: spaces.Space[Any], whole: Any, key: Any) -> Any:
    """One part of an observation. Raises UnusableError, in whose words the part is named."""
    try:
        value = whole[key]
    except (KeyError, IndexError, TypeError):
        _missing(whole, key)
    try:
        return read_observation(space, value)
    except UnusableError as fault:
        raise UnusableError(fault.kind, f"in {key!r} {fault.what}", fault.advice) from None


def _missing(whole: Any, key: Any) -> NoReturn:
    raise UnusableError(
        "missing", f"{_described(whole)} without {key!r}", "make observation_space and observations agree"
    )


def _described(value: object) -> str:
    return f"a tuple of {len(value)}" if isinstance(value, tuple) else f"a {type(value).__name__}"
