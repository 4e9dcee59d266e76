"""The ways in which a table hears its policies come to the same decisions, and one of them never waits for a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from playing import Relay
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from league.games.core import Game, GameSpec
from league.games.counter_rng import mix
from league.games.registry import make
from league.learning.on_policy.ppo import Mappo
from league.learning.settings import MappoSettings
from league.play.rollout import collect, nothing_pending
from league.play.table import Move, Table
from league.play.trajectory import Rollout
from league.policies.core import Policy, Rows
from league.policies.scripted import OnePly, Random
from league.policies.settings import NetworkSettings
from league.policies.stacked import Stack

GPU = torch.device("cuda", 0)
SLOTS = 24
GAMES = ("connect_four", "leduc", "rps")

WAITS = {
    *("item", "_local_scalar_dense", "is_nonzero", "equal", "nonzero", "nonzero_numpy", "argwhere", "bincount"),
    *("masked_select", "_unique2", "unique_dim", "unique_consecutive"),
}
SIZED = ("aten.where.default", "aten.repeat_interleave.Tensor", "aten.repeat_interleave.self_Tensor")
"""Operations, and overloads of operations, that read a number or whose result has a shape that numbers decide."""

READS = (torch.Tensor.numpy, torch.Tensor.__array__, torch.Tensor.cpu, torch.Tensor.tolist)
"""Methods that bring a tensor to the host."""


@dataclass(frozen=True)
class Fixed:
    """Slot b plays one lineup for ever, whose first two posts change places after each episode. lineup: `[B, P]`."""

    lineup: Tensor

    def lineups(self, episodes: Tensor) -> Tensor:
        turned = torch.cat((self.lineup[:, :2].flip(1), self.lineup[:, 2:]), 1)
        slot, odd = episodes % len(self.lineup), episodes // len(self.lineup) % 2 == 1
        return torch.where(odd[:, None], turned[slot], self.lineup[slot])

    def seeds(self, episodes: Tensor) -> Tensor:
        return mix(1, episodes)

    def keys(self, episodes: Tensor) -> Tensor:
        return mix(2, episodes)


def new_game(name: str) -> Game:
    return Relay(SLOTS) if name == "relay" else make(name, SLOTS)


def networks(spec: GameSpec, role: int, count: int, width: int = 12, memory: str = "none") -> list[Policy]:
    look = {"actor": (width,), "critic": (8,), "activation": "tanh", "memory": memory, "memory_units": width}
    settings = NetworkSettings.model_validate(look)
    learners = [Mappo("", spec, spec.roles[role], settings, MappoSettings(), seed) for seed in range(count)]
    for learner in learners:  # begin less uniform than learners do
        with torch.no_grad():
            learner.actor.head[-1].weight.mul_(50.0)  # type: ignore[operator]
    return [learner.policy for learner in learners]


def seated(spec: GameSpec, memory: str = "none") -> tuple[list[Policy], list[list[int]], list[int]]:
    """Policies of every kind that the game allows, lineups by slot, and at how many places each policy sits."""
    policies: list[Policy] = []
    choices: list[list[int]] = []
    for number, role in enumerate(spec.roles):
        begin = len(policies)
        policies += [*networks(spec, number, 6, memory=memory), *networks(spec, number, 1, 20, memory)]
        policies.append(Random(role.name, role.actions))
        if spec.outcome == "placements" and role.acting == 1:
            policies[begin + 6] = OnePly(role.name, role.actions.n)
        choices.append(list(range(begin, len(policies))))
    of_role = [next(i for i, role in enumerate(spec.roles) if role.name == post.role) for post in spec.posts]
    lineups = [
        [choices[role][(slot + place * (1 + slot // 8)) % 8] for place, role in enumerate(of_role)]
        for slot in range(SLOTS)
    ]
    places = [0] * len(policies)
    for lineup in lineups:
        for place, policy in enumerate(lineup):
            places[policy] += len(spec.posts[place].seats)
    return policies, lineups, places


def moves(game: Game, policies: list[Policy], lineups: list[list[int]], turns: int, **ways: object) -> list[Move]:
    table = Table(game, policies, Fixed(torch.tensor(lineups)), **ways)  # type: ignore[arg-type]
    table.start()
    return [table.advance() for _ in range(turns)]


@pytest.fixture
def stacked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows every call of a stack since the last `clear` left room for."""
    found: list[int] = []
    recall = Stack.recall

    def noted(stack: Stack, *given: Tensor | int | None) -> tuple[Tensor, Tensor | None]:
        found.append(given[-1])  # type: ignore[arg-type]
        return recall(stack, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Stack, "recall", noted)
    return found


