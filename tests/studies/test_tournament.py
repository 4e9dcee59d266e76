"""Tournaments: what is played, that nothing is played twice, and that stopping and going on changes no result."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from fixed import BOTS

from league.config.sections import GameConfig, RatingConfig
from league.errors import PolicyError, RunError
from league.games.registry import make
from league.rating.bradley_terry import fit
from league.rating.core import POINTS
from league.rating.payoff import wilson
from league.run.roster.roster import Roster
from league.storage import audit
from league.storage.store import Store
from league.studies import stepwise
from league.studies.tournament import play_tournament
from league.studies.tournament_report import Request, TournamentReport, read_tournament

FIELD = ("random", "one-ply", "mcts=5", "mcts=20")


def play(folder: Path, *texts: str, game: str = "tictactoe", tick=lambda fraction: None, **asked: object) -> None:
    maker = partial(make, game)
    one = maker(1)
    one.close()
    config = {"game": GameConfig(id=game).model_dump(mode="json"), "rating": RatingConfig().model_dump(mode="json")}
    request = Request(texts=texts, **{"games": 20, **asked})
    play_tournament(folder, maker, config, Roster(one.spec, Path("nowhere")), request, tick)


def ledger(folder: Path) -> list[str]:
    """The rows of the ledger, and of all that it refers to."""
    with Store.reader(folder) as store:
        assert audit.verify(store) == []
        tables = audit.dump(store).split("\n")
    return [line for line in tables if "provenance" not in line]


def totals(folder: Path) -> Counter[object]:
    """Games by lineup and placement."""
    found: Counter[object] = Counter()
    with Store.reader(folder) as store:
        name = {one.id: one.name for one in store.snapshots()}
        for result in store.results():
            for pattern, games in result.placements.items():
                found[tuple(name[policy] for policy in result.policies), pattern] += games
    return found


def cells(report: TournamentReport) -> dict[tuple[str, str], tuple[float, int]]:
    names = [one.name for one in report.entrants]
    return {
        (a, b): (cell.score, cell.games)
        for a, row in zip(names, report.cells, strict=True)
        for b, cell in zip(names, row, strict=True)
        if cell is not None
    }


def test_all_meet_all_in_both_seats(tmp_path: Path) -> None:
    (tmp_path / "bots.py").write_text(BOTS)
    rock, paper, scissors = (f"{tmp_path / 'bots.py'}:{name}" for name in ("Zero", "One", "Two"))
    play(tmp_path / "cup", rock, paper, scissors, game="rps", games=10)
    report = read_tournament(tmp_path / "cup")
    won = {(paper, rock), (scissors, paper), (rock, scissors)}
    assert cells(report) == {pair: (float(pair in won), 10) for a, b in won for pair in ((a, b), (b, a))}
    for line in report.entrants:
        assert (line.wins, line.draws, line.losses, line.games) == (10, 0, 10, 20)
        assert (line.score.low, line.score.high) == wilson(10, 20)
        assert line.rating.value == pytest.approx(0, abs=1e-6), "a cycle of equals, around its own middle"
    assert all(count == 5 for count in totals(tmp_path / "cup").values()), "half of the games in each seat"
    assert not report.paired


def test_ratings_are_those_of_its_own_ledger(tmp_path: Path) -> None:
    play(tmp_path, *FIELD, games=40)
    report = read_tournament(tmp_path)
    with Store.reader(tmp_path) as store:
        fitted = fit(store.ledger(), frozenset({"random"}))
    strength = dict(zip(fitted.ids, POINTS * fitted.theta, strict=True))
    assert {one.id: one.rating.value for one in report.entrants} == pytest.approx(strength)
    assert [one.rank for one in report.entrants] == [1, 2, 3, 4]
    assert report.entrants == tuple(sorted(report.entrants, key=lambda one: -one.rating.value))
    assert next(one for one in report.entrants if one.name == "random").rating.value == 0
    elo = read_tournament(tmp_path, "elo")
    assert elo.by == "elo"
    assert {one.id for one in elo.entrants} == strength.keys()
    assert [one.rating.value for one in elo.entrants] != [one.rating.value for one in report.entrants]


@pytest.mark.parametrize("swiss", [False, True])
def test_a_tournament_that_is_stopped_anywhere_goes_on_to_the_same_ledger(tmp_path, monkeypatch, swiss) -> None:
    monkeypatch.setattr(stepwise, "STEP", 1000)  # several steps: mcts counts 64 times
    field = (*FIELD, "mcts=1") if swiss else FIELD
    play(tmp_path / "whole", *field, swiss=swiss, rounds=3 if swiss else None, games=16)
    for attempt in range(300):
        ticks = iter(range(5 * attempt))

        def tick(fraction: float, left=ticks) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt

        try:
            play(tmp_path / "stopped", *field, swiss=swiss, rounds=3 if swiss else None, games=16, tick=tick)
            break
        except KeyboardInterrupt:
            continue
    assert attempt > 3
    assert ledger(tmp_path / "stopped") == ledger(tmp_path / "whole")


def test_more_games_and_more_policies_are_added_to_what_was_played(tmp_path: Path) -> None:
    play(tmp_path / "grown", "one-ply", "random", games=11)
    before = totals(tmp_path / "grown")
    play(tmp_path / "grown", "random", "mcts=5", games=30)
    play(tmp_path / "grown", *reversed(FIELD[:3]), games=120)
    after = totals(tmp_path / "grown")
    assert not before - after
    # One-ply and random alone had 12 games; a tournament that begins with all of this has the same results.
    play(tmp_path / "once", *FIELD[:3], games=120)
    assert after == totals(tmp_path / "once")
    assert {games for _, games in cells(read_tournament(tmp_path / "grown")).values()} == {120}
    play(tmp_path / "grown", *FIELD[:3], games=50)
    assert totals(tmp_path / "grown") == after, "fewer games: there is nothing left to play"


def test_another_seed_gives_other_games(tmp_path: Path) -> None:
    for seed in (0, 1):
        play(tmp_path / str(seed), "random", "one-ply", games=60, seed=seed)
    assert totals(tmp_path / "0") != totals(tmp_path / "1")


def test_a_policy_whose_content_changed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bots.py").write_text(BOTS)
    bot = f"{tmp_path / 'bots.py'}:Zero"
    play(tmp_path / "cup", bot, "random", game="rps")
    before = totals(tmp_path / "cup")
    (tmp_path / "bots.py").write_text(BOTS + "\n# stronger now\n")
    with pytest.raises(PolicyError, match=r"'.*bots\.py:Zero' is not the policy of that name .* in .*cup: its content"):
        play(tmp_path / "cup", bot, "random", game="rps", games=40)
    assert totals(tmp_path / "cup") == before
    (tmp_path / "bots.py").write_text(BOTS)
    play(tmp_path / "cup", bot, "random", game="rps", games=40)
    assert sum(totals(tmp_path / "cup").values()) == 40


def test_a_swiss_tournament_pairs_by_points_and_says_who_had_a_bye(tmp_path: Path) -> None:
    play(tmp_path, "mcts=20", "random", "one-ply", swiss=True, rounds=1, games=40)
    first = read_tournament(tmp_path)
    # In the first round nobody has points: the order is that of entry, and the last has the bye.
    assert [(one.pairs, one.bye) for one in first.rounds] == [((("mcts=20", "random"),), "one-ply")]
    assert {one.name: (one.points, one.byes) for one in first.entrants} == {
        "mcts=20": (1.0, 0),
        "one-ply": (1.0, 1),
        "random": (0.0, 0),
    }
    play(tmp_path, "mcts=20", "random", "one-ply", swiss=True, rounds=2, games=40)
    report = read_tournament(tmp_path)
    assert report.rounds[0] == first.rounds[0]
    assert set(report.rounds[1].pairs[0]) == {"mcts=20", "one-ply"}
    assert report.rounds[1].bye == "random"
    assert sum(one.points for one in report.entrants) == 4, "a point for each pairing and for each bye"
    # Who comes later joins the next round; who is not named any more is not paired any more.
    play(tmp_path, "mcts=20", "one-ply", "mcts=1", "mcts=2", swiss=True, rounds=3, games=40)
    third = read_tournament(tmp_path).rounds[2]
    assert third.bye is None
    assert sorted(name for pair in third.pairs for name in pair) == ["mcts=1", "mcts=2", "mcts=20", "one-ply"]


def test_a_round_that_was_paired_is_played_before_the_field_changes(tmp_path: Path) -> None:
    def stop(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(tmp_path, *FIELD, swiss=True, rounds=2, tick=stop)
    with pytest.raises(PolicyError, match="round 1 is not over and pairs mcts=20: name them"):
        play(tmp_path, *FIELD[:3], swiss=True, rounds=2)
    play(tmp_path, *FIELD, swiss=True, rounds=2)
    assert len(read_tournament(tmp_path).rounds) == 2


def test_games_of_scores_are_pairs_of_episodes(tmp_path: Path) -> None:
    (tmp_path / "bots.py").write_text(BOTS)
    play(tmp_path / "cup", "random", f"{tmp_path / 'bots.py'}:Zero", game="kuhn", games=30)
    report = read_tournament(tmp_path / "cup")
    assert report.paired
    assert {games for _, games in cells(report).values()} == {30}
    with Store.reader(tmp_path / "cup") as store:
        assert sum(result.episodes for result in store.results()) == 60


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "seed was 0, now 1"),
        ({"swiss": True}, "swiss was False, now True"),
        ({"game": "connect_four"}, r"game was tictactoe \(version 1\), now connect_four"),
    ],
)
def test_another_tournament_in_the_folder_is_refused(tmp_path: Path, changed, message: str) -> None:
    play(tmp_path, "random", "one-ply")
    before = ledger(tmp_path)
    with pytest.raises(RunError, match=f"is another tournament .*{message}.*--out"):
        play(tmp_path, "random", "one-ply", **changed)
    assert ledger(tmp_path) == before


@pytest.mark.parametrize(
    ("game", "texts", "error", "message"),
    [
        ("tictactoe", ("random", "random"), PolicyError, "two different policies or more, not random random"),
        ("tictactoe", ("random", "main.1"), PolicyError, "no policy is called 'main.1'"),
        ("spread", ("random", "random"), PolicyError, "spread is none: it has 1 side. A payoff table"),
        ("tag", ("random", "random"), PolicyError, "tag is none: its roles differ"),
    ],
)
def test_what_cannot_be_played_leaves_no_folder(tmp_path: Path, game, texts, error, message) -> None:
    with pytest.raises(error, match=message):
        play(tmp_path / "cup", *texts, game=game)
    assert not (tmp_path / "cup").exists()
