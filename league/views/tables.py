"""Tables for the commands: from records to something that a rich Console prints. No reading, no printing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from league.records import PolicyId, Rating, Snapshot, Standing
from league.views.grid import Column, Grid, one_line
from league.views.text import MISSING, aligned, clean, count, duration, fine, half_width, interval, number, places

if TYPE_CHECKING:
    from league.config.load import ResolvedSetting
    from league.games.catalogue import CatalogueEntry
    from league.run.ratings import Refit
    from league.studies.match import MatchReport
    from league.studies.teams import AgentScore, TeamScore

NO_MATCHES = "no rated matches yet"
"""What stands in the place of standings before there are any."""

ANCHOR = "anchor"
"""What stands in the place of a name where a policy is rated and never trained."""

_LINEAGE_ENDS = 6


class Record(NamedTuple):
    """A snapshot's rated games against one opponent."""

    opponent: str
    wins: int
    draws: int
    losses: int


class RunRow(NamedTuple):
    """One line of `league runs`. best: who, "" where nobody is yet. age: seconds since it was last written, or None."""

    name: str
    game: str
    matchmaking: str
    rounds: int
    steps: int
    snapshots: int
    best: str
    age: float | None


Seats = Mapping[str, Mapping[PolicyId, Rating]]
"""What everybody scored at each place where they may sit, by its name."""


def standings_table(
    standings: Sequence[Standing], role: str | None, by: str, one_sided: bool, seats: Seats | None = None
) -> RenderableType:
    """The standings of one role (None: the game has one), by the rating called `by`; one-sided games by score.

    seats: what everybody scored where, to be shown instead of their records.
    """
    how = "mean score" if one_sided else clean(by)
    parts = [*([clean(role)] if role else []), f"{how} ± 95 % interval", *(["score by seat"] if seats else [])]
    heading = Text(" · ".join(parts), "dim")
    if not standings:
        return Group(one_line(heading), Text(NO_MATCHES, "italic"))
    if seats is not None:
        return Group(one_line(heading), _seats_grid(standings, one_sided, seats))
    return Group(one_line(heading), standings_grid(standings, one_sided, "snapshot", "name"))


def _seats_grid(lines: Sequence[Standing], one_sided: bool, seats: Seats) -> Grid:
    """The standings with what each scored at each place, side by side."""
    whole = standings_grid(lines, one_sided, "snapshot", "name")
    found = [[scores.get(line.snapshot.id) for line in lines] for scores in seats.values()]
    halves = [half_width(one.low, one.high) for scores in found for one in scores if one is not None]
    digits = max((fine(0.0, half) for half in halves if half > 0), default=3)
    columns = [Column((f"score as {clean(name)}", clean(name)), right=True, keep=9) for name in seats]
    cells = [
        aligned([MISSING if one is None else interval(one.value, one.low, one.high, digits) for one in scores])
        for scores in found
    ]
    rows: list[list[str | Text]] = [
        [*row[:6], *(texts[place] for texts in cells)] for place, row in enumerate(whole.rows)
    ]
    return Grid([*whole.columns[:6], *columns], rows, named=2)


def standings_grid(lines: Sequence[Standing], one_sided: bool, id_title: str, name_title: str) -> Grid:
    """Standings as a grid: the best has a star, anchors are named so and dimmed. Also what the live screen shows."""
    halves = [half_width(line.rating.low, line.rating.high) for line in lines]
    digits = places([*(line.rating.value for line in lines), *halves])
    half_texts = aligned([f"±{number(half, digits)}" for half in halves])
    outcomes, outcome_title = _outcomes(lines)
    columns = [
        Column(("",), keep=9),
        Column(("#",), right=True, keep=8),
        Column((id_title,), keep=9),
        Column((name_title,), keep=7, least=8),
        Column(("score" if one_sided else "rating",), right=True, keep=9),
        Column(("games",), right=True, keep=4),
        *([] if one_sided else [Column((outcome_title,), keep=0), Column(("score",), right=True, keep=5)]),
        Column(("trend",), right=True, keep=6),
        Column(("round",), right=True, keep=0),
        Column(("steps",), right=True, keep=0),
    ]
    rows = []
    for line, half, outcome in zip(lines, half_texts, outcomes, strict=True):
        snapshot = line.snapshot
        anchor = snapshot.origin == "anchor"
        style = "dim" if anchor else "bold" if line.best else ""
        # Among standings of one role an anchor need not name the role again.
        short = clean(snapshot.text if anchor else snapshot.short)
        rows.append(
            [
                Text("★" if line.best else " ", "yellow"),
                Text(str(line.rank), "dim"),
                Text(short, "dim" if anchor else "cyan"),
                Text(ANCHOR if anchor else clean(snapshot.name), style),
                Text(f"{number(line.rating.value, digits, signed=not one_sided)} {half}", style),
                Text(str(line.rating.games), style),
                *([] if one_sided else [Text(outcome, "dim"), Text(number(line.score, 3), style)]),
                trend(line.trend, digits),
                Text("" if anchor else str(snapshot.round), "dim"),
                Text("" if anchor else count(snapshot.steps), "dim"),
            ]
        )
    return Grid(columns, rows, named=2)


