"""The most used multi-particle scenarios: spread, tag, adversary, speaker-listener, reference.

Each is the environment of the same name in mpe2 1.1.1 (`simple_spread_v3` and so on): its agents, physics,
observations, actions, rewards and options. Lowe et al. 2017, "Multi-Agent Actor-Critic for Mixed
Cooperative-Competitive Environments"; Mordatch and Abbeel 2017, "Emergence of Grounded Compositional Language".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from league.games.native.particle_game import ParticleGame
from league.games.native.particle_physics import (
    InterpolatedFunction,
    exact_sqrt,
    length,
    ordered_sum,
    squared_distances,
    squared_length,
)
from league.games.native.particle_world import Agent, Landmarks, ObservationRows, WorldRows
from league.games.option_checks import check_number, check_whole

_FAR = 2 * math.sqrt(2)
"""The longest distance within the square from -1 to 1."""
_CATCH_REWARD = 10.0
_EDGE = 0.9

_MOVE = "0 nothing, 1 left, 2 right, 3 down, 4 up (where actions are continuous, how much of each)"


class Spread(ParticleGame):
    """`N` agents cover `N` landmarks together, without touching (`simple_spread_v3`).

    Reward: `(1 - local_ratio) * shared + local_ratio * own`, where `shared` is minus the sum of the distances from each
    landmark to its nearest agent, and `own` is -1 for every agent that this one touches.
    Observation `[4 + 2N + 4(N - 1)]`: own velocity and position, landmarks, others, and two zeros for each other
    (mpe2's messages, which nobody sends).
    """

    sees = (
        "own velocity and position, then, relative to oneself, the landmarks and the other agents; two "
        "zeros for each other agent"
    )
    does = _MOVE

    def __init__(
        self,
        slots: int,
        device: torch.device | str = "cpu",
        *,
        N: int = 3,
        local_ratio: float = 0.5,
        max_cycles: int = 25,
        continuous_actions: bool = False,
        dtype: str = "float32",
    ) -> None:
        check_whole("spread", "N", N)
        check_number("spread", "local_ratio", local_ratio, 0, 1)
        agents = [Agent(f"agent_{seat}", "agent", radius=0.15) for seat in range(N)]
        self._ratio, self._reach = local_ratio, 2 * agents[0].radius
        worst = -(1 - local_ratio) * N * _FAR - local_ratio * (N - 1)
        super().__init__(
            "spread",
            agents,
            Landmarks(N),
            slots,
            device,
            options={"N": N, "local_ratio": local_ratio},
            max_cycles=max_cycles,
            continuous=continuous_actions,
            dtype=dtype,
            bounds=(worst, 0.0),
            contact=True,
        )

    def observations(self, rows: WorldRows) -> list[ObservationRows]:
        seats = range(len(self._agents))
        return [
            rows.velocity(seat)
            + rows.position(seat)
            + rows.landmarks(seat)
            + rows.other_agents(seat)
            + rows.zeros(2 * (len(seats) - 1))
            for seat in seats
        ]

    def rewards(self, place: Tensor, landmark: Tensor, goal: Tensor) -> Tensor:
        seats = place.shape[1]
        square = squared_distances(place, torch.cat((place, landmark), 1))
        # Every agent touches itself.
        touched = (square[:, :seats] < self._reach**2).to(place.dtype).sum(1).sub_(1)
        shared = ordered_sum(exact_sqrt(square[:, seats:].amin(0)))
        return (shared * (self._ratio - 1)).sub(touched.mul_(self._ratio))


class Tag(ParticleGame):
    """`num_adversaries` hunt `num_good` faster agents around `num_obstacles` obstacles (`simple_tag_v3`).

    Reward: every adversary gets 10 for each pair of an adversary and a good agent that touch. A good agent gets -10 for
    each adversary that touches it, and a penalty that grows with each coordinate's distance from 0 beyond 0.9.
    Observation `[4 + 2 obstacles + 2 others + 2 good others]`: own velocity and position, obstacles, others, velocities
    of the good agents.
    """

    sees = (
        "own velocity and position, then, relative to oneself, the obstacles and the other agents; "
        "velocities of the good agents"
    )
    does = _MOVE

    def __init__(
        self,
        slots: int,
        device: torch.device | str = "cpu",
        *,
        num_good: int = 1,
        num_adversaries: int = 3,
        num_obstacles: int = 2,
        max_cycles: int = 25,
        continuous_actions: bool = False,
        dtype: str = "float32",
    ) -> None:
        check_whole("tag", "num_good", num_good)
        check_whole("tag", "num_adversaries", num_adversaries)
        check_whole("tag", "num_obstacles", num_obstacles, least=0)
        hunters = [
            Agent(f"adversary_{i}", "adversary", radius=0.075, force=3.0, max_speed=1.0) for i in range(num_adversaries)
        ]
        good = [Agent(f"agent_{i}", "agent", radius=0.05, force=4.0, max_speed=1.3) for i in range(num_good)]
        self._hunters, self._reach = num_adversaries, hunters[0].radius + good[0].radius
        super().__init__(
            "tag",
            [*hunters, *good],
            Landmarks(num_obstacles, within=0.9, radius=0.2),
            slots,
            device,
            options={"num_good": num_good, "num_adversaries": num_adversaries, "num_obstacles": num_obstacles},
            max_cycles=max_cycles,
            continuous=continuous_actions,
            dtype=dtype,
            bounds=(-_CATCH_REWARD * num_adversaries, _CATCH_REWARD * num_adversaries * num_good),
            contact=True,
        )
        self._outside = InterpolatedFunction(_outside, 1.0, 1 + math.log(10) / 2, self._dtype, self.device)

    def observations(self, rows: WorldRows) -> list[ObservationRows]:
        seats = range(len(self._agents))
        good = [seat for seat in seats if self._agents[seat].role == "agent"]
        return [
            rows.velocity(seat)
            + rows.position(seat)
            + rows.landmarks(seat)
            + rows.other_agents(seat)
            + [pair for other in good if other != seat for pair in rows.velocity(other)]
            for seat in seats
        ]

    def rewards(self, place: Tensor, landmark: Tensor, goal: Tensor) -> Tensor:
        good = place[:, self._hunters :]
        square = squared_distances(place[:, : self._hunters], good)
        caught = (square < self._reach**2).to(place.dtype).sum(0).mul_(_CATCH_REWARD)
        away = good.abs()
        # The penalty for leaving is continuous: linear from 0.9 to 1, then exponential, at most 10.
        penalty = (away - _EDGE).mul_(10).clamp_(0, 1).add_(self._outside.at(away))
        all_caught = caught.sum(0, keepdim=True).expand(self._hunters, -1)
        return torch.cat((all_caught, (-caught).sub_(penalty[0]).sub_(penalty[1])))


class Adversary(ParticleGame):
    """One of `N` landmarks is the goal: `N` agents know which, the adversary does not (`simple_adversary_v3`).

    Reward: the adversary gets minus its distance to the goal; the agents share its distance minus that of the nearest
    agent. Observation of the adversary `[4N]`: landmarks, others; of an agent `[4N + 2]`: the goal first.
    """

    sees = "relative to oneself: the landmarks and the other agents; of an agent, the goal before them"
    does = _MOVE

    def __init__(
        self,
        slots: int,
        device: torch.device | str = "cpu",
        *,
        N: int = 2,
        max_cycles: int = 25,
        continuous_actions: bool = False,
        dtype: str = "float32",
    ) -> None:
        check_whole("adversary", "N", N)
        agents = [Agent("adversary_0", "adversary", radius=0.15)]
        agents += [Agent(f"agent_{i}", "agent", radius=0.15) for i in range(N)]
        super().__init__(
            "adversary",
            agents,
            Landmarks(N),
            slots,
            device,
            options={"N": N},
            max_cycles=max_cycles,
            continuous=continuous_actions,
            dtype=dtype,
            bounds=(-_FAR, _FAR),
            goals=1,
            hints=2,
        )

    def observations(self, rows: WorldRows) -> list[ObservationRows]:
        seats = range(len(self._agents))
        return [
            (rows.hinted_position(0, seat) if seat else []) + rows.landmarks(seat) + rows.other_agents(seat)
            for seat in seats
        ]

    def hints(self, landmark: Tensor, goal: Tensor) -> list[Tensor]:
        return [_chosen(landmark, goal)[:, 0]]

    def rewards(self, place: Tensor, landmark: Tensor, goal: Tensor) -> Tensor:
        adversary, agents = length(place - _chosen(landmark, goal)).split((1, place.shape[1] - 1))
        shared = adversary - agents.amin(0, keepdim=True)
        return torch.cat((-adversary, shared.expand(agents.shape)))


class SpeakerListener(ParticleGame):
    """A speaker that sees the goal's colour tells a listener which of three landmarks it is
    (`simple_speaker_listener_v4`).

    Reward of both: minus the square of the listener's distance to the goal. Actions: of the speaker, one of 3 words; of
    the listener, a move. Observation of the speaker `[3]`: the goal's colour; of the listener `[11]`: own velocity,
    landmarks, the message of the last cycle.
    """

    sees = (
        "of the speaker: the goal's colour; of the listener: own velocity, the landmarks relative to "
        "itself, the message of the last turn"
    )
    does = f"of the speaker: one of 3 words; of the listener: {_MOVE}"

    def __init__(
        self,
        slots: int,
        device: torch.device | str = "cpu",
        *,
        max_cycles: int = 25,
        continuous_actions: bool = False,
        dtype: str = "float32",
    ) -> None:
        agents = [
            Agent("speaker_0", "speaker", radius=0.075, force=0.0, words=3),
            Agent("listener_0", "listener", radius=0.075),
        ]
        super().__init__(
            "speaker_listener",
            agents,
            Landmarks(3),
            slots,
            device,
            options={},
            max_cycles=max_cycles,
            continuous=continuous_actions,
            dtype=dtype,
            bounds=(-(_FAR**2), 0.0),
            goals=1,
            hints=3,
        )
        self._colours = torch.arange(3, device=self.device).unsqueeze(1)

    def observations(self, rows: WorldRows) -> list[ObservationRows]:
        return [rows.hint(0, 1, 2), rows.velocity(1) + rows.landmarks(1) + rows.message(0)]

    def hints(self, landmark: Tensor, goal: Tensor) -> list[Tensor]:
        return [_colour(goal == self._colours, 0.15, 0.65, landmark)]

    def rewards(self, place: Tensor, landmark: Tensor, goal: Tensor) -> Tensor:
        return squared_length(place[:, 1:] - _chosen(landmark, goal)).neg_().expand(2, -1)


class Reference(ParticleGame):
    """Two agents move and speak; each has to reach one of three landmarks that only the other knows
    (`simple_reference_v3`).

    Reward: `local_ratio * other + (1 - local_ratio) * mean`, where `other` is minus the other's distance to its goal,
    and `mean` is the mean of that over both agents. Action:
    a move + 5 times one of 10 words. Observation `[21]`: own velocity, landmarks, the colour of the other's goal, the
    other's message of the last cycle.
    """

    sees = (
        "own velocity, the landmarks relative to oneself, the colour of the other's goal, the other's "
        "message of the last turn"
    )
    does = f"a move + 5 times one of 10 words; a move is {_MOVE}"

    def __init__(
        self,
        slots: int,
        device: torch.device | str = "cpu",
        *,
        local_ratio: float = 0.5,
        max_cycles: int = 25,
        continuous_actions: bool = False,
        dtype: str = "float32",
    ) -> None:
        check_number("reference", "local_ratio", local_ratio, 0, 1)
        self._ratio = local_ratio
        super().__init__(
            "reference",
            [Agent(f"agent_{i}", "agent", radius=0.05, words=10) for i in range(2)],
            Landmarks(3),
            slots,
            device,
            options={"local_ratio": local_ratio},
            max_cycles=max_cycles,
            continuous=continuous_actions,
            dtype=dtype,
            bounds=(-_FAR, 0.0),
            goals=2,
            hints=6,
        )
        self._colours = torch.arange(3, device=self.device).view(1, 3, 1)

    def observations(self, rows: WorldRows) -> list[ObservationRows]:
        colours = [range(0, 3), range(3, 6)]
        return [
            rows.velocity(seat) + rows.landmarks(seat) + rows.hint(*colours[seat]) + rows.message(1 - seat)
            for seat in range(2)
        ]

    def hints(self, landmark: Tensor, goal: Tensor) -> list[Tensor]:
        return [_colour(goal.unsqueeze(1) == self._colours, 0.25, 0.75, landmark).flatten(0, 1)]

    def rewards(self, place: Tensor, landmark: Tensor, goal: Tensor) -> Tensor:
        # Each seat observes the other's goal.
        away = length(place.flip(1) - _chosen(landmark, goal)).neg_()
        both = (away[0] + away[1]).mul_((1 - self._ratio) / 2)
        return away.mul_(self._ratio).add_(both)


def _chosen(landmark: Tensor, goal: Tensor) -> Tensor:
    """`[2, L, B]`, `[G, B]` → `[2, G, B]`: the positions of the goals."""
    return landmark.gather(1, goal.expand(2, *goal.shape))


def _colour(own: Tensor, dull: float, bright: float, like: Tensor) -> Tensor:
    """The goal's colour: one of three channels is bright. own: bool, whether a channel is the goal's."""
    return own.to(like.dtype).mul_(bright - dull).add_(dull)


def _outside(away: Tensor) -> Tensor:
    """The penalty beyond 1, less the penalty at 1."""
    return torch.exp(2 * away - 2) - 1
