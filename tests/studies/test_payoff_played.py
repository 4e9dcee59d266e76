"""Payoff tables: of the ledger, and played for the purpose, in every kind of game."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from fixed import BOTS

from league.errors import PolicyError
from league.games.core import Game
from league.games.registry import make
from league.rating.ledger import Ledger
from league.rating.payoff import Payoff, beaten, wilson
from league.records import MatchResult, Rating, Snapshot, Standing
from league.run.roster.roster import Roster
from league.studies.payoff.ledger import picked
from league.studies.payoff.played import plan_payoff, play_payoff
from league.studies.payoff.report import PayoffTable

SPREAD = "mpe2:simple_spread_v3"
TAG = "mpe2:simple_tag_v3"
SPEAKERS = "mpe2:simple_speaker_listener_v4"


@pytest.fixture
def bot(tmp_path: Path) -> Callable[[str], str]:
    """A policy that always takes one action, by the number's name."""
    (tmp_path / "bots.py").write_text(BOTS)
    return lambda name: f"{tmp_path / 'bots.py'}:{name}"


def seated(game: str, **options: object) -> tuple[Callable[[int], Game], Roster]:
    """How to make a game, and a roster of nobody for it."""
    maker: Callable[[int], Game] = partial(_make, game, options)
    one = maker(1)
    one.close()
    return maker, Roster(one.spec, Path("nowhere"))


def _make(game: str, options: dict[str, object], slots: int) -> Game:
    return make(game, slots, options=options)


def scores(table: PayoffTable) -> list[list[float | None]]:
    return [[cell.score if cell else None for cell in row] for row in table.cells]


def test_two_sides_are_played_once_and_seen_from_both(bot):
    maker, roster = seated("rps")
    report = play_payoff(maker, roster, [bot("Zero"), bot("One"), bot("Two")], 10)
    (table,) = report.tables
    assert (table.unit, table.together, report.episodes) == ("result", False, 3 * 10)
    # Rock, paper, scissors: paper beats rock, scissors beat paper, rock beats scissors.
    assert scores(table) == [[None, 0.0, 1.0], [1.0, None, 0.0], [0.0, 1.0, None]]
    assert table.cells[0][1].games == table.cells[1][0].games == 10


def test_placements_are_mean_results_with_wilsons_interval(bot):
    maker, roster = seated("tictactoe")
    report = play_payoff(maker, roster, ["one-ply", "random"], 50, seed=3)
    (table,) = report.tables
    cell, mirrored = table.cells[0][1], table.cells[1][0]
    assert (table.unit, cell.games, report.episodes) == ("result", 50, 50)
    assert cell.score > 0.7
    assert (cell.low, cell.high) == wilson(cell.score * 50, 50)
    assert mirrored.score == pytest.approx(1 - cell.score)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - cell.high, 1 - cell.low))
    assert play_payoff(maker, roster, ["one-ply", "random"], 50, seed=3).tables == report.tables


def test_a_cell_does_not_depend_on_who_else_is_in_the_table(bot):
    maker, roster = seated("leduc")
    pair, three = (
        play_payoff(maker, roster, names, 40, seed=1).tables[0]
        for names in ([bot("One"), "random"], [bot("One"), "random", bot("Two")])
    )
    assert pair.unit == "score"
    assert pair.cells[0][1].score == -pair.cells[1][0].score != 0.0, "what one wins the other loses"
    assert three.cells[0][1] == pair.cells[0][1]
    assert three.cells[1][0] == pair.cells[1][0]


def test_of_three_seats_the_column_takes_all_but_one():
    maker, roster = seated("openspiel:kuhn_poker", players=3)
    planned = plan_payoff(roster, ["random", "random"], 12, 0)
    cells = planned.contest.fixtures
    assert list(cells) == [(0, 1), (1, 0)]
    (fixture,) = cells[0, 1]
    assert [lineup.index("0:player") for lineup in fixture.episodes] == [0, 2, 1], "it sits at every seat once"
    assert all(lineup.count("1:player") == 2 for lineup in fixture.episodes)
    (table,) = play_payoff(maker, roster, ["random", "random"], 300).tables
    for cell in (table.cells[0][1], table.cells[1][0]):
        assert cell.games == 300
        assert cell.low < 0.0 < cell.high, "level with its equals"


def test_roles_are_rows_and_columns_on_the_same_seeds(bot):
    maker, roster = seated(TAG, max_cycles=6)
    texts = [f"adversary={bot('Zero')}", f"adversary={bot('One')}", f"agent={bot('Zero')}", f"agent={bot('Two')}"]
    report = play_payoff(maker, roster, texts, 4)
    predators, prey = report.tables
    assert (predators.role, predators.against, prey.role, prey.against) == ("adversary", "agent", "agent", "adversary")
    assert [len(row) for row in predators.cells] == [2, 2]
    assert report.episodes == 16
    again = play_payoff(maker, roster, [texts[1], texts[3]], 4).tables
    assert again[0].cells[0][0] == predators.cells[1][1], "a cell's seeds are those of every other"
    assert again[1].cells[0][0] == prey.cells[1][1]


