"""Positions of OpenSpiel's games, all of them for a traversal, and OpenSpiel's own Monte Carlo tree search over them.

Nothing here imports pyspiel before it is asked for: the package is optional. Letters in shapes: N positions, A actions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from league.errors import GameError
from league.games.adapting import adapting
from league.games.bank import agents_of, fold_seed
from league.games.chance import fold
from league.games.core import GameSpec
from league.games.drivers import Driver, drive
from league.games.environments import find
from league.games.sequences import MOST, SequenceForm, Unrolling, not_zero_sum, too_large, with_move
from league.games.spaces import Looks

_MEMORY_MB = 1000


def positions(driver: Driver, episodes: Iterable[tuple[int, Sequence[Sequence[int]]]]) -> list[object]:
    """A `pyspiel.State` of one's own for each episode, given as its seed and its actions so far, by turn and seat.

    driver: of an environment of the game that nobody plays with. So it does not matter in which process the episodes
    themselves are played.
    """
    found = []
    for seed, turns in episodes:
        driver.reset(fold_seed(seed))
        for actions in turns:
            driver.step(actions)
        found.append(driver.env.game_state.clone())
    return found


def why_not(name: str, options: Mapping[str, object]) -> str | None:
    """Why OpenSpiel's search cannot play its game `name`, or None where it can. options: as the environment takes them.

    Raises GameError where the package is missing.
    """
    # Says what is wrong in the user's words, where anything is.
    find(f"openspiel:{name}", {})
    import pyspiel

    (known,) = (kind.parameter_specification for kind in pyspiel.registered_games() if kind.short_name == name)
    given = {key: value for key, value in options.items() if key in known}
    kind = pyspiel.load_game(name, given).get_type()
    if kind.information != pyspiel.GameType.Information.PERFECT_INFORMATION:
        return "who acts there does not see the whole position"
    if kind.dynamics != pyspiel.GameType.Dynamics.SEQUENTIAL:
        return "its seats do not act one after another"
    if kind.reward_model != pyspiel.GameType.RewardModel.TERMINAL:
        return "it pays before it ends"
    return None


def search(states: Sequence[Any], simulations: int, actions: int, exploration: float) -> tuple[Tensor, Tensor, Tensor]:
    """What `simulations` of `pyspiel.MCTSBot`, with random rollouts, find in each position.

    `[N, A]` visits; `[N, A]` what a move brings in [-1, 1] where that is proved, else NaN; `[N, A]` legal moves. What
    is drawn depends on the moves that led to a position, and on nothing else. exploration: for scores in [-1, 1].
    """
    import pyspiel

    shape = (len(states), actions)
    visits, proved, legal = torch.zeros(shape), torch.full(shape, torch.nan), torch.zeros(shape, dtype=torch.bool)
    for row, state in enumerate(states):
        game, seed = state.get_game(), fold(*state.history()) & 0x7FFFFFFF
        low, high = game.min_utility(), game.max_utility()
        rollouts = pyspiel.RandomRolloutEvaluator(1, seed)
        # The bot multiplies its constant by the highest score itself.
        bot = pyspiel.MCTSBot(game, rollouts, exploration, simulations, _MEMORY_MB, True, seed, False)
        for child in bot.mcts_search(state).children:
            visits[row, child.action] = child.explore_count
            if child.outcome:
                proved[row, child.action] = 2.0 * ((child.outcome[child.player] - low) / (high - low)) - 1.0
        legal[row, state.legal_actions()] = True
    return visits, proved, legal


def unroll(spec: GameSpec) -> SequenceForm:
    """The whole of a game of OpenSpiel with two seats, what its policies see being what the adapter shows them.

    Raises GameError where it is not zero-sum, cannot be walked through, or has more than `MOST` histories.
    """
    wanted, given = adapting(spec.options)
    if wanted.wrappers:
        raise GameError(f"{spec.id} cannot be traversed: game.wrappers may remember what came before")
    source = find(spec.id, given)
    environment = source.build()
    looks = Looks(wanted.channels or source.channels, wanted.shrink, wanted.pad)
    driver = drive(source.id, environment, *agents_of(source.id, environment, looks))
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
        return driver.look(seat)

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
