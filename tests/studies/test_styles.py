"""Who plays like whom: distances known by hand, positions that all share, and openings that were planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from league.errors import PolicyError
from league.games.actions import Discrete
from league.games.registry import make
from league.policies.architecture import NetworkSpec
from league.policies.core import Policy, Rows
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy
from league.policies.scripted import OnePly, Random
from league.run.roster.lookup import Found
from league.studies.contest import Contestant
from league.studies.styles import style_games
from league.studies.styles.distance import NEAR_COPY, arranged, jensen_shannon
from league.studies.styles.openings import appearances, common
from league.studies.styles.report import spread
from league.studies.styles.style_games import StyleGames

RANDOM = Random("player", Discrete(9))

KINDS: dict[str, dict[str, int]] = {
    "none": {},
    "gru": {"units": 6},
    "lstm": {"units": 6},
    "stack": {"length": 3},
    "transformer": {"length": 3, "units": 8},
}
"""Memories of networks, with their sizes."""


@dataclass(frozen=True)
class Prefers:
    """Takes the legal action that comes first in its order; first: what it begins a game with instead."""

    order: tuple[int, ...]
    first: int | None = None
    role: str = "player"

    def logits(self, rows: Rows) -> Tensor:
        logits = torch.zeros((len(rows.seat), 9))
        logits[:, list(self.order)] = -200.0 * torch.arange(9.0)
        if self.first is not None:
            empty = rows.obs.flatten(1).sum(1) == 0
            logits[empty, self.first] = 200.0
        return logits


LOWEST, HIGHEST = Prefers(tuple(range(9))), Prefers(tuple(range(8, -1, -1)))
FROM_THE_MIDDLE = Prefers(tuple(range(9)), 4)


def zigzag(decisions: Tensor) -> Tensor:
    """The lowest legal action after an even number of own decisions `[N]`, else the highest."""
    return torch.where(decisions[:, None] % 2 == 0, -200.0, 200.0) * torch.arange(9.0)


@dataclass(frozen=True)
class Sees:
    """`zigzag` by the own stones that it sees."""

    role: str = "player"

    def logits(self, rows: Rows) -> Tensor:
        return zigzag(rows.obs[:, 0].flatten(1).sum(1))


@dataclass(frozen=True)
class Forks:
    """`zigzag` by the own stones in a copy of the game."""

    role: str = "player"
    looks_ahead: ClassVar[bool] = True

    def logits(self, rows: Rows) -> Tensor:
        assert rows.fork is not None
        game = rows.fork()
        (acting,) = game.load(game.save()).acts.values()
        return zigzag(acting.obs[:, 0, 0].flatten(1).sum(1))


@dataclass(frozen=True)
class Remembers:
    """`zigzag` by its memory, which counts its decisions; the second number of the memory is never used."""

    role: str = "player"
    memory: int = 2

    def recall(self, rows: Rows) -> tuple[Tensor, Tensor]:
        assert rows.memory is not None
        return zigzag(rows.memory[:, 0]), rows.memory + 1

    def logits(self, rows: Rows) -> Tensor:
        return self.recall(rows)[0]


@dataclass(frozen=True)
class Alone:
    """A network that is not known to be one, so that it is asked by itself."""

    network: NeuralPolicy
    role: str = "player"

    @property
    def memory(self) -> int:
        return self.network.memory

    def recall(self, rows: Rows) -> tuple[Tensor, Tensor | None]:
        return self.network.recall(rows)

    def logits(self, rows: Rows) -> Tensor:
        return self.network.logits(rows)


def seated(policies: Sequence[Policy], games: int = 40, seed: int = 3, game: str = "tictactoe") -> StyleGames:
    spec = make(game, 1).spec
    found = [Found(f"p{number}", policy) for number, policy in enumerate(policies)]
    return StyleGames(spec, spec.roles[0], found, games, seed, spec.posts, Contestant("other", {}))


def maker(game: str = "tictactoe") -> Callable[[int], object]:
    return lambda slots: make(game, slots)


def distances(policies: Sequence[Policy], games: int = 40, seed: int = 3) -> np.ndarray:
    found, positions, _ = seated(policies, games, seed).play_together(maker(), lambda fraction: None)
    assert positions == games * len(policies), "one of each game"
    return found


def openings(policy: Policy, plies: int = 2, game: str = "tictactoe") -> tuple[dict[str, float], float]:
    """The shares of a policy's openings, and of distinct games."""
    (shares,), (distinct,) = seated([policy], game=game).play_alone(maker(game), plies, lambda fraction: None)
    return shares, distinct


