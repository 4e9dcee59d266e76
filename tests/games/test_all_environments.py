"""Every installed environment of PettingZoo and its neighbours keeps the contract of a game, masks and deaths included.

What is slow or large is made small by its own options; pistonball is stepped over a few turns only.
"""

from __future__ import annotations

import pytest

from league.games.conformance import check
from league.games.core import GameSpec
from league.games.registry import catalogue, make

SMALL: dict[str, dict[str, object]] = {
    "pettingzoo:classic/go-v5": {"board_size": 5},
    "pettingzoo:butterfly/cooperative_pong-v6": {"max_cycles": 12, "shrink": 8},
    "pettingzoo:butterfly/knights_archers_zombies-v11": {"max_cycles": 40},
    "pettingzoo:butterfly/pistonball-v6": {"max_cycles": 4, "n_pistons": 4, "shrink": 8},
    "pettingzoo:sisl/pursuit-v5": {"max_cycles": 12, "n_pursuers": 4},
    "pettingzoo:sisl/multiwalker-v9": {"max_cycles": 20},
    "magent2:battle_v4": {"map_size": 16, "max_cycles": 15},
    "magent2:battlefield_v5": {"map_size": 46, "max_cycles": 10},
    "magent2:combined_arms_v6": {"map_size": 16, "max_cycles": 15},
    "magent2:gather_v5": {"max_cycles": 2},
    "magent2:tiger_deer_v4": {"map_size": 16, "max_cycles": 15},
    "magent2:adversarial_pursuit_v4": {"map_size": 16, "max_cycles": 15},
    "rware:rware-tiny-2ag-v2": {"max_steps": 20},
}
"""Options that make an environment quick to test."""

OPENSPIEL = {
    "kuhn_poker": {"players": 3},
    "leduc_poker": {},
    "tic_tac_toe": {},
    "breakthrough": {"rows": 6, "columns": 6},
    "hex": {"board_size": 5},
    "othello": {},
    "backgammon": {},
    "liars_dice": {},
    "goofspiel": {"num_cards": 4},  # simultaneous moves
    "matrix_pd": {},  # likewise, once
    "oh_hell": {"players": 4},
    "euchre": {},
    "tiny_hanabi": {},  # cooperative
    "coop_box_pushing": {},  # cooperative, simultaneous
    "phantom_ttt": {},  # what the other did is hidden
    "markov_soccer": {},
    "dots_and_boxes": {},
    "negotiation": {},  # general sum
}
"""OpenSpiel's: two to four seats, chance, hidden information, simultaneous moves, cooperation."""

CASES: dict[str, dict[str, object]] = {
    listed.id: SMALL.get(listed.id, {})
    for listed in catalogue()
    if listed.available
    and listed.id.partition(":")[0] in ("pettingzoo", "mpe2", "magent2")
    and "chess" not in listed.id
}
CASES |= {f"openspiel:{name}": dict(options) for name, options in OPENSPIEL.items()}
CASES |= {"lbf:Foraging-8x8-2p-2f-coop-v3": {}, "rware:rware-tiny-2ag-v2": SMALL["rware:rware-tiny-2ag-v2"]}


def spec_of(id: str, **options: object) -> GameSpec:
    game = make(id, 1, options=options)
    game.close()
    return game.spec


@pytest.mark.parametrize("id", CASES)
def test_it_keeps_the_contract(id: str) -> None:
    assert check(lambda slots: make(id, slots, options=CASES[id]), episodes=2, slots=2).episodes >= 2


@pytest.mark.parametrize("name", ["simple_spread_v3", "simple_tag_v3", "simple_reference_v3", "simple_world_comm_v3"])
def test_it_keeps_the_contract_with_continuous_actions(name: str) -> None:
    options: dict[str, object] = {"continuous_actions": True, "max_cycles": 8}
    check(lambda slots: make(f"mpe2:{name}", slots, options=options), episodes=2, slots=2)


def test_teams_of_dozens_are_two_sides() -> None:
    spec = spec_of("magent2:battle_v4", map_size=16)
    red = tuple(seat for seat, name in enumerate(spec.seats) if name.startswith("red"))
    assert len(spec.sides) == 2
    assert spec.sides[0] == red
    assert [role.name for role in spec.roles] == ["player"], "both teams see and act alike"
    arms = spec_of("magent2:combined_arms_v6", map_size=16)
    assert {role.name for role in arms.roles} == {"melee", "ranged"}
    assert [len({arms.seats[seat][:3] for seat in side}) for side in arms.sides] == [1, 1]
    assert [
        len(spec_of("magent2:tiger_deer_v4", map_size=16).sides),
        len(spec_of("magent2:gather_v5", max_cycles=2).sides),
    ] == [2, 1]


def test_foragers_and_robots_work_together() -> None:
    for id in ("lbf:Foraging-8x8-2p-2f-coop-v3", "rware:rware-tiny-2ag-v2"):
        spec = spec_of(id)
        assert (spec.seats, spec.sides, spec.outcome) == (("agent_0", "agent_1"), ((0, 1),), "score")


@pytest.mark.parametrize(("name", "seats"), [("kuhn_poker", 3), ("oh_hell", 4), ("euchre", 4)])
def test_more_than_two_seats_are_as_many_sides(name: str, seats: int) -> None:
    assert len(spec_of(f"openspiel:{name}", **OPENSPIEL[name]).sides) == seats
