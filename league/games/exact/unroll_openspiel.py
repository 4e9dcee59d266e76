"""OpenSpiel's games in sequence form: every history is visited once.

The optional package pyspiel is imported on first use.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from league.errors import GameError
from league.games.core import GameSpec
from league.games.exact.sequence_form import MOST, SequenceForm, Unrolling, not_zero_sum, too_large, with_move
from league.games.pettingzoo.driver import Driver, drive
from league.games.pettingzoo.options import split_options
from league.games.pettingzoo.sources import find
from league.games.pettingzoo.spaces import ObservationOptions, agents_of


def unroll(spec: GameSpec) -> SequenceForm:
    """The whole of a game of OpenSpiel with two seats, what its policies see being what the adapter shows them.

    Raises GameError where it is not zero-sum, cannot be walked through, or has more than `MOST` histories.
    """
    adapter, given = split_options(spec.options)
    if adapter.wrappers:
        raise GameError(f"{spec.id} cannot be traversed: game.wrappers may remember what came before")
    source = find(spec.id, given)
    environment = source.build()
    observations = ObservationOptions(adapter.channels or source.channels, adapter.shrink, adapter.pad)
    driver = drive(source.id, environment, *agents_of(source.id, environment, observations))
    driver.reset(0)
    game = environment.game_state.get_game()
    _walkable(spec, game)
    root = game.new_initial_state()
    _count(spec, root)
    return _walk(spec, driver, root)


def _walkable(spec: GameSpec, game: Any) -> None:
    """Raise GameError where a game of pyspiel is not zero-sum, or its rules do not tell what a traversal needs."""
    import pyspiel

    kind = game.get_type()
    if kind.utility != pyspiel.GameType.Utility.ZERO_SUM:
        raise not_zero_sum(spec.id)
    if kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
        raise GameError(f"{spec.id} cannot be traversed: it does not tell the probabilities of its chance")
    if not kind.provides_information_state_string:
        raise GameError(f"{spec.id} cannot be traversed: OpenSpiel does not tell what its seats know")


def _count(spec: GameSpec, root: Any) -> None:
    """Raise GameError where there are more than `MOST` histories: within seconds, since nobody is asked what it sees,
    and positions that are known to follow need not be made to be counted."""
    waiting = deque((root, move) for move in root.legal_actions())
    found = 1 + len(waiting)
    while waiting and found <= MOST:
        state, move = waiting.popleft()
        child = state.child(move)
        moves = [] if child.is_terminal() else child.legal_actions()
        found += len(moves)
        waiting += ((child, move) for move in moves)
    if waiting:
        raise too_large(spec.id)


def _walk(spec: GameSpec, driver: Driver, root: Any) -> SequenceForm:
    """Put the game together from all that may follow `root`, seats that choose at once one after the other."""
    environment, unrolling = driver.env, Unrolling(spec)

    def look(state: Any, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        environment.game_state = state
        environment._update_action_masks()
        environment._update_observations()
        return driver.observe_with_mask(seat)

    # A position; what seat 0 has chosen there where the seats choose at once; both sequences; how likely chance is.
    walk: deque[tuple[Any, int | None, tuple[int, int], float]] = deque([(root, None, (0, 0), 1.0)])
    while walk:
        state, chosen, so_far, chance = walk.popleft()
        if state.is_terminal():
            unrolling.end(so_far, chance * state.returns()[0])
        elif state.is_chance_node():
            walk += ((state.child(move), None, so_far, chance * odds) for move, odds in state.chance_outcomes())
        else:
            together = state.is_simultaneous_node()
            seat = (0 if chosen is None else 1) if together else state.current_player()
            key = state.information_state_string(seat)
            here = unrolling.decision(seat, key, so_far[seat], partial(look, state, seat))
            for move in state.legal_actions(seat):
                after = with_move(so_far, seat, here + 1 + move)
                if together and chosen is None:
                    walk.append((state, move, after, chance))
                else:
                    walk.append((_moved(state, chosen, move), None, after, chance))
    return unrolling.form()


def _moved(state: Any, chosen: int | None, move: int) -> Any:
    """The position after a move; where the seats choose at once, after seat 0's and seat 1's."""
    if chosen is None:
        return state.child(move)
    child = state.clone()
    child.apply_actions([chosen, move])
    return child
