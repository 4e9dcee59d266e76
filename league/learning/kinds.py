"""Algorithms by name."""

from __future__ import annotations

from league.learning.actor_critic import Ippo, Mappo
from league.learning.coma import Coma
from league.learning.learner import Learner
from league.learning.value import Qmix, Vdn

LEARNERS: dict[str, type[Learner]] = {"mappo": Mappo, "ippo": Ippo, "coma": Coma, "qmix": Qmix, "vdn": Vdn}
"""The learner of each kind of algorithm; its settings are in `learning.settings.ALGORITHMS`."""
