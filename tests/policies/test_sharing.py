"""Which seats share weights: what the setting says, and that no seat is answered or taught by another group."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from league.config.load import from_dict, load, to_dict
from league.errors import ConfigError
from league.games.actions import Discrete
from league.games.core import GameSpec, RoleSpec
from league.policies.architecture import NetworkSpec
from league.policies.networks import Network
from league.policies.neural import actor_spec, sharing_groups
from league.policies.settings import NetworkSettings

SPEC = NetworkSpec(kind="mlp", inputs=(5,), seats=4, outputs=3, hidden=(8,), groups=(0, 1, 0, 2))


def game() -> GameSpec:
    """Two roles: three hunters and two birds, between each other."""

    def role(name: str, seats: tuple[int, ...]) -> RoleSpec:
        return RoleSpec(
            name=name, seats=seats, acting=len(seats), obs_shape=(5,), obs_dtype=torch.float32, actions=Discrete(3)
        )

    seats = ("hunter_0", "bird_0", "hunter_1", "bird_1", "hunter_2")
    return GameSpec("hunt", "1", seats, ((0, 2, 4), (1, 3)), (role("hunter", (0, 2, 4)), role("bird", (1, 3))))


@pytest.mark.parametrize(
    ("sharing", "hunters", "birds"),
    [
        ("all", (), ()),
        ("none", (0, 0, 1, 0, 2), (0, 0, 0, 1, 0)),
        ([["hunter_2"]], (1, 0, 1, 0, 0), ()),
        ([["hunter_2", "hunter_0"], ["hunter_1"]], (0, 0, 1, 0, 0), ()),
        ([["bird_1", "hunter_1"]], (1, 0, 0, 0, 1), (0, 1, 0, 0, 0)),
        ([["hunter_0", "hunter_1", "hunter_2"], []], (), ()),
        ([], (), ()),
    ],
    ids=str,
)
def test_a_setting_says_who_shares(sharing: object, hunters: tuple[int, ...], birds: tuple[int, ...]) -> None:
    settings = NetworkSettings.model_validate({"sharing": sharing})
    spec = game()
    assert [sharing_groups(spec, role, settings) for role in spec.roles] == [hunters, birds]
    assert actor_spec(spec, spec.roles[0], settings).groups == hunters


@pytest.mark.parametrize(
    ("sharing", "message"),
    [
        ([["hunter_9"]], r"'hunter_9' is no seat of hunt; did you mean 'hunter_\d'\? \(its seats are hunter_0, bird_0"),
        ([["hunter_0"], ["hunter_0"]], "'hunter_0' is there twice"),
        ([["hunter_0", "hunter_0"]], "'hunter_0' is there twice"),
    ],
    ids=str,
)
def test_seats_that_there_are_not_or_twice_are_refused(sharing: object, message: str) -> None:
    spec = game()
    with pytest.raises(ConfigError, match=f"network.sharing: {message}"):
        sharing_groups(spec, spec.roles[0], NetworkSettings.model_validate({"sharing": sharing}))


def test_the_command_line_can_say_none_and_lists() -> None:
    found = load(None, ["network.sharing=none", "network.memory=none"]).network
    assert (found.sharing, found.memory) == ("none", "none")
    config = load(None, ['network.sharing=[["hunter_0", "hunter_1"]]'])
    assert config.network.sharing == (("hunter_0", "hunter_1"),)
    assert from_dict(to_dict(config)) == config
    with pytest.raises(ConfigError, match='must be one of "all", "none" or a list of lists of texts, not "some"'):
        load(None, ["network.sharing=some"])


def test_each_seat_is_answered_by_its_own_group() -> None:
    made = Network(SPEC, 1.0, torch.Generator().manual_seed(0))
    seen, seat = torch.rand((20, 5), generator=torch.Generator().manual_seed(1)), torch.arange(20) * 3 % 4
    said = made(seen, seat)
    for row in range(20):
        own = made.members[SPEC.groups[int(seat[row])]]
        torch.testing.assert_close(said[row : row + 1], own(seen[row : row + 1], seat[row : row + 1]))
    assert len(made.members) == 3
    assert not torch.allclose(made.members[0](seen, seat), made.members[1](seen, seat), atol=1e-2)


@pytest.mark.parametrize(
    "memory",
    [
        {},
        {"memory": "stack", "length": 3},
        {"memory": "gru", "units": 4},
        {"memory": "lstm", "units": 4},
        {"memory": "transformer", "length": 3, "units": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("present", [(0, 1, 2, 3), (0, 2), (3,)])
def test_seats_of_other_groups_teach_nothing(present: tuple[int, ...], memory: dict[str, object]) -> None:
    made = Network(replace(SPEC, **memory), 1.0, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    seat = torch.tensor(present * 5)
    seen = torch.rand((3, len(seat), 5), generator=torch.Generator().manual_seed(1))
    said = made.unroll(seen, seat, None, torch.zeros(seen.shape[:2], dtype=torch.bool))
    assert made.step(seen[0], seat)[0].shape == (len(seat), 3)
    gradients = torch.autograd.grad(said.square().sum(), list(made.parameters()))
    taught = {SPEC.groups[one] for one in present}
    for (name, _), gradient in zip(made.named_parameters(), gradients, strict=True):
        assert bool(gradient.any()) == (int(name.split(".")[1]) in taught), name


def test_a_group_is_a_network_of_its_own() -> None:
    made = Network(SPEC, 1.0, torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    for number in range(3):
        alone = Network(NetworkSpec(kind="mlp", inputs=(5,), seats=4, outputs=3, hidden=(8,)), 1.0, generator)
        for name, value in alone.state_dict().items():
            assert torch.equal(made.state_dict()[f"group.{number}.{name}"], value)
