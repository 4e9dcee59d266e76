"""Every game keeps the contract; the conformance suite names the broken rule and its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from torch import Tensor

from league.errors import GameError
from league.games.conformance.suite import check
from league.games.core import Acting, Game, GameSpec, State, Turn
from league.games.native.core import NativeGame, Outcome
from league.games.native.kuhn import Kuhn
from league.games.native.matrix import RockPaperScissors
from league.games.native.particle_scenarios import Spread
from league.games.native.tictactoe import TicTacToe
from league.games.registry import NATIVE, make
from league.games.symmetry import moved_planes

OPTIONS: dict[str, dict[str, object]] = {"matrix": {"payoff": [[1, -1], [-1, 1]]}}
PAID_APART = {
    "spread",
    "tag",
    "adversary",
    "speaker_listener",
    "reference",
    "two_step",
    "climbing",
    "penalty",
    "foraging",
}
"""Native games that are not zero-sum."""
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
ADAPTED = ["pettingzoo:classic/connect_four-v3", "pettingzoo:classic/rps-v2", "mpe2:simple_tag_v3"]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", NATIVE)
def test_every_native_game_keeps_the_contract(name: str, device: str) -> None:
    options, zero_sum = OPTIONS.get(name), name not in PAID_APART
    checked = check(lambda slots: make(name, slots, device, options), slots=8, episodes=60, zero_sum=zero_sum)
    assert checked.episodes >= 60


@pytest.mark.parametrize("id", ADAPTED)
def test_adapted_games_keep_the_contract(id: str) -> None:
    assert check(lambda slots: make(id, slots), slots=3, episodes=6).episodes >= 6


class WrongDtype(TicTacToe):
    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        acts, critic = super().look(state)
        acts["player"].obs = acts["player"].obs.float()
        return acts, critic


class WrongSeatCount(TicTacToe):
    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        turn = super().step(actions, seeds)
        return replace(turn, score=turn.score[:, :1])


class EmptyMask(TicTacToe):
    def open(self, occupied: Tensor) -> Tensor:
        return super().open(occupied) & (occupied[:, None] == 0)


class ActsTwice(RockPaperScissors):
    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        acts, critic = super().look(state)
        acts["player"].seat = torch.zeros_like(acts["player"].seat)
        return acts, critic


class NobodyActs(TicTacToe):
    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        acts, critic = super().look(state)
        acts["player"].present = state["boards"].sum(1, keepdim=True) == 0
        return acts, critic


class TooHigh(TicTacToe):
    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        state, outcome = super().play(state, actions)
        return state, replace(outcome, score=outcome.score * 2)


class NotZeroSum(TicTacToe):
    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        state, outcome = super().play(state, actions)
        return state, replace(outcome, score=outcome.score.clamp(min=0))


class NeverEnds(TicTacToe):
    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        _, outcome = super().play(state, actions)
        return state, replace(outcome, ended=torch.zeros_like(outcome.ended))


class NotFinite(Kuhn):
    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        acts, critic = super().look(state)
        assert critic is not None
        return acts, critic / 0


class Both(TicTacToe):
    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        turn = super().step(actions, seeds)
        return replace(turn, truncated=turn.terminated)


class HalfEnded(TicTacToe):
    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        turn = super().step(actions, seeds)
        terminated = turn.terminated.clone()
        terminated[:, 1] = False
        return replace(turn, terminated=terminated)


class Unrepeatable(Kuhn):
    drawn = count()

    def deal(self, seeds: Tensor) -> State:
        state = super().deal(seeds)
        state["deal"] = (state["deal"] + torch.arange(len(seeds)) * next(self.drawn)) % len(self.deals)
        return state


class ForgetsInSave(TicTacToe):
    def save(self) -> State:
        return {**super().save(), "mover": torch.zeros(self.slots, dtype=torch.int64)}


class SharesItsState(TicTacToe):
    def save(self) -> State:
        return self.state

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        turn = super().step(actions, seeds)
        previous = getattr(self, "previous", None)
        if previous is not None and len(previous) == self.slots:
            previous.copy_(self.state["boards"])
        self.previous = self.state["boards"]
        return turn


class ForkOfTheStart(TicTacToe):
    def fork(self, rows: Tensor) -> Game:
        twin = super().fork(rows)
        twin.start(torch.zeros(len(rows), dtype=torch.int64))
        return twin


class SharedWithItsFork(TicTacToe):
    def fork(self, rows: Tensor) -> Game:
        super().fork(rows)
        return self


class Forgiving(TicTacToe):
    def _with_forfeits(self, outcome: Outcome, illegal: Tensor) -> Outcome:
        return outcome


class Unblaming(TicTacToe):
    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        return replace(super().step(actions, seeds), forfeit=None)


class Slotted(TicTacToe):
    def deal(self, seeds: Tensor) -> State:
        state = super().deal(seeds)
        state["mover"] = torch.arange(len(seeds)) % 2
        return state


class WithoutState(Kuhn):
    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        return super().look(state)[0], None


class WithoutFinalSight(Spread):
    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        return replace(super().step(actions, seeds), final_obs=None)


class FinalSightOfTheNext(Spread):
    """Every second game returns observations of the next episode in place of the final ones."""

    made = count()

    def __init__(self, slots: int) -> None:
        super().__init__(slots, max_cycles=2)
        self.wrong = next(self.made) % 2 == 1

    def step(self, actions: Mapping[str, Tensor], seeds: Tensor) -> Turn:
        turn = super().step(actions, seeds)
        return replace(turn, final_obs={"agent": turn.acts["agent"].obs}) if self.wrong else turn


class Reordered(Spread):
    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        acts, critic = super().look(state)
        acts["agent"].seat = acts["agent"].seat.flip(1)
        return acts, critic


class CutAndGoingOn(Spread):
    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        after, outcome = super().play(state, actions)
        return after, replace(outcome, ended=torch.zeros_like(outcome.ended))


class FewerAtOnce(Spread):
    def __init__(self, slots: int) -> None:
        game = Spread(slots)
        spec = replace(game.spec, roles=(replace(game.spec.roles[0], acting=1),))
        NativeGame.__init__(self, spec, slots)


class WrongSymmetry(TicTacToe):
    """Moves to the right instead of mirroring; the actions move, too."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        moved = moved_planes((2, 3, 3), lambda grid: np.roll(grid, 1, 1))
        spec = replace(self.spec, roles=(replace(self.spec.roles[0], symmetries=(moved,)),))
        NativeGame.__init__(self, spec, slots)