def _outcomes(lines: Sequence[Standing]) -> tuple[list[str], str]:
    """Wins, draws and losses of each line as one aligned text, and the title above them."""
    parts = [
        aligned([title, *(str(n) for n in numbers)])
        for title, numbers in (
            ("W", [line.wins for line in lines]),
            ("D", [line.draws for line in lines]),
            ("L", [line.losses for line in lines]),
        )
    ]
    title, *texts = ("  ".join(row) for row in zip(*parts, strict=True))
    return texts, title


def trend(change: float | None, digits: int) -> Text:
    """An arrow and by how much: up, down, or level where the change rounds to nothing."""
    if change is None:
        return Text("")
    size = number(abs(change), digits)
    if not any(letter in "123456789∞" for letter in size):
        return Text(f"= {size}", "dim")
    return Text(f"↑ {size}", "green") if change > 0 else Text(f"↓ {size}", "red")


def match_table(report: MatchReport) -> RenderableType:
    """What a match showed, from the first contestant's view."""
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
        parts.append(_pairs(facts))
    if report.teams:
        parts += [Text(), _teams_grid(report.teams)]
        return Group(*parts, Text(), _ending(report))
    columns = [Column(("policy",), least=8, keep=2), Column(("mean return", "return"), right=True, keep=3)]
    returns = list(zip(report.mean_returns, report.return_halfwidths, strict=True))
    digits = max(fine(mean, half) for mean, half in returns)
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


def _ending(report: MatchReport) -> Text:
    """What the match took, and what there is to note."""
    ending = f"{report.episodes} episodes, seed {report.seed}, {duration(report.seconds)}"
    return Text(ending + (f"; {clean(report.note)}" if report.note else ""), "dim")


def _teams_grid(teams: Sequence[TeamScore]) -> Grid:
    """What teams scored together, and each agent of them."""
    seats = list(dict.fromkeys(agent.seat for team in teams for agent in team.agents))
    every: list[TeamScore | AgentScore] = [*teams, *(agent for team in teams for agent in team.agents)]
    digits = max(fine(one.mean, one.halfwidth) for one in every)

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


def show_table(
    snapshot: Snapshot,
    lineage: Sequence[Snapshot],
    record: Iterable[Record],
    rating: Rating | None = None,
    best: bool = False,
    one_sided: bool = False,
) -> RenderableType:
    """All about a snapshot. lineage: its ancestors and itself, oldest first. rating: None where it was not rated."""
    rated = MISSING
    if rating is not None:
        digits = places([rating.value, half_width(rating.low, rating.high)])
        rated = interval(rating.value, rating.low, rating.high, digits, signed=not one_sided)
        rated += f"   95 % interval, {rating.games} games"
    facts = [
        ("id", Text(clean(snapshot.id), "cyan")),
        ("name", Text(clean(snapshot.name) + ("  ★ best" if best else ""), "bold")),
        ("role", Text(clean(snapshot.role))),
        ("learner", Text(clean(snapshot.learner) or MISSING)),
        ("round", Text(str(snapshot.round))),
        ("steps", Text(f"{snapshot.steps:,}")),
        ("origin", Text(snapshot.origin)),
        ("score" if one_sided else "rating", Text(rated)),
        ("lineage", _chain(lineage)),
    ]
    parts: list[RenderableType] = [_pairs(facts)]
    if snapshot.hyperparameters:
        values = [[clean(name), f"{value:g}"] for name, value in snapshot.hyperparameters.items()]
        parts += [Text(), Grid([Column(("hyperparameter",), least=8), Column(("value",), right=True, keep=2)], values)]
    rows = [
        [
            clean(r.opponent),
            str(games),
            str(r.wins),
            str(r.draws),
            str(r.losses),
            number((r.wins + r.draws / 2) / games, 3),
        ]
        for r in record
        if (games := r.wins + r.draws + r.losses)
    ]
    if rows:
        titles = (("games",), ("wins", "W"), ("draws", "D"), ("losses", "L"), ("score",))
        counted = [Column(title, right=True, keep=2) for title in titles]
        parts += [Text(), Grid([Column(("opponent",), least=8, keep=3), *counted], rows)]
    return Group(*parts)


