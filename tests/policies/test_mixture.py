"""Mixtures: one member an episode, drawn by the weights; the mean where nobody plays; files that say what they hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from playing import Hashed, Relay
from torch import Tensor

from league.errors import PolicyError, SnapshotError
from league.games.actions import Box, Discrete
from league.games.core import Game, GameSpec
from league.games.registry import make
from league.play.fixture import fixtures
from league.play.match import play_episodes
from league.play.table import Table
from league.policies import weights as files
from league.policies.core import Policy, Rows
from league.policies.mixture import Mixture, pack_mixture, restore_any
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy, actor_spec
from league.policies.settings import NetworkSettings


class Always:
    """One action, whatever happens."""

    def __init__(self, role: str, actions: int, action: int) -> None:
        self.role, self._logits = role, torch.full((actions,), -1e9)
        self._logits[action] = 0.0

    def logits(self, rows: Rows) -> Tensor:
        return self._logits.expand(len(rows.seat), -1)


def network(spec: GameSpec, settings: NetworkSettings, seed: int) -> NeuralPolicy:
    """A network with random weights for the game's first role."""
    role = spec.roles[0]
    return NeuralPolicy(role.name, Network(actor_spec(spec, role, settings), 1.0, torch.Generator().manual_seed(seed)))


def deciders_of_episodes(game: Game, policies: Sequence[Policy], turns: int) -> dict[tuple[int, int], set[Policy]]:
    """Who decided for role "runner", by episode and seat."""
    table, found = Table(game, policies, Hashed(((0,), (1,), (2,))), 1.0), dict[tuple[int, int], set[Policy]]()
    table.start()
    for _ in range(turns):
        move = table.advance()
        acting = move.acts["runner"]
        for slot in range(game.slots):
            for k in range(2):
                if acting.present[slot, k]:
                    key = int(move.episode[slot]), int(acting.seat[slot, k])
                    found.setdefault(key, set()).add(table.policies[int(move.owner["runner"][slot, k])])
    return found


def test_a_mixture_plays_an_episode_as_one_of_its_members() -> None:
    shares = (0.2, 0.7, 0.1)
    members = tuple(Always("runner", 3, action) for action in range(3))
    mixed = Mixture("runner", Discrete(3), members, shares)
    found = deciders_of_episodes(Relay(64), [mixed, mixed, Always("judge", 4, 0)], 60)
    assert all(len(deciders) == 1 for deciders in found.values()), "the same member to the end"
    for seat in (0, 1):
        played = [next(iter(deciders)) for (_, own), deciders in found.items() if own == seat]
        for member, share in zip(members, shares, strict=True):
            # Four standard deviations of a binomial.
            luck = 4 * math.sqrt(share * (1 - share) / len(played))
            assert abs(played.count(member) / len(played) - share) < luck
    both = [found[episode, 0] == found[episode, 1] for episode, seat in found if seat == 0 and (episode, 1) in found]
    assert 0.4 < sum(both) / len(both) < 0.7, "each post draws for itself: 0.54 expected"


@pytest.mark.parametrize("counts", [True, False])
def test_members_are_asked_for_all_that_their_mixture_cannot_say(counts: bool) -> None:
    """Memories of their own, and actions that have no mean; also where rows are not counted, as on a GPU."""
    kuhn, spread = make("kuhn", 16), make("spread", 4, options={"continuous_actions": True})
    recurrent = NetworkSettings(actor=(8,), critic=(8,), memory="gru", memory_units=4)
    for game, settings in ((kuhn, recurrent), (spread, NetworkSettings(actor=(8,)))):
        role = game.spec.roles[0]
        members = tuple(network(game.spec, settings, seed) for seed in range(3))
        mixed = Mixture(role.name, role.actions, members, (0.5, 0.25, 0.25))
        choices = ((0,),) * len(game.spec.posts)
        together = Table(game, [mixed], Hashed(choices), counts=counts)
        together.start()
        owners = set[int]()
        for _ in range(12):
            move = together.advance()
            owners |= set(move.owner[role.name][move.acts[role.name].present].tolist())
        assert owners == {1, 2, 3}
        assert together.memory.shape[-1] == members[0].memory


