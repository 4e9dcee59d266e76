"""The learners of a run: their names, how they are made, and how they start from an existing policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch

from league.config.explain import toml_text
from league.config.run import RunConfig
from league.errors import PolicyError
from league.games.core import GameSpec
from league.games.counter_rng import fold
from league.learning.algorithms import LEARNERS
from league.learning.learner import Learner
from league.matchmaking.core import label, log_uniform
from league.policies.core import Policy
from league.policies.mixture import Mixture
from league.policies.neural import ACTOR_SETTINGS, NeuralPolicy
from league.run.roster.lookup import Found, find
from league.run.roster.policy_text import from_anywhere, split_roles
from league.run.roster.roster import Roster

_WEIGHTS_SEED, _SPREAD_SEED = 11, 13
"""Constants in the seeds of learners: for initial weights, and for a population's initial hyperparameters."""


def learner_name(spec: GameSpec, role: int, called: str) -> str:
    """The label of a learner's table, such as `main-0`; in games with several roles, the role replaces "main".

    Where the label is another, the role comes before it: `prey-league_exploiter`.
    """
    if len(spec.roles) == 1:
        return called
    name, rest = spec.roles[role].name, called.removeprefix("main-")
    return name if called == "main" else f"{name}-{rest}"


def new_learner(
    config: RunConfig, spec: GameSpec, index: int, role: int, device: torch.device, called: str = ""
) -> Learner:
    """A new learner of a role. If the population has a spread, its initial hyperparameters are drawn from it.

    index: of its table. called: the label of its table, if it has one of its own (`table_labels`).
    """
    drawn = log_uniform(config.population.spread, np.random.default_rng(fold(config.seed, _SPREAD_SEED, index, role)))
    return LEARNERS[config.algorithm.kind](
        name=learner_name(spec, role, called or label(index, config.population.learners)),
        game=spec,
        role=spec.roles[role],
        network=config.network,
        settings=config.algorithm,
        seed=fold(config.seed, _WEIGHTS_SEED, index, role),
        device=device,
        hyperparameters=drawn,
    )


def start_from(text: str, learners: Sequence[Learner], roster: Roster) -> dict[str, Found]:
    """Give the learners the actor weights of a policy (`population.init`). Returns the policy by learner.

    text: a POLICY, or `ROLE=POLICY`, which leaves the learners of other roles untouched. Raises PolicyError if the
    policy's network differs from the learners'.
    """
    if text in ("best", "latest"):
        raise PolicyError(f"population.init = '{text}': of which run? Write {text}@RUN, or name an exported folder")
    wanted = split_roles(text, [role.name for role in roster.spec.roles])
    parents: dict[str, Found] = {}
    for learner in learners:
        name = wanted.get(learner.role.name, wanted.get(""))
        if name is None:
            continue
        # Its label names the run or the export wherever it is read.
        found = find(from_anywhere(name), learner.role.name, roster)
        policy = found.policy
        if not isinstance(policy, NeuralPolicy) or policy.actor.spec != learner.actor.spec:
            raise PolicyError(
                f"population.init = '{text}' does not fit learner {learner.name}: "
                f"{_network_differences(policy, learner)}"
            )
        if (policy.epsilon is None) != (learner.policy.epsilon is None):
            outputs = [
                "action values" if one.epsilon is not None else "action probabilities"
                for one in (policy, learner.policy)
            ]
            raise PolicyError(
                f"population.init = '{text}': its network outputs {outputs[0]}, that of learner {learner.name} "
                f"{outputs[1]}; start from a policy of a run with the same sort of algorithm.kind"
            )
        learner.initialise_from(policy)
        parents[learner.name] = found
    return parents


def _network_differences(policy: Policy, learner: Learner) -> str:
    """How a policy's network differs from a learner's, by config key."""
    if isinstance(policy, Mixture):
        return "it is a mixture; name one of its members"
    if not isinstance(policy, NeuralPolicy):
        return "it is scripted and has no network"
    theirs, mine = asdict(policy.actor.spec), asdict(learner.actor.spec)
    return "; ".join(
        f"{ACTOR_SETTINGS.get(name, name)} is {toml_text(theirs[name])} there, {toml_text(mine[name])} here"
        for name in mine
        if theirs[name] != mine[name]
    )