def test_the_divergence_is_that_worked_out_by_hand() -> None:
    # H(3/4, 1/4) - H(1/2, 1/2) / 2 = 0.8112781 - 0.5.
    chances = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[0.5, 0.5]]])
    expected = [[0.0, 1.0, 0.3112781], [1.0, 0.0, 0.3112781], [0.3112781, 0.3112781, 0.0]]
    np.testing.assert_allclose(jensen_shannon(chances)[..., 0], expected, atol=1e-7)


@given(st.lists(st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=3), min_size=2, max_size=5))
def test_divergences_are_symmetric_between_0_and_1_and_0_to_oneself(logits: list[list[float]]) -> None:
    found = jensen_shannon(torch.tensor(logits).softmax(1)[:, None])[..., 0]
    assert torch.equal(found, found.T)
    assert float(found.min()) >= 0.0
    assert float(found.max()) <= 1.0
    assert found.diagonal().tolist() == [0.0] * len(logits)


def test_like_stands_beside_like_and_near_copies_are_found() -> None:
    line = np.array([0.0, 0.6, 0.3, 0.604, 0.9, 0.302, 0.596])
    order, groups = arranged(np.abs(line[:, None] - line))
    places = line[order]
    assert list(places) == sorted(line)
    # 0.6 is a near-copy of both 0.604 and 0.596, and these of each other.
    assert groups == [[1, 3, 6], [2, 5]]
    assert arranged(np.array([[0.0, NEAR_COPY], [NEAR_COPY, 0.0]])) == ([0, 1], []), "they are not below it"


def test_any_two_of_a_group_are_near_copies() -> None:
    chain = 0.009 * np.arange(6)
    _, groups = arranged(np.abs(chain[:, None] - chain))
    assert groups
    assert all(chain[group].max() - chain[group].min() < NEAR_COPY for group in groups)


@settings(max_examples=30)
@given(st.integers(1, 300), st.integers(2, 60))
def test_policies_are_spread_evenly_with_the_first_and_the_last(count: int, most: int) -> None:
    found = spread(["main"] * count, most)
    assert (found[0], found[-1], len(found)) == (0, count - 1, min(count, most))
    gaps = np.diff(found)
    assert len(gaps) == 0 or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)


def test_every_learner_has_its_share() -> None:
    # Every fourth of these would be of one learner.
    four = ["a", "b", "c", "d"] * 30
    counts = Counter(four[place] for place in spread(four, 40))
    assert counts == dict.fromkeys("abcd", 10)
    few = ["main"] * 50 + ["late"] * 2 + [None]
    assert Counter(few[place] for place in spread(few, 20)) == {"main": 17, "late": 2, None: 1}
    assert spread(["a", "b", "c"] * 5, 2) == [12, 14], "the newest of the first learner and of the last"


def test_equal_play_is_at_0_and_play_without_a_common_action_at_1() -> None:
    found = distances([RANDOM, LOWEST, RANDOM, HIGHEST])
    assert found[0, 2] == found[2, 0] == 0.0
    assert found[1, 3] == found[3, 1] == pytest.approx(1.0)
    assert 0.4 < found[0, 1] < 0.8
    np.testing.assert_array_equal(found, found.T)


def test_everybody_sees_what_the_seat_sees_whoever_plays() -> None:
    # Memories, copies of the game and observations tell these policies the same, if they are those of the seat asked.
    found = distances([Sees(), Forks(), Remembers(), RANDOM])
    assert found[:3, :3].max() == 0.0
    assert found[:3, 3].min() > 0.4


@pytest.mark.parametrize("memory", KINDS)
def test_stacked_networks_answer_as_they_do_alone(memory: str) -> None:
    spec = NetworkSpec(kind="mlp", inputs=(2, 3, 3), seats=2, outputs=9, hidden=(16,), memory=memory, **KINDS[memory])  # type: ignore[arg-type]
    generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
    networks = [NeuralPolicy("player", Network(spec, 5.0, generator)) for generator in generators]
    together = distances(networks, games=20)
    assert together[0, 1] > 0.03
    np.testing.assert_allclose(distances([Alone(one) for one in networks], games=20), together, atol=1e-5)
    mixed = distances([networks[0], Alone(networks[0]), networks[1]], games=20)
    assert mixed[0, 1] == pytest.approx(0.0, abs=1e-5)
    assert mixed[0, 2] == pytest.approx(mixed[1, 2], abs=1e-5)


