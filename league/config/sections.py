"""The sections of a config: the game, the population, matchmaking, rated matches and the budget."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Literal, TypeGuard, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from league.config.explain import toml_text
from league.errors import nearest
from league.learning.settings import ALGORITHMS, AlgorithmSettings
from league.matchmaking.core import MATCHMAKERS, LogRange, MatchmakingSettings, matchmaker_class
from league.matchmaking.snapshot_rules import FEWEST_LEFT
from league.policies.names import checked_anchors
from league.rating.bradley_terry import BradleyTerrySettings
from league.rating.core import RATINGS
from league.rating.elo import EloSettings
from league.rating.melo import MeloSettings
from league.rating.metagame.ratings import AlphaRankSettings
from league.rating.openskill import OpenSkillSettings
from league.settings import Settings


def _check_rating(value: str) -> str:
    if value not in RATINGS and ":" not in value:
        raise ValueError(f"must be one of {', '.join(RATINGS)}, not {toml_text(value)}{nearest(value, RATINGS)}")
    return value


def _check_matchmaker(value: str) -> str:
    if value not in MATCHMAKERS and ":" not in value:
        raise ValueError(
            f"must be one of {', '.join(MATCHMAKERS)}, or your own as package.module:Name or file.py:Name, "
            f"not {toml_text(value)}{nearest(value, MATCHMAKERS)}"
        )
    return value


def _validate_algorithm(value: object) -> object:
    """The settings of an algorithm, validated against its kind."""
    if not isinstance(value, Mapping):
        return value
    kind = value.get("kind", AlgorithmSettings.model_fields["kind"].default)
    if kind not in ALGORITHMS:
        wrong = f"must be one of {', '.join(ALGORITHMS)}, not {toml_text(kind)}{nearest(str(kind), ALGORITHMS)}"
        error = PydanticCustomError("value_error", "{wrong}", {"wrong": wrong})
        raise ValidationError.from_exception_data("Algorithm", [{"type": error, "loc": ("kind",), "input": kind}])
    # Pydantic nests the locations of a ValidationError raised here below this section.
    return ALGORITHMS[kind].model_validate_json(json_text(value), strict=True)


Algorithm = Annotated[SerializeAsAny[AlgorithmSettings], BeforeValidator(_validate_algorithm)]
"""The settings of an algorithm of any kind."""


class GameConfig(Settings):
    """What is played."""

    id: str = Field("connect_four", min_length=1)
    """A name that `league games` lists, `pettingzoo:…`, `mpe2:…`, `magent2:…`, `openspiel:…`, `lbf:…`, `rware:…`,
    `package.module:Name` or `file.py:Name`."""
    options: dict[str, object] = Field(default_factory=dict)
    """Options of the game itself, such as `max_cycles` of a PettingZoo environment."""
    wrappers: list[str] = Field(default_factory=list)
    """Wrappers around each PettingZoo environment, innermost first: `package.module:Name` or `file.py:Name`, called
    with the environment."""
    reward: Literal["own", "team"] = "own"
    """Reward that a seat learns from: its own, or the mean of its side. coma, qmix and vdn always use the team mean."""
    random_starts: float | None = Field(None, ge=0, le=1)
    """Share of training episodes that begin with random legal play of all seats, which is not learnt from: learners
    then see positions that they would not reach. By default 0.5 for board games that ship with league, else 0: in games
    of hidden information such starts would teach beliefs that are wrong in real games. Not for qmix and vdn."""
    random_start_turns: PositiveInt = 20
    """The most turns that are played at random; their number is drawn uniformly."""
    posts: Literal["side", "seat"] = "side"
    """The seats that one policy takes in training: "side": all seats of its role on a side; "seat": one seat, so that
    team-mates can be different policies. Rated matches always use "side"."""

    @property
    def make_options(self) -> dict[str, object]:
        """The options for `games.registry.make`: the game's own and the wrappers."""
        return self.options | ({"wrappers": list(self.wrappers)} if self.wrappers else {})

    @property
    def label(self) -> str:
        """The game and its options in words."""
        return f"{self.id} {json_text(self.make_options)}" if self.make_options else self.id


