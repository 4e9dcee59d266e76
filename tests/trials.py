"""Trials: what a learner reaches after a short training, what random play reaches, and the bound a test asks for.

The bound lies half way from random play to what the trial usually reaches. One machine rounds differently from another,
so the same seed learns a little more or less there; half the way leaves room for that, and an update whose sign, mask
or bootstrap is wrong does not get there. `python tests/margins.py` prints what every trial reaches, by seed, by the
processor's vector instructions and by the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One measurement of learning. A larger number is better, unless `usual` is below `random`.

    name: what the tests and the table of margins call it.
    reach: seed → the number that the trained policy reaches.
    random: the number that random play reaches.
    usual: the number usually reached, over seeds and machines.
    slow: whether it takes more than a few seconds.
    """

    name: str
    reach: Callable[[int], float]
    random: float
    usual: float
    slow: bool = False

    @property
    def asked(self) -> float:
        """The bound: half way from random play to what is usually reached."""
        return (self.random + self.usual) / 2

    def passes(self, reached: float) -> bool:
        """Whether a number lies beyond the bound, on the side of what is usually reached."""
        return (reached - self.asked) * (self.usual - self.random) > 0

    def outcome(self, seed: int = 1) -> tuple[bool, str]:
        """Whether the bound is passed with this seed, and the numbers in words, for a test to assert."""
        reached = self.reach(seed)
        asked = f"asked {self.asked:.3f}, random {self.random:.3f}, usually {self.usual:.3f}"
        return self.passes(reached), f"{self.name}, seed {seed}: reached {reached:.3f}, {asked}"

    def __str__(self) -> str:
        return self.name
