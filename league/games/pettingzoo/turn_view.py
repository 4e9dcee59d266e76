"""A `SharedBuffer` as the tensors of a `Turn`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.games.core import Acting, RoleSpec, Turn
from league.games.pettingzoo.shared_buffer import SharedBuffer

TORCH_DTYPES = {name: getattr(torch, name) for name in ("uint8", "int8", "float32", "int64", "bool")}
"""torch's dtypes by numpy's names."""

_View = tuple[torch.dtype, tuple[int, ...], tuple[int, ...], int]
"""dtype, shape, stride, and offset in numbers of the dtype."""


class TurnView:
    """Copies turns from one buffer to a device, for a game with these roles."""

    def __init__(self, buffer: SharedBuffer, roles: Sequence[RoleSpec], device: torch.device) -> None:
        self._buffer, self._roles, self._device = buffer, roles, device
        self._turn_views = self._views(0, buffer.turn_bytes)
        self._final_views = self._views(len(buffer.turn_bytes), buffer.final_bytes)
        zeros = torch.zeros(1, device=device)
        self._no_final = {
            name: zeros.to(dtype).expand(shape) for name, (dtype, shape, _, _) in self._final_views.items()
        }

    def turn(self) -> Turn:
        """The current turn, as a copy: the buffer is written again on the next turn."""
        buffer, now = self._buffer, self._copied(self._buffer.turn_bytes, self._turn_views)
        # As large as everything that agents observe, and mostly zeros: copied only where it is not.
        any_final = self._final_views and buffer.truncated.any()
        final = self._copied(buffer.final_bytes, self._final_views) if any_final else self._no_final
        acts = {
            role.name: Acting(now[f"obs.{i}"], now.get(f"mask.{i}"), now[f"seat.{i}"], now[f"present.{i}"])
            for i, role in enumerate(self._roles)
        }
        return Turn(
            acts=acts,
            reward=now["reward"],
            terminated=now["terminated"],
            truncated=now["truncated"],
            ended=now["ended"],
            score=now["score"],
            state=now.get("state"),
            final_state=final.get("final_state"),
            forfeit=now["forfeit"],
            final_obs={role.name: final[f"final_obs.{i}"] for i, role in enumerate(self._roles)} if final else None,
        )

    def _copied(self, part: npt.NDArray[np.uint8], views: dict[str, _View]) -> dict[str, Tensor]:
        whole = torch.from_numpy(part).to(self._device, copy=True)
        typed = {dtype: whole.view(dtype) for dtype in TORCH_DTYPES.values()}
        return {
            name: typed[dtype].as_strided(shape, stride, offset)
            for name, (dtype, shape, stride, offset) in views.items()
        }

    def _views(self, first: int, part: npt.NDArray[np.uint8]) -> dict[str, _View]:
        """The fields in a part of the buffer that begins at byte `first`."""
        views = {}
        for name, (offset, shape, dtype) in self._buffer.fields.items():
            if first <= offset < first + len(part):
                kind = TORCH_DTYPES[dtype]
                views[name] = kind, shape, torch.empty(shape, device="meta").stride(), (offset - first) // kind.itemsize
        return views
