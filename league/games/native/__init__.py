"""Games in batched torch, one file per set of rules. `NativeGame` (`core`) is the base class, also for users' games.

What several games share: `boards` (bitboards), `poker` (lookup tables), `matrix` (payoff matrices), `particle_world`,
`particle_game` and `particle_physics` (MPE), `layout` (memory layout), `padded` (equal shapes for all seats).
"""

from league.games.native.core import NativeGame, Outcome

__all__ = ["NativeGame", "Outcome"]
