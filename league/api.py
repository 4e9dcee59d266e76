"""The Python API beside `League`: exported policies at any PettingZoo loop, and what a run left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from league.errors import PolicyError, SnapshotError
from league.lookup import POLICY_FILE, find_run, open_roster
from league.policies import weights
from league.policies.core import Rows, choose, masked
from league.policies.neural import NeuralPolicy, restore
from league.records import Standing
from league.storage.store import Store


class LoadedPolicy:
    """An exported policy that can be asked for actions. Made by `load_policy`.

    metadata: what the snapshot says of itself: game, role, seats, shapes, network, lineage.
    """

    def __init__(self, policy: NeuralPolicy, metadata: Mapping[str, Any]) -> None:
        self.policy, self.metadata = policy, dict(metadata)
        self._seats: list[str] = list(metadata["seats"])
        self._shape: tuple[int, ...] = tuple(metadata["obs_shape"])

    def probabilities(
        self, observation: Any, seat: str | int, action_mask: NDArray[Any] | None = None
    ) -> NDArray[np.float32]:
        """The probability of each action, `[A]`.

        observation: an array of the game's observation shape (planes may be channels-first or, as PettingZoo has them,
        channels-last), or PettingZoo's dictionary with "observation" and "action_mask". seat: the agent's name as the
        game has it, or the seat's number. Raises PolicyError where the observation does not fit.
        """
        if isinstance(observation, Mapping):
            action_mask = observation.get("action_mask", action_mask)
            observation = observation["observation"]
        seen = torch.as_tensor(self._arranged(np.asarray(observation)))[None]
        mask = None if action_mask is None else torch.as_tensor(np.asarray(action_mask, dtype=bool))[None]
        rows = Rows(seen, mask, torch.tensor([self._seat(seat)]))
        found: NDArray[np.float32] = masked(self.policy.logits(rows), mask)[0].exp().numpy()
        return found

    def act(
        self,
        observation: Any,
        seat: str | int,
        action_mask: NDArray[Any] | None = None,
        rng: np.random.Generator | None = None,
    ) -> int:
        """An action: drawn by `rng`, or the most probable one where there is none. Arguments as in `probabilities`."""
        chances = torch.as_tensor(self.probabilities(observation, seat, action_mask))[None].clamp(min=1e-38).log()
        if rng is None:
            return int(choose(chances, torch.zeros(1), 0.0))
        return int(choose(chances, torch.tensor([rng.random()], dtype=torch.float32)))

    def _seat(self, seat: str | int) -> int:
        if isinstance(seat, str):
            if seat not in self._seats:
                raise PolicyError(f"'{seat}' is no seat of this game; its seats are {', '.join(self._seats)}")
            return self._seats.index(seat)
        return int(seat)

    def _arranged(self, observation: NDArray[Any]) -> NDArray[Any]:
        if observation.shape == self._shape:
            return observation
        if observation.ndim == 3 and observation.shape == (*self._shape[1:], self._shape[0]):
            return np.ascontiguousarray(np.moveaxis(observation, 2, 0))
        if observation.size == np.prod(self._shape) and len(self._shape) == 1:
            return observation.reshape(self._shape)
        raise PolicyError(f"this policy sees observations of shape {self._shape}, not {observation.shape}")


class Run:
    """What a run left, for reading. Made by `open_run`; use it with `with`, or close it."""

    def __init__(self, store: Store) -> None:
        from league.games.registry import make

        self.store, self.config = store, store.config()
        game = make(self.config["game"]["id"], 1, "cpu", self.config["game"]["options"])
        self.roster = open_roster(store, game.spec)
        game.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def standings(self, role: str | None = None, by: str | None = None) -> tuple[Standing, ...]:
        """The standings, best first: of `role`, which games with several roles need. by: a rating system's name."""
        return self.roster.standings(self.roster.spec.role(role or self.roster.spec.roles[0].name).name, by)

    def policy(self, text: str = "best", role: str | None = None) -> LoadedPolicy:
        """The policy of a snapshot. text: best, latest, an id or a unique prefix of one. Raises PolicyError."""
        snapshot = self.roster.named(text, [role] if role else [one.name for one in self.roster.spec.roles])
        if snapshot.origin == "anchor":
            raise PolicyError(f"'{text}' is scripted and has no network to load")
        return load_policy(self.store.snapshot_folder / f"{snapshot.id}.safetensors")


def load_policy(path: str | Path, role: str | None = None) -> LoadedPolicy:
    """The policy in a folder that `league export` wrote, or in a snapshot file.

    role: which one, where the folder holds several. Raises SnapshotError where there is none or it is damaged.
    """
    place = Path(path)
    if place.is_dir():
        files = sorted(place.glob("*.safetensors"))
        wanted = place / (f"{role}.safetensors" if role else POLICY_FILE)
        if not wanted.is_file() and role is None and len(files) == 1:
            wanted = files[0]
        if not wanted.is_file():
            there = ", ".join(file.stem for file in files) or "no policy"
            raise SnapshotError(f"{place} holds {there}; {'name one of these roles' if files else 'wanted one'}")
        place = wanted
    metadata, tensors = weights.read(place)
    return LoadedPolicy(restore(metadata, tensors, str(place)), metadata)


def open_run(run: str | Path | None = None) -> Run:
    """A run, for reading: a folder, a name under runs/, or the newest where None. Raises RunError."""
    return Run(Store.reader(find_run(None if run is None else str(run))))
