"""`RunConfig`: every setting of a run, composed of its sections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, cast

from pydantic import AfterValidator, Field, NonNegativeInt, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from league.config.explain import allowed_values, toml_text
from league.config.sections import (
    Algorithm,
    BudgetConfig,
    GameConfig,
    MatchmakingConfig,
    PopulationConfig,
    RatingConfig,
    is_built_in,
)
from league.errors import nearest
from league.learning.settings import ActorCriticSettings, AlgorithmSettings, MappoSettings
from league.matchmaking.pbt import DEFAULT_RANGES
from league.policies.settings import NetworkSettings
from league.settings import Settings


def _check_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise ValueError(f"must be auto, cpu, cuda or cuda:N, not {toml_text(value)}")
    return value


def _why_not_varied(place: str, name: str, ends: Sequence[float], algorithm: AlgorithmSettings) -> str:
    """Why a hyperparameter cannot vary within `ends`; empty if it can. place: the section that asks for it."""
    values = algorithm.model_dump()
    known = [one for one, value in values.items() if isinstance(value, float)]
    if name not in known:
        right = nearest(name, known) or f" (these can: {', '.join(known)})"
        return f"not a number set in [algorithm] that can vary by learner{right}"
    if name in ("magnet", "magnet_end") and place == "matchmaking" and not values["magnet"]:
        return "there is no magnet to vary: algorithm.magnet must begin above 0"
    if name == "average":
        return "the share of training over which weights are averaged is the same for all learners"
    try:
        for end in ends:
            type(algorithm).model_validate(values | {name: end})
    except ValidationError:
        right = allowed_values(type(algorithm).model_fields[name])
        return f"must lie where algorithm.{name} may: {right}, not {toml_text(ends)}"
    return ""


class RunConfig(Settings):
    """Every setting of a run."""

    seed: int = Field(0, ge=0, lt=2**63)
    """Seed of everything random in the run."""
    device: Annotated[str, AfterValidator(_check_device)] = "auto"
    """Where networks run: cpu, cuda, cuda:N, or auto (CUDA where there is one)."""
    threads: NonNegativeInt = 0
    """Threads for updates and matches on the CPU; 0: one per core. Results do not depend on it."""
    workers: NonNegativeInt | None = None
    """Worker processes that step Python environments; 0: step them in this process; default: one per core. Results do
    not depend on it, and native games need none."""
    tensorboard: bool = False
    """Also write metrics for TensorBoard, to the folder `tensorboard` in the run's folder (needs the extra
    `tensorboard`)."""
    game: GameConfig = GameConfig()
    """What is played."""
    population: PopulationConfig = PopulationConfig()
    """Who learns."""
    matchmaking: MatchmakingConfig = Field(default_factory=MatchmakingConfig)
    """Who trains against whom."""
    algorithm: Algorithm = MappoSettings()
    """How learners learn."""
    network: NetworkSettings = NetworkSettings()
    """The shape of the networks."""
    rating: RatingConfig = RatingConfig()
    """How snapshots are rated."""
    budget: BudgetConfig = BudgetConfig()
    """When the run stops."""

    @model_validator(mode="after")
    def _check_varied_hyperparameters(self) -> RunConfig:
        named = {("population", "spread"): cast(Mapping[str, Sequence[float]], self.population.spread)}
        if is_built_in(self.matchmaking.kind):
            ranges = cast(Mapping[str, Sequence[float]], self.matchmaking.settings.get("ranges", {}))
            if {name: tuple(ends) for name, ends in ranges.items()} != DEFAULT_RANGES:
                named["matchmaking", "ranges"] = ranges
        faults: list[InitErrorDetails] = [
            {
                "type": PydanticCustomError("value_error", "{wrong}", {"wrong": wrong}),
                "loc": (*place, name),
                "input": ends,
            }
            for place, varied in named.items()
            for name, ends in varied.items()
            if (wrong := _why_not_varied(place[0], name, ends, self.algorithm))
        ]
        if faults:
            raise ValidationError.from_exception_data("RunConfig", faults)
        return self

    @model_validator(mode="after")
    def _one_gate(self) -> RunConfig:
        if self.population.snapshot_gate is not None and self.matchmaking.kind == "alphastar":
            raise ValueError(
                'population.snapshot_gate has no part in matchmaking.kind = "alphastar", which has a gate of its own: '
                "set matchmaking.win_rate"
            )
        return self

    @model_validator(mode="after")
    def _starts_at_random_if_on_policy(self) -> RunConfig:
        if self.game.random_starts and not isinstance(self.algorithm, ActorCriticSettings):
            kind = self.algorithm.kind
            raise ValueError(
                f"game.random_starts must be 0 with algorithm.kind = {toml_text(kind)}, which replays games"
            )
        return self
