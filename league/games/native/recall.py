"""A game that only memory wins: name at the end what was shown at the beginning."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import Acting, GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import Look, NativeGame, Outcome
from league.games.options import whole

_SHOWN, _WAITING, _ASKED = 0, 1, 2


class Recall(NativeGame):
    """Both seats are shown the same one of `cues`, once; `delay` turns later both must name it, at once.

    Observation `[cues + 3]` uint8: the cue, one-hot, on the first turn and zeros from then on; and the phase, one-hot:
    the cue is shown, nothing is, or the answer is due. Actions: one of `cues`; they count on the last turn only. A
    seat's score is 1 where it alone is right, -1 where the other alone is, else 0, so that a match says who remembers.
    State: `cue` and `turn` `[B]` int64; for the critic `[cues + 3]`, the cue and the phase.

    What is seen when the answer is due is always the same, so that without memory nobody is right more often than once
    in `cues`. The last `delay + 2` observations have the cue among them; fewer have not.
    """

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, cues: int = 4, delay: int = 6) -> None:
        whole("recall", "cues", cues, least=2)
        whole("recall", "delay", delay, least=0)
        self._cues, self._delay = cues, delay
        role = RoleSpec("player", (0, 1), 2, (cues + 3,), torch.uint8, Discrete(cues))
        spec = GameSpec(
            "recall",
            "1",
            ("player_0", "player_1"),
            ((0,), (1,)),
            (role,),
            score_range=(-1.0, 1.0),
            state_shape=(cues + 3,),
            options={"cues": cues, "delay": delay},
        )
        super().__init__(spec, slots, device)
        self._cue = torch.eye(cues, dtype=torch.uint8, device=self.device)
        self._phase = torch.eye(3, dtype=torch.uint8, device=self.device)
        phases = [_SHOWN] + [_WAITING] * delay + [_ASKED]
        self._phase_of = torch.tensor(phases, device=self.device)
        self._seats = torch.arange(2, device=self.device)

    def deal(self, seeds: Tensor) -> State:
        # Never reaches their number: for every such product of 24 bits float32 rounds down.
        return {"cue": uniform(seeds).mul_(self._cues).long(), "turn": torch.zeros_like(seeds)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        ended = state["turn"] == self._delay + 1
        right = ((actions["player"] == state["cue"].unsqueeze(1)) & ended.unsqueeze(1)).float()
        score = right - right.flip(1)
        # An ended slot's turn is past its last until a new episode begins there: a look must find a phase for it.
        turn = (state["turn"] + 1).clamp_(max=self._delay + 1)
        return {"cue": state["cue"], "turn": turn}, Outcome(score, ended, score)

    def look(self, state: State) -> Look:
        cue = self._cue.index_select(0, state["cue"])
        phase = self._phase.index_select(0, self._phase_of.index_select(0, state["turn"]))
        seen = torch.cat((cue * phase[:, _SHOWN : _SHOWN + 1], phase), 1)
        obs, shape = seen.unsqueeze(1).repeat(1, 2, 1), (len(seen), 2)
        acting = Acting(obs, None, self._seats.expand(shape), torch.ones(shape, dtype=torch.bool, device=self.device))
        return {"player": acting}, torch.cat((cue, phase), 1).float()

    def text(self, state: State) -> str:
        turn = int(state["turn"][0])
        phase = ("the cue is shown", "waiting", "the answer is due")[int(self._phase_of[turn])]
        return f"cue {int(state['cue'][0])} of {self._cues}; turn {turn}: {phase}"
