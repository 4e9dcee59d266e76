"""The tables of the commands: what they say, at every width."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from announced import NASTY, snapshot, standing, standings
from rich.cells import cell_len
from rich.console import Console, RenderableType

from league.config.load import resolved_settings
from league.games.catalogue import CatalogueEntry, catalogue
from league.records import Rating, Snapshot
from league.studies.match import MatchReport
from league.studies.snapshot_profile import OpponentRecord, SnapshotProfile
from league.views.listings import RunRow, config_table, games_table, runs_table
from league.views.match_table import match_table
from league.views.snapshot_view import snapshot_view
from league.views.standings_table import standings_table, trend

DUEL = MatchReport(
    labels=("main.12", "random"),
    games=400,
    wins=386,
    draws=5,
    losses=9,
    score=0.97125,
    low=0.9502,
    high=0.984,
    mean_returns=(0.94, -0.94),
    return_halfwidths=(0.021, 0.021),
    by_seat=(("player_0", 0.985, 200), ("player_1", 0.9575, 200)),
    forfeits=(0, 0),
    episodes=400,
    distinct=397,
    seconds=12.3,
    seed=0,
)
APART = replace(
    DUEL, score=None, low=None, high=None, mean_returns=(-24.9, -33.0), return_halfwidths=(0.21, 1.4),
    by_seat=(), forfeits=(0, 3), note="scores of different roles are not compared",
)  # fmt: skip
CHAMPION = replace(snapshot(29), hyperparameters={"learning_rate": 0.0003, "entropy": 0.0125})
RUNS = [
    RunRow(
        name="first", game="connect_four", matchmaking="fictitious",
        rounds=120, steps=12_345_678, snapshots=25, best="main.22", age=75.0,
    ),
    RunRow(
        name="a-run-with-a-very-long-name-" * 3, game="pettingzoo:classic/connect_four-v3", matchmaking="pbt",
        rounds=0, steps=0, snapshots=0, best="", age=None,
    ),
]  # fmt: skip


def opponent(name: str, wins: int, draws: int, losses: int) -> OpponentRecord:
    """A record against an opponent of this name."""
    games = wins + draws + losses
    score = (wins + draws / 2) / games
    return OpponentRecord(opponent=snapshot(3, name), games=games, wins=wins, draws=draws, losses=losses, score=score)


def profile(
    shown: Snapshot, lineage: list[Snapshot], record: Sequence[OpponentRecord] = (), rating: Rating | None = None
) -> SnapshotProfile:
    """What `league show` reads of a snapshot."""
    return SnapshotProfile(
        snapshot=shown,
        rating=rating,
        field=None,
        lineage=tuple(lineage),
        begun_from="",
        record=tuple(record),
        exploited=None,
        exploitability=None,
        evicted=False,
    )


RECORD = [opponent("main", 40, 3, 21), opponent("random", 64, 0, 0)]


def lines_of(table: RenderableType, width: int = 200) -> list[str]:
    """What a console of this width prints."""
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue().splitlines()


def all_tables() -> dict[str, RenderableType]:
    """Every table with data of all kinds, nasty names among them."""
    lineage = [snapshot(number) for number in range(30)]
    odd = [standing(i + 1, snapshot(i, name, name), 10.0**i, float("inf"), i == 0) for i, name in enumerate(NASTY)]
    named = replace(DUEL, labels=(NASTY[0], NASTY[2]), by_seat=tuple((name, 0.5, 2) for name in NASTY), note=NASTY[3])
    return {
        "standings": standings_table(standings(), "predator", "bradley-terry", False),
        "one-sided": standings_table(standings(), None, "elo", True),
        "odd standings": standings_table(odd, NASTY[0], NASTY[1], False),
        "no standings": standings_table((), None, "elo", False),
        "duel": match_table(DUEL),
        "apart": match_table(APART),
        "odd match": match_table(named),
        "show": snapshot_view(profile(CHAMPION, lineage, RECORD, Rating(412, 380, 444, 384)), True, False),
        "odd show": snapshot_view(
            profile(snapshot(1, NASTY[0], NASTY[3]), odd_lineage(), [opponent(NASTY[3], 1, 1, 1)]), False, False
        ),
        "runs": runs_table(RUNS),
        "games": games_table(catalogue()),
        "config": config_table(resolved_settings(None, ['population.init="[red]x[/]"'])),
    }


def odd_lineage() -> list[Snapshot]:
    """Ancestors with nasty names."""
    return [snapshot(number, name) for number, name in enumerate(NASTY)]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("name", all_tables())
def test_every_table_fits_every_width(name: str, width: int) -> None:
    lines = lines_of(all_tables()[name], width)
    assert lines
    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


def test_standings_show_rank_rating_record_and_the_best() -> None:
    lines = lines_of(standings_table(standings(), "predator", "bradley-terry", False))
    assert lines[0] == "predator · bradley-terry ± 95 % interval"
    assert " ".join(lines[1].split()) == "# snapshot name against the field rating games W D L score trend round steps"
    assert " ".join(lines[2].split()) == "1 000c000c main.12 0.848 ±0.020 +412 ±35 384 300 4 80 0.786 60 2.0M"
    assert " ".join(lines[3].split()) == "★ 2 000b000b main.11 0.818 ±0.020 +382 ±35 384 300 4 80 0.786 ↑ 0.012 55 1.8M"
    assert " ".join(lines[-1].split()) == "13 random anchor 0.436 ±0.020 +0 ±35 384 300 4 80 0.786 ↑ 0.012"


def test_standings_without_intervals_say_what_the_values_are() -> None:
    lines = [standing(i + 1, snapshot(i), 0.5 - i / 8, math.inf) for i in range(3)]
    shown = lines_of(standings_table(lines, None, "alpharank", False))
    assert shown[0] == "alpharank: share of a population that adopts what is better"
    assert " ".join(shown[3].split()).startswith("2 00010001 main.1 0.436 ±0.020 0.375 384")


def test_scores_against_an_equilibrium_have_no_sign() -> None:
    lines = [standing(i + 1, snapshot(i), 0.5 - i / 8, 0.02) for i in range(3)]
    shown = lines_of(standings_table(lines, None, "nash", False))
    assert shown[0] == "nash: score against the Nash equilibrium ± 95 % interval"
    assert " ".join(shown[3].split()).startswith("2 00010001 main.1 0.436 ±0.020 0.375 ±0.020 384")


def test_standings_keep_rank_name_rating_and_score_at_sixty_columns() -> None:
    lines = lines_of(standings_table(standings(), None, "elo", False), 60)
    assert " ".join(lines[3].split()) == "★ 2 000b000b main.11 0.818 ±0.020 +382 ±35 ↑ 0.012"


def test_one_sided_standings_have_no_wins() -> None:
    lines = lines_of(standings_table(standings(), None, "elo", True))
    assert lines[0] == "mean score ± 95 % interval"
    assert " ".join(lines[1].split()) == "# snapshot name score games trend round steps"
    assert "412 ±35" in lines[2]


def test_without_matches_the_standings_say_so() -> None:
    assert lines_of(standings_table((), None, "elo", False))[-1] == "no rated matches yet"


@pytest.mark.parametrize(
    ("change", "text"), [(None, ""), (12.4, "↑ 12"), (-12.4, "↓ 12"), (0.2, "= 0"), (-0.2, "= 0"), (10.0, "↑ 10")]
)
def test_a_trend_that_rounds_to_nothing_is_level(change: float | None, text: str) -> None:
    assert trend(change, 0).plain == text


def test_a_match_shows_score_interval_returns_and_seats() -> None:
    assert lines_of(match_table(DUEL)) == [
        "main.12 against random",
        "score  0.971   95 % interval 0.950 to 0.984",
        "games  400: won 386, drawn 5, lost 9",
        "",
        "policy     mean return",
        "main.12   0.940 ±0.021",
        "random   -0.940 ±0.021",
        "",
        "main.12 as  score  games",
        "player_0    0.985    200",
        "player_1    0.958    200",
        "",
        "400 episodes (397 distinct), seed 0, 12s",
    ]


def test_a_match_that_compares_nothing_shows_returns_and_forfeits() -> None:
    assert lines_of(match_table(APART)) == [
        "main.12 against random",
        "",
        "policy    mean return  forfeits",
        "main.12  -24.90 ±0.21         0",
        "random   -33.00 ±1.40         3",
        "",
        "400 episodes (397 distinct), seed 0, 12s; scores of different roles are not compared",
    ]


def test_more_than_two_are_placed_not_won() -> None:
    three = replace(
        DUEL, labels=("a", "b", "c"), mean_returns=(1.0, 0.0, 0.0), return_halfwidths=(0.1,) * 3, forfeits=(), sides=3
    )
    lines = lines_of(match_table(three))
    assert lines[0] == "a against b against c"
    assert lines[2] == "games  400: first 386, shared first 5, behind 9"
    field = lines_of(match_table(replace(DUEL, sides=3)))
    assert field[0] == "main.12 against random"
    assert field[2] == lines[2], "one of two who holds all other sides"


def test_a_snapshot_is_shown_with_lineage_hyperparameters_rating_and_record() -> None:
    lineage = [snapshot(number) for number in range(30)]
    text = "\n".join(
        lines_of(snapshot_view(profile(CHAMPION, lineage, RECORD, Rating(412, 380, 444, 384)), True, False))
    )
    assert CHAMPION.id in text
    assert "main.29  ★ best" in text
    assert "rating +412 ±32 95 % interval, 384 games" in " ".join(text.split())
    assert "main.0 → main.1 → main.2 → main.3 → main.4 → main.5 → (18 more) → main.24" in text
    assert "learning_rate   0.0003" in text
    assert "main.3       64    40      3      21  0.648" in text


def test_a_snapshot_without_rating_or_record_says_so() -> None:
    text = "\n".join(lines_of(snapshot_view(profile(snapshot(0), [snapshot(0)]), False, False)))
    assert "rating –" in " ".join(text.split())
    assert "opponent" not in text


def test_runs_show_when_they_were_last_written() -> None:
    lines = lines_of(runs_table(RUNS))
    assert " ".join(lines[1].split()) == "first connect_four fictitious 120 12.3M 25 main.22 1m15s ago"
    assert lines[2].split()[-2:] == ["–", "–"]
    assert "1m15s ago" in lines_of(runs_table(RUNS), 60)[1]


def test_games_say_what_to_install() -> None:
    games = [CatalogueEntry("kuhn", "Kuhn poker", True, ""), CatalogueEntry("chess", "Chess", False, "needs chess")]
    lines = lines_of(games_table(games))
    assert [line.split() for line in lines[1:]] == [
        ["kuhn", "Kuhn", "poker", "yes"],
        ["chess", "Chess", "needs", "chess"],
    ]


def test_config_values_read_as_toml_with_their_source_and_are_never_markup() -> None:
    lines = lines_of(config_table(resolved_settings(None, ['population.init="[red]x[/]"', "budget.rounds=7"])))
    rows = [line.split() for line in lines]
    assert ["population.init", '"[red]x[/]"', "--set"] in rows
    assert ["budget.rounds", "7", "--set"] in rows
    assert ["seed", "0", "default"] in rows


def test_standings_by_seat_show_what_each_scored_from_where():
    lines = standings(3)
    ids = [line.snapshot.id for line in lines]
    seats = {"player_0": {ids[0]: Rating(0.75, 0.7, 0.8, 50), ids[1]: Rating(0.5, 0.4, 0.6, 50)},
             "player_1": {ids[0]: Rating(0.5, 0.4, 0.6, 50)}}  # fmt: skip
    found = lines_of(standings_table(lines, None, "elo", False, seats))
    assert found[0] == "elo ± 95 % interval · score by seat"
    assert found[1].endswith("  games  score as player_0  score as player_1")
    assert found[2].split()[-4:] == ["0.750", "±0.050", "0.500", "±0.100"]
    assert found[3].split()[-3:] == ["0.500", "±0.100", "–"]
    assert found[4].split()[-2:] == ["–", "–"]
    narrow = lines_of(standings_table(lines, None, "elo", False, seats), 60)
    assert narrow[1].split()[-2:] == ["player_0", "player_1"], "seats stay where others leave"
