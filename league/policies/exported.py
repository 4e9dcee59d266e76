"""Exported policies: their files, and how to play them in any PettingZoo loop. Nothing here needs a run or a config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from numpy.typing import NDArray

from league import files
from league.errors import PolicyError, SnapshotError
from league.games.actions import Box
from league.games.actions import from_json as actions_from
from league.policies import weights
from league.policies.core import Rows, memory_width
from league.policies.distributions import choose, distribution
from league.policies.mixture import Mixture, restore_any
from league.policies.neural import NeuralPolicy

POLICY_FILE = "policy.safetensors"
"""The file of weights in a folder that `league export` writes, if the game has one role; else see `role_file`."""

METADATA_CAP = 2**24
"""The most bytes of metadata.json that are read."""


class LoadedPolicy:
    """An exported policy that chooses actions. Made by `load_policy`.

    metadata: of the snapshot: game, role, seats, shapes, network, lineage. memory: the width of its recurrent state; if
    it is not 0, use `step`, which takes the state and returns the next one. The state of a mixture begins with the
    number, from 1 on, of the member that was drawn for the episode; the member's own memory follows.
    """

    def __init__(self, policy: NeuralPolicy | Mixture, metadata: Mapping[str, Any]) -> None:
        self.policy, self.metadata = policy, dict(metadata)
        self._seats: list[str] = list(metadata["seats"])
        self._shape: tuple[int, ...] = tuple(metadata["obs_shape"])
        self._actions = actions_from(metadata["actions"])
        self.memory = policy.memory
        if isinstance(policy, Mixture):
            self.memory = 1 + max(memory_width(member) for member in policy.members)

    def probabilities(
        self,
        observation: Any,
        seat: str | int,
        action_mask: NDArray[Any] | None = None,
        memory: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """The probability of each action, `[A]`; for actions of several parts, each part's probabilities in turn.

        observation: an array of the game's observation shape (planes may be channels-first or, as PettingZoo has them,
        channels-last), or PettingZoo's dictionary with "observation" and "action_mask". seat: the agent's name in the
        game, or the seat's number. memory: what the last `step` returned for this seat; None at an episode's start,
        where a mixture gives the mean of its members. Raises PolicyError if the observation or memory does not fit, and
        for continuous actions, which have a density instead of probabilities.
        """
        if isinstance(self._actions, Box):
            raise PolicyError("continuous actions have no probabilities; `act` samples one")
        given = self._distribution(observation, seat, action_mask, memory)[0]
        found: NDArray[np.float32] = given[0].exp().numpy()
        return found

    def act(
        self,
        observation: Any,
        seat: str | int,
        action_mask: NDArray[Any] | None = None,
        rng: np.random.Generator | None = None,
    ) -> int | NDArray[np.int64] | NDArray[np.float32]:
        """An action: sampled with `rng`, or the most probable one without it. Other arguments as in `probabilities`.

        Returns a number for one of n actions, `[D]` int64 for D choices, `[D]` float32 for a point in a box. Raises
        PolicyError for a policy with memory: use `step` instead.
        """
        if self.memory:
            what = "is a mixture" if isinstance(self.policy, Mixture) else f"has a memory of {self.memory} numbers"
            raise PolicyError(
                f"this policy {what}: use "
                "`action, memory = policy.step(observation, seat, memory)`, with memory=None at an episode's start"
            )
        return self.step(observation, seat, None, action_mask, rng)[0]

    def step(
        self,
        observation: Any,
        seat: str | int,
        memory: NDArray[np.float32] | None = None,
        action_mask: NDArray[Any] | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[int | NDArray[np.int64] | NDArray[np.float32], NDArray[np.float32]]:
        """An action as in `act`, and the memory for the seat's next decision of the episode, `[M]` float32.

        memory: what the last `step` returned for this seat; None at an episode's start, where a mixture draws one of
        its members with `rng`, or takes the most probable one without it. Other arguments as in `act`.
        """
        if memory is None and isinstance(self.policy, Mixture):
            memory = self._drawn(self.policy, rng)
        (given, after), space = self._distribution(observation, seat, action_mask, memory), self._actions
        if rng is None:
            chosen = choose(space, given, torch.zeros((1, space.draws)), 0.0)[0]
        else:
            draw = torch.tensor(rng.random((1, space.draws)), dtype=torch.float32)
            chosen = choose(space, given, draw)[0]
        return chosen.numpy() if space.shape else int(chosen), after

    def _distribution(
        self,
        observation: Any,
        seat: str | int,
        action_mask: NDArray[Any] | None,
        memory: NDArray[np.float32] | None,
    ) -> tuple[torch.Tensor, NDArray[np.float32]]:
        """The distribution, `[1, A]`, and the memory after it, `[M]`. Arguments as in `probabilities`."""
        if isinstance(observation, Mapping):
            if "observation" not in observation:
                raise PolicyError(f"the dictionary has no key 'observation' (it has {', '.join(observation)})")
            action_mask = observation.get("action_mask", action_mask)
            observation = observation["observation"]
        seen = torch.as_tensor(self._arranged(np.asarray(observation)))[None]
        mask = None if action_mask is None else self._legal(np.asarray(action_mask, dtype=bool))
        rows, held = Rows(seen, mask, torch.tensor([self._seat(seat)])), self._memory(memory)
        policy, begin = self.policy, 0
        if isinstance(policy, Mixture) and held is not None:
            policy, begin = self._member(policy, float(held[0, 0])), 1
        if held is not None and policy.memory:
            rows.memory = held[:, begin : begin + policy.memory]
        output, after = policy.recall(rows)
        kept = np.zeros(0, np.float32) if held is None else held[0].numpy().copy()
        if held is not None and after is not None:
            kept[begin : begin + policy.memory] = after[0].numpy()
        return distribution(self._actions, output, mask), kept

    def _drawn(self, policy: Mixture, rng: np.random.Generator | None) -> NDArray[np.float32]:
        """The memory at an episode's start, with a member that is drawn."""
        count = len(policy.members)
        chosen = int(np.argmax(policy.weights)) if rng is None else int(rng.choice(count, p=policy.weights))
        held = np.zeros(self.memory, np.float32)
        held[0] = chosen + 1
        return held

    def _member(self, policy: Mixture, number: float) -> NeuralPolicy:
        """The member that a memory names. Raises PolicyError if it names none."""
        if number not in range(1, len(policy.members) + 1):
            raise PolicyError(f"this memory names member {number:g} of a mixture of {len(policy.members)}")
        member = policy.members[int(number) - 1]
        assert isinstance(member, NeuralPolicy)  # as all members in files
        return member

    def _memory(self, memory: NDArray[np.float32] | None) -> torch.Tensor | None:
        """The memory as `[1, M]`; None for a policy without one."""
        if memory is not None and np.shape(memory) != (self.memory,):
            raise PolicyError(
                f"this policy has a memory of {self.memory} numbers, not an array of shape {np.shape(memory)}"
            )
        if not self.memory or (memory is None and isinstance(self.policy, Mixture)):
            return None
        return torch.zeros((1, self.memory)) if memory is None else torch.as_tensor(memory, dtype=torch.float32)[None]

    def _seat(self, seat: str | int) -> int:
        number = self._seats.index(seat) if seat in self._seats else seat
        if isinstance(number, str) or not 0 <= number < len(self._seats):
            raise PolicyError(f"'{seat}' is no seat of this game; its seats are {', '.join(self._seats)}")
        return int(number)

    def _legal(self, mask: NDArray[np.bool_]) -> torch.Tensor:
        """The mask as `[1, A]`."""
        flags = 0 if isinstance(self._actions, Box) else self._actions.width
        if mask.shape != (flags,) or not mask.any():
            raise PolicyError(f"an action_mask holds {flags} flags, at least one of them set, not {mask.astype(int)}")
        return torch.as_tensor(mask)[None]

    def _arranged(self, observation: NDArray[Any]) -> NDArray[Any]:
        if observation.shape == self._shape:
            return observation
        if observation.ndim == 3 and observation.shape == (*self._shape[1:], self._shape[0]):
            return np.ascontiguousarray(np.moveaxis(observation, 2, 0))
        if observation.size == np.prod(self._shape) and len(self._shape) == 1:
            return observation.reshape(self._shape)
        raise PolicyError(f"this policy takes observations of shape {self._shape}, not {observation.shape}")


