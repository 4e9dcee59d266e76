"""Mixtures of a run's snapshots, by name: `nash`, the equilibrium of its payoff, and `average`, all of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from league.errors import PolicyError
from league.games.core import GameSpec
from league.matchmaking.psro import nash
from league.play.fixture import pairs_meet
from league.policies import weights
from league.policies.mixture import Mixture, pack_mixture
from league.policies.neural import NeuralPolicy
from league.records import PolicyId, Snapshot
from league.run.roster.roster import Roster

_LEAST = 1e-4
"""Members with a smaller probability are left out: an equilibrium is not known so closely."""


Members = Sequence[tuple[Snapshot, float]]
"""Snapshots and their probabilities."""


@dataclass(frozen=True, slots=True)
class MixtureOfRun:
    """A mixture of a run's snapshots, and what its file holds."""

    policy: Mixture
    members: Members
    content: bytes

    @property
    def id(self) -> PolicyId:
        """The sha256 of its file."""
        return weights.digest(self.content)


def mixture(word: str, role: str, roster: Roster) -> MixtureOfRun:
    """The mixture of a role's snapshots that `word` means.

    nash: the equilibrium of highest entropy of the payoff among all rated snapshots (`Ratings.gains`), as PSRO has it;
    anchors take no part. average: all snapshots with equal probability, the average policy of fictitious play. Raises
    PolicyError where there is none yet, and for `nash` in games of other than two sides that are alike.
    """
    members = (_nash if word == "nash" else _average)(role, roster)
    policies = tuple(roster.policy(one.id) for one, _ in members)
    found = Mixture(role, roster.spec.role(role).actions, policies, tuple(share for _, share in members))
    return MixtureOfRun(found, members, packed(found, roster.spec, members))


def packed(found: Mixture, spec: GameSpec, members: Members = ()) -> bytes:
    """The file of a mixture of networks. members: the snapshots that it is made of, to be named in its metadata."""
    policies = [one for one in found.members if isinstance(one, NeuralPolicy)]
    about = [{"id": one.id, "name": one.name, "steps": one.steps} for one, _ in members] or [{} for _ in policies]
    metadata, tensors = pack_mixture(spec, policies, found.weights, about)
    return weights.pack(tensors, metadata)


def _average(role: str, roster: Roster) -> Members:
    chosen = [one for one in roster.entrants.snapshots if one.role == role]
    if not chosen:
        raise PolicyError(f"there is no 'average' yet: no snapshot of role '{role}'")
    return [(one, 1.0 / len(chosen)) for one in chosen]


def _nash(role: str, roster: Roster) -> Members:
    spec = roster.spec
    if not pairs_meet(spec):
        raise PolicyError(
            f"'nash' is an equilibrium between two like sides, which {spec.id} does not have; 'average' mixes all "
            "snapshots of a role"
        )
    payoff = roster.ratings.payoff
    known = () if payoff is None else frozenset(payoff.ids)
    chosen = [one for one in roster.entrants.snapshots if one.role == role and one.id in known]
    if not chosen:
        raise PolicyError(f"there is no 'nash' yet: no rated snapshot of role '{role}'")
    share = nash(roster.ratings.gains(chosen))
    share = np.where(share < _LEAST, 0.0, share)
    share /= share.sum()
    return [(one, float(part)) for one, part in zip(chosen, share, strict=True) if part > 0.0]
