"""How a run uses its machine: chosen once by a rule, stored with the run and reused when it resumes.

The rule measures no time, so it makes the same choice on the same machine, and equal seeds give equal bytes. Threads
and workers split work without changing results; results depend only on `microbatch_rows`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from league.config.run import RunConfig
from league.threads import usable_cores

TUNING_FACT = "tuning"
"""The key of a run's fact that stores its tuning."""

_CACHED_ROWS = 2048
"""Rows whose activations fit a core's share of the cache, in networks with a few hundred units per layer."""

_ALL_ROWS = 2**31
"""On other devices, minibatches are not split."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """threads: computing in parallel. workers: processes that step Python environments (0: none).

    microbatch_rows: the most rows of a minibatch that one thread computes at once.
    """

    threads: int
    workers: int
    microbatch_rows: int

    def changes_since(self, before: Mapping[str, object] | None) -> str:
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
        """As plain JSON values, with the keys that runs store."""
        return {"threads": self.threads, "workers": self.workers, "piece": self.microbatch_rows}


def choose(config: RunConfig, native: bool, device: torch.device, kept: Mapping[str, object] | None = None) -> Tuning:
    """The tuning of a run. kept: a stored `Tuning.to_dict` to reuse; None chooses a new one.

    Settings in the config take precedence over stored ones.
    """
    cores = usable_cores()
    rule = Tuning(cores, 0 if native else cores, _CACHED_ROWS if device.type == "cpu" else _ALL_ROWS)
    old = {key: int(str(value)) for key, value in (rule.to_dict() | dict(kept or {})).items()}
    workers = old["workers"] if config.workers is None or native else config.workers
    return Tuning(config.threads or old["threads"], workers, old["piece"])
