"""Judges the runs of a comparison: everything against everything, exploitability, and labelled positions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from league.api import open_run
from league.errors import GameError
from league.events import Tick, part
from league.games.core import Game
from league.games.exact.sequence_form import SequenceForm
from league.games.exact.unroll import sequence_form
from league.matchmaking.core import Solution, make_matchmaker, solution_of
from league.play.nash_conv import nash_conv
from league.policies.names import MIXTURES, RANDOM
from league.policies.scripted import Random
from league.records import PolicyId
from league.run.roster.lookup import find
from league.run.roster.roster import Roster
from league.studies.compare.contenders import Contender, trained
from league.studies.compare.over_seeds import OverSeeds, head_to_head
from league.studies.probe.labelled_positions import LabelledPosition, read_positions
from league.studies.probe.probe import keeping, probing_game
from league.studies.probe.walk import check_walkable
from league.studies.tournament import play_tournament
from league.studies.tournament_report import Request, TournamentReport, read_tournament

Floats = npt.NDArray[np.float64]

Kind = Literal["best", "latest", "solution"]
"""What is judged of a run: a snapshot, or what its matchmaker says to play (`matchmaking.core.solution_of`)."""

_PLAY = 0.8
"""The share of the games in the progress that is shown."""

CROSS_PLAY = "cross-play"
"""The folder of the tournament, below the comparison's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One config, judged by one kind of policy of its runs.

    policies: the label of each run's. cross_play: mean result against the policies of the same kind of all other
    configs. worst_case: the lowest mean result against one of these policies. rating: distance to random play in the
    tournament, in Elo points. exploitability: NashConv / 2, in the game's score an episode; None where the game cannot
    be traversed. sampled, most_likely: as in `probe.Probed`; None without positions. steps, seconds: of training.
    """

    config: str
    policy: Kind
    policies: tuple[str, ...]
    cross_play: OverSeeds
    worst_case: OverSeeds
    rating: OverSeeds
    exploitability: OverSeeds | None
    sampled: OverSeeds | None
    most_likely: OverSeeds | None
    steps: OverSeeds
    seconds: OverSeeds


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """A comparison. against: by kind, the score of each config (row) against each other (column); None against itself.

    steps: the agent-steps asked for; a run ends with the round that reaches them. paired: a game is a pair of episodes
    with equal seeds and seats swapped, won by the larger total.
    """

    folder: str
    game: str
    seeds: int
    steps: int
    games: int
    paired: bool
    configs: tuple[str, ...]
    lines: tuple[Line, ...]
    against: Mapping[Kind, tuple[tuple[OverSeeds | None, ...], ...]]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A policy that is judged. text: the POLICY that names it anywhere."""

    id: PolicyId
    label: str
    text: str


def judge(
    make: Callable[[int], Game],
    runs: Sequence[Contender],
    out: Path,
    games: int,
    positions: Sequence[LabelledPosition] | None = None,
    tick: Tick = lambda fraction: None,
) -> ComparisonReport:
    """Judge trained runs. make: creates a game with a number of slots. games: of each pairing.

    positions: labelled ones to probe. Raises PolicyError for games in which two policies cannot simply meet.
    """
    began = time.monotonic()
    with open_run(runs[0].folder) as opened:
        roster = opened.roster
        role = roster.spec.roles[0].name
        kinds = _kinds(runs)
        chosen = {(kind, one.folder): _chosen(one, kind, role) for one in runs for kind in kinds}
        texts = (RANDOM, *dict.fromkeys(one.text for one in chosen.values()))
        play_tournament(
            out / CROSS_PLAY, make, opened.config, roster, Request(texts=texts, games=games), part(tick, 0.0, _PLAY)
        )
        played = read_tournament(out / CROSS_PLAY)
        judged = {one.id: one.text for one in chosen.values()}
        measured = _measured(make, roster, judged, positions, part(tick, _PLAY, 1 - _PLAY))
    configs = tuple(dict.fromkeys(one.name for one in runs))
    scores = {kind: _scores(played, [chosen[kind, one.folder].id for one in runs]) for kind in kinds}
    of = {name: [place for place, one in enumerate(runs) if one.name == name] for name in configs}
    return ComparisonReport(
        folder=str(out),
        game=roster.spec.id,
        seeds=len(runs) // len(configs),
        steps=runs[0].config.budget.steps or 0,
        games=games,
        paired=played.paired,
        configs=configs,
        lines=tuple(
            _line(
                name,
                kind,
                [runs[place] for place in of[name]],
                [chosen[kind, runs[place].folder] for place in of[name]],
                played=played,
                measured=measured,
                against=_others(scores[kind], of, name),
            )
            for name in configs
            for kind in kinds
        ),
        against={
            kind: tuple(
                tuple(None if a == b else head_to_head(scores[kind][np.ix_(of[a], of[b])]) for b in configs)
                for a in configs
            )
            for kind in kinds
        },
        seconds=time.monotonic() - began,
    )


