"""Commands that need no run yet: train one, measure, check a game, list games, settings and pages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from league.cli.options import JsonFlag, Seed, SetOption, app


@app.command
def run(
    config: Annotated[str | None, Parameter(help="A TOML file; default: Connect Four for three minutes.")] = None,
    /,
    *,
    run: Annotated[str | None, Parameter(("-r", "--run"), help="Folder of the run, or a name under runs/.")] = None,
    game: Annotated[str | None, Parameter(help="Play this game instead of the config's (see `league games`).")] = None,
    new: Annotated[bool, Parameter(negative=(), help="Start a new run even if one of that name exists.")] = False,
    seed: Annotated[Seed | None, Parameter(help="Seed of everything random.")] = None,
    set: SetOption = (),
    rounds: Annotated[int | None, Parameter(help="Stop after this many rounds in total.")] = None,
    steps: Annotated[int | None, Parameter(help="Stop after this many agent-steps in total.")] = None,
    minutes: Annotated[float | None, Parameter(help="Stop after this many minutes of this call.")] = None,
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:N or auto.")] = None,
    retune: Annotated[
        bool, Parameter(negative=(), help="Choose threads and workers for this machine again when a run is resumed.")
    ] = False,
    accept_changes: Annotated[
        bool, Parameter(negative=(), help="Go on although files of your own have changed; the run records it.")
    ] = False,
    plain: Annotated[bool, Parameter(negative=(), help="Plain lines instead of the live screen.")] = False,
) -> None:
    """Train a league or resume one; snapshots, rated matches and standings are kept in the run's folder."""
    from league.cli.overrides import Overrides
    from league.cli.training import run_league

    overrides = Overrides(game=game, seed=seed, set=set, rounds=rounds, steps=steps, minutes=minutes, device=device)
    sys.exit(run_league(config, run, overrides, new=new, plain=plain, retune=retune, accept_changes=accept_changes))


@app.command
def compare(
    *configs: Annotated[str, Parameter(help="TOML files of the same game: two or more.")],
    seeds: Annotated[int, Parameter(help="Seeds of each config: 1, 2, … up to this.")] = 3,
    steps: Annotated[int, Parameter(help="Agent-steps of each run, of all its learners together.")] = 10**6,
    games: Annotated[int, Parameter(help="Games of each pairing, half of them in each seat.")] = 400,
    out: Annotated[Path, Parameter(help="The folder of the comparison, with all of its runs.")] = Path("comparison"),
    probe: Annotated[
        Path | None, Parameter(help="Labelled positions at which all are also asked, as in `league probe`.")
    ] = None,
    jobs: Annotated[int | None, Parameter(help="Runs trained at a time; default: one for each core.")] = None,
    set: SetOption = (),
    markdown: Annotated[bool, Parameter(negative=(), help="Print Markdown tables.")] = False,
    json: JsonFlag = False,
) -> None:
    """Train configs for equal agent-steps with several seeds, then judge everything against everything."""
    from league.cli.comparing import run_comparison

    run_comparison(
        configs,
        seeds=seeds,
        steps=steps,
        games=games,
        out=out,
        jobs=jobs,
        probe=probe,
        overrides=set,
        as_json=json,
        markdown=markdown,
    )


@app.command
def bench(
    config: Annotated[str | None, Parameter(help="A TOML file; default: the built-in config.")] = None,
    /,
    *,
    game: Annotated[
        str | None, Parameter(help="Measure this game instead of the config's (see `league games`).")
    ] = None,
    set: SetOption = (),
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:N or auto.")] = None,
    quick: Annotated[bool, Parameter(negative=(), help="A shorter benchmark, in under a minute.")] = False,
    only: Annotated[
        str | None, Parameter(help="NAME,NAME: only these measurements and those below them, such as training,matches.")
    ] = None,
    compare: Annotated[Path | None, Parameter(help="Show changes since an earlier benchmark's --json output.")] = None,
    json: JsonFlag = False,
) -> None:
    """Measure this machine's limit and the speed of games, inference, training, matches and ratings on it."""
    from league.cli.benchmarking import run_bench
    from league.cli.overrides import Overrides

    overrides = Overrides(game=game, set=set, device=device)
    run_bench(config, overrides, quick=quick, only=only, compare=compare, as_json=json)


@app.command
def check(
    game: Annotated[str, Parameter(help="A name that `league games` lists, package.module:Name or file.py:Name.")],
    /,
    *,
    set: SetOption = (),
    seconds: Annotated[float, Parameter(help="Time for the learning check, all roles together; 0 skips it.")] = 20.0,
    steps: Annotated[int, Parameter(help="Agent-steps of a run whose cost to estimate; 0 skips it.")] = 10**6,
    seed: Annotated[Seed | None, Parameter(help="Seed of everything random.")] = None,
    json: JsonFlag = False,
) -> None:
    """Check a game before training: what to fix, and where. The exit code is 1 if there is an error."""
    from league.cli.checking import run_check
    from league.cli.overrides import Overrides

    sys.exit(run_check(Overrides(game=game, seed=seed, set=set), seconds, steps, json))


@app.command
def games(
    game: Annotated[str | None, Parameter(help="Describe this game; default: list all games.")] = None,
    /,
    *,
    set: SetOption = (),
    try_: Annotated[
        bool,
        Parameter(name="--try", negative=(), help="Train briefly on each game; report its shape and speed."),
    ] = False,
    only: Annotated[
        str | None, Parameter(help="TEXT,TEXT: with --try, only games whose names contain one of these.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """The games that ship or can be adapted, and what each needs installed; with GAME, what it is in words."""
    from league.cli.checking import list_games, show_game
    from league.cli.overrides import Overrides

    if game is not None:
        show_game(Overrides(game=game, set=set), try_ or only is not None, json)
    else:
        list_games(try_, only, set, json)


@app.command
def config(
    path: Annotated[str | None, Parameter(help="A TOML file; default: the built-in config.")] = None,
    /,
    *,
    game: Annotated[str | None, Parameter(help="With this game, as in `league run --game`.")] = None,
    set: SetOption = (),
    diff: Annotated[str | None, Parameter(help="Show only what differs from the config of this RUN.")] = None,
    json: JsonFlag = False,
) -> None:
    """Every setting, its value and the source of the value."""
    from league.cli.configuration import show_config
    from league.cli.overrides import Overrides

    show_config(path, Overrides(game=game, set=set), diff, json)


@app.command
def docs(
    topic: Annotated[str | None, Parameter(help="The page to show; default: the list of topics.")] = None,
    /,
    *,
    json: JsonFlag = False,
) -> None:
    """The pages of documentation: a tutorial, every command and setting, games, learning, ratings, and more."""
    from league.cli.docs import list_topics, show_page

    if topic is None:
        list_topics(json)
    else:
        show_page(topic, json)
