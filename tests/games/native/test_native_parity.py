"""Native games, step by step on random play, against PettingZoo's and OpenSpiel's own implementations."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch

from league.games.conformance.suite import random_actions
from league.games.native.boards import BoardGame
from league.games.native.connect_four import ConnectFour
from league.games.native.core import NativeGame
from league.games.native.kuhn import Kuhn
from league.games.native.leduc import Leduc
from league.games.native.liars_dice import LIAR, LiarsDice
from league.games.native.matrix import BiasedRPS, Bimatrix, Blotto, Matrix, RockPaperScissors
from league.games.native.othello import PASS, Othello
from league.games.native.poker import Betting, TabularPoker
from league.games.native.tictactoe import TicTacToe
from league.games.registry import make

EPISODES = 1000


@dataclass
class Decision:
    """One decision of random play: observation, legal actions, action and reward."""

    seat: int
    obs: np.ndarray
    legal: list[int]
    action: int
    reward: list[float]
    ended: bool
    score: list[float]


def played(game: NativeGame, seed: int) -> Iterator[tuple[dict[str, int], list[Decision]]]:
    """One episode of every slot, played at random: the state it was dealt (by name), and its decisions."""
    turn = game.start(torch.arange(game.slots) + 1000 * seed)
    dealt = {name: value.clone() for name, value in game.state.items() if value.dim() == 1}
    episodes: list[list[Decision]] = [[] for _ in range(game.slots)]
    running = set(range(game.slots))
    while running:
        acting = turn.acts["player"]
        seats, masks, obs = acting.seat[:, 0].tolist(), acting.mask[:, 0], acting.obs[:, 0].numpy()
        actions = random_actions(game, turn, seed * 100 + max(map(len, episodes)))
        turn = game.step(actions, torch.arange(game.slots))
        taken, rewards = actions["player"][:, 0].tolist(), turn.reward.tolist()
        for slot in tuple(running):
            legal = masks[slot].nonzero()[:, 0].tolist()
            ended = bool(turn.ended[slot])
            decision = (seats[slot], obs[slot], legal, taken[slot], rewards[slot], ended, turn.score[slot].tolist())
            episodes[slot].append(Decision(*decision))
            if ended:
                running.remove(slot)
    for slot, episode in enumerate(episodes):
        yield {name: int(value[slot]) for name, value in dealt.items()}, episode


def follows(state: Any, episode: Sequence[Decision]) -> None:
    """Assert that OpenSpiel has the same seats, legal actions, ends, rewards and scores from `state` on."""
    for decision in episode:
        assert decision.seat == state.current_player()
        assert decision.legal == state.legal_actions()
        state.apply_action(decision.action)
        assert decision.ended == state.is_terminal()
        assert decision.reward == state.rewards()
    assert episode[-1].score == state.returns()


BOARDS = [(TicTacToe, "tic_tac_toe", "tictactoe"), (ConnectFour, "connect_four", "connect_four")]
OPENSPIEL_BOARDS = [*((make, name) for make, name, _ in BOARDS), (Othello, "othello")]


@pytest.mark.parametrize(("make", "name"), OPENSPIEL_BOARDS)
def test_boards_have_openspiels_moves_ends_and_rewards(make: type[BoardGame], name: str) -> None:
    theirs, outcomes = pyspiel.load_game(name), set()
    for _, episode in played(make(EPISODES), seed=1):
        state = theirs.new_initial_state()
        follows(state, episode)
        outcomes.add(tuple(state.returns()))
    assert outcomes == {(1.0, -1.0), (-1.0, 1.0), (0.0, 0.0)}


@pytest.mark.parametrize(("make", "name"), [(make, name) for make, _, name in BOARDS])
def test_boards_show_pettingzoos_planes_and_masks(make: type[BoardGame], name: str) -> None:
    env = _pettingzoo(name)
    for _, episode in played(make(150), seed=2):
        env.reset()
        for decision in episode:
            assert env.agent_selection == env.possible_agents[decision.seat]
            seen = env.observe(env.agent_selection)
            np.testing.assert_array_equal(decision.obs, seen["observation"].transpose(2, 0, 1))
            assert decision.legal == seen["action_mask"].nonzero()[0].tolist()
            env.step(decision.action)
            assert decision.reward == [env.rewards[agent] for agent in env.possible_agents]
            assert decision.ended == all(env.terminations.values())


def _pettingzoo(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if name == "tictactoe":
            from pettingzoo.classic import tictactoe_v3 as module
        else:
            from pettingzoo.classic import connect_four_v3 as module
    return module.raw_env()


def test_othello_shows_openspiels_stones_and_passes_as_it_does() -> None:
    theirs, passes, early = pyspiel.load_game("othello"), 0, 0
    assert make("othello", 1).spec.roles[0].actions.n == theirs.num_distinct_actions()
    for _, episode in played(Othello(200), seed=4):
        state = theirs.new_initial_state()
        for decision in episode:
            planes = np.array(state.observation_tensor(decision.seat)).reshape(3, 8, 8)
            np.testing.assert_array_equal(decision.obs, planes[1:])
            passes += decision.legal == [PASS]
            state.apply_action(decision.action)
        stones = np.array(state.observation_tensor(0)).reshape(3, 8, 8).sum((1, 2))
        early += stones[0] > 0
    # Both kinds of ends and of moves were seen: boards that were not full, and turns without a stone.
    assert passes > 20
    assert early > 0


def test_othello_is_drawn_as_openspiel_draws_it() -> None:
    game, state = Othello(1), pyspiel.load_game("othello").new_initial_state()
    turn = game.start(torch.zeros(1, dtype=torch.int64))
    for count in range(40):
        lines = [line[2:17] for line in str(state).splitlines() if line[:1].isdigit()]
        drawn = game.render(0).splitlines()
        assert drawn[:8] == [line.replace("-", ".").upper() for line in lines]
        assert drawn[8] == f"{'XO'[state.current_player()]} to move"
        action = random_actions(game, turn, count)
        state.apply_action(int(action["player"]))
        turn = game.step(action, torch.zeros(1, dtype=torch.int64))


def test_connect_four_full_board_is_a_draw() -> None:
    """Random play hardly ever fills the board; this order of columns does, without four in a row."""
    game, state = ConnectFour(1), pyspiel.load_game("connect_four").new_initial_state()
    turn = game.start(torch.zeros(1, dtype=torch.int64))
    columns = [0, 1] * 3 + [1, 0] * 3 + [2, 3] * 3 + [3, 2] * 3 + [4, 5] * 3 + [5, 4] * 3 + [6] * 6
    for column in columns:
        assert not state.is_terminal()
        assert not turn.ended.item()
        assert turn.acts["player"].mask[0, 0].nonzero()[:, 0].tolist() == state.legal_actions()
        state.apply_action(column)
        turn = game.step({"player": torch.tensor([[column]])}, torch.zeros(1, dtype=torch.int64))
    assert state.is_terminal()
    assert turn.ended.item()
    assert turn.score.tolist() == [[0.0, 0.0]] == [state.returns()]


def _deal_kuhn(state: Any, cards: tuple[int, ...]) -> None:
    while state.is_chance_node():
        state.apply_action(cards[len(state.history())])


def _deal_leduc(state: Any, cards: tuple[int, ...]) -> None:
    while state.is_chance_node():
        dealt = len([1 for item in state.full_history() if item.player == pyspiel.PlayerId.CHANCE])
        state.apply_action(cards[dealt])


POKER = [(Kuhn, "kuhn_poker", _deal_kuhn), (Leduc, "leduc_poker", _deal_leduc)]


@pytest.mark.parametrize(("make", "name", "deal"), POKER)
def test_poker_has_openspiels_moves_ends_and_rewards(
    make: type[TabularPoker], name: str, deal: Callable[[Any, tuple[int, ...]], None]
) -> None:
    game, theirs = make(EPISODES), pyspiel.load_game(name)
    for dealt, episode in played(game, seed=3):
        cards, state = game.deals[dealt["deal"]], theirs.new_initial_state()
        deal(state, cards)
        for decision in episode:
            assert decision.seat == state.current_player()
            assert decision.legal == state.legal_actions()
            state.apply_action(decision.action)
            deal(state, cards)
            assert decision.ended == state.is_terminal()
        assert [d.reward for d in episode[:-1]] == [[0.0, 0.0]] * (len(episode) - 1)
        assert episode[-1].reward == episode[-1].score == state.returns()


INFORMATION = [
    (Kuhn, "kuhn_poker", _deal_kuhn, 1, 12),
    (Leduc, "leduc_poker(suit_isomorphism=true)", _deal_leduc, 2, 288),
]


@pytest.mark.parametrize(("make", "name", "deal", "suits", "count"), INFORMATION)
def test_poker_observations_tell_apart_exactly_openspiels_information_states(
    make: type[TabularPoker], name: str, deal: Callable[[Any, tuple[int, ...]], None], suits: int, count: int
) -> None:
    """In random play, and then in every position (Leduc has 288 information states up to suits)."""
    game, theirs = make(EPISODES), pyspiel.load_game(name)
    string_of: dict[tuple[int, bytes], str] = {}
    seen_of: dict[str, tuple[int, bytes]] = {}

    def compare(seat: int, obs: np.ndarray, state: Any) -> None:
        seen, string = (seat, obs.tobytes()), state.information_state_string()
        assert string_of.setdefault(seen, string) == string
        assert seen_of.setdefault(string, seen) == seen

    for dealt, episode in played(game, seed=4):
        cards = tuple(card // suits for card in game.deals[dealt["deal"]])
        state = theirs.new_initial_state()
        deal(state, cards)
        for decision in episode:
            compare(decision.seat, decision.obs, state)
            state.apply_action(decision.action)
            deal(state, cards)
    for place, node in enumerate(game.nodes):
        if not node.over:
            every = torch.arange(len(game.deals))
            acting = game.look({"deal": every, "node": torch.full_like(every, place)})[0]["player"]
            for index, cards in enumerate(game.deals):
                state = _walk(theirs, deal, tuple(card // suits for card in cards), node)
                compare(state.current_player(), acting.obs[index, 0].numpy(), state)
    assert len(string_of) == len(seen_of) == count


def _walk(theirs: Any, deal: Callable[[Any, tuple[int, ...]], None], cards: tuple[int, ...], node: Betting) -> Any:
    """OpenSpiel's state after the betting of a public position."""
    state = theirs.new_initial_state()
    deal(state, cards)
    for action in (action for history in node.rounds for action in history):
        state.apply_action(action)
        deal(state, cards)
    return state


