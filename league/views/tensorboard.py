"""TensorBoard output: a listener that writes metrics, ratings and phases to `RUN/tensorboard`."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import TYPE_CHECKING

from league.errors import ConfigError
from league.events import Event, RoundFinished, RunStarted, RunStopped
from league.records import Standing

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"
"""The folder's name within a run's folder."""


class TensorBoard:
    """Writes a run's events. The step of every point is the run's total of agent-steps.

    Tags: `LEARNER/METRIC`, `rating/LEARNER` and `field/LEARNER` (of the learner's latest snapshot in the standings),
    `phase/NAME` (seconds) and `run/…`. A resumed run first drops the points after its last committed round, so that
    none is written twice. Raises ConfigError if the package is missing.
    """

    def __init__(self, folder: Path) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise ConfigError(
                "tensorboard = true needs the package tensorboard: pip install 'selfplay-league[tensorboard]' (from a "
                "checkout: pip install -e '.[tensorboard]'), or leave it out with --set tensorboard=false"
            )
        self._folder = folder / FOLDER
        self._writer: SummaryWriter | None = None

    def __call__(self, event: Event) -> None:
        """Handle an event and write its values."""
        match event:
            case RunStarted():
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(self._folder), purge_step=event.steps + 1)
            case RoundFinished() if self._writer is not None:
                for tag, value in points(event).items():
                    self._writer.add_scalar(tag, value, event.steps)
                self._writer.flush()
            case RunStopped() if self._writer is not None:
                self._writer.close()
                self._writer = None


def points(event: RoundFinished) -> dict[str, float]:
    """The finite values of a round, by tag."""
    found = {f"{learner}/{name}": value for learner, values in event.metrics.items() for name, value in values.items()}
    found |= {f"rating/{line.snapshot.learner}": line.rating.value for line in _latest(event)}
    found |= {f"field/{line.snapshot.learner}": line.field.value for line in _latest(event) if line.field is not None}
    found |= {f"phase/{name}": seconds for name, seconds in event.phases.items()}
    found |= {"run/steps_per_second": event.steps_per_second, "run/seconds": event.seconds, "run/round": event.round}
    return {tag.replace(" ", "_"): float(value) for tag, value in found.items() if math.isfinite(value)}


def _latest(event: RoundFinished) -> list[Standing]:
    """The standing of each learner's latest snapshot."""
    found: dict[str, Standing] = {}
    for lines in event.standings.values():
        for line in lines:
            learner = line.snapshot.learner
            if learner and (learner not in found or line.snapshot.number > found[learner].snapshot.number):
                found[learner] = line
    return list(found.values())
