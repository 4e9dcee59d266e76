"""Neural policies: an actor network for one role of one game, with the metadata that a snapshot carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from league.errors import ConfigError, SnapshotError, nearest
from league.files import canonical_json
from league.games.core import GameSpec, RoleSpec
from league.games.names import current_id
from league.games.pettingzoo.options import comparable
from league.policies.architecture import NetworkSpec
from league.policies.core import Rows
from league.policies.networks import Network
from league.policies.settings import NetworkSettings


@dataclass(slots=True)
class NeuralPolicy:
    """A policy whose logits come from an actor network.

    epsilon: if set, the network's outputs are action values, and the policy is epsilon-greedy: it takes the best legal
    action, but with this probability any legal one.
    """

    role: str
    actor: Network
    epsilon: float | None = None

    @property
    def memory(self) -> int:
        """See `PolicyWithMemory.memory`."""
        return self.actor.memory

    def recall(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        """See `PolicyWithMemory.recall`."""
        with torch.no_grad():
            output, memory = self.actor.step(rows.obs, rows.seat, rows.memory)
        if self.epsilon is not None:
            output = epsilon_greedy(output, rows.mask, self.epsilon)
        return output, memory if self.memory else None

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]` float32; see `Policy.logits`."""
        return self.recall(rows)[0]

    def weights(self) -> dict[str, Tensor]:
        """A detached copy of the actor's weights on the CPU, by parameter name."""
        return {name: value.detach().to("cpu", copy=True) for name, value in self.actor.state_dict().items()}


def epsilon_greedy(values: Tensor, mask: Tensor | None, epsilon: float | Tensor) -> Tensor:
    """Log-probabilities `[N, A]`: with probability `epsilon` any legal action, else the first of the most valuable.

    values, mask: `[N, A]`. epsilon: in [0, 1], or `[N, 1]`. Actions of probability 0 get the lowest finite value; a
    row whose values are not all finite is NaN, so that broken weights are detected.
    """
    legal = torch.ones_like(values, dtype=torch.bool) if mask is None else mask
    best = torch.where(legal, values, -torch.inf).argmax(1, keepdim=True)
    chances = legal * (epsilon / legal.sum(1, keepdim=True).clamp(min=1))
    chances = chances.scatter_add(1, best, torch.ones_like(chances[:, :1]) - epsilon)
    sound = values.isfinite().all(1, keepdim=True)
    return torch.where(sound, chances.log().clamp(min=torch.finfo(values.dtype).min), torch.nan)


def actor_spec(game: GameSpec, role: RoleSpec, settings: NetworkSettings) -> NetworkSpec:
    """The architecture of an actor for `role`: it sees one seat's observation and the seat's one-hot.

    Raises ConfigError where `settings.sharing` does not fit the game.
    """
    looks_back, has_units = settings.memory in ("stack", "transformer"), settings.memory not in ("none", "stack")
    return NetworkSpec(
        kind=settings.kind,
        inputs=role.obs_shape,
        seats=len(game.seats),
        outputs=role.actions.width,
        hidden=settings.actor,
        channels=settings.channels if settings.kind == "conv" else (),
        activation=settings.activation,
        memory=settings.memory,
        length=settings.memory_length if looks_back else 1,
        units=settings.memory_units if has_units else 0,
        groups=sharing_groups(game, role, settings),
        normalised=settings.normalise_observations,
    )


ACTOR_SETTINGS = {
    "kind": "network.kind",
    "hidden": "network.actor",
    "channels": "network.channels",
    "activation": "network.activation",
    "memory": "network.memory",
    "length": "network.memory_length",
    "units": "network.memory_units",
    "groups": "network.sharing (by seat)",
    "normalised": "network.normalise_observations",
}
"""Which settings the fields of `actor_spec` come from; all others come from the game."""


def sharing_groups(game: GameSpec, role: RoleSpec, settings: NetworkSettings) -> tuple[int, ...]:
    """Which set of weights each seat of the game uses, as in `NetworkSpec.groups`; empty if all seats share one.

    Seats of other roles get group 0, which is never used for them. Raises ConfigError for names that are not seats,
    or are listed twice.
    """
    if settings.sharing == "all":
        return ()
    if settings.sharing == "none":
        listed: list[tuple[int, ...]] = [(seat,) for seat in role.seats]
    else:
        names = [name for group in settings.sharing for name in group]
        for name in names:
            if name not in game.seats:
                hint = nearest(name, game.seats)
                raise ConfigError(
                    f"network.sharing: '{name}' is no seat of {game.id}{hint} (its seats are {', '.join(game.seats)})"
                )
            if names.count(name) > 1:
                raise ConfigError(f"network.sharing: '{name}' is there twice; a seat belongs to one group")
        listed = [tuple(seat for seat in role.seats if game.seats[seat] in group) for group in settings.sharing]
        listed = [group for group in listed if group]
        rest = tuple(seat for seat in role.seats if game.seats[seat] not in names)
        listed += [rest] if rest else []
    if len(listed) == 1:
        return ()
    number = {seat: index for index, group in enumerate(listed) for seat in group}
    return tuple(number.get(seat, 0) for seat in range(len(game.seats)))


