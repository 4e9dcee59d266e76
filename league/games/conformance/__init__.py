"""The contract of a game (`league.games.core`) as executable checks.

`check` plays a game at random, and raises GameError if it breaks the contract.
"""

from league.games.conformance.suite import check

__all__ = ["check"]
