"""Commands that read the database of a run."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from league.cli.options import JsonFlag, RunOption, app
from league.errors import ConfigError


@app.command
def standings(
    *,
    run: RunOption = None,
    by: Annotated[
        str | None,
        Parameter(
            help="melo, field, robust, bradley-terry, elo, openskill, nash, alpharank, deviation, or all "
            "side by side; default: the config's."
        ),
    ] = None,
    role: Annotated[str | None, Parameter(help="Only this role.")] = None,
    seat: Annotated[bool, Parameter(negative=(), help="Also show the score from each seat.")] = False,
    watch: Annotated[bool, Parameter(negative=(), help="Refresh every two seconds until Ctrl-C.")] = False,
    json: JsonFlag = False,
) -> None:
    """The ratings of all snapshots, best first."""
    from league.cli.readers import show_standings, watch_standings

    (watch_standings if watch else show_standings)(run, by, role, seat, json)


@app.command
def metrics(
    *,
    run: RunOption = None,
    learner: Annotated[str | None, Parameter(help="Only this learner.")] = None,
    last: Annotated[int | None, Parameter(help="Only the last N rounds.")] = None,
    name: Annotated[
        tuple[str, ...],
        Parameter(
            "--name",
            help="Only this metric and those below it (return: also return/SEAT); repeatable.",
            consume_multiple=False,
            negative=(),
        ),
    ] = (),
    csv: Annotated[
        str | None,
        Parameter(
            help="Write CSV (round, learner, name, value) to this file, or - to print.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    signs: Annotated[bool, Parameter(negative=(), help="List all warning signs that training is checked for.")] = False,
    json: JsonFlag = False,
) -> None:
    """Training metrics by round, and the warning signs found in them."""
    from league.cli.metrics import list_signs, show_metrics

    if signs:
        list_signs(json)
    else:
        show_metrics(run, learner, last=last, names=name, out=csv, as_json=json)


@app.command
def predict(
    a: Annotated[str, Parameter(help="POLICY of the run: best, latest, random, a name or an id.")],
    b: Annotated[str, Parameter(help="POLICY of the run that it plays against.")],
    /,
    *,
    run: RunOption = None,
    json: JsonFlag = False,
) -> None:
    """The score that the ratings predict for A against B, with its 95 % interval; no game is played."""
    from league.cli.readers import show_prediction

    show_prediction(run, a, b, json)


@app.command
def rate(
    *,
    run: RunOption = None,
    by: Annotated[str | None, Parameter(help="A rating to compute in addition to melo; default: the config's.")] = None,
    guest: Annotated[
        tuple[str, ...],
        Parameter(
            "--guest",
            help="POLICY from outside the run: rate it by games against the run's snapshots; repeatable.",
            consume_multiple=False,
            negative=(),
        ),
    ] = (),
    until: Annotated[
        str | None,
        Parameter(help="±X: play rated games until every 95 % interval is that small (below 1: of the field's score)."),
    ] = None,
    games: Annotated[
        int | None, Parameter(help="Rated games of each guest (1000); with --until, the most in all (100000).")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Recompute all ratings from the ledger and update the cache; with --guest or --until, play rated games first."""
    if guest or until is not None:
        from league.cli.rating import rate_by_games

        rate_by_games(run, guest, until=until, games=games, by=by, as_json=json)
        return
    if games is not None:
        raise ConfigError("--games is of --guest and --until: without them, no games are played")
    from league.cli.readers import rate_run

    rate_run(run, by, json)


@app.command
def show(
    policy: Annotated[str, Parameter(help="POLICY of the run.")],
    /,
    *,
    run: RunOption = None,
    json: JsonFlag = False,
) -> None:
    """One snapshot: its ancestors, its hyperparameters and its record against each opponent."""
    from league.cli.readers import show_policy

    show_policy(run, policy, json)


@app.command
def runs(*, json: JsonFlag = False) -> None:
    """The runs under runs/, newest first."""
    from league.cli.readers import list_runs

    list_runs(json)
