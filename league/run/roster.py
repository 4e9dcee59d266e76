"""The roster of one run: its ranking, and the policies of its snapshots and anchors, loaded when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from league.config.sections import RatingConfig
from league.errors import PolicyError
from league.games.core import GameSpec
from league.policies import weights
from league.policies.core import Policy
from league.policies.neural import fits, restore
from league.records import PolicyId, Snapshot
from league.run.anchors import make_anchor
from league.run.ranking import GameFacts, Ranking

_KEPT = 128
"""How many policies stay loaded."""


class Roster(Ranking):
    """The ranking of a run whose policies can be had.

    folder: where snapshot files lie. rating: settings of rating systems. device: where policies run.
    """

    def __init__(self, spec: GameSpec, folder: Path, rating: RatingConfig | None = None, device: str = "cpu") -> None:
        super().__init__(GameFacts.of(spec), (rating or RatingConfig()).model_dump(mode="json"))
        self.spec, self.folder, self.device = spec, folder, device
        self._loaded: dict[PolicyId, Policy] = {}
        self._met: frozenset[PolicyId] = frozenset()

    @property
    def active(self) -> tuple[Snapshot, ...]:
        """The anchors that are met from now on: random play, and those that were last joined."""
        return tuple(anchor for anchor in self.anchors if anchor.zero or anchor.id in self._met)

    def join(self, anchors: Sequence[Snapshot]) -> None:
        """Meet these anchors from now on, and no others but random play. Whoever was met before keeps its games."""
        known = {anchor.id for anchor in self.anchors}
        self.joined += [anchor for anchor in anchors if anchor.id not in known]
        self._met = frozenset(anchor.id for anchor in anchors)

    def policy(self, id: PolicyId) -> Policy:
        """The frozen policy of a snapshot or anchor. Raises SnapshotError where its file is missing or damaged."""
        if id not in self._loaded:
            if len(self._loaded) >= _KEPT:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[id] = self._load(id)
        return self._loaded[id]

    def _load(self, id: PolicyId) -> Policy:
        for anchor in self.anchors:
            if anchor.id == id:
                return make_anchor(anchor.text, anchor.role, self.spec)
        metadata, tensors = weights.read(self.folder, id)
        if reason := fits(metadata, self.spec):
            raise PolicyError(f"snapshot {id[:8]} does not fit this game: {reason}")
        return restore(metadata, tensors, f"snapshot {id[:8]}", self.device)
