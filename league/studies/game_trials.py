"""`league games --try`: a short league on every available game shows whether it runs, and how fast.

Slow or large games get options that make them small, so that a round is short.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from league.config.load import from_dict, to_dict
from league.config.run import RunConfig
from league.errors import GameError, LeagueError, nearest
from league.events import Event, RoundFinished
from league.games.actions import Box, Discrete
from league.games.catalogue import catalogue, extras
from league.games.core import GameSpec, RoleSpec
from league.orchestrator import League

SMALL: dict[str, dict[str, object]] = {
    "matrix": {"payoff": [[3, 0], [5, 1]], "payoff_column": [[3, 5], [0, 1]]},
    "pettingzoo:classic/go-v5": {"board_size": 5},
    "pettingzoo:butterfly/cooperative_pong-v6": {"max_cycles": 12, "shrink": 8},
    "pettingzoo:butterfly/knights_archers_zombies-v11": {"max_cycles": 40},
    "pettingzoo:butterfly/pistonball-v6": {"max_cycles": 4, "n_pistons": 4, "shrink": 8},
    "pettingzoo:sisl/pursuit-v5": {"max_cycles": 12, "n_pursuers": 4},
    "pettingzoo:sisl/multiwalker-v9": {"max_cycles": 20},
    "magent2:battle_v4": {"map_size": 20, "max_cycles": 40},
    "magent2:battlefield_v5": {"map_size": 46, "max_cycles": 10},
    "magent2:combined_arms_v6": {"map_size": 16, "max_cycles": 15},
    "magent2:gather_v5": {"max_cycles": 2},
    "magent2:tiger_deer_v4": {"map_size": 16, "max_cycles": 15},
    "magent2:adversarial_pursuit_v4": {"map_size": 16, "max_cycles": 15},
    "rware:rware-tiny-2ag-v2": {"max_steps": 20},
    "openspiel:kuhn_poker": {"players": 3},
    "openspiel:breakthrough": {"rows": 6, "columns": 6},
    "openspiel:hex": {"board_size": 5},
    "openspiel:goofspiel": {"num_cards": 4},
    "openspiel:oh_hell": {"players": 4},
}
"""Options that make a game quick to try."""

NAMED: dict[str, tuple[str, ...]] = {
    "openspiel": (
        "kuhn_poker",
        "leduc_poker",
        "tic_tac_toe",
        "breakthrough",
        "hex",
        "othello",
        "backgammon",
        "liars_dice",
        "goofspiel",
        "matrix_pd",
        "oh_hell",
        "euchre",
        "tiny_hanabi",
        "coop_box_pushing",
        "phantom_ttt",
        "markov_soccer",
        "dots_and_boxes",
        "negotiation",
    ),
    "lbf": ("Foraging-8x8-2p-2f-coop-v3",),
    "rware": ("rware-tiny-2ag-v2",),
}
"""The games to try of large families: two to four seats, chance, hidden information, joint moves, cooperation."""

_LEAGUE = {
    "matchmaking": {"kind": "fictitious"},
    "population": {"snapshot_every": 1},
    "network": {"actor": [32], "critic": [32]},
    "rating": {"matches_per_snapshot": 2, "games_per_match": 4},
}
_DECISIONS, _SLOTS, _TURNS = 512, 8, 16


@dataclass(frozen=True, slots=True)
class GameTrial:
    """The result of a short league on one game. fault: why it did not run; empty if it did.

    extras: those of this distribution that install the game's packages. seating: the seats of each side. roles: each
    role's seats, observation and actions, in words. outcome: "placements" or "score". rounds, snapshots, matches: of
    the league. standings: by role, name and rating, best first. steps_per_second: agent-steps in training, without
    rated matches and storage. seconds: of the whole trial.
    """

    id: str
    options: Mapping[str, object]
    extras: Sequence[str] = ()
    seating: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    outcome: str = ""
    rounds: int = 0
    snapshots: int = 0
    matches: int = 0
    standings: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    steps_per_second: float = 0.0
    seconds: float = 0.0
    fault: str = ""

    def to_dict(self) -> dict[str, object]:
        """As plain JSON values."""
        return asdict(self)


def games_to_try(only: Sequence[str] = ()) -> dict[str, dict[str, object]]:
    """The available games by id, with their options. only: select ids that contain any of these texts.

    Raises GameError for a text that no id contains.
    """
    families = (":NAME", ":ID")
    ids = [line.id for line in catalogue() if line.available and not line.id.endswith(families)]
    for line in catalogue():
        package = line.id.partition(":")[0]
        if line.available and line.id.endswith(families):
            ids += [f"{package}:{name}" for name in NAMED[package]]
    for text in only:
        if not any(text in id for id in ids):
            raise GameError(f"no available game has '{text}' in its name{nearest(text, ids)}")
    chosen = [id for id in ids if not only or any(text in id for text in only)]
    return {id: SMALL.get(id, {}) for id in chosen}


def try_games(
    games: Mapping[str, Mapping[str, object]],
    rounds: int = 2,
    tick: Callable[[float], None] = lambda fraction: None,
    seen: Callable[[GameTrial], None] = lambda trial: None,
) -> list[GameTrial]:
    """Try each game for `rounds` rounds, in temporary folders. seen: called with each trial when it is done."""
    found = []
    for number, (id, options) in enumerate(games.items()):
        tick(number / len(games))
        found.append(try_game(id, options, rounds))
        seen(found[-1])
    tick(1.0)
    return found


def try_game(id: str, options: Mapping[str, object], rounds: int) -> GameTrial:
    """Run a short league on one game. An error becomes the trial's `fault`."""
    began, finished = time.perf_counter(), list[RoundFinished]()

    def listen(event: Event) -> None:
        if isinstance(event, RoundFinished):
            finished.append(event)

    try:
        with (
            tempfile.TemporaryDirectory(prefix="league-games-") as folder,
            League(config_of(id, options, rounds), Path(folder) / "run", [listen]) as league,
        ):
            league.run()
            spec, standings = league.roster.spec, league.standings()
            snapshots, matches = len(league.roster.entrants.snapshots), len(league.roster.ratings.ledger)
    except LeagueError as error:
        return GameTrial(id, options, extras(id), seconds=time.perf_counter() - began, fault=str(error))
    training = ("games", "inference", "advantages", "update")
    took = sum(one.phases.get(phase, 0.0) for one in finished for phase in training)
    return GameTrial(
        id,
        options,
        extras(id),
        seating=spec.seating,
        roles={role.name: role_in_words(spec, role) for role in spec.roles},
        outcome=spec.outcome,
        rounds=len(finished),
        snapshots=snapshots,
        matches=matches,
        standings={
            role: [(line.snapshot.name, round(line.rating.value, 3)) for line in lines]
            for role, lines in standings.items()
        },
        steps_per_second=finished[-1].steps / took,
        seconds=time.perf_counter() - began,
    )