@pytest.mark.parametrize(("make", "name", "deal"), POKER)
def test_poker_walks_openspiels_whole_tree(
    make: type[TabularPoker], name: str, deal: Callable[[Any, tuple[int, ...]], None]
) -> None:
    """Every deal and every betting sequence ends with OpenSpiel's payoff; nothing is left to chance."""
    game, theirs, ends = make(1), pyspiel.load_game(name), 0
    for index, cards in enumerate(game.deals):
        for place, node in enumerate(game.nodes):
            if not node.over:
                continue
            state = _walk(theirs, deal, cards, node)
            assert state.is_terminal()
            assert game.payoff[place, index].tolist() == state.returns()
            ends += 1
    assert ends == {"kuhn_poker": 6 * 5, "leduc_poker": 120 * (4 + 5 * 9)}[name]


def _rolled(theirs: Any, dice: tuple[int, int]) -> Any:
    """OpenSpiel's state of liar's dice after the roll. dice: by seat, counted from 0."""
    state = theirs.new_initial_state()
    for die in dice:
        state.apply_action(die)
    return state


def test_liars_dice_has_openspiels_moves_ends_and_rewards() -> None:
    game, theirs, wins = LiarsDice(EPISODES), pyspiel.load_game("liars_dice"), [0, 0]
    assert game.spec.roles[0].actions.n == theirs.num_distinct_actions()
    for _, episode in played(game, seed=5):
        dice = {decision.seat: int(decision.obs[:6].argmax()) for decision in episode}
        state = _rolled(theirs, (dice[0], dice[1]))
        follows(state, episode)
        wins[episode[-1].score.index(1.0)] += 1
    assert min(wins) > EPISODES / 4