def load_policy(path: str | Path, role: str | None = None) -> LoadedPolicy:
    """The policy in a folder that `league export` wrote, or in a snapshot file.

    role: needed if the folder holds several. Raises SnapshotError if there is none or it is damaged.
    """
    place = Path(path)
    if place.is_dir():
        found = sorted(place.glob("*.safetensors"))
        wanted = place / (role_file(role) if role else POLICY_FILE)
        if not wanted.is_file() and len(found) == 1:
            wanted = found[0]
        if not wanted.is_file():
            there = ", ".join(file.stem for file in found) or "no policy"
            raise SnapshotError(f"{place} holds {there}; {'name one of these roles' if found else 'wanted one'}")
        place = wanted
    metadata, tensors = read_exported(place)
    if role is not None and metadata.get("role") != role:
        raise SnapshotError(f"{place} holds a policy of the role '{metadata.get('role')}', not of '{role}'")
    return loaded(metadata, tensors, str(place))


def loaded(metadata: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], name: str) -> LoadedPolicy:
    """The policy in a file's contents. Raises SnapshotError."""
    if "actions" not in metadata:
        raise SnapshotError(f"{name}: its metadata names no actions, so it is not a policy")
    try:
        return LoadedPolicy(restore_any(metadata, tensors, name, actions_from(metadata["actions"])), metadata)
    except (LookupError, TypeError, ValueError) as problem:
        raise SnapshotError(f"{name}: its metadata is incomplete ({problem!r})") from problem


def role_file(role: str) -> str:
    """The file name of a role's weights in an exported folder. Role names may have any character and are quoted."""
    return quote(role, safe=" ") + files.SUFFIX


def read_exported(file: Path) -> tuple[dict[str, object], dict[str, torch.Tensor]]:
    """Metadata and weights of a policy file: a snapshot's, or one in a folder that `league export` wrote.

    Its content must match the hash in its own name, or in the metadata.json beside it. Raises SnapshotError.
    """
    try:
        about = json.loads(files.read_capped(file.parent / "metadata.json", METADATA_CAP))
        stated = next(one["id"] for one in about["policies"] if one["file"] == file.name)
    except (OSError, ValueError, LookupError, TypeError, StopIteration):
        # Not an export, or moved out of one: the file's own name has the hash.
        stated = None
    return weights.read(file, stated if isinstance(stated, str) else None)