@pytest.mark.parametrize(("width", "rows", "together"), [(12, 100, True), (256, 64, True), (256, 65, False)])
def test_large_networks_are_stacked_on_a_processor_where_rows_are_few(
    width: int, rows: int, together: bool, stacked: list[int]
) -> None:
    game = make("connect_four", 2 * rows)
    policies = networks(game.spec, 0, 2, width)
    moves(game, policies, [[slot % 2, (slot + 1) % 2] for slot in range(2 * rows)], 2)
    assert bool(stacked) == together


@pytest.mark.parametrize(
    ("name", "memory"), [*((name, "none") for name in (*GAMES, "relay")), ("leduc", "gru"), ("tag", "stack")]
)
def test_all_ways_of_hearing_policies_come_to_the_same_moves(name: str, memory: str, stacked: list[int]) -> None:
    game = new_game(name)
    policies, lineups, places = seated(game.spec, memory)
    counted = moves(game, policies, lineups, 16)
    assert stacked
    ways: list[Sequence[int] | None] = [None, places, [SLOTS] * len(policies)]
    for way in ways:
        stacked.clear()
        waiting = moves(new_game(name), policies, lineups, 16, counts=False, places=way)
        # A stack pays where each of its policies has at most a quarter of the rows.
        fits = way is not None and max(way) * 4 <= SLOTS * max(role.acting for role in game.spec.roles)
        assert bool(stacked) == fits, (way, stacked)
        for one, other in zip(counted, waiting, strict=True):
            for role, acting in one.acts.items():
                here = acting.present
                assert torch.equal(here, other.acts[role].present)
                assert torch.equal(one.owner[role][here], other.owner[role][here])
                assert torch.equal(one.action[role][here], other.action[role][here])
                torch.testing.assert_close(one.log_prob[role][here], other.log_prob[role][here], rtol=0, atol=1e-5)
                if one.memory is not None and other.memory is not None:
                    remembered = one.memory[role][here], other.memory[role][here]
                    torch.testing.assert_close(*remembered, rtol=0, atol=1e-5)
            assert (one.memory is None) == (other.memory is None) == (memory == "none")
            assert torch.equal(one.episode, other.episode)
            assert torch.equal(one.clock, other.clock)
            assert torch.equal(one.lineup, other.lineup)


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("name", ["connect_four", "leduc"])
def test_every_row_is_decided_by_its_own_policy(name: str, counts: bool) -> None:
    """Asked alone, about one row and its position, the seat's policy says what the table made of it."""
    game, alone = make(name, SLOTS), make(name, 1)
    policies, lineups, places = seated(game.spec)
    table = Table(game, policies, Fixed(torch.tensor(lineups)), places=places, counts=counts)
    table.start()
    for _ in range(10):
        state = game.save()
        move = table.advance()
        acting = move.acts["player"]
        assert acting.mask is not None
        for slot in range(SLOTS):
            seat, legal = acting.seat[slot], acting.mask[slot, 0]
            alone.load({key: value[slot : slot + 1] for key, value in state.items()})
            rows = Rows(acting.obs[slot], acting.mask[slot], seat, lambda: alone)
            said = policies[int(move.lineup[slot, seat])].logits(rows)[0][legal].log_softmax(0)
            log_prob = float(said[int(legal[: move.action["player"][slot, 0]].sum())])
            assert float(move.log_prob["player"][slot, 0]) == pytest.approx(log_prob, abs=1e-5)


class Pretended(TorchFunctionMode):
    """Every tensor says that it lies on a GPU, though all lie here: code goes the way that it takes there.

    noted: copies between host and GPU, for which torch waits.
    """

    def __init__(self, noted: list[str]) -> None:
        super().__init__()
        self.noted = noted

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        if func == torch.Tensor.device.__get__:
            return GPU
        given = dict(kwargs or {})
        if func is torch.device:
            return torch.device(*args)  # type: ignore[call-overload]
        if func in (torch.tensor, torch.as_tensor) and given.get("device") is not None:
            self.noted.append(f"{func.__name__} from the host")
        if func in READS:
            self.noted.append(f"{func.__name__} to the host")
        if func == torch.Tensor.to and any(str(value) == "cpu" for value in (*args[1:], *given.values())):
            self.noted.append("to the host")
        return func(*(here(value) for value in args), **{key: here(value) for key, value in given.items()})