def test_a_mixture_in_a_match_scores_the_mean_of_its_members() -> None:
    """Rock against a mixture of paper and scissors in three to one loses half of the games on balance."""
    rock, paper, scissors = (Always("player", 3, action) for action in range(3))
    game = make("rps", 256)
    mixed = Mixture("player", Discrete(3), (paper, scissors), (0.75, 0.25))
    policies: dict[str, Policy] = {"rock": rock, "mixed": mixed}
    played = play_episodes([game], policies, fixtures(game.spec, ["rock", "mixed"], 4000, seed=3))
    score = torch.tensor(played[0].score)[:, 0, 0]
    assert set(score.tolist()) == {-1.0, 1.0}
    assert float(score.mean()) == pytest.approx(-0.5, abs=4 * math.sqrt(0.75 / 2000))


def test_where_nobody_plays_a_mixture_gives_the_mean_of_its_members() -> None:
    mask = torch.tensor([[True, True, False]])
    rows = Rows(torch.zeros((1, 1)), mask, torch.zeros(1, dtype=torch.int64))
    one, other = Always("runner", 3, 0), Always("runner", 3, 1)
    mixed = Mixture("runner", Discrete(3), (one, other), (0.25, 0.75))
    assert mixed.logits(rows).exp()[0].tolist() == pytest.approx([0.25, 0.75, 0.0])
    with pytest.raises(PolicyError, match="one of n actions has a mean"):
        replace(mixed, actions=Box((0.0,), (1.0,))).logits(rows)


def test_members_with_memory_remember_apart() -> None:
    game = make("kuhn", 4)
    spec, role = game.spec, game.spec.roles[0]
    recurrent = NetworkSettings(actor=(8,), critic=(8,), memory="gru", memory_units=4)
    members = tuple(network(spec, recurrent, seed) for seed in range(2))
    mixed = Mixture(role.name, role.actions, members, (0.5, 0.5))
    rows = Rows(torch.rand((4, *role.obs_shape)), None, torch.zeros(4, dtype=torch.int64), memory=torch.rand((4, 8)))
    _, after = mixed.recall(rows)
    for place, member in enumerate(members):
        own = slice(4 * place, 4 * place + 4)
        _, expected = member.recall(replace(rows, memory=rows.memory[:, own]))
        assert after is not None
        assert torch.equal(after[:, own], expected)


@pytest.fixture
def packed() -> tuple[dict[str, object], dict[str, Tensor], tuple[NeuralPolicy, ...]]:
    """The contents of a file with a mixture of two networks, and its members."""
    game = make("kuhn", 1)
    members = tuple(network(game.spec, NetworkSettings(actor=size), 2) for size in ((8,), (4, 4)))
    return *pack_mixture(game.spec, members, (0.25, 0.75), ({"name": "a"}, {"name": "b"})), members


def test_a_file_holds_a_mixture_whole(packed: tuple[dict[str, object], dict[str, Tensor], tuple[Policy, ...]]) -> None:
    metadata, tensors = files.unpack(files.pack(packed[1], packed[0]))
    found = restore_any(metadata, tensors, "the file", Discrete(2))
    assert isinstance(found, Mixture)
    assert found.weights == (0.25, 0.75)
    rows = Rows(torch.rand((5, *make("kuhn", 1).spec.roles[0].obs_shape)), None, torch.zeros(5, dtype=torch.int64))
    for member, original in zip(found.members, packed[2], strict=True):
        assert torch.equal(member.logits(rows), original.logits(rows))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mixture": []}, "no members"),
        ({"mixture": "all"}, "no members"),
        ({"mixture": [3, 4]}, "no members"),
        ({"weights": (0.5, 0.4)}, "sum 1"),
        ({"weights": (1.5, -0.5)}, "above 0"),
        ({"weights": ("a", True)}, "above 0"),
        ({"names": ("2/x", "0/y")}, "no member"),
        ({"names": ("weights", "²/x")}, "no member"),
    ],
)
def test_a_damaged_mixture_is_refused(
    packed: tuple[dict[str, object], dict[str, Tensor], tuple[Policy, ...]], change: dict[str, object], said: str
) -> None:
    metadata, tensors, _ = packed
    if "mixture" in change:
        metadata["mixture"] = change["mixture"]
    for member, weight in zip(metadata["mixture"], change.get("weights", ()), strict=False):
        member["weight"] = weight
    for name in change.get("names", ()):
        tensors[name] = torch.zeros(1)
    with pytest.raises(SnapshotError, match=said):
        restore_any(metadata, tensors, "the file", Discrete(2))
