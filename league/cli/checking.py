"""`league games` and `league check`: list the games, and check whether one is ready for training."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence

from rich.text import Text

from league.cli.output import console, print_json
from league.cli.overrides import Overrides, game_from_anywhere
from league.cli.shared import progress_bar
from league.config.load import load
from league.errors import ConfigError
from league.views.grid import facts_grid
from league.views.listings import games_table
from league.views.text import clean


def list_games(try_: bool, only: str | None, set: Sequence[str], as_json: bool) -> None:
    """`league games`."""
    from league.games.catalogue import catalogue

    if set:
        raise ConfigError("--set is of one game: name it")
    if try_:
        return _try_games([part.strip() for part in (only or "").split(",") if part.strip()], as_json)
    if only is not None:
        raise ConfigError("--only selects the games of --try: `league games --try --only TEXT`")
    found = catalogue()
    if as_json:
        print_json([one._asdict() for one in found])
        return
    out = console()
    out.print(games_table(found))
    out.print(
        Text("\nYour own: package.module:Name or file.py:Name. Next: league run --game GAME --run NAME", "dim"),
        soft_wrap=True,
    )


def show_game(overrides: Overrides, of_list: bool, as_json: bool) -> None:
    """`league games GAME`. of_list: whether options were given that are of the list of all games."""
    from league.games.registry import make
    from league.games.words import described

    if of_list:
        raise ConfigError("--try and --only are of the list of all games: name no game")
    chosen = load(None, overrides.assignments()).game
    game = make(chosen.id, 1, "cpu", chosen.make_options)
    game.close()
    spec = game.spec
    facts = {
        "game": f"{spec.id}, version {spec.version}",
        "seats": spec.seating,
        "result": "placements" if not spec.scored else "a score" + _within(spec.score_range),
        **described(spec),
        "options": ", ".join(f"{name} = {value!r}" for name, value in spec.options.items()) or "none",
    }
    if as_json:
        print_json(facts)
    else:
        console().print(facts_grid([(name, Text(clean(words))) for name, words in facts.items()]))


def _within(bounds: tuple[float, float] | None) -> str:
    return "" if bounds is None else f" from {bounds[0]:g} to {bounds[1]:g}"


def _try_games(only: Sequence[str], as_json: bool) -> None:
    from league.studies.game_trials import games_to_try, try_games
    from league.views.game_trials_table import game_trials_table

    with progress_bar("trying games") as tick:
        found = try_games(games_to_try(only), tick=tick)
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    out = console()
    out.print(game_trials_table(found))
    failed = sum(bool(one.fault) for one in found)
    summary = f"{len(found) - failed} of {len(found)} games ran" if failed else f"all {len(found)} games ran"
    out.print(Text(f"\n{summary}. Next: league check GAME, league run --game GAME --run NAME", "dim"), soft_wrap=True)


def run_check(overrides: Overrides, seconds: float, steps: int, as_json: bool) -> int:
    """`league check`. Returns the exit code: 0, or 1 if there is an error."""
    if not (0 <= seconds < math.inf and steps >= 0):
        raise ConfigError(f"a check needs --seconds and --steps of 0 or more, not {seconds:g} and {steps}")
    game, *others = overrides.assignments()
    settings = load(None, [game, *others])
    from league.studies.check.short_training import settings_for
    from league.studies.check.stages import check
    from league.views.check_table import check_table

    with progress_bar("checking") as tick:
        found = check(load(None, [game, *settings_for(settings.algorithm), *others]), settings, seconds, steps, tick)
    if as_json:
        print_json(found.to_dict())
    else:
        # Commands to copy may be longer than a line.
        named = game_from_anywhere(overrides.game or "")
        console().print(check_table(found, shlex.join([named, *overrides.words()])), crop=False)
    return 0 if found.passed else 1
