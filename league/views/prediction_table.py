"""The result of `league predict` as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.goodness_text import goodness_lines
from league.views.grid import facts_grid, one_line
from league.views.text import clean, number

if TYPE_CHECKING:
    from league.studies.prediction import Prediction


def prediction_table(found: Prediction) -> RenderableType:
    """The predicted score of the first policy, what was seen, and how well such predictions agree with results."""
    bounds = f"   95 % interval {number(found.low, 3)} to {number(found.high, 3)}"
    seen = "never met" if found.seen is None else f"{number(found.seen, 3)} in {found.games} rated games"
    facts = [("predicted", Text.assemble((number(found.score, 3), "bold"), bounds)), ("seen", Text(seen))]
    heading = one_line(Text(f"{clean(found.a)} against {clean(found.b)}", "bold"))
    notes = [Text(line, "dim") for line in goodness_lines(found.goodness)]
    return Group(heading, facts_grid(facts), Text(), *notes)