def config_of(id: str, options: Mapping[str, object], rounds: int) -> RunConfig:
    """The config of a short league: small networks, and few slots, so that few environments are created."""
    native = ":" not in id
    slots, turns = (_DECISIONS, _TURNS) if native else (_SLOTS, _TURNS)
    return from_dict(
        _merged(
            to_dict(RunConfig()),
            {
                **_LEAGUE,
                "game": {"id": id, "options": dict(options)},
                "budget": {"rounds": rounds, "minutes": None, "steps": None},
                "algorithm": {"slots": slots, "turns": turns, "epochs": 1, "minibatch": _DECISIONS},
            },
        ),
        "league games --try",
    )


def role_in_words(spec: GameSpec, role: RoleSpec) -> str:
    """ "3 seats, sees 16 numbers, one of 5 actions"."""
    seats = f"{len(role.seats)} seat{'' if len(role.seats) == 1 else 's'}"
    shape = role.obs_shape
    sees = f"{shape[0]} numbers" if len(shape) == 1 else f"{shape[0]} planes of {'×'.join(map(str, shape[1:]))}"
    if isinstance(role.actions, Discrete):
        acts = f"one of {role.actions.n} actions"
    elif isinstance(role.actions, Box):
        acts = f"a point in a box of {len(role.actions.low)}"
    else:
        acts = f"{len(role.actions.sizes)} actions at once, of {'×'.join(map(str, role.actions.sizes))}"
    return f"{seats}, sees {sees}, {acts}"


def _merged(config: dict[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    for key, value in changes.items():
        old = config.get(key)
        config[key] = (
            old | value if isinstance(old, dict) and isinstance(value, dict) and key != "matchmaking" else value
        )
    return config
