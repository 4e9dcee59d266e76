"""Networks that respect symmetries: relabelled positions are played alike, before and after learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from league.errors import GameError
from league.execution.training_table import TrainingTable
from league.games.core import GameSpec
from league.games.registry import make
from league.games.symmetry import Symmetry, group, moved_planes
from league.learning.algorithms import LEARNERS
from league.learning.learner import Learner
from league.learning.settings import ALGORITHMS
from league.policies.architecture import NetworkSpec
from league.policies.core import highest
from league.policies.networks import Network
from league.policies.settings import NetworkSettings
from league.policies.tying import can_tie
from league.records import Seating

BOARDS = {"tictactoe": 8, "connect_four": 2, "othello": 4}
"""Games with symmetries, and how many there are with the identity."""
NETWORK = NetworkSettings(actor=(37, 32), critic=(36,), channels=(8, 11))
SMALL: Mapping[str, Mapping[str, object]] = {
    "mappo": {"slots": 32, "turns": 16, "minibatch": 128, "learning_rate": 1e-2},
    "qmix": {"slots": 32, "turns": 16, "warmup": 64, "updates": 20, "learning_rate": 1e-2},
}


def spec_of(game: str) -> GameSpec:
    made = make(game, 1)
    made.close()
    return made.spec


def elements_of(game: str) -> tuple[Symmetry, ...]:
    return group(spec_of(game).roles[0].symmetries)


def asymmetry(network: Network, game: str, invariant: bool = False, rows: int = 20) -> float:
    """How far outputs at relabelled observations are from relabelled outputs, at most, as a share of their spread."""
    shape = spec_of(game).roles[0].obs_shape
    generator = torch.Generator().manual_seed(3)
    obs = torch.randint(0, 2, (rows, *shape), generator=generator, dtype=torch.uint8)
    seat = torch.randint(0, 2, (rows,), generator=generator)
    with torch.no_grad():
        before = network(obs, seat)
        assert float(before.std()) > 0, "outputs that are all alike are trivially symmetric"
        worst = 0.0
        for one in elements_of(game):
            after = network(obs.flatten(1)[:, list(one.observation)].view(obs.shape), seat)
            expected = before if invariant else before[:, list(one.actions)]
            worst = max(worst, float((after - expected).abs().max() / before.std()))
    return worst


def learner(algorithm: str = "mappo", seed: int = 0, **network: object) -> Learner:
    spec = spec_of("tictactoe")
    settings = ALGORITHMS[algorithm].model_validate(SMALL[algorithm])
    return LEARNERS[algorithm]("live", spec, spec.roles[0], NETWORK.model_copy(update=network), settings, seed)


def teach(one: Learner, rounds: int = 4) -> None:
    played = make("tictactoe", one.settings.slots or 1)
    table = TrainingTable(played, 0, 7)
    for number in range(rounds):
        table.round(number, [one], {}, [Seating(("live",) * 2, 1.0)], one.settings.turns)
    played.close()


@pytest.mark.parametrize(("game", "count"), BOARDS.items())
def test_generators_make_up_the_whole_group(game: str, count: int) -> None:
    found = elements_of(game)
    assert len(set(found)) == count
    assert found[0].actions == tuple(range(len(found[0].actions)))
    for one, other in product(found, found):
        assert one.then(other) in found
    for one in found:
        back = next(other for other in found if one.then(other) == found[0])
        assert back.actions == one.new_action


@pytest.mark.parametrize("invariant", [False, True], ids=["actions", "value"])
@pytest.mark.parametrize("kind", ["mlp", "conv"])
@pytest.mark.parametrize("game", BOARDS)
def test_a_new_network_plays_relabelled_positions_alike(game: str, kind: str, invariant: bool) -> None:
    role = spec_of(game).roles[0]
    spec = NetworkSpec(
        kind=kind,
        inputs=role.obs_shape,
        seats=2,
        outputs=1 if invariant else role.actions.width,
        hidden=(37, 32),
        channels=(8, 11) if kind == "conv" else (),
    )
    network = Network(spec, 1.0, torch.Generator().manual_seed(1))
    spread = [float(value.detach().std()) for value in network.parameters() if value.dim() > 1]
    assert asymmetry(network, game, invariant) > 0.3
    network.respect(elements_of(game), invariant)
    assert asymmetry(network, game, invariant) < 1e-4
    after = [float(value.detach().std()) for value in network.parameters() if value.dim() > 1]
    # Of the last layer of a value only few weights are independent, too few for a tight bound.
    assert after[:-1] == pytest.approx(spread[:-1], rel=0.25)


def test_tied_weights_stay_to_the_last_bit() -> None:
    one = learner()
    before = [value.detach().clone() for value in one.actor.parameters()]
    one.actor.tie_weights()
    assert all(torch.equal(old, new) for old, new in zip(before, one.actor.parameters(), strict=True))


@pytest.mark.parametrize(
    ("algorithm", "network"),
    [("mappo", {}), ("mappo", {"kind": "conv"}), ("mappo", {"sharing": "none"}), ("qmix", {})],
    ids=["mappo", "conv", "unshared", "qmix"],
)
def test_learning_keeps_to_the_symmetries(algorithm: str, network: Mapping[str, object]) -> None:
    one = learner(algorithm, **network)
    before = [value.detach().clone() for value in one.actor.parameters()]
    teach(one)
    moved = [float((new.detach() - old).abs().max()) for old, new in zip(before, one.actor.parameters(), strict=True)]
    assert max(moved) > 1e-2
    assert asymmetry(one.actor, "tictactoe") < 1e-4
    assert asymmetry(one.frozen().actor, "tictactoe") < 1e-4
    if algorithm == "mappo":
        critic = one.networks()["critic"]
        assert isinstance(critic, Network)
        assert asymmetry(critic, "tictactoe", invariant=True) < 1e-4


def test_without_the_setting_learning_is_free() -> None:
    one = learner(symmetric=False)
    teach(one)
    assert asymmetry(one.actor, "tictactoe") > 0.1


def test_a_learner_goes_on_from_weights_that_respect_symmetries_and_from_others() -> None:
    tied, free = learner(), learner(symmetric=False)
    teach(tied)
    teach(free)
    for other in (tied, free):
        fresh = learner(seed=1)
        fresh.initialise_from(other.frozen())
        assert all(map(torch.equal, fresh.actor.parameters(), other.actor.parameters()))
        resumed = learner(seed=1)
        resumed.load({name: value.clone() for name, value in other.tensors().items()})
        for one in (fresh, resumed):
            teach(one, rounds=1)
            assert (asymmetry(one.actor, "tictactoe") < 1e-4) == (other is tied)
        teach(other, rounds=1)
        assert all(map(torch.equal, resumed.actor.parameters(), other.actor.parameters())), "a resumed run goes its way"


def test_a_learner_that_takes_over_tied_weights_is_tied_again() -> None:
    tied, free = learner(), learner(symmetric=False)
    teach(tied)
    teach(free)
    one = learner(seed=1)
    for other in (free, tied):
        one.load({name: value.clone() for name, value in other.tensors().items()})
        assert (one.actor.tying is not None) == (other is tied)


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_rounding_does_not_choose_between_mirrored_moves(rows: int) -> None:
    # The empty board is its own mirror image, so that mirrored columns are equally good.
    obs, seat = torch.zeros((rows, 2, 6, 7), dtype=torch.uint8), torch.zeros(rows, dtype=torch.int64)
    for seed in range(8):
        spec = NetworkSpec(kind="mlp", inputs=(2, 6, 7), seats=2, outputs=7, hidden=(64, 64))
        network = Network(spec, 1.0, torch.Generator().manual_seed(seed))
        network.respect(elements_of("connect_four"))
        with torch.no_grad():
            logits = network(obs, seat)
        best = highest(logits)
        assert torch.equal(best, best.flip(1))
        assert torch.equal(best, best[:1].expand_as(best))


def test_networks_with_memory_statistics_or_other_relabellings_are_not_tied() -> None:
    spec = NetworkSpec(kind="mlp", inputs=(2, 3, 3), seats=2, outputs=9, hidden=(16,))
    elements = elements_of("tictactoe")
    assert can_tie(spec, elements)
    assert not can_tie(replace(spec, memory="gru", units=8), elements)
    assert not can_tie(replace(spec, normalised=True), elements)
    # The second plane is moved in another way than the first: no convolution can follow.
    plain, mirrored = np.arange(9), np.fliplr(np.arange(9).reshape(3, 3)).ravel() + 9
    odd = Symmetry((*plain, *mirrored), tuple(range(9)))
    assert can_tie(spec, [odd])
    assert not can_tie(replace(spec, kind="conv", channels=(4,)), [odd])
    assert not can_tie(replace(spec, hidden=(16, 7)), elements), "8 relabelled positions would look alike to 7 units"
    assert can_tie(replace(spec, hidden=(16, 8)), elements)
    network = Network(replace(spec, memory="gru", units=8), 1.0, torch.Generator().manual_seed(0))
    network.respect(elements)
    assert network.tying is None


def test_symmetries_that_do_not_fit_are_refused() -> None:
    role = spec_of("connect_four").roles[0]
    with pytest.raises(GameError, match="a symmetry's actions must list every number from 0 to 2 once"):
        Symmetry((0, 1), (0, 0, 2))
    with pytest.raises(GameError, match="all 84 numbers of an observation, and discrete actions, of which there are 7"):
        replace(role, symmetries=(Symmetry((1, 0), (1, 0)),))
    with pytest.raises(GameError, match="must keep the shape 6 × 7"):
        moved_planes((2, 6, 7), np.transpose)
    turn = Symmetry(tuple((place + 1) % 84 for place in range(84)), tuple(range(7)))
    with pytest.raises(GameError, match="a group of at most 64 relabellings"):
        group([turn])
    tag = spec_of("tag")
    still = Symmetry(tuple(range(tag.roles[0].obs_shape[0])), tuple(range(tag.roles[0].actions.width)))
    with pytest.raises(GameError, match="the same number of symmetries"):
        replace(tag, roles=(replace(tag.roles[0], symmetries=(still,)), tag.roles[1]))


def test_gradients_of_a_group_are_the_mean_over_relabelled_positions() -> None:
    # What tying does to one position's gradient, averaging over all relabelled positions does, too.
    elements, spec = (
        elements_of("tictactoe"),
        NetworkSpec(kind="mlp", inputs=(2, 3, 3), seats=2, outputs=9, hidden=(16, 8)),
    )
    network = Network(spec, 1.0, torch.Generator().manual_seed(2))
    network.respect(elements)
    obs = torch.randint(0, 2, (1, 2, 3, 3), generator=torch.Generator().manual_seed(4)).float()
    seat = torch.zeros(1, dtype=torch.int64)

    def gradient(one: Symmetry) -> list[Tensor]:
        moved = obs.flatten(1)[:, list(one.observation)].view(obs.shape)
        loss = -network(moved, seat).log_softmax(1)[0, one.new_action[3]]
        return list(torch.autograd.grad(loss, list(network.parameters())))

    for value, own in zip(network.parameters(), gradient(elements[0]), strict=True):
        value.grad = own
    network.tie_gradients()
    over_all = [torch.stack(parts).mean(0) for parts in zip(*map(gradient, elements), strict=True)]
    for value, expected in zip(network.parameters(), over_all, strict=True):
        torch.testing.assert_close(value.grad, expected, atol=1e-6, rtol=1e-4)