class PopulationConfig(Settings):
    """Who learns."""

    learners: PositiveInt = 1
    """Learners per role; learner i of every role trains at table i."""
    init: str = ""
    """A POLICY that all learners start from; empty: new random weights."""
    snapshot_every: PositiveInt = 5
    """Rounds between snapshots of a learner. With matchmaking.kind "alphastar", win rates and steps decide instead."""
    snapshot_growth: float = Field(0.01, ge=0, lt=1)
    """The least interval between snapshots, as a share of all rounds so far, so that long runs do not gather ever more
    of them that are nearly alike; 0: the interval stays `snapshot_every`."""
    recover: bool = False
    """Let a learner whose newest snapshot is significantly worse than one it descends from go on from that one, with
    its hyperparameters and more exploration; at most once in `recover_window` snapshots. A learner that was copied or
    reset otherwise waits as long."""
    recover_window: PositiveInt = 10
    """A learner's newest snapshot is compared with so many before it, of which the best against the field counts, also
    for the warning sign `behind_past`."""
    recover_exploration: float = Field(2.0, ge=1)
    """Factor by which a recovery raises `entropy` and `entropy_end` (qmix, vdn: `epsilon` and `epsilon_end`)."""
    snapshot_gate: float | None = Field(None, ge=0, lt=1)
    """Win rate in training above which a learner is frozen: against past snapshots, since its last one. The interval
    has to be over, too. Without it, the interval alone decides."""
    snapshot_timeout: PositiveInt = 50
    """With `snapshot_gate`: rounds since its last snapshot after which a learner is frozen whatever its win rate is."""
    most_snapshots: int | None = Field(100, ge=FEWEST_LEFT)
    """The most snapshots of a learner that are opponents in training and rated matches. Beyond it, a third is evicted,
    so that the others are spread over the whole run; the newest and the best stay. What is evicted keeps its file, its
    results and its last rating."""
    spread: dict[str, LogRange] = Field(default_factory=dict)
    """Range, by hyperparameter, from which each learner draws its initial value (log-uniformly)."""


class MatchmakingConfig(Settings):
    """Who trains against whom: the kind of matchmaker and that kind's settings.

    The settings of a built-in kind are validated and completed with defaults; those of a user's kind are not checked.
    """

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, AfterValidator(_check_matchmaker)] = "fictitious"
    """naive, fictitious, ring, pfsp, openai_five, psro, pbt, alphastar, or your own as `package.module:Name` or
    `file.py:Name`."""

    @property
    def settings(self) -> dict[str, object]:
        """All keys except the kind, as `make_matchmaker` takes them."""
        return dict(self.model_extra or {})

    @model_validator(mode="before")
    @classmethod
    def _validate_kind(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        kind = data.get("kind", cls.model_fields["kind"].default)
        if not is_built_in(kind):
            return data
        given = {name: value for name, value in data.items() if name != "kind"}
        # Pydantic nests the locations of a ValidationError raised here below this section.
        settings = matchmaker_settings(kind).model_validate_json(json_text(given), strict=True)
        return {"kind": kind, **settings.model_dump(mode="json")}


class RatingConfig(Settings):
    """Rated matches between snapshots, and the rating shown."""

    by: Annotated[str, AfterValidator(_check_rating)] = "melo"
    """The rating that standings show beside the score against the field, which always tells the best snapshot."""
    share: float = Field(0.05, gt=0, lt=1)
    """The rated matches' share of the run's work. It is turned into a number of games by rule, without a clock."""
    matches_per_snapshot: PositiveInt | None = None
    """Rated matches per new snapshot; by default as many as `share` allows."""
    games_per_match: PositiveInt = 16
    """Games of a pair each time that it is chosen, shared equally among its seat rotations."""
    anchors: Annotated[tuple[str, ...], AfterValidator(checked_anchors)] = ()
    """Fixed opponents, besides random play, each of which plays every new snapshot: one-ply, mcts=N, your own as
    `package.module:Name` or `file.py:Name`, or a file of weights named by its sha256, as in a run's folder `snapshots`.
    They are rated, but never trained and never best."""
    exploitability_every: PositiveInt | None = None
    """Rounds from one measurement of a learner's exact exploitability to the next: its first snapshot is measured, and
    then the first that is so many rounds newer than the last measured one. Without it none is measured. Only in
    games of one role that `league exploit` can traverse."""
    melo: MeloSettings = MeloSettings()
    """Settings of multidimensional Elo, the reference."""
    bradley_terry: BradleyTerrySettings = BradleyTerrySettings()
    """Settings of Bradley–Terry."""
    elo: EloSettings = EloSettings()
    """Settings of Elo."""
    openskill: OpenSkillSettings = OpenSkillSettings()
    """Settings of OpenSkill."""
    alpharank: AlphaRankSettings = AlphaRankSettings()
    """Settings of alpha-rank."""


class BudgetConfig(Settings):
    """When the run stops: at the first budget reached; a budget that is not set is unlimited."""

    rounds: PositiveInt | None = None
    """Rounds in total, over all calls."""
    steps: PositiveInt | None = None
    """Agent-steps in total, over all calls and learners."""
    minutes: float | None = Field(None, gt=0)
    """Minutes of each call."""


def matchmaker_settings(kind: str) -> type[MatchmakingSettings]:
    """The settings class of a built-in matchmaker."""
    return cast(type[MatchmakingSettings], matchmaker_class(kind))


def is_built_in(kind: object) -> TypeGuard[str]:
    """Whether league ships a matchmaker of this kind."""
    return isinstance(kind, str) and kind in MATCHMAKERS


def json_text(data: Mapping[str, object]) -> str:
    """The JSON from which settings are validated."""
    # In strict mode JSON, unlike Python data, accepts a list as a tuple, yet rejects "4" as a number and true as 1.
    return json.dumps(data, default=str)
