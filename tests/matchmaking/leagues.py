"""Leagues for the tests of matchmaking: built by hand, and drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from league.records import LeagueView, LearnerView, Post, Rating, Snapshot, TrainingResult, anchor_id

BOARD = (("main",), ("main",))
"""Two sides of one role, as in most board games."""
THREE = (("main",), ("main",), ("main",))
TAG = (("predator",), ("prey",))
TEAMS = (("guard", "thief"), ("guard", "thief"))
SPREAD = (("main",),)
SPEAKERS = (("speaker", "listener"),)
SQUAD = (("main", "main", "main"),)
"""One side of one role, in which each seat is a post."""
PAIRS = (("main", "main"), ("main", "main"))
GAMES = (BOARD, THREE, TAG, TEAMS, SPREAD, SPEAKERS, SQUAD, PAIRS, (("a",), ("b",), ("c",)))


def league(
    sides: Sequence[Sequence[str]] = BOARD,
    tables: int = 1,
    past: int = 4,
    ratings: Mapping[str, Rating] | None = None,
    steps_since_exploit: int = 0,
    slots: int = 64,
    training: Sequence[TrainingResult] = (),
) -> LeagueView:
    """A league of `tables` tables, whose learners are called ROLE-TABLE and have `past` snapshots ROLE-TABLE.NUMBER."""
    posts = tuple(Post(side, role, ()) for side, roles in enumerate(sides) for role in roles)
    roles = tuple(dict.fromkeys(post.role for post in posts))
    learners = tuple(
        LearnerView(
            name=f"{role}-{table}",
            role=role,
            table=table,
            steps=10_000,
            steps_since_exploit=steps_since_exploit,
            latest=f"{role}-{table}.{past - 1}",
            hyperparameters={"learning_rate": 1e-3 * (table + 1), "entropy": 0.02, "clip": 0.2},
        )
        for table in range(tables)
        for role in roles
    )
    snapshots = tuple(
        Snapshot(
            id=f"{learner.name}.{n}",
            role=learner.role,
            learner=learner.name,
            number=n,
            round=n,
            steps=n * 100,
            origin="trained" if n else "initial",
        )
        for n in range(past)
        for learner in learners
    )
    anchors = tuple(
        Snapshot(id=anchor_id(role, len(roles)), role=role, learner="", number=0, round=0, steps=0, origin="anchor")
        for role in roles
    )
    return LeagueView(
        round=past,
        posts=posts,
        learners=learners,
        snapshots=snapshots,
        anchors=anchors,
        ratings=ratings or {},
        training=tuple(training),
        slots=slots,
    )


def result(learner: str, opponent: str, score: float, episodes: int = 100, round: int = 0) -> TrainingResult:
    """What a learner scored in training."""
    return TrainingResult(
        learner=learner, round=round, opponent=opponent, episodes=episodes, score=score, return_mean=0.0
    )


@st.composite
def leagues(draw: st.DrawFn) -> LeagueView:
    """Any league of 1 to 6 tables, 1 to 4 posts, 1 to 3 roles, rosters of 0 to about 50, some of them rated and met."""
    sides = draw(st.sampled_from(GAMES))
    tables = draw(st.integers(1, 6))
    past = draw(st.integers(0, max(1, 50 // (tables * len(set().union(*sides))))))
    view = league(sides, tables, past)
    ids = [snapshot.id for snapshot in view.snapshots]
    rated = draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []
    values = st.tuples(st.floats(-1000, 1000), st.floats(0, 100))
    ratings = {
        one: Rating(value, value - width, value + width, 100) for one in rated for value, width in [draw(values)]
    }
    opponents = st.sampled_from([*ids, *(learner.name for learner in view.learners)])
    training = st.builds(
        result,
        st.sampled_from([learner.name for learner in view.learners]),
        st.lists(opponents, min_size=1, max_size=3).map("+".join),
        st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
        st.integers(1, 1000),
        st.integers(past, past + 20),
    )
    found = league(
        sides,
        tables,
        past,
        ratings,
        steps_since_exploit=draw(st.sampled_from([0, 10**6])),
        training=draw(st.lists(training, max_size=10)),
    )
    return replace(found, round=past + 21)
