"""Rating systems side by side: every snapshot's ratings, and how well each system predicts held-out results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.records import Standing
from league.views.grid import Column, Grid
from league.views.standings_table import NO_MATCHES
from league.views.text import MISSING, clean, number, places

if TYPE_CHECKING:
    from league.rating.prediction.goodness import GoodnessOfFit


def comparison_table(
    lines: Mapping[str, Sequence[Standing]], goodness: Mapping[str, GoodnessOfFit | None]
) -> RenderableType:
    """The standings of one role by several systems. lines, goodness: by system; the first one orders the table."""
    first, *_ = lines.values()
    if not first:
        return Text(NO_MATCHES, "italic")
    by_id = {name: {line.snapshot.id: line.rating for line in found} for name, found in lines.items()}
    digits = places(rating.value for ratings in by_id.values() for rating in ratings.values())
    columns = [
        Column(("",), keep=9),
        Column(("#",), right=True, keep=8),
        Column(("name",), keep=9, least=8),
        Column(("against the field", "field"), right=True, keep=7),
        *(Column((name,), right=True, keep=6 - place) for place, name in enumerate(lines)),
    ]
    rows = [
        [
            Text("★" if line.best else " ", "yellow"),
            Text(str(line.rank), "dim"),
            Text(clean(line.snapshot.text if line.snapshot.origin == "anchor" else line.snapshot.name)),
            Text(MISSING if line.field is None else number(line.field.value, 3)),
            *(Text(number(ratings[line.snapshot.id].value, digits, signed=True)) for ratings in by_id.values()),
        ]
        for line in first
    ]
    return Group(Grid(columns, rows, named=2), Text(), *_judged(goodness))


def _judged(goodness: Mapping[str, GoodnessOfFit | None]) -> list[RenderableType]:
    """The error of each system's predicted scores on held-out pairs."""
    known = {name: found for name, found in goodness.items() if found is not None}
    if not known:
        return [Text("Too few pairs have met to hold some out and judge the systems by them.", "dim")]
    pairs = next(iter(known.values()))
    columns = [Column(("system",), least=8, keep=3), Column(("error of predicted scores", "error"), right=True, keep=2)]
    columns.append(Column(("difference from what was seen", "from seen"), right=True, keep=1))
    rows = [[name, number(found.error, 3), number(found.raw_error, 3)] for name, found in known.items()]
    note = f"{pairs.pairs} pairs with {pairs.games:,} games held out of every fit; the error is without their luck"
    return [Grid(columns, rows), Text(note, "dim")]
