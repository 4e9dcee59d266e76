"""The roster of one run: its snapshots and anchors, their ratings, and their policies, loaded when they are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from league.config import RatingConfig
from league.errors import PolicyError
from league.games.core import GameSpec
from league.policies import weights
from league.policies.core import Policy
from league.policies.neural import fits, restore
from league.policies.scripted import make_scripted
from league.rating.core import RatingModel, make_rating
from league.rating.standings import ONE_SIDED, REFERENCE, best_ids, ranked, records
from league.records import MatchResult, PolicyId, Rating, Snapshot, Standing, anchor_id

_KEPT = 128
"""How many policies stay loaded."""


def anchors_of(spec: GameSpec) -> tuple[Snapshot, ...]:
    """The anchors of a game: uniformly random legal play for each role."""
    return tuple(
        Snapshot(anchor_id(role.name, len(spec.roles)), role.name, "", 0, 0, 0, "anchor") for role in spec.roles
    )


@dataclass(slots=True)
class Roster:
    """Snapshots in the order in which they joined, anchors apart, and the ledger of their rated matches.

    folder: where snapshot files lie. ratings: the reference ratings by id (`rate`). rating: settings of rating systems.
    """

    spec: GameSpec
    folder: Path
    snapshots: list[Snapshot] = field(default_factory=list)
    results: list[MatchResult] = field(default_factory=list)
    ratings: dict[PolicyId, Rating] = field(default_factory=dict)
    rating: RatingConfig = field(default_factory=RatingConfig)
    device: str = "cpu"
    _loaded: dict[PolicyId, Policy] = field(default_factory=dict)

    @property
    def anchors(self) -> tuple[Snapshot, ...]:
        """One snapshot of random play per role."""
        return anchors_of(self.spec)

    @property
    def anchor_ids(self) -> frozenset[PolicyId]:
        """The anchors' ids."""
        return frozenset(anchor.id for anchor in self.anchors)

    @property
    def one_sided(self) -> bool:
        """Whether the game has no opponents, so that policies are rated by their mean score."""
        return len(self.spec.sides) == 1

    def rate(self) -> None:
        """Refit the reference ratings, which decide who is best, from the whole ledger."""
        name = ONE_SIDED if self.one_sided else REFERENCE
        self.ratings = self._model(name).rate(self.results, self.anchor_ids) if self.results else {}

    def standings(self, role: str, by: str | None = None) -> tuple[Standing, ...]:
        """The standings of a role, best first. by: a rating system's name; the reference where None.

        Raises ConfigError for an unknown name.
        """
        ratings = self.ratings
        if by not in (None, REFERENCE):
            model = self._model(str(by))
            if not self.one_sided:
                ratings = model.rate(self.results, self.anchor_ids)
        everyone = [*self.anchors, *self.snapshots]
        played = records(self.results)
        return ranked(everyone, ratings, played, best_ids(everyone, self.ratings), role, self.one_sided)

    def _model(self, name: str) -> RatingModel:
        return make_rating(name, **self.rating.options(name))

    def best(self, role: str) -> Snapshot | None:
        """The trained snapshot whose rating's lower 95 % bound is highest; None before any rated game."""
        return next((line.snapshot for line in self.standings(role) if line.best), None)

    def latest(self, role: str) -> Snapshot | None:
        """The newest snapshot of a role."""
        return next((snapshot for snapshot in reversed(self.snapshots) if snapshot.role == role), None)

    def named(self, text: str, roles: Sequence[str]) -> Snapshot:
        """The snapshot or anchor that `text` means: best, latest, an anchor's name, a name, or a unique id prefix.

        roles: what may be meant, the first one preferred for best and latest. Raises PolicyError.
        """
        if text in ("best", "latest"):
            found = (self.best if text == "best" else self.latest)(roles[0])
            if found is None:
                raise PolicyError(f"there is no '{text}' yet: no rated snapshot of role '{roles[0]}'")
            return found
        if text == "random":
            return next(anchor for anchor in self.anchors if anchor.role == roles[0])
        exact = [snapshot for snapshot in (*self.anchors, *self.snapshots) if text in (snapshot.name, snapshot.id)]
        close = exact or [snapshot for snapshot in self.snapshots if len(text) >= 3 and snapshot.id.startswith(text)]
        if len(close) > 1:
            shown = ", ".join(snapshot.short for snapshot in close[:5])
            raise PolicyError(f"'{text}' is ambiguous: {len(close)} snapshots begin so ({shown}); give more digits")
        if not close:
            raise PolicyError(
                f"no policy is called '{text}': give a snapshot's id (or the first digits of one), its name, best, "
                "latest, random, one-ply, a folder that `league export` wrote, or package.module:Name"
            )
        if close[0].role not in roles:
            raise PolicyError(f"'{text}' has the role '{close[0].role}', wanted is {' or '.join(roles)}")
        return close[0]

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
                return make_scripted("random", anchor.role, self.spec)
        metadata, tensors = weights.read(self.folder, id)
        if reason := fits(metadata, self.spec):
            raise PolicyError(f"snapshot {id[:8]} does not fit this game: {reason}")
        return restore(metadata, tensors, f"snapshot {id[:8]}", self.device)