BROKEN = [
    (WrongDtype, "acts['player'].obs must be torch.uint8, not torch.float32 (turn 0)"),
    (WrongSeatCount, "Turn.score must have shape [4, 2], not [4, 1] (turn 1)"),
    (EmptyMask, "a mask has at least one legal action (slot 0, turn 1, role player, row 0)"),
    (ActsTwice, "a seat acts at most once per turn (slot 0, turn 0, seat player_0)"),
    (NobodyActs, "at least one seat acts on every turn (slot 0, turn 1)"),
    (TooHigh, "a score must lie within the spec's range of -1 to 1"),
    (NotZeroSum, "the scores of an episode sum to zero"),
    (NeverEnds, "20 episodes must end within 300 turns of 4 slots (0 did)"),
    (NotFinite, "Turn.state must be finite (slot 0, turn 0)"),
    (Both, "terminated or truncated, never both"),
    (HalfEnded, "an episode may end only when it has ended for every seat"),
    (Unrepeatable, "equal seeds and actions must give equal turns: obs differs"),
    (ForgetsInSave, "a game that loads a saved state must continue like the original"),
    (SharesItsState, "later steps must not change a saved state; 'boards' changed"),
    (ForkOfTheStart, "a fork must begin at its original's position: obs differs"),
    (SharedWithItsFork, "playing a fork must not change its original"),
    (Forgiving, "an illegal action must end the episode"),
    (Unblaming, "an illegal action must be the offender's forfeit, and only its own"),
    (Slotted, "equal seeds must give equal episodes in every slot: seat differs (slot 1, turn 0"),
    (WithoutState, "Turn.state must be given if the spec has a state_shape"),
    (WithoutFinalSight, "Turn.final_obs must be given exactly when final_state is (turn 1)"),
    (FinalSightOfTheNext, "equal seeds and actions must give equal turns: final_obs differs (slot 0, turn 2"),
    (
        Reordered,
        "rows of a native game that can truncate are in the order of seats (slot 0, turn 0, role agent, row 0)",
    ),
    (CutAndGoingOn, "spread: a truncated episode has ended: set Outcome.ended, too"),
    (WrongSymmetry, "relabelled actions must give relabelled turns (symmetry 0 of tictactoe)"),
    (FewerAtOnce, "spread can truncate, so all 3 seats of 'agent' must act at once"),
]


@pytest.mark.parametrize(("broken", "words"), BROKEN, ids=[broken.__name__ for broken, _ in BROKEN])
def test_a_broken_rule_is_named_with_its_place(broken: type[TicTacToe | Spread], words: str) -> None:
    with pytest.raises(GameError) as error:
        check(lambda slots: broken(slots), zero_sum=broken.__base__ is not Spread, max_turns=300)
    assert words in str(error.value)


def test_a_spec_needs_every_seat_on_one_side() -> None:
    spec = TicTacToe(1).spec
    with pytest.raises(GameError, match="every seat must be on exactly one side"):
        GameSpec(spec.id, spec.version, spec.seats, ((0,),), spec.roles)
