"""Distributions over every kind of action, against torch.distributions, numerical integration and counting."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import (
    AffineTransform,
    Categorical,
    Independent,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

from league.games.actions import ActionSpace, Box, Discrete, MultiDiscrete, from_json
from league.policies.distributions import (
    UNIFORM,
    choose,
    distribution,
    entropy,
    kl,
    kl_from_uniform,
    log_prob,
    random_play,
)

BOX = Box((-1.0, 0.0, -3.0), (1.0, 2.0, 5.0))
SPACES: list[ActionSpace] = [Discrete(5), MultiDiscrete((3, 2, 4)), BOX]


def said(space: ActionSpace, rows: int, seed: int = 0) -> Tensor:
    return torch.randn((rows, space.width), generator=torch.Generator().manual_seed(seed))


def draws(space: ActionSpace, rows: int, seed: int = 1) -> Tensor:
    return torch.rand((rows, space.draws), generator=torch.Generator().manual_seed(seed))


def squashed(given: Tensor) -> Independent:
    """torch's own squashed Gaussian in the box."""
    mean, spread = given.double().chunk(2, -1)
    low, high = torch.tensor(BOX.low).double(), torch.tensor(BOX.high).double()
    inner = TransformedDistribution(Normal(mean, spread.exp()), [TanhTransform(), AffineTransform(low, 0 * low + 1)])
    outer = TransformedDistribution(
        inner.base_dist, [TanhTransform(), AffineTransform((low + high) / 2, (high - low) / 2)]
    )
    return Independent(outer, 1)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_choices_are_in_the_space_and_have_its_shape(space: ActionSpace) -> None:
    given = distribution(space, said(space, 500), None)
    for temperature in (0.0, 0.5, 1.0, 3.0):
        action = choose(space, given, draws(space, 500), temperature)
        assert action.shape == (500, *space.shape)
        assert action.dtype == (torch.float32 if isinstance(space, Box) else torch.int64)
        assert bool(space.legal(action, None).all())


def test_a_box_has_the_density_of_a_squashed_gaussian() -> None:
    given = distribution(BOX, said(BOX, 300), None)
    action = choose(BOX, given, draws(BOX, 300))
    low, high = BOX.bounds(action)
    # Float32 loses digits near the edges, where the inverse of the squashing is steep.
    inner = ((2 * (action - low) / (high - low) - 1).abs() < 0.999).all(1)
    assert int(inner.sum()) > 200
    right = squashed(given[inner]).log_prob(action[inner].double())
    torch.testing.assert_close(log_prob(BOX, given, action)[inner].double(), right, atol=2e-3, rtol=1e-3)


def test_a_box_is_drawn_from_that_density() -> None:
    given = distribution(BOX, said(BOX, 1), None).expand(200_000, -1)
    ours = choose(BOX, given, draws(BOX, 200_000)).double()
    theirs = squashed(given).sample()
    for quantile in (0.05, 0.25, 0.5, 0.75, 0.95):
        torch.testing.assert_close(ours.quantile(quantile, 0), theirs.quantile(quantile, 0), atol=0.03, rtol=0)


def test_the_density_of_a_box_integrates_to_one() -> None:
    line = Box((-2.0,), (3.0,))
    given = distribution(line, torch.tensor([[0.4, -0.7]]), None)
    points = torch.linspace(-2 + 1e-4, 3 - 1e-4, 50_001)[:, None]
    density = log_prob(line, given.expand(len(points), -1), points).exp()
    assert float(torch.trapezoid(density, points[:, 0])) == pytest.approx(1.0, abs=1e-3)


def test_kl_from_random_play_is_the_mean_difference_of_log_probabilities_in_random_play() -> None:
    for space in SPACES:
        given = distribution(space, 0.7 * said(space, 4, seed=3), None)
        uniform = distribution(space, random_play(space, 4, given.device), None)
        many, flat = (one.repeat_interleave(100_000, 0) for one in (given, uniform))
        action = choose(space, flat, draws(space, len(flat)))
        found = (log_prob(space, flat, action) - log_prob(space, many, action)).view(4, -1)
        error = 5 * found.std(1) / math.sqrt(100_000) + 0.01
        assert bool(((kl_from_uniform(space, given) - found.mean(1)).abs() < error).all()), space
        torch.testing.assert_close(kl_from_uniform(space, uniform), torch.zeros(4), atol=1e-6, rtol=0)


