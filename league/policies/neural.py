"""Neural policies: an actor network for one role of one game, with the metadata that a snapshot carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from league.errors import ConfigError, SnapshotError
from league.files import canonical_json
from league.games.core import GameSpec, RoleSpec
from league.policies.core import Rows
from league.policies.networks import Network, NetworkSpec
from league.policies.settings import NetworkSettings


@dataclass(slots=True)
class NeuralPolicy:
    """A policy whose logits come from an actor network."""

    role: str
    actor: Network

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]` float32; see `Policy.logits`."""
        with torch.no_grad():
            logits: Tensor = self.actor(rows.obs, rows.seat)
        return logits

    def weights(self) -> dict[str, Tensor]:
        """A detached copy of the actor's weights on the CPU, by parameter name."""
        return {name: value.detach().to("cpu", copy=True) for name, value in self.actor.state_dict().items()}


def actor_spec(game: GameSpec, role: RoleSpec, settings: NetworkSettings) -> NetworkSpec:
    """The architecture of an actor for `role`: it sees one seat's observation and the seat's one-hot."""
    return NetworkSpec(
        kind=settings.kind,
        inputs=role.obs_shape,
        seats=len(game.seats),
        outputs=role.actions.width,
        hidden=settings.actor,
        channels=settings.channels if settings.kind == "conv" else (),
        activation=settings.activation,
    )


def describe(game: GameSpec, role: RoleSpec, network: NetworkSpec) -> dict[str, object]:
    """The part of a snapshot's metadata that says what it plays: enough to refuse a wrong game or shape."""
    return {
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
    """A policy from a snapshot's contents. Raises SnapshotError where weights and architecture disagree."""
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
    # Copies: a policy must stay as it is, whatever becomes of the tensors that it was made from.
    actor.load_state_dict({key: value.to(device, copy=True) for key, value in tensors.items()}, assign=True)
    return NeuralPolicy(role, actor)


def fits(metadata: Mapping[str, object], game: GameSpec) -> str | None:
    """Why a snapshot with this metadata cannot play `game`, or None where it can."""
    if metadata.get("game") != game.id or metadata.get("game_version") != game.version:
        found = f"{metadata.get('game')} (version {metadata.get('game_version')})"
        return f"it plays {found}, not {game.id} (version {game.version})"
    options = [canonical_json(one) for one in (metadata.get("game_options", {}), dict(game.options))]
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