def labelled(make: Callable[[int], Game], file: Path) -> list[LabelledPosition]:
    """The positions of a file. Raises PositionError unless all of them can be reached in the game."""
    positions = read_positions(file)
    with probing_game(make, positions) as game:
        check_walkable(game.spec)
        keeping(game, positions, {role.name: Random(role.name, role.actions) for role in game.spec.roles})
    return positions


def _kinds(runs: Sequence[Contender]) -> list[Kind]:
    """What is judged: solutions only where a method has another one than its latest snapshot."""
    return [kind for kind in get_args(Kind) if kind != "solution" or any(_solution(one) != "latest" for one in runs)]


def check_solutions(runs: Sequence[Contender]) -> None:
    """Raises ConfigError where a matchmaker's solution is no POLICY that can be judged."""
    for one in runs:
        _solution(one)


def _solution(one: Contender) -> Solution:
    matchmaking = one.config.matchmaking
    return solution_of(make_matchmaker(matchmaking.kind, matchmaking.settings))


def _chosen(one: Contender, kind: Kind, role: str) -> _Chosen:
    """A policy of a run; its latest snapshot if none is rated."""
    with open_run(one.folder) as opened:
        best = opened.ranking.best(role)
        word = _solution(one) if kind == "solution" else kind
        if word in MIXTURES and best is not None:
            mixed = find(word, role, opened.roster)
            assert mixed.id is not None
            return _Chosen(mixed.id, mixed.label, f"{word}@{one.folder}")
        found = best if best is not None and word == "best" else opened.ranking.named("latest", [role])
    return _Chosen(found.id, found.name, f"{found.id}@{one.folder}")


def _scores(played: TournamentReport, ids: Sequence[PolicyId]) -> Floats:
    """`[N, N]` the mean result of the row against the column; 0.5 against itself."""
    place = {one.id: index for index, one in enumerate(played.entrants)}
    scores = np.full((len(ids), len(ids)), 0.5)
    for row, a in enumerate(ids):
        for column, b in enumerate(ids):
            cell = played.cells[place[a]][place[b]]
            if cell is not None:
                scores[row, column] = cell.score
    return scores


def _others(scores: Floats, places: Mapping[str, list[int]], name: str) -> Floats:
    """`[K, others]`: what the runs of a config scored against all runs of the other configs."""
    rest = [place for other, found in places.items() if other != name for place in found]
    return scores[np.ix_(places[name], rest)]


@dataclass(frozen=True, slots=True)
class _Measured:
    """exploitability, sampled, most_likely: of one snapshot; None where it was not measured."""

    exploitability: float | None
    sampled: float | None
    most_likely: float | None


def _measured(
    make: Callable[[int], Game],
    roster: Roster,
    texts: Mapping[PolicyId, str],
    positions: Sequence[LabelledPosition] | None,
    tick: Tick,
) -> dict[PolicyId, _Measured]:
    """What is measured of each snapshot alone. texts: POLICY by id."""
    (role,) = roster.spec.roles
    form, found = _form(make), dict[PolicyId, _Measured]()
    with probing_game(make, positions or ()) as game:
        for number, (id, text) in enumerate(texts.items(), 1):
            policies = {role.name: find(text, role.name, roster).policy}
            kept = None if positions is None else keeping(game, positions, policies)
            found[id] = _Measured(
                exploitability=None if form is None else nash_conv(form, [policies]) / 2,
                sampled=None if kept is None else float(kept[0].mean()),
                most_likely=None if kept is None else float(kept[1].mean()),
            )
            tick(number / len(texts))
    return found


def _form(make: Callable[[int], Game]) -> SequenceForm | None:
    """The whole game; None if it cannot be traversed."""
    game = make(1)
    try:
        return sequence_form(game)
    except GameError:
        return None
    finally:
        game.close()


def _line(
    name: str,
    kind: Kind,
    mine: Sequence[Contender],
    chosen: Sequence[_Chosen],
    played: TournamentReport,
    measured: Mapping[PolicyId, _Measured],
    against: Floats,
) -> Line:
    """One line. mine: the config's runs. chosen: their snapshots. against: `[K, others]`, see `_others`."""
    rating = {one.id: one.rating.value for one in played.entrants if one.rating is not None}
    done = [trained(one) for one in mine]
    found = [measured[one.id] for one in chosen]

    def over(values: Sequence[float | None]) -> OverSeeds | None:
        known = [value for value in values if value is not None]
        return OverSeeds.of(known) if known else None

    return Line(
        config=name,
        policy=kind,
        policies=tuple(one.label for one in chosen),
        cross_play=OverSeeds.of(against.mean(1).tolist()),
        worst_case=OverSeeds.of(against.min(1).tolist()),
        rating=OverSeeds.of([rating[one.id] for one in chosen]),
        exploitability=over([one.exploitability for one in found]),
        sampled=over([one.sampled for one in found]),
        most_likely=over([one.most_likely for one in found]),
        steps=OverSeeds.of([float(one.steps) for one in done]),
        seconds=OverSeeds.of([one.seconds for one in done]),
    )
