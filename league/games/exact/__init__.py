"""Exact traversal of small two-player zero-sum games: `unroll` walks through a game and builds its sequence form."""
