"""The entrants of a run: all rated policies, that is snapshots, in the order in which they joined, and anchors.

Snapshots that were evicted stay entrants: they keep their name, file and results. They are not in the pool, whose
members are opponents in training and in rated matches, and are rated against each other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from league.errors import PolicyError
from league.policies.names import anchor_name
from league.records import PolicyId, Snapshot, anchor

Value = TypeVar("Value")


class Entrants:
    """Snapshots, oldest first, and, separately, anchors. roles: those of the game.

    pool: the snapshots that were not evicted, oldest first. evicted: the ids of the others.
    added: the anchors besides random play, and guests, in the order in which they joined. They stay in the standings.
    """

    def __init__(self, roles: Sequence[str]) -> None:
        self.roles = tuple(roles)
        self.snapshots: list[Snapshot] = []
        self.pool: list[Snapshot] = []
        self.evicted: frozenset[PolicyId] = frozenset()
        self.added: list[Snapshot] = []
        self._active: frozenset[PolicyId] = frozenset()

    @property
    def anchors(self) -> tuple[Snapshot, ...]:
        """Random play for each role, and the anchors that were added."""
        return (*(anchor(role, len(self.roles)) for role in self.roles), *self.added)

    @property
    def active(self) -> tuple[Snapshot, ...]:
        """The anchors that new snapshots are still matched with: random play, and those of the last `join` call."""
        return tuple(one for one in self.anchors if one.zero or one.id in self._active)

    @property
    def everyone(self) -> list[Snapshot]:
        """Anchors and snapshots."""
        return [*self.anchors, *self.snapshots]

    @property
    def contenders(self) -> list[Snapshot]:
        """Anchors and the pool."""
        return [*self.anchors, *self.pool]

    def add(self, taken: Sequence[Snapshot]) -> None:
        """Add new snapshots, to the pool, too."""
        self.snapshots += taken
        self.pool += taken

    def evict(self, gone: Collection[PolicyId]) -> None:
        """Remove snapshots from the pool."""
        self.evicted |= frozenset(gone)
        self.pool = [one for one in self.pool if one.id not in self.evicted]

    def replace(self, known: Sequence[Snapshot], evicted: Collection[PolicyId] = ()) -> None:
        """Replace all entrants by those in a run's database. evicted: the ids of those that are not in the pool."""
        self.snapshots = [one for one in known if one.origin != "anchor"]
        self.pool = list(self.snapshots)
        self.evict(evicted)
        self.added = [one for one in known if one.origin == "anchor" and not one.zero]

    def join(self, anchors: Sequence[Snapshot]) -> None:
        """Make these the active anchors besides random play. Formerly active anchors keep their results."""
        # Older versions called an anchor by the whole path of its file.
        known = {(one.role, anchor_name(one.text)): one for one in self.anchors if not one.guest}
        joined = [known.get((one.role, one.text), one) for one in anchors]
        self.added += [one for one in joined if one not in known.values()]
        self._active = frozenset(one.id for one in joined)

    def latest(self, role: str) -> Snapshot | None:
        """The newest snapshot of a role's first learner: that of another may be an exploiter's."""
        first = next((one for one in self.snapshots if one.role == role), None)
        own = (one for one in reversed(self.snapshots) if first and (one.role, one.learner) == (role, first.learner))
        return next(own, None)

    def lineage(self, snapshot: Snapshot) -> list[Snapshot]:
        """The snapshot's ancestors in this run, oldest first, then the snapshot itself."""
        by_id = {one.id: one for one in self.snapshots}
        chain = [snapshot]
        while (parent := by_id.get(chain[-1].parent or "")) is not None:
            chain.append(parent)
        return chain[::-1]

    def named(self, text: str, roles: Sequence[str]) -> Snapshot:
        """The snapshot or anchor that `text` refers to: an anchor's text, a name, an id or a unique id prefix.

        roles: the accepted roles; an anchor's text refers to the first role's anchor. Raises PolicyError.
        """
        for one in self.anchors:
            if one.text == text and one.role == roles[0]:
                return one
        exact = [one for one in self.everyone if text in (one.name, one.id)]
        hashed = [one for one in self.everyone if one.guest or one.origin != "anchor"]
        close = exact or [one for one in hashed if len(text) >= 3 and one.id.startswith(text)]
        if len(close) > 1:
            shown = ", ".join(snapshot.short for snapshot in close[:5])
            raise PolicyError(f"'{text}' is ambiguous: {len(close)} snapshots start so ({shown}); give more digits")
        if not close:
            raise PolicyError(
                f"no policy is called '{text}': give a snapshot's id (or the first digits of one), its name, best, "
                "latest, nash, average, random, one-ply, mcts=N, a folder that `league export` wrote, or "
                "package.module:Name"
            )
        if close[0].role not in roles:
            raise PolicyError(f"'{text}' has the role '{close[0].role}', but {' or '.join(roles)} is needed")
        return close[0]

    def in_order(self, values: Mapping[PolicyId, Value]) -> dict[PolicyId, Value]:
        """Values by id in the order of the entrants, so that computed and cached ones are in the same order."""
        return {one.id: values[one.id] for one in self.everyone if one.id in values}