def snapshot_metadata(
    game: GameSpec, role: RoleSpec, network: NetworkSpec, epsilon: float | None = None
) -> dict[str, object]:
    """The part of a snapshot's metadata that says what it plays: enough to refuse a wrong game or shape.

    epsilon: as in `NeuralPolicy`.
    """
    greedy = {} if epsilon is None else {"epsilon": epsilon}
    return greedy | {
        "game": game.id,
        "game_version": game.version,
        "game_options": dict(game.options),
        "role": role.name,
        "obs_shape": list(role.obs_shape),
        "obs_dtype": str(role.obs_dtype).removeprefix("torch."),
        "actions": role.actions.to_json(),
        "seats": list(game.seats),
        "network": network.to_dict(),
    }


def restore(
    metadata: Mapping[str, object], tensors: Mapping[str, Tensor], name: str, device: str = "cpu"
) -> NeuralPolicy:
    """A policy from a snapshot's contents. Raises SnapshotError where they disagree, or cannot be played with."""
    network, role = metadata.get("network"), metadata.get("role")
    if not isinstance(network, dict) or not isinstance(role, str):
        raise SnapshotError(f"{name}: its metadata names no network or no role, so it is not a policy")
    try:
        actor = Network(NetworkSpec.from_dict(network))
    # A hostile architecture: unknown keys, wrong types, sizes that no tensor can have.
    except (ConfigError, TypeError, ValueError, RuntimeError, OverflowError, LookupError) as error:
        raise SnapshotError(f"{name}: the architecture in its metadata cannot be built: {error}") from None
    expected = {key: (tuple(value.shape), value.dtype) for key, value in actor.state_dict().items()}
    found = {key: (tuple(value.shape), value.dtype) for key, value in tensors.items()}
    if expected != found:
        wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
        raise SnapshotError(f"{name}: the weights do not fit the architecture in its metadata (at {', '.join(wrong)})")
    flat = sorted(key for key, value in tensors.items() if key.endswith("norm.deviation") and bool((value <= 0).any()))
    if flat:
        raise SnapshotError(f"{name}: no deviation of observations may be 0 or less (at {', '.join(flat)})")
    epsilon = metadata.get("epsilon")
    if epsilon is not None:
        sound = isinstance(epsilon, int | float) and not isinstance(epsilon, bool) and 0 <= epsilon <= 1
        if not sound or not isinstance(metadata.get("actions"), int):
            raise SnapshotError(
                f"{name}: epsilon must be a number from 0 to 1, of one that takes one of n actions, not {epsilon!r}"
            )
    # Copies: a policy must stay as it is, whatever becomes of the tensors that it was made from.
    actor.load_state_dict({key: value.to(device, copy=True) for key, value in tensors.items()}, assign=True)
    return NeuralPolicy(role, actor, cast(float | None, epsilon))


def fits(metadata: Mapping[str, object], game: GameSpec) -> str | None:
    """Why a snapshot with this metadata cannot play `game`, or None where it can."""
    if current_id(str(metadata.get("game"))) != game.id or metadata.get("game_version") != game.version:
        found = f"{metadata.get('game')} (version {metadata.get('game_version')})"
        return f"it plays {found}, not {game.id} (version {game.version})"
    given = metadata.get("game_options", {})
    given = comparable(given) if isinstance(given, Mapping) else given
    options = [canonical_json(one) for one in (given, comparable(game.options))]
    if options[0] != options[1]:
        return f"it plays {game.id} with the options {options[0]}, not {options[1]}"
    for role in game.roles:
        if role.name == metadata.get("role"):
            shape, actions = metadata.get("obs_shape"), metadata.get("actions")
            mine = list(role.obs_shape), role.actions.to_json(), list(game.seats)
            if mine != (shape, actions, metadata.get("seats")):
                return (
                    f"it was trained for seats {metadata.get('seats')}, observations {shape} and {actions} actions; "
                    f"this game has seats {mine[2]}, {mine[0]} and {mine[1]}"
                )
            return None
    return f"its role '{metadata.get('role')}' is not one of {', '.join(role.name for role in game.roles)}"