def test_a_policy_without_a_role_stands_for_every_role(bot):
    _, roster = seated(TAG)
    planned = plan_payoff(roster, ["random", bot("One")], 4, 0)
    assert [row.label for row in planned.rows] == ["random/adversary", bot("One")]
    assert [column.label for column in planned.columns] == ["random/agent", bot("One")]
    assert len(planned.contest.fixtures) == 4


def test_one_sided_games_show_cross_play(bot):
    maker, roster = seated(SPREAD, max_cycles=5)
    report = play_payoff(maker, roster, [bot("Zero"), bot("One")], 6)
    (table,) = report.tables
    assert table.together
    assert [cell.games for row in table.cells for cell in row] == [6, 6, 6, 6]
    planned = plan_payoff(roster, [bot("Zero"), bot("One")], 7, 0)
    mixed = planned.contest.fixtures[0, 1]
    assert [fixture.episodes for fixture in mixed] == [
        (("0:agent", "1:agent", "1:agent"),),
        (("1:agent", "0:agent", "1:agent"),),
        (("1:agent", "1:agent", "0:agent"),),
    ]
    assert [(fixture.games, fixture.numbers) for fixture in mixed] == [(3, (0, 3)), (2, (1, 3)), (2, (2, 3))]


def test_policies_of_two_roles_of_one_side_play_together(bot):
    maker, roster = seated(SPEAKERS, max_cycles=5)
    role, other = (role.name for role in roster.spec.roles)
    texts = [f"{role}={bot('Zero')}", f"{other}={bot('Zero')}", f"{other}={bot('One')}"]
    (table,) = play_payoff(maker, roster, texts, 5).tables
    assert (table.role, table.against, table.together) == (role, other, True)
    assert [[cell.games for cell in row] for row in table.cells] == [[5, 5]]
    assert table.cells[0][0] != table.cells[0][1]


def test_what_makes_no_table_is_refused(bot):
    _, alone = seated("tictactoe")
    with pytest.raises(PolicyError, match="at least two policies"):
        plan_payoff(alone, ["random"], 5, 0)
    _, tag = seated(TAG)
    with pytest.raises(PolicyError, match="no role 'prey'"):
        plan_payoff(tag, ["prey=random", "agent=random"], 5, 0)
    with pytest.raises(PolicyError, match="there is no 'latest' yet: no rated snapshot of role 'adversary'"):
        plan_payoff(tag, ["agent=random"], 5, 0)


def test_the_share_of_the_others_that_a_side_beat():
    assert beaten({(0, 1): 3, (0, 0): 2}, 0) == 4.0
    assert beaten({(0, 1, 1): 1, (1, 0, 1): 1, (0, 0, 2): 1}, 0) == 1.0 + 0.25 + 0.75
    assert beaten({(0,): 5}, 0) == 0.0


def test_the_ledgers_sums_give_the_same_table_as_its_rows():
    def result(lineup: tuple[tuple[str, ...], ...], placements: dict[tuple[int, ...], int]) -> MatchResult:
        games, posts = sum(placements.values()), sum(map(len, lineup))
        return MatchResult(
            lineup=lineup,
            games=games,
            placements=placements,
            score_sum=(0.0,) * posts,
            score_sq=(0.0,) * posts,
            episodes=games,
            turns=games,
            seed=0,
        )

    rows = [
        result((("a",), ("b",)), {(0, 1): 3, (0, 0): 1}),
        result((("b",), ("a",)), {(0, 1): 2, (1, 0): 2}),
        result((("a",), ("b",), ("c",)), {(0, 1, 2): 2, (1, 0, 0): 1}),
        result((("a", "c"), ("b", "b")), {(1, 0): 1}),
    ]
    by_row, by_sum = Payoff(rows), Payoff.of(Ledger(rows))
    pairs = [("a", "b"), ("b", "a"), ("a", "c"), ("b", "c"), ("c", "a")]
    assert [by_sum.counts(*pair) for pair in pairs] == [by_row.counts(*pair) for pair in pairs]
    assert by_sum.counts("a", "b") == (7, 1, 4)


@pytest.mark.parametrize(
    ("count", "size", "places"), [(3, 6, [0, 1, 2]), (10, 6, [0, 1, 2, 4, 6, 9]), (9, 5, [0, 1, 2, 5, 8]), (0, 4, [])]
)
def test_the_top_and_a_spread_of_the_others_are_shown(count, size, places):
    lines = [
        Standing(
            rank=n + 1,
            snapshot=Snapshot(id=str(n), role="player", learner="main", number=n, round=n, steps=n, origin="trained"),
            rating=Rating(0, 0, 0, 1),
            wins=0,
            draws=0,
            losses=0,
            score=0.5,
        )
        for n in range(count)
    ]
    assert [int(snapshot.id) for snapshot in picked(lines, size)] == places
