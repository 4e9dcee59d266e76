"""The result of `league match` as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from league.views.grid import Column, Grid, facts_grid, one_line
from league.views.text import MISSING, clean, duration, interval, interval_digits, number

if TYPE_CHECKING:
    from league.studies.decisive_match import Decision
    from league.studies.match import MatchReport
    from league.studies.teams import AgentScore, TeamScore


def match_table(report: MatchReport) -> RenderableType:
    """The result of a match, from the first contestant's point of view."""
    labels = [clean(label) for label in report.labels]
    parts: list[RenderableType] = [one_line(Text(" against ".join(labels), "bold"))]
    if report.score is not None:
        alone, shared, rest = ("won", "drawn", "lost") if report.sides <= 2 else ("first", "shared first", "behind")
        bounds = ""
        if report.low is not None and report.high is not None:
            bounds = f"   95 % interval {number(report.low, 3)} to {number(report.high, 3)}"
        facts = [
            ("score", Text.assemble((number(report.score, 3), "bold"), bounds)),
            (
                "games",
                Text(f"{report.games}: {alone} {report.wins}, {shared} {report.draws}, {rest} {report.losses}"),
            ),
        ]
        if report.predicted is not None:
            value, low, high = report.predicted
            facts.append(
                ("predicted", Text(f"{number(value, 3)}   95 % interval {number(low, 3)} to {number(high, 3)}"))
            )
        if report.decision is not None:
            facts += _decision_facts(report.decision, report.games)
        parts.append(facts_grid(facts))
    if report.teams:
        parts += [Text(), _teams_grid(report.teams)]
        return Group(*parts, Text(), _ending(report))
    columns = [Column(("policy",), least=8, keep=2), Column(("mean return", "return"), right=True, keep=3)]
    returns = list(zip(report.mean_returns, report.return_halfwidths, strict=True))
    digits = max(interval_digits(mean, half) for mean, half in returns)
    rows = [
        [label, interval(mean, mean - half, mean + half, digits)]
        for label, (mean, half) in zip(labels, returns, strict=True)
    ]
    if any(report.forfeits):
        columns.append(Column(("forfeits",), right=True))
        rows = [[*row, str(forfeits)] for row, forfeits in zip(rows, report.forfeits, strict=True)]
    parts += [Text(), Grid(columns, rows)]
    if report.by_seat:
        seats = [[clean(seat), number(score, 3), str(games)] for seat, score, games in report.by_seat]
        headings = (f"{labels[0]} as", "seat")
        parts += [
            Text(),
            Grid(
                [
                    Column(headings, least=8, keep=2),
                    Column(("score",), right=True, keep=3),
                    Column(("games",), right=True),
                ],
                seats,
            ),
        ]
    return Group(*parts, Text(), _ending(report))


def _decision_facts(decision: Decision, games: int) -> list[tuple[str, Text]]:
    """How the sequential test ended, and what the pairs were."""
    tested = {"H0": decision.elo0, "H1": decision.elo1}
    if decision.accepted is None:
        said = f"undecided after {games} games"
    else:
        other = "H1" if decision.accepted == "H0" else "H0"
        said = f"{decision.accepted}: {tested[decision.accepted]:g} normalised Elo, not {tested[other]:g}"
    bounds = f"llr {number(decision.llr, 2)}, bounds {number(decision.lower, 2)} and {number(decision.upper, 2)}"
    pairs = " ".join(map(str, decision.counts)) + ", worst to best"
    if decision.beyond:
        pairs += f"; {decision.beyond} games played beyond the decision do not count"
    value = decision.normalised_elo
    elo = f"{interval(value.value, value.low, value.high, 0, signed=True)} normalised"
    usual = decision.elo
    elo += f"; {number(usual.value, 0, True)} Elo, {number(usual.low, 0, True)} to {number(usual.high, 0, True)}"
    return [("decision", Text.assemble((said, "bold"), f"   {bounds}")), ("pairs", Text(pairs)), ("Elo", Text(elo))]


def _ending(report: MatchReport) -> Text:
    """The number of episodes, the seed, the duration, the report's note and its warning."""
    ending = f"{report.episodes} episodes ({report.distinct} distinct), seed {report.seed}, {duration(report.seconds)}"
    text = Text(ending + (f"; {clean(report.note)}" if report.note else ""), "dim")
    return text.append(f"\nwarning: {report.warning}", "yellow") if report.warning else text


def _teams_grid(teams: Sequence[TeamScore]) -> Grid:
    """The scores of teams and of their agents."""
    seats = list(dict.fromkeys(agent.seat for team in teams for agent in team.agents))
    every: list[TeamScore | AgentScore] = [*teams, *(agent for team in teams for agent in team.agents)]
    digits = max(interval_digits(one.mean, one.halfwidth) for one in every)

    def text(one: TeamScore | AgentScore | None) -> str:
        if one is None:
            return MISSING
        return interval(one.mean, one.mean - one.halfwidth, one.mean + one.halfwidth, digits)

    rows = []
    for team in teams:
        by_seat = {agent.seat: agent for agent in team.agents}
        rows.append([clean(team.label), text(team), *(text(by_seat.get(seat)) for seat in seats)])
    columns = [Column(("team",), least=8, keep=3), Column(("mean score", "score"), right=True, keep=4)]
    return Grid([*columns, *(Column((clean(seat),), right=True, keep=2) for seat in seats)], rows)