def test_long_games_count_no_more_than_short_ones() -> None:
    # They differ at the first decision only. Who begins at 0 wins with the fifth move, by 0, 3, 6; who begins at 4 ends
    # in a draw, with nine moves of which the last is no choice.
    order = (0, 1, 3, 4, 6, 2, 5, 7, 8)
    short, long = Prefers(order), Prefers(order, 4)
    assert openings(short, plies=9)[0] == {"0 1 3 4 6": 1.0}
    assert openings(long, plies=9)[0] == {"4 0 1 3 6 2 5 7 8": 1.0}
    games = 20_000
    tolerance = 3 * (0.1625 * (1 - 0.1625) / (2 * games)) ** 0.5
    assert abs(0.1625 - 2 / 13) > tolerance, "what it would be if all decisions counted equally"
    assert distances([short, long], games)[0, 1] == pytest.approx((1 / 5 + 1 / 8) / 2, abs=tolerance)


def test_results_do_not_depend_on_how_many_games_are_played_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    policies = [Remembers(), OnePly("player", 9), FROM_THE_MIDDLE, RANDOM]
    wide, alone = distances(policies), seated(policies).play_alone(maker(), 3, lambda fraction: None)
    monkeypatch.setattr(style_games, "_SLOTS", 7)
    np.testing.assert_allclose(distances(policies), wide, atol=1e-12)
    assert seated(policies).play_alone(maker(), 3, lambda fraction: None) == alone


def test_another_seed_plays_other_games() -> None:
    policies = [RANDOM, LOWEST]
    np.testing.assert_array_equal(distances(policies, seed=5), distances(policies, seed=5))
    assert distances(policies, seed=5)[0, 1] != distances(policies, seed=6)[0, 1]


def test_who_gives_no_distribution_is_named() -> None:
    @dataclass(frozen=True)
    class Late:
        """Gives a distribution only to whom it has decided for before."""

        role: str = "player"

        def logits(self, rows: Rows) -> Tensor:
            empty = rows.obs.flatten(1).sum(1) == 0
            return torch.where(empty, 0.0, torch.nan)[:, None].expand(-1, 9)

    with pytest.raises(PolicyError, match="gives no distribution"):
        distances([RANDOM, Late()])


def test_openings_are_those_that_were_planted() -> None:
    assert openings(FROM_THE_MIDDLE) == ({"4 0": 1.0}, 1 / 40)
    assert openings(FROM_THE_MIDDLE, plies=3)[0] == {"4 0 1": 1.0}
    assert openings(HIGHEST, plies=1)[0] == {"8": 1.0}
    # No game is longer than nine moves, and this one ends with the seventh.
    assert openings(LOWEST, plies=30)[0] == {"0 1 2 3 4 5 6": 1.0}


def test_openings_of_random_play_are_as_common_as_chance_makes_them() -> None:
    shares, distinct = openings(RANDOM, plies=1)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert set(shares) <= set("012345678")
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert max(shares.values()) < 0.35
    assert distinct > 0.9


def test_moves_at_once_are_one_ply() -> None:
    @dataclass(frozen=True)
    class Paper:
        role: str = "player"

        def logits(self, rows: Rows) -> Tensor:
            return torch.tensor([0.0, 200.0, 0.0]).expand(len(rows.seat), -1)

    assert openings(Paper(), plies=1, game="rps")[0] == {"1/1": 1.0}


def test_an_opening_appears_once_a_tenth_of_the_games_begin_with_it() -> None:
    history = [{"0": 0.09, "1": 0.91}, {"0": 0.1, "2": 0.9}, {"2": 1.0}]
    assert list(appearances(history, 0.1).items()) == [("1", 0), ("0", 1), ("2", 1)]
    # Four of forty may be chance; five are enough.
    assert [common(games) for games in (1000, 50, 40, 4)] == [0.1, 0.1, 5 / 40, 1.0]
