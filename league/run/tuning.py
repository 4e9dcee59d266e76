"""How a run uses its machine: chosen once, by rule and not by the clock, kept in the run and used when it goes on.

A rule gives the same choice on the same machine every time, so equal seeds give equal bytes. Threads and workers share
work out without changing any result; `piece` is the only choice that the bytes depend on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch

from league.config.run import RunConfig
from league.threads import usable_cores

TUNING_FACT = "tuning"
"""The key under which a run keeps its tuning among its facts."""

_PIECE = 2048
"""Rows whose activations, in networks of a few hundred units a layer, stay in a core's share of the cache."""

_WHOLE = 2**31
"""On other devices: the larger the better."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """threads: that compute beside each other, each alone. workers: processes that step a Python environment (0: this
    one does). piece: rows of a minibatch that one
    thread computes at once, at most.
    """

    threads: int
    workers: int
    piece: int

    def news(self, before: Mapping[str, object] | None) -> str:
        """A sentence on what differs from how the run used its machine until now; empty where nothing does."""
        now = self.to_dict()
        then = {**now, **(before or {})}
        changed = [f"{key} {then[key]} → {now[key]}" for key in now if then[key] != now[key]]
        if not changed:
            return ""
        other_sums = then["piece"] != self.piece
        effect = "what is learnt from here on differs in its bytes" if other_sums else "results stay the same"
        return f"the machine is used in another way than before ({', '.join(changed)}): {effect}"

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        return asdict(self)


def choose(config: RunConfig, native: bool, device: torch.device, kept: Mapping[str, object] | None = None) -> Tuning:
    """The tuning of a run. kept: what `Tuning.to_dict` gave when it was chosen before; None chooses anew.

    What the config states stands before what was kept.
    """
    cores = usable_cores()
    rule = Tuning(cores, 0 if native else cores, _PIECE if device.type == "cpu" else _WHOLE)
    old = Tuning(**{**rule.to_dict(), **(kept or {})})  # type: ignore[arg-type]
    workers = old.workers if config.workers is None or native else config.workers
    return Tuning(config.threads or old.threads, workers, old.piece)
