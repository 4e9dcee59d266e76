"""Batched torch games: the rules of each in a file, and what they share.

A game of one's own subclasses `NativeGame`; see `core.py`.
"""

from league.games.native.core import NativeGame, Outcome

__all__ = ["NativeGame", "Outcome"]
