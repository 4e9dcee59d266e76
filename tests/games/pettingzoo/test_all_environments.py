"""Every installed environment of PettingZoo and its neighbours keeps the contract of a game, masks and deaths included.

What is slow or large is made small by its own options (`league.studies.game_trials.SMALL`).
"""

from __future__ import annotations

import pytest

from league.games.conformance.suite import check
from league.games.core import GameSpec
from league.games.registry import make
from league.studies.game_trials import games_to_try

CASES = {id: options for id, options in games_to_try().items() if ":" in id}
"""What `league games --try` tries, but for native games, which have tests of their own."""

SLOW = ("gather", "cooperative_pong", "pistonball", "chess")


def spec_of(id: str, **options: object) -> GameSpec:
    game = make(id, 1, options=options)
    game.close()
    return game.spec


@pytest.mark.parametrize(
    "id", [pytest.param(id, marks=[pytest.mark.slow] * any(name in id for name in SLOW)) for id in CASES]
)
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
    assert len(spec_of("magent2:tiger_deer_v4", map_size=16).sides) == 2


def test_foragers_and_robots_work_together() -> None:
    for id in ("lbf:Foraging-8x8-2p-2f-coop-v3", "rware:rware-tiny-2ag-v2"):
        spec = spec_of(id)
        assert (spec.seats, spec.sides, spec.outcome) == (("agent_0", "agent_1"), ((0, 1),), "score")


@pytest.mark.parametrize(("name", "seats"), [("kuhn_poker", 3), ("oh_hell", 4), ("euchre", 4)])
def test_more_than_two_seats_are_as_many_sides(name: str, seats: int) -> None:
    id = f"openspiel:{name}"
    assert len(spec_of(id, **CASES[id]).sides) == seats


def test_environments_of_every_family_are_tried() -> None:
    """The extras with which the tests run install all of these."""
    families = {id.partition("/")[0] if id.startswith("pettingzoo") else id.partition(":")[0] for id in CASES}
    assert families >= {"pettingzoo:classic", "pettingzoo:butterfly", "pettingzoo:sisl"}
    assert families >= {"mpe2", "magent2", "openspiel", "lbf", "rware"}
    assert sum(id.startswith("openspiel:") for id in CASES) >= 12
