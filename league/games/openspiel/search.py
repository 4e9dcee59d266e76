"""Positions of OpenSpiel's games, and OpenSpiel's own Monte Carlo tree search over them.

The optional package pyspiel is imported on first use. Letters in shapes: N positions, A actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from league.games.counter_rng import fold
from league.games.pettingzoo.driver import Driver, fold_seed
from league.games.pettingzoo.sources import find

_MEMORY_MB = 1000


def positions(driver: Driver, episodes: Iterable[tuple[int, Sequence[Sequence[int]]]]) -> list[object]:
    """A new `pyspiel.State` for each episode, which is given as its seed and its actions so far, by turn and seat.

    driver: of an environment that nobody plays with. The episodes themselves may be played in any process.
    """
    found = []
    for seed, turns in episodes:
        driver.reset(fold_seed(seed))
        for actions in turns:
            driver.step(actions)
        found.append(driver.env.game_state.clone())
    return found


def why_not(name: str, options: Mapping[str, object]) -> str | None:
    """Why OpenSpiel's search cannot play its game `name`, or None where it can. options: of the environment.

    Raises GameError where the package is missing.
    """
    # Raises a GameError in the user's terms if the package or the game is missing.
    find(f"openspiel:{name}", {})
    import pyspiel

    (known,) = (kind.parameter_specification for kind in pyspiel.registered_games() if kind.short_name == name)
    given = {key: value for key, value in options.items() if key in known}
    kind = pyspiel.load_game(name, given).get_type()
    if kind.information != pyspiel.GameType.Information.PERFECT_INFORMATION:
        return "the acting seat does not see the whole position"
    if kind.dynamics != pyspiel.GameType.Dynamics.SEQUENTIAL:
        return "its seats act at once"
    if kind.reward_model != pyspiel.GameType.RewardModel.TERMINAL:
        return "it pays rewards before its end"
    return None


def search(states: Sequence[Any], simulations: int, actions: int, exploration: float) -> tuple[Tensor, Tensor, Tensor]:
    """`simulations` of `pyspiel.MCTSBot` with random rollouts from each position.

    Returns visits `[N, A]`; proved scores `[N, A]` in [-1, 1], NaN where nothing is proved; and legal moves `[N, A]`.
    Random numbers depend only on the moves that led to a position. exploration: for scores in [-1, 1].
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
