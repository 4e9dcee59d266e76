"""Recall, a memory test of league's own: name at the end the cue that was shown at the beginning."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from league.games.actions import Discrete
from league.games.core import GameSpec, RoleSpec, State
from league.games.counter_rng import uniform
from league.games.native.core import ActsAndState, NativeGame, Outcome, all_acting
from league.games.option_checks import check_whole

_CUE, _WAIT, _ANSWER = 0, 1, 2


class Recall(NativeGame):
    """Both seats are shown the same one of `cues`, once; `delay` turns later both must name it, at once.

    Observation `[cues + 3]` uint8: the cue, one-hot, on the first turn and zeros from then on; and the phase, one-hot:
    the cue is shown, waiting, or the answer is due. Actions: one of `cues`; only the last turn's count. A seat's score
    is 1 where it alone is right, -1 where the other alone is right, otherwise 0, so that a match compares memories.
    State: `cue` and `turn` `[B]` int64; for the critic `[cues + 3]`, the cue and the phase.

    The observation when the answer is due is always the same: without memory nobody is right more often than once in
    `cues`. The last `delay + 2` observations include the cue; fewer do not.
    """

    sees = "one-hot of the cue while it is shown, else zeros; then of the phase: cue, wait, answer"
    does = "the cue that is named when the answer is due; before that it means nothing"

    def __init__(self, slots: int, device: torch.device | str = "cpu", *, cues: int = 4, delay: int = 6) -> None:
        check_whole("recall", "cues", cues, least=2)
        check_whole("recall", "delay", delay, least=0)
        self._cues, self._delay = cues, delay
        role = RoleSpec(
            name="player",
            seats=(0, 1),
            acting=2,
            obs_shape=(cues + 3,),
            obs_dtype=torch.uint8,
            actions=Discrete(cues),
        )
        spec = GameSpec(
            id="recall",
            version="1",
            seats=("player_0", "player_1"),
            sides=((0,), (1,)),
            roles=(role,),
            score_range=(-1.0, 1.0),
            state_shape=(cues + 3,),
            options={"cues": cues, "delay": delay},
        )
        super().__init__(spec, slots, device)
        self._cue = torch.eye(cues, dtype=torch.uint8, device=self.device)
        self._phase = torch.eye(3, dtype=torch.uint8, device=self.device)
        phases = [_CUE] + [_WAIT] * delay + [_ANSWER]
        self._phase_of = torch.tensor(phases, device=self.device)
        self._seats = torch.arange(2, device=self.device)

    def deal(self, seeds: Tensor) -> State:
        # Stays below the number of cues: float32 rounds every such product of 24 bits down.
        return {"cue": uniform(seeds).mul_(self._cues).long(), "turn": torch.zeros_like(seeds)}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        ended = state["turn"] == self._delay + 1
        right = ((actions["player"] == state["cue"].unsqueeze(1)) & ended.unsqueeze(1)).float()
        score = right - right.flip(1)
        # `look` needs a phase for an ended slot, too, until a new episode begins there.
        turn = (state["turn"] + 1).clamp_(max=self._delay + 1)
        return {"cue": state["cue"], "turn": turn}, Outcome(score, ended, score)

    def look(self, state: State) -> ActsAndState:
        cue = self._cue.index_select(0, state["cue"])
        phase = self._phase.index_select(0, self._phase_of.index_select(0, state["turn"]))
        seen = torch.cat((cue * phase[:, _CUE : _CUE + 1], phase), 1)
        acting = all_acting(seen.unsqueeze(1).repeat(1, 2, 1), self._seats)
        return {"player": acting}, torch.cat((cue, phase), 1).float()

    def text(self, state: State) -> str:
        turn = int(state["turn"][0])
        phase = ("the cue is shown", "waiting", "the answer is due")[int(self._phase_of[turn])]
        return f"cue {int(state['cue'][0])} of {self._cues}; turn {turn}: {phase}"
