"""OpenSpiel's games in sequence form, by a breadth-first traversal of all histories.

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
from league.games.exact.sequence_form import (
    MAX_HISTORIES,
    SequenceForm,
    SequenceFormBuilder,
    not_zero_sum,
    too_large,
    with_move,
)
from league.games.pettingzoo.driver import Driver, new_driver
from league.games.pettingzoo.options import split_options
from league.games.pettingzoo.sources import find
from league.games.pettingzoo.spaces import ObservationOptions, agents_of


def unroll_openspiel(spec: GameSpec) -> SequenceForm:
    """The sequence form of a two-player game of OpenSpiel, with observations as the PettingZoo adapter encodes them.

    Raises GameError where it is not zero-sum, cannot be traversed, or has more than `MAX_HISTORIES` histories.
    """
    adapter, given = split_options(spec.options)
    if adapter.wrappers:
        raise GameError(f"{spec.id} cannot be traversed: game.wrappers may add memory to observations")
    source = find(spec.id, given)
    environment = source.build()
    observations = ObservationOptions(adapter.channels or source.channels, adapter.shrink, adapter.pad)
    driver = new_driver(source.id, environment, *agents_of(source.id, environment, observations))
    driver.reset(0)
    game = environment.game_state.get_game()
    _check_traversable(spec, game)
    root = game.new_initial_state()
    _check_size(spec, root)
    return _traverse(spec, driver, root)


def _check_traversable(spec: GameSpec, game: Any) -> None:
    """Raise GameError where a pyspiel game is not zero-sum, or does not provide what a traversal needs."""
    import pyspiel

    kind = game.get_type()
    if kind.utility != pyspiel.GameType.Utility.ZERO_SUM:
        raise not_zero_sum(spec.id)
    if kind.chance_mode == pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC:
        raise GameError(f"{spec.id} cannot be traversed: OpenSpiel does not provide its chance probabilities")
    if not kind.provides_information_state_string:
        raise GameError(f"{spec.id} cannot be traversed: OpenSpiel does not provide its information states")


def _check_size(spec: GameSpec, root: Any) -> None:
    """Raise GameError where there are more than `MAX_HISTORIES` histories.

    This takes seconds: it makes no observations, and counts the successors of a position without visiting them.
    """
    waiting = deque((root, move) for move in root.legal_actions())
    found = 1 + len(waiting)
    while waiting and found <= MAX_HISTORIES:
        state, move = waiting.popleft()
        child = state.child(move)
        moves = [] if child.is_terminal() else child.legal_actions()
        found += len(moves)
        waiting += ((child, move) for move in moves)
    if waiting:
        raise too_large(spec.id)


def _traverse(spec: GameSpec, driver: Driver, root: Any) -> SequenceForm:
    """Visit every history from `root` on. Simultaneous moves are visited one seat after the other."""
    environment, builder = driver.env, SequenceFormBuilder(spec)

    def observe(state: Any, seat: int) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        environment.game_state = state
        environment._update_action_masks()
        environment._update_observations()
        return driver.observe_with_mask(seat)

    # A position; seat 0's move there, in simultaneous moves; both sequences; the probability of chance's moves.
    queue: deque[tuple[Any, int | None, tuple[int, int], float]] = deque([(root, None, (0, 0), 1.0)])
    while queue:
        state, chosen, so_far, chance = queue.popleft()
        if state.is_terminal():
            builder.add_terminal(so_far, chance * state.returns()[0])
        elif state.is_chance_node():
            queue += (
                (state.child(move), None, so_far, chance * probability) for move, probability in state.chance_outcomes()
            )
        else:
            simultaneous = state.is_simultaneous_node()
            seat = (0 if chosen is None else 1) if simultaneous else state.current_player()
            key = state.information_state_string(seat)
            here = builder.add_decision(seat, key, so_far[seat], partial(observe, state, seat))
            for move in state.legal_actions(seat):
                after = with_move(so_far, seat, here + 1 + move)
                if simultaneous and chosen is None:
                    queue.append((state, move, after, chance))
                else:
                    queue.append((_moved(state, chosen, move), None, after, chance))
    return builder.build()


def _moved(state: Any, chosen: int | None, move: int) -> Any:
    """The position after a move. chosen: seat 0's move, where `move` is seat 1's part of a simultaneous move."""
    if chosen is None:
        return state.child(move)
    child = state.clone()
    child.apply_actions([chosen, move])
    return child
