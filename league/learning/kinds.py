"""Algorithms by name."""

from __future__ import annotations

from league.learning.actor_critic import Ippo, Mappo
from league.learning.coma import Coma
from league.learning.learner import Learner

LEARNERS: dict[str, type[Learner]] = {"mappo": Mappo, "ippo": Ippo, "coma": Coma}
"""The learner of each kind of algorithm; its settings are in `learning.settings.ALGORITHMS`."""
