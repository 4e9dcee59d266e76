"""The sections of a config: what is played, who learns against whom, how that is rated, and when it stops."""

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

from league.config.explain import show
from league.errors import nearest
from league.learning.settings import ALGORITHMS, AlgorithmSettings
from league.matchmaking.core import MATCHMAKERS, LogRange, MatchmakingSettings, matchmaker_class
from league.policies.names import checked_anchors
from league.rating.bradley_terry import BradleyTerrySettings
from league.rating.core import RATINGS
from league.rating.elo import EloSettings
from league.rating.openskill import OpenSkillSettings
from league.settings import Settings


def _is_rating(value: str) -> str:
    if value not in RATINGS and ":" not in value:
        raise ValueError(f"must be one of {', '.join(RATINGS)}, not {show(value)}{nearest(value, RATINGS)}")
    return value


def _is_matchmaker(value: str) -> str:
    if value not in MATCHMAKERS and ":" not in value:
        raise ValueError(
            f"must be one of {', '.join(MATCHMAKERS)}, or your own as package.module:Name or file.py:Name, "
            f"not {show(value)}{nearest(value, MATCHMAKERS)}"
        )
    return value


def _of_its_kind(value: object) -> object:
    """The settings of an algorithm, checked as those of its kind."""
    if not isinstance(value, Mapping):
        return value
    kind = value.get("kind", AlgorithmSettings.model_fields["kind"].default)
    if kind not in ALGORITHMS:
        wrong = f"must be one of {', '.join(ALGORITHMS)}, not {show(kind)}{nearest(str(kind), ALGORITHMS)}"
        error = PydanticCustomError("value_error", "{wrong}", {"wrong": wrong})
        raise ValidationError.from_exception_data("Algorithm", [{"type": error, "loc": ("kind",), "input": kind}])
    # A ValidationError raised here keeps its places: pydantic nests them below this section.
    return ALGORITHMS[kind].model_validate_json(as_json(value), strict=True)


Algorithm = Annotated[SerializeAsAny[AlgorithmSettings], BeforeValidator(_of_its_kind)]
"""The settings of an algorithm of any kind."""


class GameConfig(Settings):
    """What is played."""

    id: str = Field("connect_four", min_length=1)
    """A name that `league games` lists, `pettingzoo:…`, `mpe2:…`, `magent2:…`, `openspiel:…`, `lbf:…`, `rware:…`,
    `package.module:Name` or `file.py:Name`."""
    options: dict[str, object] = Field(default_factory=dict)
    """Options of the game itself, such as `max_cycles` of a PettingZoo environment."""
    wrappers: list[str] = Field(default_factory=list)
    """What is put around each PettingZoo environment, the first one innermost: `package.module:Name` or
    `file.py:Name`, called with the environment."""
    reward: Literal["own", "team"] = "own"
    """What a seat learns from: its own reward, or the mean of its side's, as coma, qmix and vdn do whatever is said."""
    posts: Literal["side", "seat"] = "side"
    """What one policy fills in training: "side": all seats of its role on a side; "seat": each seat by itself, so that
    team-mates may be other policies. Rated matches are played by side either way."""

    @property
    def made_with(self) -> dict[str, object]:
        """All that `games.registry.make` takes as options."""
        return self.options | ({"wrappers": list(self.wrappers)} if self.wrappers else {})


class PopulationConfig(Settings):
    """Who learns."""

    learners: PositiveInt = 1
    """Learners of every role; learner i of each role share training table i."""
    init: str = ""
    """A POLICY that all learners start from; empty: from fresh weights."""
    snapshot_every: PositiveInt = 5
    """Rounds from one snapshot of a learner to its next."""
    spread: dict[str, LogRange] = Field(default_factory=dict)
    """Lowest and highest first value of hyperparameters that each learner draws for itself (log-uniformly)."""


class MatchmakingConfig(Settings):
    """Who trains against whom: the kind, and that kind's own settings beside it.

    Settings of a kind that ships are checked and complete; those of a user's own kind are taken as they are.
    """

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, AfterValidator(_is_matchmaker)] = "fictitious"
    """naive, fictitious, pbt, or your own as `package.module:Name` or `file.py:Name`."""

    @property
    def settings(self) -> dict[str, object]:
        """All keys but the kind: what `make_matchmaker` takes."""
        return dict(self.model_extra or {})

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, data: object) -> object:
        if not isinstance(data, Mapping):
            return data
        kind = data.get("kind", cls.model_fields["kind"].default)
        if not ships(kind):
            return data
        given = {name: value for name, value in data.items() if name != "kind"}
        # A ValidationError raised here keeps its places: pydantic nests them below this section.
        settings = kind_settings(kind).model_validate_json(as_json(given), strict=True)
        return {"kind": kind, **settings.model_dump(mode="json")}


class RatingConfig(Settings):
    """Rated matches between snapshots, and how they are shown."""

    by: Annotated[str, AfterValidator(_is_rating)] = "bradley-terry"
    """The rating that standings show; bradley-terry decides what is best whatever is shown."""
    matches_per_snapshot: PositiveInt = 6
    """Rated matches that each new snapshot is worth; they go where they tell most."""
    games_per_match: PositiveInt = 64
    """Games of a rated match, shared equally by its seat swaps."""
    anchors: Annotated[tuple[str, ...], AfterValidator(checked_anchors)] = ()
    """Policies beside random play that every new snapshot meets in a rated match more: one-ply, mcts=N, or your own as
    `package.module:Name` or `file.py:Name`. They are rated, and never trained nor best."""
    bradley_terry: BradleyTerrySettings = BradleyTerrySettings()
    """Settings of Bradley–Terry."""
    elo: EloSettings = EloSettings()
    """Settings of Elo."""
    openskill: OpenSkillSettings = OpenSkillSettings()
    """Settings of OpenSkill."""


class BudgetConfig(Settings):
    """When the run stops: at whichever is reached first; what is left out is unlimited."""

    rounds: PositiveInt | None = None
    """Rounds in total, over all calls."""
    steps: PositiveInt | None = None
    """Agent-steps in total, over all calls and learners."""
    minutes: float | None = Field(None, gt=0)
    """Minutes of each call."""


def kind_settings(kind: str) -> type[MatchmakingSettings]:
    """The settings of a matchmaker that ships."""
    return cast(type[MatchmakingSettings], matchmaker_class(kind))


def ships(kind: object) -> TypeGuard[str]:
    """Whether a matchmaker of this kind ships with league."""
    return isinstance(kind, str) and kind in MATCHMAKERS


def as_json(data: Mapping[str, object]) -> str:
    """The text that settings are validated from."""
    # Strict JSON rather than Python data: a list is then a tuple, yet "4" is no number and true is no 1.
    return json.dumps(data, default=str)
