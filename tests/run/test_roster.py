"""The roster: what a name means, who is best, and which rated matches a round brings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from league.config.sections import RatingConfig
from league.errors import ConfigError, PolicyError, SnapshotError
from league.games.actions import Discrete
from league.games.core import GameSpec, RoleSpec
from league.games.registry import make
from league.records import MatchResult, Snapshot
from league.run.pairing import draw_others, fixtures_for
from league.run.roster.roster import Roster

BOARD = make("tictactoe", 1).spec
TEAM = replace(BOARD, id="team", sides=((0, 1),), outcome="score")


def chase() -> GameSpec:
    """A score game in which two wolves on one side hunt a hare on the other."""
    vector = BOARD.roles[0]

    def role(name: str, *seats: int) -> RoleSpec:
        return RoleSpec(
            name=name, seats=seats, acting=len(seats), obs_shape=(4,), obs_dtype=vector.obs_dtype, actions=Discrete(3)
        )

    return GameSpec(
        "chase", "1", ("a", "b", "c"), ((0, 1), (2,)), (role("wolf", 0, 1), role("hare", 2)), outcome="score"
    )


def snapshot(id: str, number: int, role: str = "player", learner: str = "main", origin: str = "trained") -> Snapshot:
    return Snapshot(
        id=id * (64 // len(id)),
        role=role,
        learner=learner,
        number=number,
        round=number,
        steps=100 * number,
        origin=origin,
    )


def roster(spec: GameSpec = BOARD, *snapshots: Snapshot, results: tuple[MatchResult, ...] = ()) -> Roster:
    made = Roster(spec, Path("nowhere"))
    made.entrants.add(snapshots)
    made.ratings.add(results)
    return made


def match(one: Snapshot, other: Snapshot, wins: int, losses: int) -> tuple[MatchResult, ...]:
    """A rated match with seats swapped halfway: `one` won so often from each seat, and lost so often."""
    return tuple(
        MatchResult(
            lineup=tuple((who.id,) for who in order),
            games=wins + losses,
            placements={pattern: wins, pattern[::-1]: losses},
            score_sum=(0.0, 0.0),
            score_sq=(0.0, 0.0),
            episodes=wins + losses,
            turns=9,
            seed=1,
        )
        for order, pattern in (((one, other), (0, 1)), ((other, one), (1, 0)))
    )


FIRST, SECOND, THIRD = snapshot("abc0", 0, origin="initial"), snapshot("abd1", 1), snapshot("abd2", 2)


def test_what_a_name_means() -> None:
    there = roster(BOARD, FIRST, SECOND, THIRD)
    for text, meant in (
        ("latest", THIRD),
        ("main.0", FIRST),
        ("abc", FIRST),
        ("abd1", SECOND),
        (SECOND.id, SECOND),
        ("random", there.entrants.anchors[0]),
    ):
        assert there.ranking.named(text, ["player"]) == meant


@pytest.mark.parametrize(
    ("text", "saying"),
    [
        ("abd", r"'abd' is ambiguous: 2 snapshots start so \(abd1abd1, abd2abd2\)"),
        ("ab", "no policy is called 'ab'"),
        ("", "no policy is called ''"),
        ("abe", "no policy is called 'abe'"),
        ("main.3", "no policy is called 'main.3'"),
        ("best", "there is no 'best' yet"),
    ],
)
def test_what_no_name_means(text: str, saying: str) -> None:
    with pytest.raises(PolicyError, match=saying):
        roster(BOARD, FIRST, SECOND, THIRD).ranking.named(text, ["player"])


def test_latest_is_the_first_learners_and_no_exploiters() -> None:
    exploiter = snapshot("eee1", 1, learner="main_exploiter")
    there = roster(BOARD, FIRST, snapshot("eee0", 0, learner="main_exploiter", origin="initial"), SECOND, exploiter)
    assert there.ranking.named("latest", ["player"]) == SECOND
    assert there.ranking.named("main_exploiter.1", ["player"]) == exploiter


def test_a_name_is_of_a_role() -> None:
    wolf, hare = snapshot("aaa1", 1, "wolf", "wolf"), snapshot("bbb1", 1, "hare", "hare")
    there = roster(chase(), wolf, hare)
    assert there.ranking.named("aaa", ["wolf", "hare"]) == wolf
    assert there.ranking.named("latest", ["hare"]) == hare
    assert there.ranking.named("random", ["hare"]).id == "random/hare"
    assert there.ranking.named("random/wolf", ["hare", "wolf"]).role == "wolf"
    with pytest.raises(PolicyError, match="'aaa' has the role 'wolf', but hare is needed"):
        there.ranking.named("aaa", ["hare"])


def test_best_is_the_highest_lower_bound_of_what_was_trained() -> None:
    anchor = roster().entrants.anchors[0]
    results = (
        *match(FIRST, anchor, 60, 1),  # never trained: it cannot be best, however strong
        *match(SECOND, anchor, 45, 5),
        *match(SECOND, FIRST, 20, 20),
        *match(THIRD, anchor, 3, 0),  # won all, yet that says little
    )
    there = roster(BOARD, FIRST, SECOND, THIRD, results=results)
    assert there.ratings.by("bradley-terry")[THIRD.id].value > there.ratings.by("bradley-terry")[SECOND.id].value
    assert there.ranking.best("player") == there.ranking.named("best", ["player"]) == SECOND
    assert [line.snapshot for line in there.ranking.standings("player", "elo") if line.best] == [SECOND]
    assert {line.snapshot.id for line in there.ranking.standings("player")} == {
        anchor.id,
        FIRST.id,
        SECOND.id,
        THIRD.id,
    }


def test_one_sided_games_are_rated_by_their_score_whatever_is_asked_for() -> None:
    results = tuple(
        MatchResult(
            lineup=((one.id,),),
            games=10,
            placements={(0,): 10},
            score_sum=(10.0 * score,),
            score_sq=(10.0 * score * score + 1,),
            episodes=10,
            turns=50,
            seed=1,
        )
        for one, score in ((FIRST, 1.0), (SECOND, 3.0), (THIRD, 2.0))
    )
    there = roster(TEAM, FIRST, SECOND, THIRD, results=results)
    assert there.ranking.game.one_sided
    assert [line.snapshot for line in there.ranking.standings("player", "elo")] == [SECOND, THIRD, FIRST]
    assert there.ranking.best("player") == SECOND
    with pytest.raises(ConfigError, match="no rating system is called 'ello'"):
        there.ranking.standings("player", "ello")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(SnapshotError, match=f"{FIRST.id}.safetensors is missing"):
        roster(BOARD, FIRST).policy(FIRST.id)
    assert roster().policy("random").role == "player"


def test_rated_matches_are_seat_balanced_seeded_and_of_the_size_asked_for() -> None:
    there, settings = roster(BOARD, FIRST, SECOND), RatingConfig(matches_per_snapshot=3, games_per_match=10)
    found = fixtures_for(settings, there, [SECOND], seed=5)
    assert found == fixtures_for(settings, there, [SECOND], seed=5)
    assert sum(fixture.games for fixture in found) == 3 * 10
    seeds = [fixture.seed for fixture in found]
    assert len(set(seeds)) == len(seeds)
    for one, other in zip(found[::2], found[1::2], strict=True):
        assert one.episodes[0] == other.episodes[0][::-1]
        assert one.games == other.games == 5
    assert {name for fixture in found for name in fixture.episodes[0]} == {"random", FIRST.id, SECOND.id}
    again = fixtures_for(settings, there, [SECOND], seed=50_000)
    assert not {fixture.seed for fixture in again} & set(seeds)
    assert fixtures_for(settings, there, [], seed=5) == []


def test_the_first_newcomer_waits_behind_nobody() -> None:
    there = roster(TEAM, FIRST, SECOND)
    found = fixtures_for(RatingConfig(matches_per_snapshot=1, games_per_match=4), there, [SECOND], seed=1)
    assert {fixture.contestants[0][0] for fixture in found} == {"random", FIRST.id, SECOND.id}


def test_the_share_decides_how_many_games_unless_matches_are_set_and_never_less_than_the_floor() -> None:
    there = roster(BOARD, FIRST, SECOND)

    def games(settings: RatingConfig, allowed: float) -> int:
        return sum(fixture.games for fixture in fixtures_for(settings, there, [SECOND], 5, allowed))

    assert games(RatingConfig(), 500.0) == 31 * 16  # whole matches
    assert games(RatingConfig(), 20.0) == 6 * 16
    assert games(RatingConfig(matches_per_snapshot=2, games_per_match=10), 500.0) == 3 * 10  # three are unrated
    # Of three pairs none plays more than 400 games.
    assert games(RatingConfig(), 10_000.0) == 3 * 400


def test_where_roles_differ_policies_are_compared_with_the_same_others() -> None:
    wolves = [snapshot(f"aaa{n}", n, "wolf", "wolf") for n in range(2)]
    hares = [snapshot(f"bbb{n}", n, "hare", "hare") for n in range(2)]
    there = roster(chase(), *wolves, *hares)
    found = fixtures_for(RatingConfig(matches_per_snapshot=2, games_per_match=4), there, [wolves[1], hares[1]], seed=1)
    roles = {one.id: one.role for one in (*there.entrants.anchors, *there.entrants.snapshots)}
    assert {roles[fixture.contestants[0][0]] for fixture in found} == {"wolf", "hare"}
    for fixture in found:
        (one,), (other,) = fixture.contestants
        assert roles[one] == roles[other]
        for mine, episode in zip((one, other), fixture.episodes, strict=True):
            # The two wolves are one post: all seats of a role on a side are one policy's.
            assert [roles[policy] for policy in episode] == ["wolf", "hare"]
            assert set(episode) == {mine, *fixture.others}
    drawn = [draw_others(there, "wolf", np.random.default_rng(seed)) for seed in range(40)]
    assert {others[0] for others in drawn} == {""}
    assert {others[1] for others in drawn} == {"random/hare", *(hare.id for hare in hares)}
