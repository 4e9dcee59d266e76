"""What `league show` prints: one snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid, facts_grid
from league.views.standings_table import exploitability_text
from league.views.text import MISSING, clean, half_width, interval, number, places
from league.views.watch import exploit_text

if TYPE_CHECKING:
    from league.studies.snapshot_profile import SnapshotProfile

_LINEAGE_ENDS = 6


def snapshot_view(profile: SnapshotProfile, best: bool, one_sided: bool) -> RenderableType:
    """A snapshot with its rating, its ancestors, its hyperparameters and its record against each opponent.

    best: whether it is the best of its role. one_sided: the game's rating is a mean score.
    """
    snapshot, rating, field = profile.snapshot, profile.rating, profile.field
    rated = MISSING
    if rating is not None:
        digits = places([rating.value, half_width(rating.low, rating.high)])
        rated = interval(rating.value, rating.low, rating.high, digits, signed=not one_sided)
        rated += f"   95 % interval, {rating.games} games"
    against = MISSING if field is None else f"{interval(field.value, field.low, field.high, 3)}   95 % interval"
    facts = [
        ("id", Text(clean(snapshot.id), "cyan")),
        ("name", Text(clean(snapshot.name) + ("  ★ best" if best else ""), "bold")),
        ("role", Text(clean(snapshot.role))),
        ("learner", Text(clean(snapshot.learner) or MISSING)),
        ("round", Text(str(snapshot.round))),
        ("steps", Text(f"{snapshot.steps:,}")),
        ("origin", Text("guest" if snapshot.guest else snapshot.origin)),
        *([("evicted", Text("from the pool of opponents; the ratings are its last"))] if profile.evicted else []),
        *([] if one_sided else [("against the field", Text(against))]),
        ("score" if one_sided else "rating", Text(rated)),
        *([("exploitability", Text(exploitability_text(bound)))] if (bound := profile.exploitability) else []),
        ("lineage", _ancestry(profile)),
    ]
    if (event := profile.exploited) is not None:
        facts.append(("exploit", Text(f"round {event.round}: {exploit_text(event)}")))
    parts: list[RenderableType] = [facts_grid(facts)]
    if snapshot.hyperparameters:
        values = [[clean(name), f"{value:g}"] for name, value in snapshot.hyperparameters.items()]
        parts += [Text(), Grid([Column(("hyperparameter",), least=8), Column(("value",), right=True, keep=2)], values)]
    rows = [
        [clean(row.opponent.name), *map(str, (row.games, row.wins, row.draws, row.losses)), number(row.score, 3)]
        for row in profile.record
    ]
    if rows:
        titles = (("games",), ("wins", "W"), ("draws", "D"), ("losses", "L"), ("score",))
        counted = [Column(title, right=True, keep=2) for title in titles]
        parts += [Text(), Grid([Column(("opponent",), least=8, keep=3), *counted], rows)]
    return Group(*parts)


def _ancestry(profile: SnapshotProfile) -> Text:
    """The names of a snapshot's ancestors, oldest first; a long list is shortened in the middle."""
    names = [clean(profile.begun_from)] * bool(profile.begun_from) + [clean(one.name) for one in profile.lineage]
    if len(names) > 2 * _LINEAGE_ENDS:
        left_out = len(names) - 2 * _LINEAGE_ENDS
        names = [*names[:_LINEAGE_ENDS], f"({left_out} more)", *names[-_LINEAGE_ENDS:]]
    return Text(" → ".join(names) or MISSING)
