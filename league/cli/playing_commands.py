"""Commands that load the policies of a run: play, analyse or export them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from league.cli.options import GameOption, JsonFlag, RunOption, Seed, app


@app.command
def match(
    *policies: Annotated[
        str, Parameter(help="POLICY, one per side: best, latest, nash, random, one-ply, an id, ./exported …")
    ],
    run: RunOption = None,
    game: GameOption = None,
    games: Annotated[
        int | None,
        Parameter(help="Games, shared equally among the seatings: 400; with --until at most so many: 100000."),
    ] = None,
    seed: Annotated[Seed, Parameter(help="Seed of games and choices.")] = 0,
    greedy: Annotated[bool, Parameter(negative=(), help="Every policy takes its most probable action.")] = False,
    temperature: Annotated[float, Parameter(help="Divides the policies' log-probabilities.")] = 1.0,
    show: Annotated[bool, Parameter(negative=(), help="First show one game, position by position.")] = False,
    until: Annotated[
        Literal["decided"] | None, Parameter(help="Play pairs of games until a sequential test accepts H0 or H1.")
    ] = None,
    elo0: Annotated[
        float | None, Parameter(help="H0 of --until: the advantage of the first policy in normalised Elo; default: 0.")
    ] = None,
    elo1: Annotated[float | None, Parameter(help="H1 of --until; default: 10.")] = None,
    alpha: Annotated[
        float | None, Parameter(help="How often --until may accept H1 where H0 holds; default: 0.05.")
    ] = None,
    beta: Annotated[
        float | None, Parameter(help="How often --until may accept H0 where H1 holds; default: 0.05.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Play policies against each other, seat-balanced, and show the score with its 95 % interval."""
    from league.cli.playing import play_match

    play_match(
        run,
        game,
        policies,
        games=games,
        seed=seed,
        temperature=0.0 if greedy else temperature,
        show=show,
        as_json=json,
        until=until is not None,
        test={"elo0": elo0, "elo1": elo1, "alpha": alpha, "beta": beta},
    )


