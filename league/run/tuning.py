"""How a run uses its machine: chosen once by a rule, stored with the run and reused when it resumes.

The rule measures no time, so it makes the same choice on the same machine, and equal seeds give equal bytes. Threads
and workers split work without changing results; results depend only on `microbatch_rows` and `precision`.
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

    microbatch_rows: the most rows of a minibatch that one thread computes at once. precision: of updates, where the
    config leaves it open ("auto").
    """

    threads: int
    workers: int
    microbatch_rows: int
    precision: str

    def changes_since(self, before: Mapping[str, object] | None) -> str:
        """A sentence on what has changed since the run last chose its tuning; empty if nothing has."""
        now = self.to_dict()
        then = {**now, **(before or {})}
        changed = [f"{key} {then[key]} → {now[key]}" for key in now if then[key] != now[key]]
        if not changed:
            return ""
        same = then["piece"] == self.microbatch_rows and then["precision"] == self.precision
        effect = "results stay the same" if same else "results from here on are not bit-identical"
        return f"the machine is used differently than before ({', '.join(changed)}): {effect}"

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values, with the keys that runs store."""
        return {
            "threads": self.threads,
            "workers": self.workers,
            "piece": self.microbatch_rows,
            "precision": self.precision,
        }


def choose(config: RunConfig, native: bool, device: torch.device, kept: Mapping[str, object] | None = None) -> Tuning:
    """The tuning of a run. kept: a stored `Tuning.to_dict` to reuse; None chooses a new one.

    Settings in the config take precedence over stored ones.
    """
    cores = usable_cores()
    before = {"precision": "float32"} if kept else {}  # which runs that do not name it have had
    old = {
        "threads": cores,
        "workers": 0 if native else cores,
        "piece": _CACHED_ROWS if device.type == "cpu" else _ALL_ROWS,
        "precision": "bfloat16" if device.type == "cpu" and _computes_bfloat16() else "float32",
        **before,
        **(kept or {}),
    }
    workers = old["workers"] if config.workers is None or native else config.workers
    return Tuning(
        threads=config.threads or int(str(old["threads"])),
        workers=int(str(workers)),
        microbatch_rows=int(str(old["piece"])),
        precision=str(old["precision"]),
    )


def _computes_bfloat16() -> bool:
    """Whether this processor multiplies matrices of bfloat16 in hardware: AVX512_BF16 or AMX, about twice as fast."""
    known = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return any(bool(ask()) for ask in known if ask is not None)
