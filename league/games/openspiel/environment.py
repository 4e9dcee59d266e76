"""A game of OpenSpiel as a PettingZoo environment: Shimmy's wrapper (2.0), with two of its faults corrected."""

from __future__ import annotations

from typing import Any


def corrected(environment: Any) -> Any:
    """Shimmy's `OpenSpielCompatibilityV0`, so that episodes end by the game's rules only and rewards are paid once.

    The original counts chance's moves against `max_game_length`, which OpenSpiel does not, and so cuts Kuhn poker off
    after one bet. It also pays the rewards of the last move: they are missing where chance moved since, and are paid
    again for every seat that has yet to choose in a simultaneous move.
    """
    update_flags = environment._update_termination_truncation
    paid: tuple[object, list[float]] = (None, [])

    def never_truncate() -> None:
        update_flags()
        environment.truncations = dict.fromkeys(environment.agents, False)

    def pay_new_rewards() -> None:
        nonlocal paid
        state, returns = environment.game_state, environment.game_state.returns()
        before = paid[1] if paid[0] is state else [0.0] * len(returns)
        paid = state, returns
        new = (now - then for now, then in zip(returns, before, strict=True))
        environment.rewards = dict(zip(environment.agents, new, strict=True))

    environment._update_termination_truncation = never_truncate
    environment._update_rewards = pay_new_rewards
    return environment
