"""The command line: parse, call, print. No logic: what commands do stands in the rooms below."""

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


def main() -> None:
    """Run the command that the arguments name. Exit code 2 and one message for whatever a user can mend."""
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _fail(f"{error}\nSee `league --help`.")
    except LeagueError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`league runs | head`): nothing is left to be said.
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
    new: Annotated[bool, Parameter(negative=(), help="Start afresh beside a run of that name.")] = False,
    seed: Annotated[int | None, Parameter(help="Seed of everything random.")] = None,
    set: Annotated[
        tuple[str, ...], Parameter("--set", help="KEY=VALUE, as often as needed.", consume_multiple=False, negative=())
    ] = (),
    rounds: Annotated[int | None, Parameter(help="Stop at this many rounds in total.")] = None,
    steps: Annotated[int | None, Parameter(help="Stop at this many agent-steps in total.")] = None,
    minutes: Annotated[float | None, Parameter(help="Stop after so many minutes of this call.")] = None,
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:N or auto.")] = None,
    retune: Annotated[
        bool, Parameter(negative=(), help="Choose threads and workers for this machine anew, where a run goes on.")
    ] = False,
    plain: Annotated[bool, Parameter(negative=(), help="Plain lines instead of the live screen.")] = False,
) -> None:
    """Train a league, or go on with one: snapshots, rated matches and standings are kept in the run's folder."""
    from league.cli.commands import Overrides, run_league

    overrides = Overrides(game, seed, set, rounds, steps, minutes, device)
    sys.exit(run_league(config, run, overrides, new, plain, retune))


@app.command
def standings(
    *,
    run: RunOption = None,
    by: Annotated[str | None, Parameter(help="bradley-terry, elo or openskill; default: the config's.")] = None,
    role: Annotated[str | None, Parameter(help="Only this role.")] = None,
    seat: Annotated[bool, Parameter(negative=(), help="Show what each scored from every seat.")] = False,
    watch: Annotated[bool, Parameter(negative=(), help="Show them anew every two seconds until Ctrl-C.")] = False,
    json: JsonFlag = False,
) -> None:
    """Who is how strong: the ratings of every snapshot, best first."""
    from league.cli.readers import show_standings, watch_standings

    (watch_standings if watch else show_standings)(run, by, role, seat, json)


@app.command
def metrics(
    *,
    run: RunOption = None,
    learner: Annotated[str | None, Parameter(help="Only this learner.")] = None,
    last: Annotated[int | None, Parameter(help="Only the last so many rounds.")] = None,
    name: Annotated[
        tuple[str, ...],
        Parameter(
            "--name",
            help="Only this metric, or all below it (return: also return/SEAT); as often as needed.",
            consume_multiple=False,
            negative=(),
        ),
    ] = (),
    csv: Annotated[
        str | None,
        Parameter(
            help="Write round, learner, name, value to this file (-: print them) instead.", allow_leading_hyphen=True
        ),
    ] = None,
    signs: Annotated[bool, Parameter(negative=(), help="List all bad signs that are looked for.")] = False,
    json: JsonFlag = False,
) -> None:
    """What training measured, round by round, and the bad signs that were seen in it."""
    from league.cli.metrics import list_signs, show_metrics

    if signs:
        list_signs(json)
    else:
        show_metrics(run, learner, last, name, csv, json)


