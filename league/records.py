"""Ids and frozen records shared by all rooms. Light on purpose: no torch, no I/O.

A **post** is what one policy fills: all seats of one role on one side (`GameSpec.posts`), or each seat by
itself (`matchmaking.posts.by_seat`). In most board games a post is one seat. A lineup names a policy for every post, in
order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PolicyId = str
"""A snapshot's sha256, an anchor's name (`anchor_id`), or a learner's name where live weights are meant."""

Origin = Literal["initial", "trained", "anchor"]

RANDOM = "random"
"""The anchor that every run has: uniformly random legal play, rated 0 by definition."""


@dataclass(frozen=True, slots=True)
class Post:
    """The seats that one policy fills in a lineup: the seats of `role` on `side`, or one of them."""

    side: int
    role: str
    seats: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An immutable, rated policy. Anchors (scripted or foreign, never trained) are snapshots too, without a file.

    number: how many snapshots of the same learner came before it (0: before any training).
    steps: agent-steps that its learner had trained when it was taken.
    parent: the snapshot that it descends from; after an exploit that is a snapshot of another learner.
    """

    id: PolicyId
    role: str
    learner: str
    number: int
    round: int
    steps: int
    origin: Origin
    parent: PolicyId | None = None
    hyperparameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """A short human name, such as `main-0.12`; an anchor is called by its id."""
        return self.id if self.origin == "anchor" else f"{self.learner}.{self.number}"

    @property
    def short(self) -> str:
        """The id as tables show it: eight hex digits, or an anchor's whole name."""
        return self.id if self.origin == "anchor" else self.id[:8]

    @property
    def text(self) -> str:
        """An anchor's POLICY, which does not name its role: `random`, `mcts=50`; another snapshot's id."""
        return self.id.removesuffix(f"/{self.role}") if self.origin == "anchor" else self.id

    @property
    def zero(self) -> bool:
        """Whether it is random play, which is rated 0 by definition. The ratings of other anchors are estimated."""
        return self.origin == "anchor" and self.text == RANDOM


def anchor(role: str, roles: int, text: str = RANDOM) -> Snapshot:
    """An anchor for `role` as a snapshot. roles: how many the game has. text: its POLICY; random play by default."""
    id = anchor_id(role, roles, text)
    return Snapshot(id=id, role=role, learner="", number=0, round=0, steps=0, origin="anchor")


@dataclass(frozen=True, slots=True)
class SeatScore:
    """What the policy at one place of a match's lineup scored at one seat of the game.

    post: the place in flat order. episodes: that it sat there. score_sum, score_sq: the sum, and the sum of squares, of
    the seat's score over them.
    """

    post: int
    seat: int
    episodes: int
    score_sum: float
    score_sq: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchResult:
    """One row of the ledger: `games` rated games of one lineup.

    lineup: policy by post, grouped by side: `lineup[side][k]`.
    placements: how many games ended with each pattern of ranks by side: `(0, 1)` means that side 0 was first and
        side 1 second, `(0, 0)` a draw. The counts sum to `games`. One-sided games have only the pattern `(0,)`.
    paired: each game was a set of episodes with equal seeds and the lineup rotated over the sides, decided by the
        total score (score games with several sides). No seat has an advantage in such a game.
    score_sum, score_sq: by place in flat order: the sum, and the sum of squares, over episodes, of the policy's score
        (the mean, over the seats that it holds, of the episode's return).
    episodes: episodes played (`games`, or `games` times the number of rotations where paired).
    forfeits: by post: episodes that the policy lost by an illegal move.
    others: policies that held the remaining posts in every episode (comparisons of two policies of one role in a score
        game whose sides have different roles: both played with and against the same others, on the same seeds).
    seats: where the size of a score counts, and lineups do not tell who sat where: what each policy scored at each seat
        that it took.
    """

    lineup: tuple[tuple[PolicyId, ...], ...]
    games: int
    placements: Mapping[tuple[int, ...], int]
    score_sum: tuple[float, ...]
    score_sq: tuple[float, ...]
    episodes: int
    turns: int
    seed: int
    paired: bool = False
    forfeits: tuple[int, ...] = ()
    others: tuple[PolicyId, ...] = ()
    round: int = 0
    seats: tuple[SeatScore, ...] = ()

    @property
    def policies(self) -> tuple[PolicyId, ...]:
        """The lineup in flat order, one policy a post."""
        return tuple(policy for side in self.lineup for policy in side)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a learner scored in the training episodes that ended in one round against one lineup of others.

    opponent: the other posts' policies, joined by "+" (its own name in pure self-play).
    score: mean result in [0, 1] (1 first place, 0.5 shared, 0 last); NaN-free: rows without episodes are not made.
    """

    learner: str
    round: int
    opponent: str
    episodes: int
    score: float
    return_mean: float


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating and its 95 % interval, in the rating system's own unit (Elo points; mean score in one-sided games)."""

    value: float
    low: float
    high: float
    games: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One line of the standings.

    score: mean result over all rated games in [0, 1]; in one-sided games the mean score.
    trend: change of the rating against the learner's previous snapshot, None where there is none.
    """

    rank: int
    snapshot: Snapshot
    rating: Rating
    wins: int
    draws: int
    losses: int
    score: float
    trend: float | None = None
    best: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerView:
    """What a matchmaker may know of a learner.

    table: which training table it sits at; learners of different roles share one.
    latest: id of its newest snapshot. steps_since_exploit: agent-steps since it began or was last copied over.
    """

    name: str
    role: str
    table: int
    steps: int
    steps_since_exploit: int
    latest: PolicyId
    hyperparameters: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeagueView:
    """All that matchmaking may depend on: facts of the league's history, no clock, no live object.

    snapshots: the roster without anchors, oldest first. anchors: random play and `rating.anchors`, one for each role.
    ratings: Bradley–Terry (mean score in one-sided games) by snapshot id. training: recent training results.
    slots: how many slots each table has.
    """

    round: int
    posts: tuple[Post, ...]
    learners: tuple[LearnerView, ...]
    snapshots: tuple[Snapshot, ...]
    anchors: tuple[Snapshot, ...]
    ratings: Mapping[PolicyId, Rating]
    training: tuple[TrainingResult, ...]
    slots: int


@dataclass(frozen=True, slots=True)
class Seating:
    """A lineup (policy by post, flat) and the share of a table's slots that should play it."""

    lineup: tuple[PolicyId, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Exploit:
    """PBT: `learner` takes the weights, optimiser and hyperparameters of learner `source`, then explores.

    hyperparameters: the learner's new hyperparameters, already perturbed. snapshot: the source's latest, from which the
    learner's next snapshot descends.
    """

    learner: str
    source: str
    snapshot: PolicyId
    hyperparameters: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a matchmaker wants of the next round: seatings by table, and exploits carried out before it.

    seatings: `seatings[table]` for each training table. A policy id in a lineup is a snapshot's id or a learner's
    name; a learner of that very table is trained from the posts where it sits, all others play frozen weights.
    """

    seatings: tuple[tuple[Seating, ...], ...]
    exploits: tuple[Exploit, ...] = ()


def anchor_id(role: str, roles: int, text: str = RANDOM) -> PolicyId:
    """The id of an anchor for `role`: its POLICY text, or TEXT/ROLE where a game has several roles.

    No sha256 is `random`, `one-ply`, begins with `mcts=` or has a colon; an object's name in Python has no slash.
    """
    return text if roles == 1 else f"{text}/{role}"