def test_kl_from_random_play_counts_legal_actions_only() -> None:
    mask = torch.tensor([[True, False, True, False, False]])
    given = distribution(Discrete(5), torch.tensor([[0.0, 9.0, math.log(3.0), 1.0, 2.0]]), mask)
    right = -math.log(2.0) - (math.log(0.25) + math.log(0.75)) / 2
    assert float(kl_from_uniform(Discrete(5), given)) == pytest.approx(right, abs=1e-6)


def test_entropy_is_the_mean_of_minus_the_log_probability() -> None:
    for space in SPACES:
        given = distribution(space, 0.7 * said(space, 4, seed=3), None)
        many = given.repeat_interleave(100_000, 0)
        found = -log_prob(space, many, choose(space, many, draws(space, len(many)))).view(4, -1)
        error = 5 * found.std(1) / math.sqrt(100_000) + 0.01
        assert bool(((entropy(space, given) - found.mean(1)).abs() < error).all()), space


def test_several_parts_are_chosen_each_by_itself() -> None:
    space = MultiDiscrete((3, 2, 4))
    given = distribution(space, said(space, 50), None)
    action = choose(space, given, draws(space, 50))
    parts = [Categorical(logits=one) for one in said(space, 50).split([3, 2, 4], -1)]
    right = sum(part.log_prob(action[:, d]) for d, part in enumerate(parts))
    torch.testing.assert_close(log_prob(space, given, action), right)
    torch.testing.assert_close(entropy(space, given), sum(part.entropy() for part in parts))


def test_a_mask_covers_all_parts() -> None:
    space = MultiDiscrete((3, 2))
    mask = torch.tensor([[False, True, True, True, False]]).expand(400, -1)
    given = distribution(space, said(space, 400), mask)
    action = choose(space, given, draws(space, 400))
    assert set(action[:, 0].tolist()) == {1, 2}
    assert set(action[:, 1].tolist()) == {0}
    assert bool(space.legal(action, mask).all())
    assert not bool(space.legal(torch.zeros_like(action), mask).any())
    assert bool(entropy(space, given).isfinite().all())


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_random_play_is_uniform(space: ActionSpace) -> None:
    given = distribution(space, random_play(space, 60_000, torch.device("cpu")), None)
    for temperature in (0.0, 1.0):
        action = choose(space, given, draws(space, 60_000), temperature)
        if isinstance(space, Box):
            low, high = space.bounds(action)
            shares = ((action - low) / (high - low)).quantile(torch.tensor([0.1, 0.5, 0.9]), 0)
            torch.testing.assert_close(shares, torch.tensor([[0.1], [0.5], [0.9]]).expand(3, 3), atol=0.01, rtol=0)
        else:
            for column, n in zip(action.view(60_000, -1).T, getattr(space, "sizes", (space.width,)), strict=True):
                shares = torch.bincount(column, minlength=n) / 60_000
                torch.testing.assert_close(shares, torch.full((n,), 1 / n), atol=0.01, rtol=0)
    volume = math.prod(b - a for a, b in zip(BOX.low, BOX.high, strict=True)) if space is BOX else 0.0
    count = volume or math.prod(getattr(space, "sizes", (space.width,)))
    torch.testing.assert_close(log_prob(space, given, action), torch.full((60_000,), -math.log(count)))
    torch.testing.assert_close(entropy(space, given), torch.full((60_000,), math.log(count)))


def test_gradients_reach_means_and_deviations_and_stay_finite_at_the_edges() -> None:
    raw = torch.tensor([[0.0, 50.0, -50.0, 0.0, 9.0, -9.0]], requires_grad=True)
    given = distribution(BOX, raw, None)
    action = choose(BOX, given.detach(), torch.tensor([[0.0, 1 - 2.0**-24, 0.5]]))
    value = log_prob(BOX, given, action).sum() + entropy(BOX, given).sum()
    (gradient,) = torch.autograd.grad(value, raw)
    assert bool(value.isfinite())
    assert bool(gradient.isfinite().all())
    assert float(gradient[0, 0]) != 0
    assert float(gradient[0, 3]) != 0