@app.command
def payoff(
    *policies: Annotated[
        str,
        Parameter(help="POLICY …, or ROLE=POLICY …: play games among these; none: use the ledger's rated games."),
    ],
    run: RunOption = None,
    game: GameOption = None,
    games: Annotated[int, Parameter(help="Games per cell, if games are played.")] = 100,
    seed: Annotated[Seed, Parameter(help="Seed of games and choices, the same for all cells.")] = 0,
    size: Annotated[int, Parameter(help="Policies per role, if the ledger is shown.")] = 5,
    cycles: Annotated[
        bool, Parameter(negative=(), help="Show instead how much is transitive, and the strongest cycles by name.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """The head-to-head table: each policy's score against each other, with 95 % intervals."""
    from league.cli.payoffs import show_cycles, show_payoff

    if cycles:
        show_cycles(run, game, policies, games=games, seed=seed, as_json=json)
    else:
        show_payoff(run, game, policies, games=games, seed=seed, size=size, as_json=json)


@app.command
def tournament(
    *policies: Annotated[
        str, Parameter(help="POLICY …, of any kind and origin; none: show what was played in the tournament's folder.")
    ],
    run: RunOption = None,
    game: GameOption = None,
    games: Annotated[int, Parameter(help="Games per pairing, half of them in each seat.")] = 100,
    seed: Annotated[Seed, Parameter(help="Seed of games and choices.")] = 0,
    swiss: Annotated[bool, Parameter(negative=(), help="Pair policies of equal score, not all with all.")] = False,
    rounds: Annotated[
        int | None, Parameter(help="Rounds of --swiss in total; default: log2 of the number of policies, rounded up.")
    ] = None,
    by: Annotated[str, Parameter(help="A rating, such as bradley-terry, melo, elo or nash.")] = "bradley-terry",
    out: Annotated[
        Path | None, Parameter(help="The tournament's folder; default: tournaments/ with the run's name.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Play a tournament, or go on with one: a crosstable with 95 % intervals, and ratings of its own."""
    from league.cli.tournament import run_tournament
    from league.studies.tournament_report import Request

    asked = Request(texts=policies, games=games, seed=seed, swiss=swiss, rounds=rounds) if policies else None
    run_tournament(run, game, out, asked, by, json)


@app.command
def credit(
    policy: Annotated[
        str,
        Parameter(help="POLICY, ROLE=POLICY,… or SEAT=POLICY,…: the team; seats not named: the best."),
    ],
    /,
    *,
    run: RunOption = None,
    game: GameOption = None,
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
    show_credit(run, game, asked, json)


@app.command
def exploit(
    *policies: Annotated[str, Parameter(help="POLICY …, each evaluated in both seats; none: best.")],
    run: RunOption = None,
    game: GameOption = None,
    every: Annotated[bool, Parameter(negative=(), help="Evaluate every snapshot of the run, in order.")] = False,
    mixture: Annotated[
        bool, Parameter(negative=(), help="Evaluate the uniform mixture of the policies instead of each one.")
    ] = False,
    train: Annotated[
        float | None, Parameter(help="Train a best response for so many minutes, for games that are not small.")
    ] = None,
    train_steps: Annotated[
        int | None, Parameter(help="Train a best response up to so many agent-steps in total, over all calls.")
    ] = None,
    games: Annotated[
        int | None, Parameter(help="With --train: new games at each side, which serve nothing else; default: 4000.")
    ] = None,
    seed: Annotated[Seed | None, Parameter(help="With --train: seed of everything random; default: 0.")] = None,
    out: Annotated[
        Path | None, Parameter(help="With --train: the folder of the response's run; default: below exploits/.")
    ] = None,
    record: Annotated[
        bool, Parameter(negative=(), help="Keep what is found in the run, to be shown in its standings.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Exploitability: what a best response gains, exactly in small zero-sum games, or at least by training one."""
    from league.cli.exploiting import show_exploitability, show_response

    if train is None and train_steps is None:
        trains = {"--games": games, "--seed": seed, "--out": out}
        show_exploitability(
            run,
            game,
            policies,
            every=every,
            mixture=mixture,
            keep=record,
            as_json=json,
            of_training=[name for name, value in trains.items() if value is not None],
        )
    else:
        show_response(
            run,
            game,
            policies,
            every or mixture,
            minutes=train,
            steps=train_steps,
            games=4000 if games is None else games,
            seed=seed or 0,
            out=out,
            keep=record,
            as_json=json,
        )


@app.command
def probe(
    policy: Annotated[str, Parameter(help="POLICY that plays every role, or ROLE=POLICY,…")],
    file: Annotated[Path, Parameter(help="Labelled positions: JSON lines of moves and scores.")],
    /,
    *,
    run: RunOption = None,
    game: GameOption = None,
    every: Annotated[bool, Parameter(negative=(), help="First probe every snapshot of the run, in order.")] = False,
    symmetry: Annotated[
        bool, Parameter(negative=(), help="Also measure how differently mirrored or rotated positions are played.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """How often a policy keeps the result of best play, at positions that a solver has labelled."""
    from league.cli.probing import show_probe

    show_probe(run, game, policy, file, every, symmetry, json)


@app.command
def styles(
    *policies: Annotated[str, Parameter(help="POLICY …, two or more; none: the run's snapshots.")],
    run: RunOption = None,
    game: GameOption = None,
    role: Annotated[str | None, Parameter(help="The role to compare, if the game has several.")] = None,
    games: Annotated[
        int, Parameter(help="Games of each policy with itself, and as many for each among all of them.")
    ] = 200,
    plies: Annotated[int, Parameter(help="Moves of an opening.")] = 2,
    size: Annotated[
        int, Parameter(help="The most snapshots, evenly spread over the run, if no policies are named.")
    ] = 40,
    seed: Annotated[Seed, Parameter(help="Seed of games and choices.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Who plays like whom, where play changed most, and which openings snapshots have learned."""
    from league.cli.styling import show_styles
    from league.studies.styles.report import StylesRequest

    asked = StylesRequest(texts=policies, role=role, games=games, plies=plies, size=size, seed=seed)
    show_styles(run, game, asked, json)


@app.command
def export(
    policy: Annotated[str, Parameter(help="POLICY of the run; nash and average are mixtures.")] = "best",
    /,
    *,
    run: RunOption = None,
    out: Annotated[Path, Parameter(help="The folder to write.")] = Path("champion"),
    json: JsonFlag = False,
) -> None:
    """Write a policy as a folder that works without its run: weights, metadata and a model card."""
    from league.cli.exporting import export_policy

    export_policy(run, policy, out, json)