@app.command
def rate(
    *,
    run: RunOption = None,
    by: Annotated[
        str | None, Parameter(help="bradley-terry, elo or openskill, beside bradley-terry; default: the config's.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Rate everybody anew from the whole ledger, show what was not as cached, and cache it for the standings."""
    from league.cli.readers import rate_run

    rate_run(run, by, json)


@app.command
def match(
    *policies: Annotated[
        str, Parameter(help="POLICY, one per side: best, latest, random, one-ply, an id, ./exported …")
    ],
    run: RunOption = None,
    games: Annotated[int, Parameter(help="Rated games, shared equally by the seats.")] = 400,
    seed: Annotated[int, Parameter(help="Seed of deals and draws.")] = 0,
    greedy: Annotated[bool, Parameter(negative=(), help="Every policy takes its most probable action.")] = False,
    temperature: Annotated[float, Parameter(help="Divides the policies' log-probabilities.")] = 1.0,
    show: Annotated[bool, Parameter(negative=(), help="Show one game, position by position, first.")] = False,
    json: JsonFlag = False,
) -> None:
    """Let policies play each other, seat-balanced, and show the score with its 95 % interval."""
    from league.cli.commands import play_match

    play_match(run, policies, games, seed, 0.0 if greedy else temperature, show, json)


@app.command
def payoff(
    *policies: Annotated[
        str, Parameter(help="POLICY …, or ROLE=POLICY …: they play for this table; none: the ledger's rated games.")
    ],
    run: RunOption = None,
    games: Annotated[int, Parameter(help="Games for each cell of a table that is played.")] = 100,
    seed: Annotated[int, Parameter(help="Seed of deals and draws, the same for all cells.")] = 0,
    size: Annotated[int, Parameter(help="How many of each role are shown of the ledger.")] = 5,
    json: JsonFlag = False,
) -> None:
    """Who scores what against whom: the head-to-head table, with 95 % intervals."""
    from league.cli.commands import show_payoff

    show_payoff(run, policies, games, seed, size, json)


@app.command
def credit(
    policy: Annotated[
        str, Parameter(help="POLICY, ROLE=POLICY,… or SEAT=POLICY,…: the team; seats not named: the best.")
    ],
    /,
    *,
    run: RunOption = None,
    baseline: Annotated[str, Parameter(help="POLICY (also by role or seat) that a member is replaced by.")] = "random",
    side: Annotated[int, Parameter(help="The side whose seats are the team, counted from 0.")] = 0,
    against: Annotated[str | None, Parameter(help="POLICY of all other sides; default: the best.")] = None,
    games: Annotated[int, Parameter(help="Games that every coalition plays.")] = 200,
    permutations: Annotated[
        int, Parameter(help="Orders of joining drawn for each game, with more than eight members; an even number.")
    ] = 2,
    seed: Annotated[int, Parameter(help="Seed of deals and draws, the same for all coalitions.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Who brings how much of a team's score: each seat's Shapley value, with 95 % intervals."""
    from league.cli.commands import show_credit
    from league.studies.credit import Question

    show_credit(run, Question(policy, baseline, side, against, games, seed, permutations), json)


@app.command
def exploit(
    *policies: Annotated[str, Parameter(help="POLICY …, each judged as it plays both seats; none: best.")],
    run: RunOption = None,
    every: Annotated[bool, Parameter(negative=(), help="Judge every snapshot of the run, in order.")] = False,
    mixture: Annotated[
        bool, Parameter(negative=(), help="Judge the uniform mixture of all that are named, not each alone.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """How far from an equilibrium: what a best response gains, exactly, in zero-sum games of two seats."""
    from league.cli.commands import show_exploitability

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
    from league.cli.commands import export_policy

    export_policy(run, policy, out, json)


@app.command
def show(
    policy: Annotated[str, Parameter(help="POLICY of the run.")],
    /,
    *,
    run: RunOption = None,
    json: JsonFlag = False,
) -> None:
    """One snapshot: where it descends from, its hyperparameters, and its record by opponent."""
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
        Parameter(
            name="--try", negative=(), help="Play a short league on each, and tell what it is like and how fast."
        ),
    ] = False,
    only: Annotated[
        str | None, Parameter(help="TEXT,TEXT: with --try, only games whose names contain one of these.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """The games that can be named, and what some of them need."""
    from league.cli.commands import list_games

    list_games(try_, only, json)


@app.command
def bench(
    config: Annotated[str | None, Parameter(help="A TOML file; default: the built-in config.")] = None,
    /,
    *,
    game: Annotated[
        str | None, Parameter(help="Measure this game instead of the config's (see `league games`).")
    ] = None,
    set: Annotated[
        tuple[str, ...], Parameter("--set", help="KEY=VALUE, as often as needed.", consume_multiple=False, negative=())
    ] = (),
    device: Annotated[str | None, Parameter(help="cpu, cuda, cuda:N or auto.")] = None,
    quick: Annotated[bool, Parameter(negative=(), help="Less of everything, in under a minute.")] = False,
    only: Annotated[
        str | None, Parameter(help="NAME,NAME: only these, or what stands below them, such as training,matches.")
    ] = None,
    compare: Annotated[Path | None, Parameter(help="Show what changed since an earlier run's --json.")] = None,
    json: JsonFlag = False,
) -> None:
    """Is this machine used well? Its limit, and how fast games, inference, training, matches and ratings are."""
    from league.cli.commands import Overrides, run_bench

    run_bench(config, Overrides(game, set=set, device=device), quick, only, compare, json)


@app.command
def check(
    game: Annotated[str, Parameter(help="A name that `league games` lists, package.module:Name or file.py:Name.")],
    /,
    *,
    set: Annotated[
        tuple[str, ...], Parameter("--set", help="KEY=VALUE, as often as needed.", consume_multiple=False, negative=())
    ] = (),
    seconds: Annotated[float, Parameter(help="For learning, all roles together; 0 leaves it out.")] = 20.0,
    steps: Annotated[int, Parameter(help="Agent-steps of the run whose cost is estimated; 0 leaves it out.")] = 10**6,
    seed: Annotated[int | None, Parameter(help="Seed of everything random.")] = None,
    json: JsonFlag = False,
) -> None:
    """Is this game sound? What to mend before training, and where; exit code 1 where there is an error."""
    from league.cli.commands import Overrides, run_check

    sys.exit(run_check(Overrides(game, seed, set), seconds, steps, json))


@app.command
def config(
    path: Annotated[str | None, Parameter(help="A TOML file; default: the built-in config.")] = None,
    /,
    *,
    game: Annotated[str | None, Parameter(help="With this GAME, as `league run --game` has it.")] = None,
    set: Annotated[
        tuple[str, ...], Parameter("--set", help="KEY=VALUE, as often as needed.", consume_multiple=False, negative=())
    ] = (),
    diff: Annotated[str | None, Parameter(help="Show only where it differs from this RUN's config.")] = None,
    json: JsonFlag = False,
) -> None:
    """Every setting with its value and where the value comes from."""
    from league.cli.commands import Overrides, show_config

    show_config(path, Overrides(game, set=set), diff, json)


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
    """What a user can do about an exception that is no LeagueError; None where it is a bug of ours."""
    from league.plugins import blame

    if isinstance(error, MemoryError) or re.search("can't allocate memory|out of memory", str(error)):
        return (
            f"there is not enough memory for this ({' '.join(str(error).split())}): use fewer algorithm.slots or "
            "algorithm.turns, smaller networks, or fewer --games"
        )
    return blame(error)


def _fail(message: str) -> None:
    from league.views.text import clean

    # Messages quote names from outside, which must not move the terminal's cursor.
    lines = [clean(line) for line in message.splitlines()]
    print("league:", "\n".join(lines), file=sys.stderr)
    sys.exit(2)