def test_liars_dice_tells_and_pays_as_openspiels_in_every_position() -> None:
    """All bids of all deals: what a seat sees are OpenSpiel's information states, and a call ends as there."""
    game, theirs = LiarsDice(1), pyspiel.load_game("liars_dice")
    string_of: dict[tuple[int, bytes], str] = {}
    seen_of: dict[str, tuple[int, bytes]] = {}
    every, ends = torch.arange(1 << LIAR), 0
    for dice in game.every_deal()["dice"].tolist():
        here = {"dice": torch.tensor([dice]).expand(len(every), 2), "bids": every}
        acting, critic = game.look(here)[0]["player"], game.look(here)[1]
        assert critic is not None
        assert len(critic.unique(dim=0)) == len(every)
        after, outcome = game.play(here, {"player": torch.full((len(every), 1), LIAR)})
        assert outcome.ended.all()
        assert torch.equal(after["bids"], every)
        obs, scores = acting.obs[:, 0].numpy(), outcome.score.tolist()
        seats, masks = acting.seat[:, 0].tolist(), acting.mask[:, 0].numpy()
        waiting = [(0, _rolled(theirs, (dice[0], dice[1])))]
        while waiting:
            bids, state = waiting.pop()
            legal = state.legal_actions()
            assert seats[bids] == state.current_player()
            assert masks[bids].nonzero()[0].tolist() == legal
            # OpenSpiel's string leaves out whose it is.
            seen, string = (seats[bids], obs[bids].tobytes()), f"{seats[bids]}: {state.information_state_string()}"
            assert string_of.setdefault(seen, string) == string
            assert seen_of.setdefault(string, seen) == seen
            if bids:
                assert state.child(LIAR).returns() == scores[bids]
                ends += 1
            waiting += [(bids | 1 << action, state.child(action)) for action in legal if action != LIAR]
    assert (len(string_of), len(seen_of), ends) == (6 * 4096, 6 * 4096, 36 * 4095)


