"""Algorithms by name. A new one is a file, and a line here and in `learning.settings.ALGORITHMS`."""

from __future__ import annotations

from league.learning.learner import Learner
from league.learning.off_policy.value_learner import Qmix, Vdn
from league.learning.on_policy.coma import Coma
from league.learning.on_policy.ppo import Ippo, Mappo

LEARNERS: dict[str, type[Learner]] = {"mappo": Mappo, "ippo": Ippo, "coma": Coma, "qmix": Qmix, "vdn": Vdn}
"""The learner of each kind of algorithm; its settings are in `learning.settings.ALGORITHMS`."""
