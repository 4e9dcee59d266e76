"""Mixtures: several policies of one role, of which one is drawn for each episode.

A mixture is what fictitious play and PSRO learn: its members may all be weak where it is not. In a file, the weights of
member i have names that begin with `i/`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.errors import PolicyError, SnapshotError
from league.games.actions import ActionSpace, Discrete
from league.games.core import GameSpec
from league.policies.core import Policy, PolicyWithMemory, Rows, masked, memory_width
from league.policies.neural import NeuralPolicy, restore, snapshot_metadata


@dataclass(frozen=True, slots=True)
class Mixture:
    """A policy that plays each episode as one of its members, drawn by `weights` (above 0, their sum is 1).

    `play.table` draws the member, for every post that the mixture holds. `logits` and `recall` are for those who ask at
    a position without playing the episode: they give the mean of the members' probabilities there.
    """

    role: str
    actions: ActionSpace
    members: tuple[Policy, ...]
    weights: tuple[float, ...]

    @property
    def memory(self) -> int:
        """See `PolicyWithMemory.memory`: room for every member's own."""
        return sum(memory_width(member) for member in self.members)

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]`; see `Policy.logits`."""
        return self.recall(rows)[0]

    def recall(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        """See `PolicyWithMemory.recall`. Raises PolicyError unless an action is one of n: no others have a mean."""
        if not isinstance(self.actions, Discrete):
            raise PolicyError("a mixture draws one of its members for each episode: only one of n actions has a mean")
        found, kept, begin = list[Tensor](), list[Tensor](), 0
        for member, weight in zip(self.members, self.weights, strict=True):
            own = Rows(rows.obs, rows.mask, rows.seat, rows.fork, rows.positions)
            if (width := memory_width(member)) and isinstance(member, PolicyWithMemory):
                if rows.memory is not None:
                    own.memory = rows.memory[:, begin : begin + width]
                logits, after = member.recall(own)
                assert after is not None
                kept.append(after)
                begin += width
            else:
                logits = member.logits(own)
            found.append(masked(logits, rows.mask) + math.log(weight))
        return torch.logsumexp(torch.stack(found), 0), torch.cat(kept, 1) if kept else None


def pack_mixture(
    game: GameSpec, policies: Sequence[NeuralPolicy], weights: Sequence[float], about: Sequence[Mapping[str, object]]
) -> tuple[dict[str, object], dict[str, Tensor]]:
    """The metadata and weights of a file that holds a mixture of networks, all of one role.

    about: what is said of each member in the metadata, beside its weight and its network.
    """
    role = game.role(policies[0].role)
    metadata, members, tensors = dict[str, object](), list[dict[str, object]](), dict[str, Tensor]()
    for place, (policy, weight, said) in enumerate(zip(policies, weights, about, strict=True)):
        metadata = snapshot_metadata(game, role, policy.actor.spec, policy.epsilon)
        own: dict[str, object] = {name: metadata.pop(name) for name in ("network", "epsilon") if name in metadata}
        members.append({**said, **own, "weight": weight})
        tensors |= {f"{place}/{name}": value for name, value in policy.weights().items()}
    return {**metadata, "mixture": members}, tensors


def restore_any(
    metadata: Mapping[str, object], tensors: Mapping[str, Tensor], name: str, actions: ActionSpace, device: str = "cpu"
) -> NeuralPolicy | Mixture:
    """A network or a mixture of networks, from a file's contents. Raises SnapshotError, as `neural.restore` does.

    actions: of the role that it plays.
    """
    listed = metadata.get("mixture")
    if listed is None:
        return restore(metadata, tensors, name, device)
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise SnapshotError(f"{name}: its metadata lists no members of a mixture")
    weights = [one.get("weight") for one in listed]
    sound = [isinstance(one, float) and 0.0 < one <= 1.0 for one in weights]
    if not all(sound) or not math.isclose(math.fsum(weights), 1.0, abs_tol=1e-6):
        raise SnapshotError(f"{name}: the weights of a mixture must be above 0 and have the sum 1, not {weights}")
    groups: list[dict[str, Tensor]] = [{} for _ in listed]
    for key, value in tensors.items():
        place, _, own = key.partition("/")
        if not place.isascii() or not place.isdigit() or int(place) >= len(groups):
            raise SnapshotError(f"{name}: the weights '{key}' belong to no member of the mixture")
        groups[int(place)][own] = value
    about = {key: value for key, value in metadata.items() if key != "mixture"}
    members = [
        restore({**about, **one}, group, f"{name}, member {place}", device)
        for place, (one, group) in enumerate(zip(listed, groups, strict=True))
    ]
    if len({member.role for member in members}) > 1:
        raise SnapshotError(f"{name}: the members of a mixture must play one role")
    return Mixture(members[0].role, actions, tuple(members), tuple(weights))