def refit_table(found: Refit) -> RenderableType:
    """What a full refit of the ledger showed."""
    columns = [Column(("rating",), least=8, keep=2), Column(("largest difference from the cache", "difference"))]
    differences = ["nothing was cached" if apart is None else f"{apart:.2g}" for apart in found.ratings.values()]
    rows = [[clean(name), apart] for name, apart in zip(found.ratings, differences, strict=True)]
    ending = f"{found.matches:,} matches, {found.policies:,} policies, {duration(found.seconds)}; "
    ending += f"{found.records} records differed; the cache is up to date"
    return Group(Grid(columns, rows), Text(), Text(ending, "dim"))


def runs_table(rows: Iterable[RunRow]) -> Grid:
    """The runs that there are, one a line."""
    columns = [
        Column(("run",), keep=9, least=12),
        Column(("game",), keep=7, least=10),
        Column(("matchmaking",), keep=0),
        Column(("rounds",), right=True, keep=6),
        Column(("steps",), right=True, keep=5),
        Column(("snapshots", "snaps"), right=True, keep=0),
        Column(("best",), keep=4, least=8),
        Column(("last written", "written"), right=True, keep=8),
    ]
    return Grid(
        columns,
        [
            [
                clean(row.name),
                clean(row.game),
                clean(row.matchmaking),
                str(row.rounds),
                count(row.steps),
                str(row.snapshots),
                clean(row.best) or MISSING,
                MISSING if row.age is None else f"{duration(row.age)} ago",
            ]
            for row in rows
        ],
    )


def games_table(games: Iterable[CatalogueEntry]) -> Grid:
    """The games that can be named, and what is missing for those that cannot be played here."""
    columns = [
        Column(("game",), keep=3),
        Column(("description",), keep=1, least=18, wrap=True),
        Column(("available", ""), keep=2, least=10, wrap=True),
    ]
    rows = [
        [
            Text(clean(game.id), "" if game.available else "dim"),
            Text(clean(game.description), "dim"),
            Text("yes", "green") if game.available else Text(clean(game.why_not), "yellow"),
        ]
        for game in games
    ]
    return Grid(columns, rows)


def config_table(values: Iterable[ResolvedSetting]) -> Grid:
    """Resolved settings with their sources; what is left at its default is dimmed."""
    from league.config.explain import toml_text

    columns = [
        Column(("key",), keep=3, least=20, wrap=True),
        Column(("value",), keep=2, least=12, wrap=True),
        Column(("source",), keep=1, least=12, wrap=True),
    ]
    rows = []
    for one in values:
        style = "dim" if one.source == "default" else ""
        rows.append(
            [Text(clean(one.key), style), Text(clean(toml_text(one.value)), style), Text(clean(one.source), style)]
        )
    return Grid(columns, rows)


def _pairs(facts: Sequence[tuple[str, Text]]) -> Grid:
    """Facts under each other, each with its name before it."""
    columns = [Column(("",)), Column(("",), least=10, keep=2, wrap=True)]
    return Grid(columns, [[Text(name, "dim"), value] for name, value in facts], heading=False)


def _chain(lineage: Sequence[Snapshot]) -> Text:
    """Who descends from whom, oldest first; the middle of a long line is left out."""
    names = [clean(snapshot.name) for snapshot in lineage]
    if len(names) > 2 * _LINEAGE_ENDS:
        left_out = len(names) - 2 * _LINEAGE_ENDS
        names = [*names[:_LINEAGE_ENDS], f"({left_out} more)", *names[-_LINEAGE_ENDS:]]
    return Text(" → ".join(names) or MISSING)
