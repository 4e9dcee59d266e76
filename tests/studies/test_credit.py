"""Credit: a team's score shared out by seat, in games whose shares are known, and in real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from fixed import BOTS
from torch import Tensor

from league.errors import ConfigError, PolicyError
from league.games.actions import Discrete
from league.games.core import Acting, Game, GameSpec, RoleSpec, State
from league.games.native.core import NativeGame, Outcome
from league.games.registry import make
from league.play.match import play
from league.run.roster.roster import Roster
from league.studies import credit as module
from league.studies.credit import CreditReport, CreditRequest, credit, plan_credit

GOER = '''
class Goer(Fixed):
    """Spread: each agent goes to the landmark of its own number."""

    def logits(self, rows):
        place = 4 + 2 * rows.seat
        way = torch.stack([rows.obs.gather(1, place[:, None] + axis)[:, 0] for axis in range(2)], 1)
        stay = torch.full_like(way[:, 0], 0.1)
        return 30.0 * torch.stack([stay, -way[:, 0], way[:, 0], -way[:, 1], way[:, 1]], 1)
'''


class Joint(NativeGame):
    """One move each, at once; what the team scores depends on who chose 1, and all of it goes to the last seat.

    worth: of who chose 1, `[B, S]` bool → `[B]`.
    """

    def __init__(self, seats: int, worth: Callable[[Tensor], Tensor], slots: int) -> None:
        every = tuple(range(seats))
        names = tuple(f"agent_{seat}" for seat in every)
        role = RoleSpec(
            name="agent", seats=every, acting=seats, obs_shape=(1,), obs_dtype=torch.float32, actions=Discrete(2)
        )
        super().__init__(GameSpec("joint", "1", names, (every,), (role,), outcome="score"), slots)
        self.worth = worth

    def deal(self, seeds: Tensor) -> State:
        return {"dealt": seeds.clone()}

    def play(self, state: State, actions: Mapping[str, Tensor]) -> tuple[State, Outcome]:
        score = torch.zeros(actions["agent"].shape)
        score[:, -1] = self.worth(actions["agent"] == 1).float()
        return state, Outcome(score, torch.ones(len(score), dtype=torch.bool), score)

    def look(self, state: State) -> tuple[dict[str, Acting], Tensor | None]:
        seats = len(self.spec.seats)
        shape = (len(state["dealt"]), seats)
        seat = torch.arange(seats).expand(shape)
        return {"agent": Acting(torch.zeros((*shape, 1)), None, seat, torch.ones(shape, dtype=torch.bool))}, None

    def text(self, state: State) -> str:
        return "who chooses 1?"


@pytest.fixture
def bot(tmp_path: Path) -> Callable[[str], str]:
    """A policy of BOTS or GOER, by its name."""
    (tmp_path / "bots.py").write_text(BOTS + GOER)
    return lambda name: f"{tmp_path / 'bots.py'}:{name}"


def seated(game: str, **options: object) -> tuple[Callable[[int], Game], Roster]:
    """How to make a game, and a roster of nobody for it."""
    one = make(game, 1, options=options)
    one.close()
    return lambda slots: make(game, slots, options=options), Roster(one.spec, Path("nowhere"))


def joint(seats: int, worth: Callable[[Tensor], Tensor]) -> tuple[Callable[[int], Game], Roster]:
    return partial(Joint, seats, worth), Roster(Joint(seats, worth, 1).spec, Path("nowhere"))


def values(report: CreditReport) -> list[float]:
    return [share.share.value for share in report.shares]


def adds_up(report: CreditReport) -> bool:
    total = report.before.value + sum(values(report))
    return total == pytest.approx(report.after.value) == pytest.approx(report.before.value + report.gained.value)


def test_the_glove_game_played(bot):
    maker, roster = joint(3, lambda chose: chose[:, 2] & chose[:, :2].any(1))
    report = credit(maker, roster, CreditRequest(bot("One"), bot("Zero"), games=5))
    assert values(report) == pytest.approx([1 / 6, 1 / 6, 2 / 3])
    assert (report.before.value, report.gained.value, report.after.value) == (0.0, 1.0, 1.0)
    assert (report.exact, report.coalitions, report.episodes) == (True, 8, 40)
    assert [share.own.value for share in report.shares] == [0.0, 0.0, 1.0], "one's own score is something else"
    for share in report.shares:
        assert share.share.low == pytest.approx(share.share.high), "no game differs from another"


def test_nine_seats_are_sampled_and_hold_what_is_known(bot):
    seats, runway = 9, torch.arange(1.0, 10.0)
    maker, roster = joint(seats, lambda chose: (chose * runway).amax(1))
    report = credit(maker, roster, CreditRequest(bot("One"), bot("Zero"), games=120, seed=2))
    assert (report.exact, report.permutations) == (False, 2)
    assert report.episodes <= 2 * 120 * seats
    known = [sum(1 / (seats - step) for step in range(seat + 1)) for seat in range(seats)]
    for share, exact in zip(report.shares, known, strict=True):
        # Nine intervals of 95 %, made half as wide again.
        assert abs(share.share.value - exact) < 1.5 * (share.share.high - share.share.low) / 2 < 0.6
    assert adds_up(report)
    finer = credit(maker, roster, CreditRequest(bot("One"), bot("Zero"), games=120, seed=2, permutations=6))
    assert (finer.permutations, finer.exact) == (6, False)
    widths = [one.shares[8].share.high - one.shares[8].share.low for one in (finer, report)]
    assert widths[0] < 0.75 * widths[1], "about one part in the root of three"


def test_sampled_shares_agree_with_exact_ones_in_a_real_game(bot, monkeypatch):
    maker, roster = seated("spread", max_cycles=12)
    asked = CreditRequest(bot("Goer"), games=150)
    exact = credit(maker, roster, asked)
    monkeypatch.setattr(module, "MAX_EXACT_MEMBERS", 2)
    drawn = credit(maker, roster, asked)
    assert (exact.exact, drawn.exact, drawn.episodes < exact.episodes) == (True, False, True)
    assert (drawn.before, drawn.gained, drawn.after) == (exact.before, exact.gained, exact.after)
    for one, other in zip(drawn.shares, exact.shares, strict=True):
        assert one.share.low < other.share.value < one.share.high
        assert one.own == other.own
    assert adds_up(drawn)


def test_a_random_seat_among_good_ones_brings_least(bot):
    maker, roster = seated("spread")
    team = f"agent={bot('Goer')},agent_1=random"
    report = credit(maker, roster, CreditRequest(team, bot("Zero"), games=200))
    assert [share.policy for share in report.shares] == [bot("Goer"), "random", bot("Goer")]
    first, middle, last = (share.share for share in report.shares)
    assert middle.high < min(first.low, last.low)
    assert min(first.low, last.low) > 0.0
    assert adds_up(report)


def test_who_is_the_baseline_anyway_brings_exactly_nothing(bot):
    maker, roster = seated("spread", max_cycles=10)
    report = credit(maker, roster, CreditRequest(f"agent_0={bot('Goer')},agent=random", games=30))
    assert values(report)[1:] == [0.0, 0.0]
    assert report.shares[1].share == module.Mean(0.0, 0.0, 0.0)
    assert values(report)[0] == pytest.approx(report.gained.value)
    assert (report.coalitions, report.episodes) == (2, 60)
    nobody = credit(maker, roster, CreditRequest("random", games=30))
    assert (values(nobody), nobody.coalitions, nobody.before) == ([0.0] * 3, 1, nobody.after)
    assert nobody.before == report.before, "equal seeds, equal games"


def test_equal_games_make_the_interval_of_shares_narrow(bot):
    maker, roster = seated("spread")
    report = credit(maker, roster, CreditRequest(bot("Goer"), bot("Zero"), games=100))
    apart = ((report.before.high - report.before.low) ** 2 + (report.after.high - report.after.low) ** 2) ** 0.5
    assert report.gained.high - report.gained.low < 0.8 * apart


def test_what_coalitions_play_is_what_a_match_would(bot):
    maker, roster = seated("spread", max_cycles=8)
    planned = plan_credit(roster, CreditRequest(bot("Goer"), games=9, seed=4))
    fixtures = [fixture for coalition in (0, 5, 7) for fixture in planned.contest.fixtures[coalition]]
    assert [len({*fixture.episodes[0]}) for fixture in fixtures] == [1, 2, 1]
    game = maker(4)
    results = play([game], planned.contest.policies, fixtures, posts=planned.contest.posts)
    report = credit(maker, roster, CreditRequest(bot("Goer"), games=9, seed=4))
    # A match gives the mean over the seats, of which there are three.
    assert 3 * results[0].score_sum[0] / 9 == pytest.approx(report.before.value)
    assert 3 * results[2].score_sum[0] / 9 == pytest.approx(report.after.value)
    assert [one.own.value for one in report.shares] == pytest.approx([seat.score_sum / 9 for seat in results[2].seats])


def test_a_team_against_others(bot):
    maker, roster = seated("tag", max_cycles=10)
    asked = CreditRequest(
        f"adversary={bot('One')},adversary_2=random", f"adversary={bot('Zero')}", against="random", games=20
    )
    report = credit(maker, roster, asked)
    assert [share.seat for share in report.shares] == ["adversary_0", "adversary_1", "adversary_2"]
    assert [share.policy for share in report.shares] == [bot("One"), bot("One"), "random/adversary"]
    assert report.note == "against random/agent"
    assert adds_up(report)
    others = plan_credit(roster, asked).others
    assert [(roster.spec.seats[seat], one.label) for seat, one in others.items()] == [("agent_0", "random/agent")]


def test_roles_of_one_side_may_each_have_a_policy(bot):
    maker, roster = seated("speaker_listener", max_cycles=6)
    report = credit(
        maker, roster, CreditRequest(f"speaker={bot('One')},listener_0=random", f"speaker={bot('Zero')}", games=4)
    )
    assert [(one.seat, one.policy, one.baseline) for one in report.shares] == [
        ("speaker_0", bot("One"), bot("Zero")),
        ("listener_0", "random/listener", "random/listener"),
    ]
    assert values(report)[1] == 0.0


@pytest.mark.parametrize(
    ("game", "asked", "error", "says"),
    [
        (
            "tictactoe",
            CreditRequest("random"),
            PolicyError,
            "side 0 of tictactoe is one seat, player_0: there are no",
        ),
        ("tag", CreditRequest("random", side=1), PolicyError, "one seat, agent_0: .* see --side 0"),
        ("tag", CreditRequest("random", side=2), ConfigError, "tag has no side 2; its sides, from 0 on: adversary_0"),
        (
            "tag",
            CreditRequest("agent=random"),
            PolicyError,
            "'agent' is not on this side; the sides, from 0 on",
        ),
        (
            "tag",
            CreditRequest("random", against="adversary_0=random"),
            PolicyError,
            "'adversary_0' is not on this side",
        ),
        ("tag", CreditRequest("random"), PolicyError, "there is no 'latest' yet: no rated snapshot of role 'agent'"),
        ("spread", CreditRequest("agent_9=random"), PolicyError, "no role or seat 'agent_9'; did you mean 'agent_"),
        ("spread", CreditRequest("agent_1=random,agent_1=one-ply"), PolicyError, "the seat 'agent_1' is named twice"),
        ("spread", CreditRequest("agent_1=random"), PolicyError, "there is no 'latest' yet"),
        ("spread", CreditRequest("random", "nobody"), PolicyError, "no policy is called 'nobody'"),
        ("spread", CreditRequest("random", against="random"), PolicyError, "spread has one side"),
        ("spread", CreditRequest("random", games=0), ConfigError, "at least one game, .*--games 0"),
        ("spread", CreditRequest("random", seed=-1), ConfigError, "--seed -1"),
        (
            "spread",
            CreditRequest("random", permutations=3),
            ConfigError,
            "an even number of permutations .*--permutations 3",
        ),
    ],
)
def test_what_is_no_team_is_refused(game, asked, error, says):
    maker, roster = seated(game)
    with pytest.raises(error, match=says):
        credit(maker, roster, asked)


def test_many_names_are_not_all_listed():
    _, roster = seated("spread", N=20)
    with pytest.raises(PolicyError, match=r"agent, agent_0, .*agent_8, …, agent_19"):
        plan_credit(roster, CreditRequest("nobody=random"))


def test_orders_of_a_game_do_not_depend_on_how_many_games_there_are(bot):
    _, roster = joint(9, lambda chose: chose.sum(1))
    few, many = (plan_credit(roster, CreditRequest(bot("One"), bot("Zero"), games=games)).orders for games in (3, 6))
    assert all(np.array_equal(one, other) for one, other in zip(few, many, strict=False))
    assert not np.array_equal(many[0], many[1])