class Watched(TorchDispatchMode):
    """Notes operations for which a GPU's host waits: they read a number, or numbers decide the shape of the result."""

    def __init__(self, noted: list[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.noted = noted

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        name = str(func).split(".")[1]
        picks = [value for many in args if isinstance(many, list | tuple) for value in many]
        masks = name in ("index", "index_put_") and any(
            isinstance(value, Tensor) and value.dtype in (torch.bool, torch.uint8) for value in picks
        )
        if name in WAITS or str(func) in SIZED or masks:
            self.noted.append(str(func))
        return func(*args, **(kwargs or {}))


def here(value: object) -> object:
    """What was to go to the GPU stays here."""
    return torch.device("cpu") if value in (GPU, str(GPU)) and not isinstance(value, Tensor) else value


class Checked(Table):
    """A table that notes when a rollout is over and its numbers are looked at."""

    noted: list[str]

    def check(self, log_prob: Tensor, owner: Tensor) -> None:
        self.noted.append("the end")
        super().check(log_prob, owner)


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("together", [True, False])
def test_a_rollout_waits_for_no_device_until_its_end(name: str, together: bool, stacked: list[int]) -> None:
    """And it comes to the same as on a CPU. The first turn may wait: it brings weights together."""
    turns, noted = 10, list[str]()

    def tick(share: float) -> None:
        if share == 1 / turns:
            noted.clear()

    def rollout(device: torch.device) -> Rollout:
        game = make(name, SLOTS, str(device))
        policies, lineups, places = seated(game.spec)
        schedule = Fixed(torch.tensor(lineups, device=device))
        table = Checked(game, policies, schedule, places=places if together else None)
        table.noted = noted
        table.start()
        pending = {role.name: nothing_pending(game, role) for role in game.spec.roles}
        return collect(table, turns, pending, tick)

    stacked.clear()
    with Watched(noted), Pretended(noted):
        pretended = rollout(GPU)
    assert bool(stacked) == together
    assert noted[0] == "the end"
    assert "aten._local_scalar_dense.default" in noted  # what `check` does is noticed
    real = rollout(torch.device("cpu"))
    rows, wanted = pretended.rows["player"], real.rows["player"]
    assert torch.equal(rows.action, wanted.action)
    assert torch.equal(rows.obs, wanted.obs)
    torch.testing.assert_close(rows.log_prob, wanted.log_prob, rtol=0, atol=1e-5)
    assert torch.equal(pretended.reward, real.reward)
    assert torch.equal(pretended.ended, real.ended)
    assert torch.equal(pretended.lineup, real.lineup)


@pytest.mark.parametrize("inference", [True, False])
def test_the_watch_notices_what_waits(inference: bool) -> None:
    noted: list[str] = []
    with torch.inference_mode(inference), Watched(noted), Pretended(noted):
        numbers = torch.arange(3, device=GPU)
        assert numbers.device == GPU
        assert not noted
        waiting: list[Callable[[], object]] = [
            lambda: numbers[0].item(),
            lambda: bool(numbers.any()),
            lambda: numbers.tolist(),
            lambda: numbers.numpy(),
            lambda: numbers.cpu(),
            lambda: numbers.to("cpu"),
            lambda: numbers[numbers > 1],
            lambda: numbers.unique(),
            lambda: numbers.unique_consecutive(),
            lambda: numbers.nonzero(),
            lambda: torch.where(numbers > 1),
            lambda: numbers.masked_select(numbers > 1),
            lambda: numbers.__setitem__(numbers > 1, 2),
            lambda: numbers.bincount(minlength=4),
            lambda: numbers.repeat_interleave(numbers),
            lambda: torch.tensor([1], device=GPU),
            lambda: torch.equal(numbers, numbers),
        ]
        for wait in waiting:
            noted.clear()
            wait()
            assert noted