def test_liars_dice_is_drawn() -> None:
    game = LiarsDice(1)
    game.load({"dice": torch.tensor([[2, 5]]), "bids": torch.tensor([1 << 4 | 1 << 11])})
    assert game.render(0) == "dice: player_0 3, player_1 6\nbids (count-face): 1-5, 2-6\nplayer_0 to act"
    assert LiarsDice(1).start(torch.zeros(1, dtype=torch.int64)).acts["player"].seat.item() == 0


@pytest.mark.parametrize("make", [Kuhn, Leduc])
def test_poker_deals_every_deal_about_equally_often(make: type[TabularPoker]) -> None:
    game, each = make(1), 200
    counts = game.deal(torch.arange(each * len(game.deals)))["deal"].bincount(minlength=len(game.deals))
    # Chi-square over its degrees of freedom is near 1 for a fair deal.
    chi_square = float(((counts - each) ** 2 / each).sum()) / (len(game.deals) - 1)
    assert chi_square < 1.6


def test_liars_dice_rolls_every_pair_about_equally_often() -> None:
    dice = LiarsDice(1).deal(torch.arange(200 * 36))["dice"]
    counts = (6 * dice[:, 0] + dice[:, 1]).bincount(minlength=36)
    assert float(((counts - 200) ** 2 / 200).sum()) / 35 < 1.6


@pytest.mark.parametrize(
    ("make", "options", "theirs"),
    [
        (RockPaperScissors, {}, "matrix_rps"),
        (BiasedRPS, {}, "matrix_brps"),
        (Blotto, {}, "blotto(coins=5,fields=3)"),
        (Blotto, {"troops": 4, "fields": 4}, "blotto(coins=4,fields=4)"),
        (Matrix, {"payoff": [[5, 0], [10, 1]], "payoff_column": [[5, 10], [0, 1]]}, "matrix_pd"),
        (Matrix, {"payoff": [[3, 0], [0, 2]], "payoff_column": [[2, 0], [0, 3]]}, "matrix_bos"),
    ],
)
def test_matrix_games_pay_as_openspiels(make: Callable[..., Bimatrix], options: dict[str, object], theirs: str) -> None:
    reference, game = pyspiel.load_game(theirs), make(EPISODES, **options)
    turn = game.start(torch.arange(EPISODES))
    actions = random_actions(game, turn, seed=5)
    chosen = torch.cat(tuple(actions.values()), 1)
    turn = game.step(actions, torch.arange(EPISODES))
    assert turn.ended.all()
    for pair, score in zip(chosen.tolist(), turn.score.tolist(), strict=True):
        state = reference.new_initial_state()
        state.apply_actions(pair)
        assert score == state.returns()
    seats = [state.legal_actions(seat) for seat, state in enumerate([reference.new_initial_state()] * 2)]
    assert [role.actions.width for role in game.spec.roles for _ in role.seats] == [len(actions) for actions in seats]


def test_matrix_games_share_a_role_only_where_both_seats_see_the_same_game() -> None:
    assert [role.name for role in RockPaperScissors(1).spec.roles] == ["player"]
    dilemma = Matrix(1, payoff=[[5, 0], [10, 1]], payoff_column=[[5, 10], [0, 1]])
    assert [role.name for role in dilemma.spec.roles] == ["player"]
    pennies = Matrix(1, payoff=[[1, -1], [-1, 1]])
    assert [(role.name, role.seats) for role in pennies.spec.roles] == [("row", (0,)), ("column", (1,))]
    assert pennies.spec.outcome == "placements"
    assert (dilemma.spec.outcome, dilemma.spec.score_range) == ("score", (0.0, 10.0))


def test_biased_rps_equilibrium_is_as_documented() -> None:
    game, mixture = BiasedRPS(1), torch.tensor([1 / 16, 10 / 16, 5 / 16])
    row = game._payoff[:, 0].view(3, 3)
    assert torch.allclose(row @ mixture, torch.zeros(3), atol=1e-5)
