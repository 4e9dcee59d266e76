"""The roster of a run: its entrants with their ranking, and their policies, loaded on demand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from league.config.sections import RatingConfig
from league.errors import PolicyError
from league.games.core import GameSpec
from league.policies import weights
from league.policies.core import Policy
from league.policies.names import anchor_name
from league.policies.neural import fits, restore
from league.records import PolicyId
from league.run.roster.anchors import make_anchor
from league.run.roster.game_facts import GameFacts
from league.run.roster.ranking import Ranking

_MAX_LOADED = 128
"""The most policies that stay loaded."""


class Roster:
    """The ranking and policies of a run. folder: of the snapshot files. device: where policies run.

    places: where the files of anchors are, by `names.anchor_name`. stand_ins: by role, the POLICY for posts that none
    is named for; by default the best or the latest snapshot.
    """

    def __init__(
        self,
        spec: GameSpec,
        folder: Path,
        rating: RatingConfig | None = None,
        device: str = "cpu",
        places: Mapping[str, str] | None = None,
        stand_ins: Mapping[str, str] | None = None,
    ) -> None:
        self.spec, self.folder, self.device = spec, folder, device
        self.places, self.stand_ins = places or {}, stand_ins or {}
        self.ranking = Ranking(GameFacts.of(spec), (rating or RatingConfig()).model_dump(mode="json"))
        self.entrants, self.ratings = self.ranking.entrants, self.ranking.ratings
        self._loaded: dict[PolicyId, Policy] = {}

    def policy(self, id: PolicyId) -> Policy:
        """The frozen policy of a snapshot or anchor. Raises SnapshotError if its file is missing or damaged."""
        if id not in self._loaded:
            if len(self._loaded) >= _MAX_LOADED:
                del self._loaded[next(iter(self._loaded))]
            self._loaded[id] = self._load(id)
        return self._loaded[id]

    def _load(self, id: PolicyId) -> Policy:
        for anchor in self.entrants.anchors:
            if anchor.id == id and anchor.guest:
                raise PolicyError(f"{id[:8]} is the guest '{anchor.guest}', which this run has no copy of: name it so")
            if anchor.id == id:
                text = self.places.get(anchor_name(anchor.text), anchor.text)
                return make_anchor(text, anchor.role, self.spec, self.device)
        metadata, tensors = weights.read(self.folder, id)
        if reason := fits(metadata, self.spec):
            raise PolicyError(f"snapshot {id[:8]} does not fit this game: {reason}")
        return restore(metadata, tensors, f"snapshot {id[:8]}", self.device)
