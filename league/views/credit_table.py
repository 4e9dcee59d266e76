"""The report of `league credit` as text: the baseline's score, each seat's share, and their sum."""

from __future__ import annotations

import shlex
from dataclasses import fields
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.run.roster.policy_text import from_anywhere
from league.views.grid import Column, Grid, one_line
from league.views.text import aligned, clean, duration, half_width, interval, interval_digits

if TYPE_CHECKING:
    from league.studies.credit import CreditReport, CreditRequest, Mean


def credit_table(report: CreditReport) -> RenderableType:
    """The baseline, the shares and the score, one per line; beside each share the seat's own score."""
    baselines = list(dict.fromkeys(clean(share.baseline) for share in report.shares))
    sums = [report.before, report.gained, report.after]
    every = [*sums, *(one for share in report.shares for one in (share.share, share.own))]
    digits = max(
        (interval_digits(one.value, half) for one in every if (half := half_width(one.low, one.high)) > 0), default=2
    )

    def text(one: Mean, signed: bool = False) -> str:
        return interval(one.value, one.low, one.high, digits, signed)

    rows = [["baseline", "+".join(baselines), text(report.before), ""]]
    rows += [[clean(one.seat), clean(one.policy), text(one.share, True), text(one.own)] for one in report.shares]
    rows += [["all shares", "", text(report.gained, True), ""], ["score", "", text(report.after), ""]]
    brought, own = (aligned([row[column] for row in rows]) for column in (2, 3))
    styles = ["dim", *[""] * len(report.shares), "dim", "bold"]
    cells = [
        [Text(row[0], style), Text(row[1], style), Text(mine, style), Text(alone, "dim")]
        for row, mine, alone, style in zip(rows, brought, own, styles, strict=True)
    ]
    columns = [
        Column(("seat",), keep=4, least=8),
        Column(("policy",), keep=2, least=6),
        Column(("share of the score", "share"), right=True, keep=4),
        Column(("own score", "own"), right=True, keep=1),
    ]
    whose = f"side {report.side}'s" if report.sides > 1 else "the team's"
    heading = one_line(Text(f"{whose} total score, shared out by seat (Shapley) ± 95 % interval", "dim"))
    adding = Text("the shares add up to the team's score: baseline + shares = score", "dim")
    return Group(heading, Grid(columns, cells), Text(), adding, _ending(report), Text())


def again(asked: CreditRequest, games: int) -> str:
    """The arguments of `league credit` for the same request with another number of games; defaults are left out."""
    words = [from_anywhere(asked.text), "--games", str(games)]
    for option in fields(asked)[1:]:
        value = getattr(asked, option.name)
        if option.name in ("baseline", "against") and value is not None:
            value = from_anywhere(value)
        words += [f"--{option.name}", str(value)] if option.name != "games" and value != option.default else []
    return shlex.join(words)


def _ending(report: CreditReport) -> Text:
    """How the shares were computed."""
    how = f"all {report.coalitions} coalitions on the same {report.games} games"
    if report.coalitions == 1:
        how = f"the baseline at every seat, {report.games} games"
    elif not report.exact:
        how = f"{report.permutations} orders of joining drawn for each of {report.games} games"
    facts = f"{how}, {report.episodes} episodes, seed {report.seed}, {duration(report.seconds)}"
    return Text("; ".join([facts, *filter(None, [clean(report.note)])]), "dim")
