"""Wrong names, wrong options and missing packages: each error names what would be right."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from league.errors import GameError
from league.games.pettingzoo.game import PettingZooGame


@pytest.mark.parametrize(
    ("origin", "options", "message"),
    [
        ("pettingzoo:mpe/simple_tag_v3", {}, "use 'mpe2:simple_tag_v3'"),
        ("pettingzoo:mpe/simple_spread-v2", {}, "use 'mpe2:simple_spread_v3'"),
        ("pettingzoo:classic/tictactoe-v9", {}, "use 'pettingzoo:classic/tictactoe-v3'"),
        ("pettingzoo:classic/tictacto-v3", {}, "did you mean 'pettingzoo:classic/tictactoe-v3'"),
        ("mpe2:simple_tg_v3", {}, "did you mean 'mpe2:simple_tag_v3'"),
        ("pettingzoo:clasic/tictactoe-v3", {}, "did you mean 'pettingzoo:classic/tictactoe-v3'"),
        ("openspiel:kuhn_pokr", {}, "did you mean 'kuhn_poker'"),
        ("openspiel:kuhn_poker(players=3)", {}, "options of the game"),
        ("openspiel:kuhn_poker", {"plyers": 3}, "no option 'plyers'; did you mean 'players'"),
        ("mpe2:simple_tag_v3", {"max_cycle": 5}, "no option 'max_cycle'; did you mean 'max_cycles'"),
        ("mpe2:simple_tag_v3", {"num_good": "x"}, "cannot be made"),
        ("pettingzoo:classic/rps-v2", {"horizon": "never"}, "horizon must be 'truncation' or 'terminal', not 'never'"),
        ("pettingzoo:classic/rps-v2", {"num_actions": 4}, "odd number"),
    ],
)
def test_a_wrong_origin_is_refused_with_the_right_one(origin: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(GameError, match=message):
        PettingZooGame(origin, 1, **options)


def test_a_factory_of_something_else_is_refused() -> None:
    with pytest.raises(GameError, match="without possible_agents is not a PettingZoo environment"):
        PettingZooGame(dict, 1)


def test_a_missing_package_is_named_with_the_extra_that_installs_it() -> None:
    # In a process of its own, where the packages were not imported before they are hidden.
    code = """
import sys
sys.modules |= dict.fromkeys(["rlcard", "pyspiel", "chess"])
from league.errors import GameError
from league.games.pettingzoo.game import PettingZooGame
for origin in ("pettingzoo:classic/leduc_holdem-v4", "openspiel:kuhn_poker", "pettingzoo:classic/chess-v6"):
    try:
        PettingZooGame(origin, 1)
    except GameError as error:
        print(error)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    missing = "which is not installed: pip install"
    assert shown.splitlines() == [
        f"pettingzoo:classic/leduc_holdem-v4 needs 'rlcard', {missing} 'selfplay-league[cards]'",
        f"openspiel:kuhn_poker needs 'pyspiel', {missing} 'selfplay-league[cards]'",
        f"pettingzoo:classic/chess-v6 needs 'chess', {missing} 'selfplay-league[chess]'",
    ]
