"""Ids and frozen records shared by all rooms. Light on purpose: no torch, no I/O.

A **post** is filled by one policy: all seats of one role on one side (`GameSpec.posts`), or a single seat
(`matchmaking.posts.by_seat`). In most board games a post is one seat. A lineup names a policy for every post, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PolicyId = str
"""A snapshot's sha256, an anchor's id (`anchor_id`), or a learner's name, which stands for its live weights."""

Origin = Literal["initial", "trained", "anchor"]

RANDOM = "random"
"""The anchor that every run has: it plays legal actions uniformly at random and is rated 0 by definition."""


@dataclass(frozen=True, slots=True)
class Post:
    """The seats that one policy fills in a lineup: the seats of `role` on `side`, or one of them."""

    side: int
    role: str
    seats: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An immutable, rated policy. Anchors (scripted or the user's own, never trained) are snapshots without a file.

    number: how many snapshots of the same learner came before it (0: before any training).
    steps: agent-steps that its learner had trained by then.
    parent: the snapshot that it descends from; after an exploit, a snapshot of another learner.
    guest: the name of an anchor that comes from outside; its id is the sha256 of what it is (`run.roster.guests`).
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
    guest: str = ""

    @property
    def name(self) -> str:
        """A short readable name, such as `main-0.12`; for an anchor, its id; for a guest, what it was named by."""
        return self.guest or (self.id if self.origin == "anchor" else f"{self.learner}.{self.number}")

    @property
    def short(self) -> str:
        """The id as tables show it: its first eight hex digits, or an anchor's full id."""
        return self.id if self.origin == "anchor" and not self.guest else self.id[:8]

    @property
    def text(self) -> str:
        """An anchor's POLICY text without its role, such as `random` or `mcts=50`; for other snapshots, the id."""
        return self.id.removesuffix(f"/{self.role}") if self.origin == "anchor" else self.id

    @property
    def zero(self) -> bool:
        """Whether it is random play, whose rating is 0 by definition. The ratings of other anchors are estimated."""
        return self.origin == "anchor" and self.text == RANDOM


def anchor(role: str, roles: int, text: str = RANDOM) -> Snapshot:
    """The snapshot of an anchor for `role`. roles: the number of roles in the game. text: its POLICY."""
    id = anchor_id(role, roles, text)
    return Snapshot(id=id, role=role, learner="", number=0, round=0, steps=0, origin="anchor")


@dataclass(frozen=True, slots=True)
class SeatScore:
    """What the policy at one post of a match's lineup scored at one seat of the game.

    post: its index in flat order. episodes: how many it played at that seat. score_sum, score_sq: the sum and the sum
    of squares of the seat's score over those episodes.
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
    placements: how many games ended with each pattern of ranks by side. `(0, 1)` means that side 0 came first and
        side 1 second; `(0, 0)` is a draw. The counts sum to `games`. One-sided games have only the pattern `(0,)`.
    paired: each game was a set of episodes with equal seeds, in which the lineup was rotated over the sides, and the
        total score decided it (score games with several sides). No seat has an advantage in such a game.
    score_sum, score_sq: by post in flat order: the sum and the sum of squares, over episodes, of the policy's score
        (the episode's return, averaged over the seats that the policy holds).
    episodes: episodes played: `games`, or if paired, `games` times the number of rotations.
    forfeits: by post: episodes that the policy lost by an illegal move.
    others: policies that held the remaining posts in every episode. They are used to compare two policies of one role
        in a score game whose sides have different roles: both play with and against the same others on the same seeds.
    seats: what each policy scored at each seat that it took. Empty unless the size of a score counts and lineups do not
        tell who sat where.
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
        """The lineup in flat order, one policy per post."""
        return tuple(policy for side in self.lineup for policy in side)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a learner scored against one lineup of others in the training episodes that ended in one round.

    opponent: the policies of the other posts, joined by "+" (the learner's own name in pure self-play).
    score: mean result in [0, 1]: 1 for first place, 0.5 for a shared one, 0 for last. Never NaN: there is no row
        without episodes.
    """

    learner: str
    round: int
    opponent: str
    episodes: int
    score: float
    return_mean: float


@dataclass(frozen=True, slots=True)
class Rating:
    """A rating and its 95 % interval, in the unit of its rating system (Elo points; mean score in one-sided games)."""

    value: float
    low: float
    high: float
    games: int


@dataclass(frozen=True, slots=True)
class ExploitabilityBound:
    """What best responses gain against a policy, as a mean over the sides, in the game's score an episode.

    value, low, high: what was found, and its 95 % interval. exact: whether the whole game was traversed; otherwise the
    best response was trained, and an even better one may exist.
    """

    value: float
    low: float
    high: float
    exact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One line of the standings.

    field: the predicted score against the field, in [0, 1]; None in one-sided games.
    score: mean result over all rated games, in [0, 1]; in one-sided games, the mean score.
    trend: difference from the learner's previous snapshot in what the lines are ordered by; None if there is none.
    exploitability: as the run or `league exploit --record` measured it; None if neither did.
    """

    rank: int
    snapshot: Snapshot
    rating: Rating
    wins: int
    draws: int
    losses: int
    score: float
    field: Rating | None = None
    trend: float | None = None
    best: bool = False
    exploitability: ExploitabilityBound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerView:
    """What a matchmaker may know about a learner.

    table: index of its training table, which learners of different roles share.
    latest: id of its newest snapshot. steps_since_exploit: agent-steps since its start or since the last exploit
    overwrote it; that was in the round `exploited` (0: never).
    """

    name: str
    role: str
    table: int
    steps: int
    steps_since_exploit: int
    latest: PolicyId
    exploited: int = 0
    hyperparameters: Mapping[str, float] = field(default_factory=dict)


def no_gains(policies: Sequence[PolicyId]) -> NDArray[np.float64]:
    """The payoff of a league without rated matches: everybody is even with everybody, `[N, N]`."""
    import numpy as np

    return np.zeros((len(policies), len(policies)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeagueView:
    """Everything that matchmaking may depend on: the league's history, without clocks or live objects.

    snapshots: the pool, that is the roster without anchors and without what was evicted, oldest first.
    anchors: random play and `rating.anchors`, for each role.
    ratings: the score against the field (mean score in one-sided games) by snapshot id.
    training: the training results of the last 1000 rounds, oldest first. slots: the number of slots of each table.
    gains: from N snapshots of one role to `[N, N]`, what the row is predicted to gain over the column, antisymmetric,
    computed when it is called: the mean result in [0, 1] less 1/2 or, where the size of a score counts, the score in an
    episode as a share of twice the largest. Where roles differ, it compares how well two do beside the same others.
    """

    round: int
    posts: tuple[Post, ...]
    learners: tuple[LearnerView, ...]
    snapshots: tuple[Snapshot, ...]
    anchors: tuple[Snapshot, ...]
    ratings: Mapping[PolicyId, Rating]
    training: tuple[TrainingResult, ...]
    slots: int
    gains: Callable[[Sequence[PolicyId]], NDArray[np.float64]] = field(default=no_gains, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Seating:
    """A lineup (policy by post, flat) and the share of a table's slots that should play it."""

    lineup: tuple[PolicyId, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Exploit:
    """`learner` copies the weights and optimiser of learner `source` and takes new hyperparameters (PBT).

    A learner that is its own source is reset: it starts again from the weights of `snapshot`, with a new critic and
    optimiser, and its annealed settings start again, too.

    hyperparameters: the learner's new hyperparameters, already perturbed. snapshot: the parent of the learner's next
    snapshot: the source's latest, or that from which the learner starts again. age: of a reset: agent-steps that
    annealed settings have behind them. reason: why, for people; may be empty.
    """

    learner: str
    source: str
    snapshot: PolicyId
    hyperparameters: Mapping[str, float]
    age: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A matchmaker's plan for the next round: seatings, exploits that are carried out first, snapshots that come last.

    seatings: `seatings[table]` for each training table. A policy id in a lineup is a snapshot's id or a learner's
    name. Learners of that table are trained from the posts where they sit; all other policies play with frozen weights.
    snapshots: the learners that are frozen at the end of the round; None: the settings `population.snapshot_…`
    decide.
    """

    seatings: tuple[tuple[Seating, ...], ...]
    exploits: tuple[Exploit, ...] = ()
    snapshots: tuple[str, ...] | None = None


def anchor_id(role: str, roles: int, text: str = RANDOM) -> PolicyId:
    """The id of an anchor for `role`: its POLICY text, or TEXT/ROLE if the game has several roles.

    It cannot be confused with a snapshot's id: no sha256 is `random` or `one-ply`, starts with `mcts=`, has a colon or
    ends as files of weights do. The last slash is unambiguous, too, as no Python name contains one.
    """
    return text if roles == 1 else f"{text}/{role}"
