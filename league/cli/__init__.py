"""The command line, declared: names, options and help of every command. Each command imports what it calls."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from league.errors import LeagueError

app = App(
    name="league",
    help="Train game-playing policies by self-play, and measure how strong they are.\n\n"
    "`league docs` lists the pages of documentation; `league docs tutorial` is the one to begin with.",
    help_format="plaintext",
    version_flags=["--version"],
)

RunOption = Annotated[
    str | None, Parameter(("-r", "--run"), help="A folder, or a name under runs/; default: the newest.")
]
JsonFlag = Annotated[bool, Parameter("--json", negative=(), help="Print JSON for programs.")]
SetOption = Annotated[
    tuple[str, ...],
    Parameter("--set", help="KEY=VALUE: a setting of the config; repeatable.", consume_multiple=False, negative=()),
]


def _check_seed(kind: object, value: int | None) -> None:
    if value is not None and not 0 <= value < 2**63:
        raise ValueError("Must be a whole number from 0 to 2**63 - 1.")


Seed = Annotated[int, Parameter("--seed", validator=_check_seed)]


def main() -> None:
    """Run the command named in `sys.argv`. An error that a user can fix prints one message and exits with code 2."""
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(f"{error}\nSee `league --help`.")
    except LeagueError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of the output has exited, as in `league runs | head`.
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except Exception as error:
        if (reason := _reason(error)) is None:
            raise
        _fail(reason)


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
    plain: Annotated[bool, Parameter(negative=(), help="Plain lines instead of the live screen.")] = False,
) -> None:
    """Train a league or resume one; snapshots, rated matches and standings are kept in the run's folder."""
    from league.cli.overrides import Overrides
    from league.cli.training import run_league

    overrides = Overrides(game=game, seed=seed, set=set, rounds=rounds, steps=steps, minutes=minutes, device=device)
    sys.exit(run_league(config, run, overrides, new=new, plain=plain, retune=retune))


@app.command
def standings(
    *,
    run: RunOption = None,
    by: Annotated[str | None, Parameter(help="bradley-terry, elo or openskill; default: the config's.")] = None,
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
def rate(
    *,
    run: RunOption = None,
    by: Annotated[
        str | None, Parameter(help="elo or openskill, in addition to bradley-terry; default: the config's.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Recompute all ratings from the ledger, show what differs from the cache, and update the cache."""
    from league.cli.readers import rate_run

    rate_run(run, by, json)


@app.command
def match(
    *policies: Annotated[
        str, Parameter(help="POLICY, one per side: best, latest, random, one-ply, an id, ./exported …")
    ],
    run: RunOption = None,
    games: Annotated[int, Parameter(help="Games, shared equally among the seatings.")] = 400,
    seed: Annotated[Seed, Parameter(help="Seed of games and choices.")] = 0,
    greedy: Annotated[bool, Parameter(negative=(), help="Every policy takes its most probable action.")] = False,
    temperature: Annotated[float, Parameter(help="Divides the policies' log-probabilities.")] = 1.0,
    show: Annotated[bool, Parameter(negative=(), help="First show one game, position by position.")] = False,
    json: JsonFlag = False,
) -> None:
    """Play policies against each other, seat-balanced, and show the score with its 95 % interval."""
    from league.cli.playing import play_match

    play_match(
        run, policies, games=games, seed=seed, temperature=0.0 if greedy else temperature, show=show, as_json=json
    )


@app.command
def payoff(
    *policies: Annotated[
        str,
        Parameter(help="POLICY …, or ROLE=POLICY …: play games among these; none: use the ledger's rated games."),
    ],
    run: RunOption = None,
    games: Annotated[int, Parameter(help="Games per cell, if games are played.")] = 100,
    seed: Annotated[Seed, Parameter(help="Seed of games and choices, the same for all cells.")] = 0,
    size: Annotated[int, Parameter(help="Policies per role, if the ledger is shown.")] = 5,
    json: JsonFlag = False,
) -> None:
    """The head-to-head table: each policy's score against each other, with 95 % intervals."""
    from league.cli.playing import show_payoff

    show_payoff(run, policies, games=games, seed=seed, size=size, as_json=json)


@app.command
def credit(
    policy: Annotated[
        str,
        Parameter(help="POLICY, ROLE=POLICY,… or SEAT=POLICY,…: the team; seats not named: the best."),
    ],
    /,
    *,
    run: RunOption = None,
    baseline: Annotated[str, Parameter(help="POLICY (also by role or seat) in place of a member.")] = "random",
    side: Annotated[int, Parameter(help="The side whose seats form the team, counted from 0.")] = 0,
    against: Annotated[str | None, Parameter(help="POLICY of all other sides; default: the best.")] = None,
    games: Annotated[int, Parameter(help="Games per coalition.")] = 200,
    permutations: Annotated[
        int, Parameter(help="Permutations sampled per game for teams of more than eight; an even number.")
    ] = 2,
    seed: Annotated[Seed, Parameter(help="Seed of games and choices, the same for all coalitions.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Credit for a team's score: each seat's Shapley value, with 95 % intervals."""
    from league.cli.playing import show_credit
    from league.studies.credit import CreditRequest

    asked = CreditRequest(
        policy, baseline, side=side, against=against, games=games, seed=seed, permutations=permutations
    )
    show_credit(run, asked, json)


@app.command
def exploit(
    *policies: Annotated[str, Parameter(help="POLICY …, each evaluated in both seats; none: best.")],
    run: RunOption = None,
    every: Annotated[bool, Parameter(negative=(), help="Evaluate every snapshot of the run, in order.")] = False,
    mixture: Annotated[
        bool, Parameter(negative=(), help="Evaluate the uniform mixture of the policies instead of each one.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Exact exploitability: what a best response gains, in zero-sum games of two seats."""
    from league.cli.playing import show_exploitability

    show_exploitability(run, policies, every, mixture, json)


@app.command
def export(
    policy: Annotated[str, Parameter(help="POLICY of the run.")] = "best",
    /,
    *,
    run: RunOption = None,
    out: Annotated[Path, Parameter(help="The folder to write.")] = Path("champion"),
    json: JsonFlag = False,
) -> None:
    """Write a policy as a folder that works without its run: weights, metadata and a model card."""
    from league.cli.exporting import export_policy

    export_policy(run, policy, out, json)


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


@app.command
def games(
    *,
    try_: Annotated[
        bool,
        Parameter(name="--try", negative=(), help="Train briefly on each game; report its shape and speed."),
    ] = False,
    only: Annotated[
        str | None, Parameter(help="TEXT,TEXT: with --try, only games whose names contain one of these.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """The games that ship or can be adapted, and what each needs installed."""
    from league.cli.checking import list_games

    list_games(try_, only, json)


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


def _reason(error: Exception) -> str | None:
    """A message for an exception that is not a LeagueError but that a user can fix; None for a bug in league."""
    from league.plugins import blame

    if isinstance(error, MemoryError) or re.search("can't allocate memory|out of memory", str(error)):
        return (
            f"not enough memory ({' '.join(str(error).split())}): use fewer algorithm.slots or "
            "algorithm.turns, smaller networks, or fewer --games"
        )
    return blame(error)


def _fail(message: str) -> None:
    from league.views.text import clean

    # Messages quote names from files, which must not contain terminal control characters.
    lines = [clean(line) for line in message.splitlines()]
    print("league:", "\n".join(lines), file=sys.stderr)
    sys.exit(2)
