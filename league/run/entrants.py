"""The entrants of a run: all policies that are rated, snapshots in the order in which they joined and anchors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from league.errors import PolicyError
from league.records import PolicyId, Snapshot, anchor

Value = TypeVar("Value")


class Entrants:
    """Snapshots, oldest first, and anchors apart. roles: of the game.

    added: the anchors beside random play, in the order in which they joined; they keep their line in the standings.
    """

    def __init__(self, roles: Sequence[str]) -> None:
        self.roles = tuple(roles)
        self.snapshots: list[Snapshot] = []
        self.added: list[Snapshot] = []
        self._active: frozenset[PolicyId] = frozenset()

    @property
    def anchors(self) -> tuple[Snapshot, ...]:
        """Random play for each role, and the anchors that were added."""
        return (*(anchor(role, len(self.roles)) for role in self.roles), *self.added)

    @property
    def active(self) -> tuple[Snapshot, ...]:
        """The anchors that new snapshots are still matched with: random play, and those of the last `join`."""
        return tuple(one for one in self.anchors if one.zero or one.id in self._active)

    @property
    def everyone(self) -> list[Snapshot]:
        """Anchors and snapshots."""
        return [*self.anchors, *self.snapshots]

    def replace(self, known: Sequence[Snapshot]) -> None:
        """Take what a run's database lists."""
        self.snapshots = [one for one in known if one.origin != "anchor"]
        self.added = [one for one in known if one.origin == "anchor" and not one.zero]

    def join(self, anchors: Sequence[Snapshot]) -> None:
        """Make these the active anchors beside random play. Anchors that were active before keep their results."""
        known = {one.id for one in self.anchors}
        self.added += [one for one in anchors if one.id not in known]
        self._active = frozenset(one.id for one in anchors)

    def latest(self, role: str) -> Snapshot | None:
        """The newest snapshot of a role."""
        return next((snapshot for snapshot in reversed(self.snapshots) if snapshot.role == role), None)

    def named(self, text: str, roles: Sequence[str]) -> Snapshot:
        """The snapshot or anchor that `text` means: an anchor's text, a name, an id or a unique prefix of one.

        roles: those that are wanted; an anchor's text means the first one's. Raises PolicyError.
        """
        for one in self.anchors:
            if one.text == text and one.role == roles[0]:
                return one
        exact = [one for one in self.everyone if text in (one.name, one.id)]
        close = exact or [snapshot for snapshot in self.snapshots if len(text) >= 3 and snapshot.id.startswith(text)]
        if len(close) > 1:
            shown = ", ".join(snapshot.short for snapshot in close[:5])
            raise PolicyError(f"'{text}' is ambiguous: {len(close)} snapshots begin so ({shown}); give more digits")
        if not close:
            raise PolicyError(
                f"no policy is called '{text}': give a snapshot's id (or the first digits of one), its name, best, "
                "latest, random, one-ply, mcts=N, a folder that `league export` wrote, or package.module:Name"
            )
        if close[0].role not in roles:
            raise PolicyError(f"'{text}' has the role '{close[0].role}', wanted is {' or '.join(roles)}")
        return close[0]

    def in_order(self, values: Mapping[PolicyId, Value]) -> dict[PolicyId, Value]:
        """Values by id in the order of the entrants, so that those computed and those cached cannot be told apart."""
        return {one.id: values[one.id] for one in self.everyone if one.id in values}
