"""How a run uses its machine: chosen once by rule, kept with the run and used again when it goes on.

The rule does not look at the clock, so it makes the same choice on the same machine, and equal seeds give equal bytes.
Threads and workers share work out without changing results; they depend on `microbatch_rows` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from league.config.run import RunConfig
from league.threads import usable_cores

TUNING_FACT = "tuning"
"""The key under which a run keeps its tuning among its facts."""

_CACHED_ROWS = 2048
"""Rows whose activations, in networks of a few hundred units a layer, fit a core's share of the cache."""

_ALL_ROWS = 2**31
"""On other devices: the larger the better."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """threads: how many compute side by side. workers: processes that step Python environments (0: none).

    microbatch_rows: the most rows of a minibatch that one thread computes at once.
    """

    threads: int
    workers: int
    microbatch_rows: int

    def news(self, before: Mapping[str, object] | None) -> str:
        """A sentence on what has changed since the run last chose its tuning; empty if nothing has."""
        now = self.to_dict()
        then = {**now, **(before or {})}
        changed = [f"{key} {then[key]} → {now[key]}" for key in now if then[key] != now[key]]
        if not changed:
            return ""
        same = then["piece"] == self.microbatch_rows
        effect = "results stay the same" if same else "results from here on are not bit-identical"
        return f"the machine is used differently than before ({', '.join(changed)}): {effect}"

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values, by the keys that runs keep."""
        return {"threads": self.threads, "workers": self.workers, "piece": self.microbatch_rows}


def choose(config: RunConfig, native: bool, device: torch.device, kept: Mapping[str, object] | None = None) -> Tuning:
    """The tuning of a run. kept: what `Tuning.to_dict` gave when it was chosen before; None chooses anew.

    Settings of the config take precedence over what was kept.
    """
    cores = usable_cores()
    rule = Tuning(cores, 0 if native else cores, _CACHED_ROWS if device.type == "cpu" else _ALL_ROWS)
    old = {key: int(str(value)) for key, value in (rule.to_dict() | dict(kept or {})).items()}
    workers = old["workers"] if config.workers is None or native else config.workers
    return Tuning(config.threads or old["threads"], workers, old["piece"])