def test_greedy_choices_are_the_most_probable() -> None:
    given = distribution(BOX, said(BOX, 20), None)
    low, high = BOX.bounds(given)
    centre = low + (given[:, :3].tanh() + 1) / 2 * (high - low)
    torch.testing.assert_close(choose(BOX, given, draws(BOX, 20), 0.0), centre)
    parts = MultiDiscrete((3, 4))
    best = torch.stack([one.argmax(-1) for one in said(parts, 20).split([3, 4], -1)], -1)
    assert torch.equal(choose(parts, distribution(parts, said(parts, 20), None), draws(parts, 20), 0.0), best)


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_spaces_survive_json(space: ActionSpace) -> None:
    assert from_json(space.to_json()) == space


@pytest.mark.parametrize(
    "value", [0, -3, True, "5", {"sizes": "34"}, {"sizes": 3}, {"low": [0.0]}, {"low": [1], "high": [0]}, None]
)
def test_what_is_no_space_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="this is not an action space"):
        from_json(value)


def test_a_box_that_is_partly_uniform_keeps_both_parts_apart() -> None:
    given = torch.tensor([[0.3, 0.0, 0.3, -1.0, UNIFORM, -1.0]])
    first = log_prob(BOX, given, torch.tensor([[0.1, 0.5, 0.0]]))
    second = log_prob(BOX, given, torch.tensor([[0.1, 1.9, 0.0]]))
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize(
    ("deviation", "error"), [(0.1, 2e-5), (0.5, 2e-5), (1.0, 2e-5), (2.0, 0.004), (math.e**2, 0.25)]
)
def test_the_entropy_of_a_box_is_as_exact_as_it_says(deviation: float, error: float) -> None:
    """Against the integral of -p log p over what is squashed, on a fine grid."""
    line = Box((-1.0,), (1.0,))
    for mean in (0.0, 0.5, 2.0, 4.0):
        z = torch.linspace(-10, 10, 200_001, dtype=torch.float64)
        x = mean + deviation * z
        slope = 2 * (math.log(2) - x - torch.nn.functional.softplus(-2 * x))
        density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
        right = 0.5 * math.log(2 * math.pi * math.e) + math.log(deviation) + float(torch.trapezoid(density * slope, z))
        given = torch.tensor([[mean, math.log(deviation)]], dtype=torch.float64)
        assert float(entropy(line, given)) == pytest.approx(right, abs=error)


def test_the_divergence_is_that_of_torch() -> None:
    discrete, several, _ = SPACES
    mask = torch.rand((50, 5), generator=torch.Generator().manual_seed(3)) < 0.6
    mask[:, 0] = True
    one, two = said(discrete, 50), said(discrete, 50, 7)
    found = kl(discrete, distribution(discrete, one, mask), distribution(discrete, two, mask))
    legal = [Categorical(logits=torch.where(mask, logits, -1e9)) for logits in (one, two)]
    torch.testing.assert_close(found, torch.distributions.kl_divergence(*legal), rtol=1e-4, atol=1e-5)
    one, two = said(several, 50), said(several, 50, 7)
    found = kl(several, distribution(several, one, None), distribution(several, two, None))
    wanted = [
        torch.distributions.kl_divergence(*(Categorical(logits=logits[:, a:b]) for logits in (one, two)))
        for a, b in ((0, 3), (3, 5), (5, 9))
    ]
    torch.testing.assert_close(found, torch.stack(wanted).sum(0), rtol=1e-4, atol=1e-5)
    one, two = said(BOX, 50).clamp(-2, 2), said(BOX, 50, 7).clamp(-2, 2)
    found = kl(BOX, distribution(BOX, one, None), distribution(BOX, two, None))
    gaussians = [Normal(logits[:, :3], logits[:, 3:].exp()) for logits in (one, two)]
    torch.testing.assert_close(found, torch.distributions.kl_divergence(*gaussians).sum(1), rtol=1e-4, atol=1e-4)
