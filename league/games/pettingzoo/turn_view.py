"""The sheet on which environments play (`bank.py`) as the tensors of a `Turn`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.games.core import Acting, RoleSpec, Turn
from league.games.pettingzoo.vector_env import Sheet

TORCH = {name: getattr(torch, name) for name in ("uint8", "int8", "float32", "int64", "bool")}
"""torch's dtypes by numpy's names."""

_View = tuple[torch.dtype, tuple[int, ...], tuple[int, ...], int]
"""dtype, shape, stride, and offset in numbers of the dtype."""


class Showing:
    """Reads turns off one sheet, for a game with these roles, onto a device."""

    def __init__(self, sheet: Sheet, roles: Sequence[RoleSpec], device: torch.device) -> None:
        self._sheet, self._roles, self._device = sheet, roles, device
        self._shown, self._final = self._views(0, sheet.shown), self._views(len(sheet.shown), sheet.final)
        zeros = torch.zeros(1, device=device)
        self._nothing = {name: zeros.to(dtype).expand(shape) for name, (dtype, shape, _, _) in self._final.items()}

    def turn(self) -> Turn:
        """What the sheet shows, copied: it is written again on the next turn."""
        sheet, shown = self._sheet, self._copied(self._sheet.shown, self._shown)
        # As large as all that agents see, and mostly zeros: copied only where it is not.
        final = self._copied(sheet.final, self._final) if self._final and sheet.truncated.any() else self._nothing
        acts = {
            role.name: Acting(shown[f"obs.{i}"], shown.get(f"mask.{i}"), shown[f"seat.{i}"], shown[f"present.{i}"])
            for i, role in enumerate(self._roles)
        }
        return Turn(
            acts,
            shown["paid"],
            shown["terminated"],
            shown["truncated"],
            shown["ended"],
            shown["score"],
            shown.get("state"),
            final.get("final_state"),
            shown["forfeit"],
            {role.name: final[f"final_obs.{i}"] for i, role in enumerate(self._roles)} if final else None,
        )

    def _copied(self, part: npt.NDArray[np.uint8], views: dict[str, _View]) -> dict[str, Tensor]:
        whole = torch.from_numpy(part).to(self._device, copy=True)
        typed = {dtype: whole.view(dtype) for dtype in TORCH.values()}
        return {
            name: typed[dtype].as_strided(shape, stride, offset)
            for name, (dtype, shape, stride, offset) in views.items()
        }

    def _views(self, first: int, part: npt.NDArray[np.uint8]) -> dict[str, _View]:
        """The fields that lie in a part of the sheet, which begins with byte `first`."""
        views = {}
        for name, (offset, shape, dtype) in self._sheet.places.items():
            if first <= offset < first + len(part):
                kind = TORCH[dtype]
                views[name] = kind, shape, torch.empty(shape, device="meta").stride(), (offset - first) // kind.itemsize
        return views
