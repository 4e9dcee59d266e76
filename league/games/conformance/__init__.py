"""The contract of a game, executable: what every game is held to.

`check` plays a game at random and raises where it breaks the contract of `league.games.core`.
"""

from league.games.conformance.suite import check

__all__ = ["check"]
