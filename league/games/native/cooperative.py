"""Cooperative matrix games: two-step (Rashid et al. 2018), climbing and penalty (Claus and Boutilier 1998).

Letters in shapes: B slots, M places, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import GameSpec, RoleSpec, State
from league.games.native.core import ActsAndState, NativeGame, Outcome, all_acting
from league.games.native.matrix import PayoffMatrix
from league.games.option_checks import check_number, check_whole


class SharedPayoffGame(NativeGame):
    """`turns` simultaneous moves of two seats on one side, at places with a payoff matrix each.

    payoffs: by place, the payoff of both seats by the first seat's action (rows) and the second's. after: by place, the
    next place after a pair of actions. An episode begins at place 0 and ends with its last turn, by the rules.
    Observation of both seats and the critic's state: `[M]` float32, one-hot of the place. State: `place` and `turn`
    `[B]` int64, `score` `[B, 2]`. best, worst: the highest and lowest possible score.
    """

    sees = "one-hot of the place"
    does = "the row or the column of the payoff matrix"

    def __init__(
        self,
        name: str,
        slots: int,
        device: torch.device | str,
        *,
        payoffs: Sequence[PayoffMatrix],
        after: Sequence[PayoffMatrix],
        turns: int,
        worst: float,
        best: float,
        options: Mapping[str, object],
    ) -> None:
        self._places, self._actions, self._turns = len(payoffs), len(payoffs[0]), turns
        role = RoleSpec(
            name="agent",
            seats=(0, 1),
            acting=2,
            obs_shape=(self._places,),
            obs_dtype=torch.float32,
            actions=Discrete(self._actions),
        )
        spec = GameSpec(
            id=name,
            version="1",
            seats=("agent_0", "agent_1"),
            sides=((0, 1),),
            roles=(role,),
            outcome="score",
            score_range=(worst, best),
            state_shape=(self._places,),
            options=options,
        )
        super().__init__(spec, slots, device)
        self._payoffs = torch.tensor(payoffs, dtype=torch.float32, device=self.device).view(-1, 1).repeat(1, 2)
        self._after = torch.tensor(after, device=self.device).long().flatten()
        self._one_hot = torch.eye(self._places, device=self.device)
        self._seats = torch.arange(2, device=self.device)

    def deal(self, seeds: Tensor) -> State:
        place = torch.zeros_like(seeds)
        return {"place": place, "turn": place.clone(), "score": torch.zeros((len(seeds), 2), device=seeds.device)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        one, two = actions["agent"].unbind(1)
        move = (state["place"] * self._actions + one) * self._actions + two
        reward = self._payoffs.index_select(0, move)
        turn, score = state["turn"] + 1, state["score"] + reward
        after = {"place": self._after.index_select(0, move), "turn": turn, "score": score}
        return after, Outcome(reward, turn >= self._turns, score)

    def look(self, state: State) -> ActsAndState:
        place = self._one_hot.index_select(0, state["place"])
        return {"agent": all_acting(place.unsqueeze(1).repeat(1, 2, 1), self._seats)}, place

    def text(self, state: State) -> str:
        place, size = int(state["place"][0]), self._actions**2
        rows = self._payoffs[place * size : (place + 1) * size, 0].view(self._actions, self._actions).tolist()
        matrix = "\n".join("   ".join(f"{value:g}" for value in row) for row in rows)
        turn, score = int(state["turn"][0]), float(state["score"][0, 0])
        return f"{matrix}\nplace {place}, turn {turn} of {self._turns}, so far {score:g}"


class RepeatedMatrixGame(SharedPayoffGame):
    """The same payoff matrix `turns` times in a row, with a constant observation."""

    def __init__(
        self,
        name: str,
        slots: int,
        device: torch.device | str,
        *,
        payoff: PayoffMatrix,
        turns: int,
        options: Mapping[str, object],
    ) -> None:
        check_whole(name, "turns", turns)
        low, high = min(min(row) for row in payoff), max(max(row) for row in payoff)
        stay = [[0] * len(payoff) for _ in payoff]
        super().__init__(
            name,
            slots,
            device,
            payoffs=[payoff],
            after=[stay],
            turns=turns,
            worst=turns * low,
            best=turns * high,
            options={**options, "turns": turns},
        )


class TwoStep(SharedPayoffGame):
    """The two-step game of Rashid et al. 2018 (QMIX, arXiv:1803.11485, section 5 and table 1).

    In the first turn, which pays nothing, the first seat's action chooses the payoff matrix of the second turn: 7 for
    every pair of actions, or [[0, 1], [1, 8]]. The best score is 8; a learner that cannot represent the value of joint
    actions settles for 7.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        nothing, safe, risky = [[0, 0], [0, 0]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]
        payoffs, after = [nothing, safe, risky], [[[1, 1], [2, 2]], [[1, 1], [1, 1]], [[2, 2], [2, 2]]]
        super().__init__(
            "two_step", slots, device, payoffs=payoffs, after=after, turns=2, worst=0.0, best=8.0, options={}
        )


class Climbing(RepeatedMatrixGame):
    """The climbing game of Claus and Boutilier 1998 ("The Dynamics of Reinforcement Learning in Cooperative Multiagent
    Systems"), `turns` times in a row as in Papoudakis et al. 2021 (arXiv:2006.07869).

    The best pair of actions, 11, is next to the worst, -30; the best score of 25 turns is 275.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, turns: int = 25) -> None:
        payoff: PayoffMatrix = [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]
        super().__init__("climbing", slots, device, payoff=payoff, turns=turns, options={})


class Penalty(RepeatedMatrixGame):
    """The penalty game of Claus and Boutilier 1998, `turns` times in a row as in Papoudakis et al. 2021.

    Two pairs of actions pay 10; mixing them up pays both seats `k`, which is 0 or less. The best score of 25 turns is
    250.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, k: float = -100, turns: int = 25) -> None:
        check_number("penalty", "k", k, -float("inf"), 0)
        payoff: PayoffMatrix = [[k, 0, 10], [0, 2, 0], [10, 0, k]]
        super().__init__("penalty", slots, device, payoff=payoff, turns=turns, options={"k": k})
