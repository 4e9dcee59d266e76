"""One block of memory that a turn of B environments reads and writes, so that other processes can share it. No torch.

Letters in shapes: B slots, S seats, K acting seats of a role, R all seats of a role, A actions, W processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from league.games.pettingzoo.spaces import ObservationOptions

_ALIGNMENT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleLayout:
    """The rows of one role. seats: of the role. acting: K. shape, dtype: of an observation. width: A, as in
    `games.actions`. masked: there are action masks."""

    seats: tuple[int, ...]
    acting: int
    shape: tuple[int, ...]
    dtype: str
    width: int
    masked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSpec:
    """All that an `EnvBatch` must know of a game: plain values, which can be sent to another process.

    roles: in the order of the game's roles. seats: S. state: shape of the global state, or None where there is none.
    uses_env_state, horizon_is_terminal, mean_groups: as in `Driver`. truncates: final states and observations are kept.
    observations: how observations are encoded. action_shape, action_dtype: of one seat's action.
    """

    roles: tuple[RoleLayout, ...]
    seats: int
    state: tuple[int, ...] | None
    uses_env_state: bool
    horizon_is_terminal: bool
    truncates: bool
    observations: ObservationOptions
    action_shape: tuple[int, ...]
    action_dtype: str
    mean_groups: tuple[tuple[int, ...], ...]

    @property
    def no_action(self) -> float:
        """The placeholder where a seat does not act: -1, or infinity among floats."""
        return np.inf if self.action_dtype == "float32" else -1


Fields = dict[str, tuple[int, tuple[int, ...], str]]
"""By name, a field's offset in bytes, shape and dtype."""


class SharedBuffer:
    """The arrays of B slots, all views of one buffer.

    Copied into every Turn (`turn_bytes`): by role obs `[B, K, *obs_shape]`, mask `[B, K, A]` bool or None, seat
    `[B, K]` int64, present `[B, K]` bool; state `[B, *state]` float32 or None; terminated, truncated, forfeit
    `[B, S]` bool; ended `[B]` bool; reward, score `[B, S]` float32, which the game writes.
    Copied where a seat was truncated (`final_bytes`): final_state `[B, *state]` float32 and by role final_obs
    `[B, R, *obs_shape]`, zeros in other slots. They exist only where the game can truncate.
    Read and written by the environments only: command `[B]` uint8 (see `vector_env`), action `[B, S, *action_shape]`,
    seed `[B]` int64 for episodes that begin, env_reward `[B, S]` float64, and stepping `[W]` int64, the slot that each
    process is stepping.
    fields: the place of each array. buffer: `size(…)` bytes.
    """

    def __init__(self, spec: BatchSpec, slots: int, processes: int, buffer: npt.NDArray[np.uint8]) -> None:
        self.spec, self.slots = spec, slots
        self.fields, turn_end, final_end, _ = _layout(spec, slots, processes)
        self.turn_bytes, self.final_bytes = buffer[:turn_end], buffer[turn_end:final_end]
        arrays = {
            name: np.ndarray(shape, dtype, buffer.data, offset) for name, (offset, shape, dtype) in self.fields.items()
        }
        roles = range(len(spec.roles))
        self.obs: list[npt.NDArray[Any]] = [arrays[f"obs.{i}"] for i in roles]
        self.mask = [arrays.get(f"mask.{i}") for i in roles]
        self.seat, self.present = ([arrays[f"{name}.{i}"] for i in roles] for name in ("seat", "present"))
        self.state, self.final_state = arrays.get("state"), arrays.get("final_state")
        self.final_obs = [arrays[f"final_obs.{i}"] for i in roles] if spec.truncates else []
        self.terminated, self.truncated = arrays["terminated"], arrays["truncated"]
        self.forfeit, self.ended = arrays["forfeit"], arrays["ended"]
        self.reward, self.score = arrays["reward"], arrays["score"]
        self.command, self.action, self.seed = arrays["command"], arrays["action"], arrays["seed"]
        self.env_reward, self.stepping = arrays["env_reward"], arrays["stepping"]

    @staticmethod
    def size(spec: BatchSpec, slots: int, processes: int) -> int:
        """The size in bytes of a buffer for `slots` slots."""
        return _layout(spec, slots, processes)[3]


def _layout(spec: BatchSpec, slots: int, processes: int) -> tuple[Fields, int, int, int]:
    """All fields, and the ends of three parts: what every Turn copies, final states and observations, and the rest."""
    turn: dict[str, tuple[tuple[int, ...], str]] = {}
    final: dict[str, tuple[tuple[int, ...], str]] = {}
    for index, role in enumerate(spec.roles):
        rows = (slots, role.acting)
        turn[f"obs.{index}"] = ((*rows, *role.shape), role.dtype)
        if role.masked:
            turn[f"mask.{index}"] = ((*rows, role.width), "bool")
        turn[f"seat.{index}"], turn[f"present.{index}"] = (rows, "int64"), (rows, "bool")
        if spec.truncates:
            final[f"final_obs.{index}"] = ((slots, len(role.seats), *role.shape), role.dtype)
    if spec.state is not None:
        turn["state"] = ((slots, *spec.state), "float32")
        if spec.truncates:
            final["final_state"] = turn["state"]
    seats = (slots, spec.seats)
    turn |= dict.fromkeys(("terminated", "truncated", "forfeit"), (seats, "bool")) | {"ended": ((slots,), "bool")}
    turn |= {"reward": (seats, "float32"), "score": (seats, "float32")}
    inner = {
        "command": ((slots,), "uint8"),
        "action": ((*seats, *spec.action_shape), spec.action_dtype),
        "seed": ((slots,), "int64"),
        "env_reward": (seats, "float64"),
        "stepping": ((processes,), "int64"),
    }
    fields: Fields = {}
    offset, ends = 0, list[int]()
    for part in (turn, final, inner):
        for name, (shape, dtype) in part.items():
            fields[name] = offset, shape, dtype
            offset += -(-int(np.prod(shape)) * np.dtype(dtype).itemsize // _ALIGNMENT) * _ALIGNMENT
        ends.append(offset)
    return fields, ends[0], ends[1], ends[2]
