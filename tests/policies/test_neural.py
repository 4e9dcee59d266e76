"""Neural policies: what a snapshot says comes back as the same play, and only where it belongs."""

from __future__ import annotations

import json

import pytest
import torch

from league.errors import SnapshotError
from league.games.core import GameSpec
from league.games.registry import make
from league.policies import weights
from league.policies.core import Rows
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy, actor_spec, describe, fits, restore
from league.policies.settings import NetworkSettings

CONNECT_FOUR = make("connect_four", 1).spec
SETTINGS = {
    "mlp": NetworkSettings(actor=(16, 8)),
    "conv": NetworkSettings(kind="conv", actor=(16,), channels=(4, 4), activation="tanh"),
}


def new_policy(game: GameSpec, settings: NetworkSettings, seed: int = 0) -> NeuralPolicy:
    role = game.roles[0]
    actor = Network(actor_spec(game, role, settings), 1.0, torch.Generator().manual_seed(seed))
    return NeuralPolicy(role.name, actor)


def metadata_of(game: GameSpec, settings: NetworkSettings, role: int = 0) -> dict[str, object]:
    return describe(game, game.roles[role], actor_spec(game, game.roles[role], settings))


def rows_of(game: GameSpec, count: int = 6) -> Rows:
    generator = torch.Generator().manual_seed(5)
    obs = (torch.rand((count, *game.roles[0].obs_shape), generator=generator) < 0.4).to(game.roles[0].obs_dtype)
    return Rows(obs, None, torch.arange(count) % 2)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_a_snapshot_plays_as_its_policy_did(kind: str) -> None:
    policy, rows = new_policy(CONNECT_FOUR, SETTINGS[kind]), rows_of(CONNECT_FOUR)
    data = weights.pack(policy.weights(), metadata_of(CONNECT_FOUR, SETTINGS[kind]))
    metadata, tensors = weights.unpack(data)
    assert fits(metadata, CONNECT_FOUR) is None
    again = restore(metadata, tensors, "it")
    assert (again.role, again.actor.spec) == (policy.role, policy.actor.spec)
    assert torch.equal(again.logits(rows), policy.logits(rows))
    assert weights.pack(again.weights(), metadata_of(CONNECT_FOUR, SETTINGS[kind])) == data


def test_a_restored_policy_keeps_no_hold_of_the_tensors_it_came_from() -> None:
    policy, rows = new_policy(CONNECT_FOUR, SETTINGS["mlp"]), rows_of(CONNECT_FOUR)
    live = dict(policy.actor.state_dict())
    again = restore(metadata_of(CONNECT_FOUR, SETTINGS["mlp"]), live, "it")
    before = again.logits(rows)
    with torch.no_grad():
        for value in live.values():
            value.add_(1.0)
    assert torch.equal(again.logits(rows), before)
    assert not torch.equal(policy.logits(rows), before)


def test_weights_are_copies() -> None:
    policy = new_policy(CONNECT_FOUR, SETTINGS["mlp"])
    taken = policy.weights()
    before = taken["head.0.weight"].clone()
    with torch.no_grad():
        policy.actor.head[0].weight.add_(1.0)  # type: ignore[operator,union-attr]
    assert torch.equal(taken["head.0.weight"], before)
    assert not taken["head.0.weight"].requires_grad


@pytest.mark.parametrize(
    "change",
    [
        {"network": None},
        {"role": None},
        {"network": {"kind": "mlp"}},
        {"network.kind": "rnn"},
        {"network.activation": "swish"},
        {"network.hidden": "wide"},
        {"network.hidden": [-3]},
        {"network.hidden": [10**30]},
        {"network.hidden": [10**12]},
        {"network.hidden": [4, 4]},
        {"network.inputs": [None]},
        {"network.surprise": 1},
        {"network.seats": 3},
    ],
)
def test_metadata_that_does_not_fit_the_weights_is_refused(change: dict[str, object]) -> None:
    policy = new_policy(CONNECT_FOUR, SETTINGS["mlp"])
    metadata = json.loads(json.dumps(metadata_of(CONNECT_FOUR, SETTINGS["mlp"])))
    for key, value in change.items():
        into, _, name = key.rpartition(".")
        (metadata[into] if into else metadata)[name] = value
    with pytest.raises(SnapshotError, match="it: "):
        restore(metadata, policy.weights(), "it")


def test_weights_of_another_type_or_name_are_refused() -> None:
    policy, metadata = new_policy(CONNECT_FOUR, SETTINGS["mlp"]), metadata_of(CONNECT_FOUR, SETTINGS["mlp"])
    with pytest.raises(SnapshotError, match=r"at head.0.weight\)"):
        restore(metadata, policy.weights() | {"head.0.weight": policy.weights()["head.0.weight"].double()}, "it")
    with pytest.raises(SnapshotError, match="extra"):
        restore(metadata, policy.weights() | {"extra": torch.zeros(1)}, "it")


def test_a_policy_fits_only_its_own_game() -> None:
    metadata = metadata_of(CONNECT_FOUR, SETTINGS["mlp"])
    other = make("tictactoe", 1).spec
    assert "it plays connect_four (version 1), not tictactoe" in str(fits(metadata, other))
    assert "(version 0)" in str(fits(metadata | {"game_version": "0"}, CONNECT_FOUR))
    assert "observations [3, 6, 7]" in str(fits(metadata | {"obs_shape": [3, 6, 7]}, CONNECT_FOUR))
    assert "8 actions" in str(fits(metadata | {"actions": 8}, CONNECT_FOUR))
    assert "seats ['a', 'b']" in str(fits(metadata | {"seats": ["a", "b"]}, CONNECT_FOUR))
    assert "its role 'predator' is not one of player" in str(fits(metadata | {"role": "predator"}, CONNECT_FOUR))


def test_a_game_with_other_options_is_another_game() -> None:
    prices = [[[0.0, 1.0], [2.0, 0.0]], [[0.0, 1.0], [3.0, 0.0]]]
    one, other = (make("matrix", 1, options={"payoff": payoff}).spec for payoff in prices)
    metadata, stored = metadata_of(one, SETTINGS["mlp"]), json.loads(json.dumps(metadata_of(one, SETTINGS["mlp"])))
    assert fits(metadata, one) is None
    assert fits(stored, one) is None
    assert "with the options" in str(fits(stored, other))
    assert "[3.0,0.0]" in str(fits(stored, other))
    small, large = (make("blotto", 1, options={"troops": troops}).spec for troops in (3, 4))
    assert "with the options" in str(fits(metadata_of(small, SETTINGS["mlp"]), large))
    # Equal options in another spelling are the same game.
    assert (
        fits(metadata_of(make("blotto", 1).spec, SETTINGS["mlp"]), make("blotto", 1, options={"fields": 3}).spec)
        is None
    )


def test_roles_have_their_own_shapes() -> None:
    game = make("mpe2:simple_tag_v3", 1, options={"max_cycles": 3})
    spec = game.spec
    game.close()
    for index, role in enumerate(spec.roles):
        metadata = metadata_of(spec, SETTINGS["mlp"], index)
        assert (metadata["role"], metadata["obs_shape"]) == (role.name, list(role.obs_shape))
        assert fits(metadata, spec) is None
    swapped = metadata_of(spec, SETTINGS["mlp"], 0) | {"role": spec.roles[1].name}
    assert "it was trained for" in str(fits(swapped, spec))
