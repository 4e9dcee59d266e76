"""Matrix games of two seats that share what they get, for checking learners: two-step, climbing, penalty.

Letters in shapes: B slots, M places, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.native.core import Look, NativeGame, Outcome
from league.games.options import number, whole

Table = Sequence[Sequence[float]]


class Shared(NativeGame):
    """`turns` simultaneous moves of two seats on one side, at places whose tables say what both get.

    payoffs: of each place, by the first seat's action (rows) and the second's. after: of each place, where a pair of
    actions leads; an episode begins at place 0 and ends with its last turn, by the rules. Observation of both seats and
    the critic's state: `[M]` float32, one-hot of the place. State: `place` and `turn` `[B]` int64, `score` `[B, 2]`.
    best: the highest score there is, worst: the lowest.
    """

    def __init__(
        self,
        name: str,
        payoffs: Sequence[Table],
        after: Sequence[Table],
        turns: int,
        slots: int,
        device: torch.device | str,
        *,
        worst: float,
        best: float,
        options: Mapping[str, object],
    ) -> None:
        self._places, self._actions, self._turns = len(payoffs), len(payoffs[0]), turns
        role = RoleSpec("agent", (0, 1), 2, (self._places,), torch.float32, Discrete(self._actions))
        spec = GameSpec(
            name,
            "1",
            ("agent_0", "agent_1"),
            ((0, 1),),
            (role,),
            outcome="score",
            score_range=(worst, best),
            state_shape=(self._places,),
            options=options,
        )
        super().__init__(spec, slots, device)
        self._payoffs = torch.tensor(payoffs, dtype=torch.float32, device=self.device).view(-1, 1).repeat(1, 2)
        self._after = torch.tensor(after, device=self.device).long().flatten()
        self._seen = torch.eye(self._places, device=self.device)
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

    def look(self, state: State) -> Look:
        seen = self._seen.index_select(0, state["place"])
        obs, shape = seen.unsqueeze(1).repeat(1, 2, 1), (len(seen), 2)
        acting = Acting(obs, None, self._seats.expand(shape), torch.ones(shape, dtype=torch.bool, device=self.device))
        return {"agent": acting}, seen

    def text(self, state: State) -> str:
        place, size = int(state["place"][0]), self._actions**2
        rows = self._payoffs[place * size : (place + 1) * size, 0].view(self._actions, self._actions).tolist()
        table = "\n".join("   ".join(f"{value:g}" for value in row) for row in rows)
        turn, score = int(state["turn"][0]), float(state["score"][0, 0])
        return f"{table}\nplace {place}, turn {turn} of {self._turns}, so far {score:g}"


class Repeated(Shared):
    """The same table `turns` times in a row: all that is seen is always the same."""

    def __init__(
        self,
        name: str,
        payoff: Table,
        turns: int,
        slots: int,
        device: torch.device | str,
        options: Mapping[str, object],
    ) -> None:
        whole(name, "turns", turns)
        low, high = min(min(row) for row in payoff), max(max(row) for row in payoff)
        stay = [[0] * len(payoff) for _ in payoff]
        super().__init__(
            name,
            [payoff],
            [stay],
            turns,
            slots,
            device,
            worst=turns * low,
            best=turns * high,
            options={**options, "turns": turns},
        )


class TwoStep(Shared):
    """The two-step game of Rashid et al. 2018 (QMIX, arXiv:1803.11485, section 5 and table 1).

    In the first turn, which pays nothing, the first seat's action chooses the place of the second: where everything
    pays 7, or where [[0, 1], [1, 8]] does. The best is 8; whoever cannot tell apart what the seats do together takes 7.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu") -> None:
        nothing, safe, risky = [[0, 0], [0, 0]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]
        payoffs, after = [nothing, safe, risky], [[[1, 1], [2, 2]], [[1, 1], [1, 1]], [[2, 2], [2, 2]]]
        super().__init__("two_step", payoffs, after, 2, slots, device, worst=0.0, best=8.0, options={})


class Climbing(Repeated):
    """The climbing game of Claus and Boutilier 1998 ("The Dynamics of Reinforcement Learning in Cooperative Multiagent
    Systems"), `turns` times in a row as in Papoudakis et al. 2021 (arXiv:2006.07869).

    The best pair of actions, 11, lies beside the worst, -30; 25 turns bring 275 at best.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, turns: int = 25) -> None:
        super().__init__("climbing", [[11, -30, 0], [-30, 7, 6], [0, 0, 5]], turns, slots, device, {})


class Penalty(Repeated):
    """The penalty game of Claus and Boutilier 1998, `turns` times in a row as in Papoudakis et al. 2021.

    Two pairs of actions pay 10, and who misses the other's choice of pair brings both `k`, 0 or less. 25 turns bring
    250 at best.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, k: float = -100, turns: int = 25) -> None:
        number("penalty", "k", k, -float("inf"), 0)
        super().__init__("penalty", [[k, 0, 10], [0, 2, 0], [10, 0, k]], turns, slots, device, {"k": k})
