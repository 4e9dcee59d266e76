"""`league tournament`: round-robin and Swiss tournaments between any policies of one game, kept in a folder.

The folder holds a ledger like a run's, and the entrants by the sha256 of what they are (`run.roster.guests`). What its
ledger lacks is played, so a tournament goes on where it stopped. Each game's seed is a hash of the tournament's seed,
the two policies and the game's number: who else takes part, and when, changes no game.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import Any, cast

from league.errors import PolicyError, RunError
from league.events import Tick, part
from league.files import canonical_json, digest
from league.games.core import Game, GameSpec
from league.play.fixture import Fixture, fixtures, pairs_meet
from league.plugins import short
from league.policies.core import Policy
from league.rating.swiss import Pair, SwissRound, pair_round, points, usual_rounds
from league.records import PolicyId
from league.run.folders import TOURNAMENT_FACT
from league.run.roster.game_facts import GAME_FACT, GameFacts
from league.run.roster.guests import Guest, admit, invite
from league.run.roster.roster import Roster
from league.storage.provenance import provenance
from league.storage.store import FILE, Store
from league.studies.stepwise import Stepwise
from league.studies.tournament_report import (
    SWISS_EVENT,
    Request,
    Terms,
    mean_results,
    ratings_of,
    swiss_rounds,
    terms_of,
)

BLOCK = 50
"""Games of one seating that are played before the other pairings have their turn."""


def play_tournament(
    folder: Path,
    make: Callable[[int], Game],
    config: Mapping[str, object],
    roster: Roster,
    asked: Request,
    tick: Tick = lambda fraction: None,
) -> None:
    """Play what the tournament in `folder` lacks of what is asked; it is created if there is none.

    make: makes a game with a number of slots. config: of the run that the policies are named in. Raises PolicyError
    for policies that cannot take part, RunError where the folder holds another tournament. Everything played is
    committed in steps of a few seconds, and an exception from `tick` loses no more than one.
    """
    require_pairs(roster.spec)
    role = roster.spec.roles[0].name
    # Several words may mean one policy: `best` is often `latest`.
    guests: dict[PolicyId, Guest] = {}
    for text in asked.texts:
        guest = invite(text, role, roster)
        guests.setdefault(guest.record.id, guest)
    if len(guests) < 2:
        raise PolicyError(f"a tournament needs two different policies or more, not {' '.join(asked.texts)}")
    with Stepwise(make) as stepwise:
        for guest in guests.values():
            stepwise.require_playable(guest.record.name, guest.policy)
        with _opened(folder, config, roster.spec, asked) as store:
            known = store.snapshots()
            with store.transaction():
                for guest in guests.values():
                    if admit(guest, known, str(folder)) not in known:
                        store.put_snapshot(guest.record, time.time())
            play = _Play(store, stepwise, {id: guest.policy for id, guest in guests.items()}, asked)
            (play.swiss if asked.swiss else play.round_robin)(tick)


class _Play:
    """A tournament that goes on. policies: those that take part now, by id."""

    def __init__(self, store: Store, stepwise: Stepwise, policies: Mapping[PolicyId, Policy], asked: Request) -> None:
        self._store, self._stepwise, self._policies, self._asked = store, stepwise, policies, asked
        self._field = [snapshot.id for snapshot in store.snapshots() if snapshot.id in policies]

    def round_robin(self, tick: Tick) -> None:
        """Every policy against every other."""
        self._play(0, list(combinations(self._field, 2)), tick)

    def swiss(self, tick: Tick) -> None:
        """Round after round, each paired by the results of those before it."""
        past, rounds = list(swiss_rounds(self._store)), self._asked.rounds or usual_rounds(len(self._field))
        for number in range(1, max(rounds, len(past)) + 1):
            if number > len(past):
                past.append(pair_round(self._by_points(past), past))
                self._store.put_event(number, SWISS_EVENT, asdict(past[-1]))
            share = 1 / max(rounds, len(past))
            self._play(number, past[number - 1].pairs, part(tick, (number - 1) * share, share))

    def _by_points(self, past: Sequence[SwissRound]) -> list[PolicyId]:
        """The field, best first: by points, then by rating, then in the order of entry."""
        scored = points(past, mean_results(self._store.results()))
        rated = ratings_of(self._store)
        middle = sum(rating.value for rating in rated.values()) / max(len(rated), 1)
        value = {id: rated[id].value if id in rated else middle for id in self._field}
        return sorted(self._field, key=lambda id: (-scored.get(id, 0.0), -value[id]))

    def _play(self, number: int, pairs: Sequence[Pair], tick: Tick) -> None:
        """Play what the pairings of a round lack, step by step. number: of the round."""
        played: Counter[object] = Counter()
        for result in self._store.results():
            played[result.round, result.lineup] += result.games
        blocks = [
            (block, place, fixture)
            for place, pair in enumerate(pairs)
            for whole in self._fixtures(number, pair)
            for block, fixture in _blocks(whole, played[number, whole.contestants])
        ]
        # Block by block, so that a tournament that is stopped has met everybody about equally often.
        blocks.sort(key=lambda one: one[:2])
        left = [fixture for _, _, fixture in blocks]
        if missing := sorted({id for one in left for side in one.contestants for id in side} - self._policies.keys()):
            names = ", ".join(one.name for one in self._store.snapshots() if one.id in missing)
            raise PolicyError(f"round {number} is not over and pairs {names}: name them, too, until it is")
        whole, done = sum(fixture.episode_count for fixture in left), 0.0
        for step in self._stepwise.steps(left, self._policies):
            share = sum(fixture.episode_count for fixture in step) / whole
            results = self._stepwise.play(step, self._policies, part(tick, done, share))
            self._store.put_results([replace(result, round=number) for result in results])
            done += share
        tick(1.0)

    def _fixtures(self, number: int, pair: Pair) -> list[Fixture]:
        """All games of a pairing, whoever of the two was named first."""
        first, second = sorted(pair)
        seed = int(digest(f"{self._asked.seed} {number} {first} {second}".encode())[:15], 16)
        return fixtures(self._stepwise.spec, [first, second], self._asked.games, seed)


def _blocks(whole: Fixture, played: int) -> Iterator[tuple[int, Fixture]]:
    """What is left of a fixture, in blocks, each with its number."""
    while played < whole.games:
        block = played // BLOCK
        end = min((block + 1) * BLOCK, whole.games)
        yield block, replace(whole, games=end - played, numbers=(played, 1))
        played = end


def require_pairs(spec: GameSpec) -> None:
    """Raises PolicyError for games in which two policies cannot simply meet."""
    if not pairs_meet(spec):
        sides = len(spec.sides)
        what = f"it has {sides} side{'s' * (sides > 1)}" if sides != 2 else "its roles differ"
        raise PolicyError(
            f"a tournament pairs policies of games with two sides that are alike; {spec.id} is none: {what}. "
            "A payoff table of the same policies shows who scores what there"
        )


def _opened(folder: Path, config: Mapping[str, object], spec: GameSpec, asked: Request) -> Store:
    """The tournament in the folder, or a new one. Raises RunError if the folder has something else."""
    game = cast(Mapping[str, Any], config["game"])
    terms = Terms(
        game=f"{spec.id} (version {spec.version})",
        options=canonical_json({**game, "id": short(game["id"])}),
        seed=asked.seed,
        swiss=asked.swiss,
        games=asked.games if asked.swiss else None,
    )
    if not (folder / FILE).is_file():
        kept = {name: config[name] for name in ("game", "rating")}
        facts = {GAME_FACT: asdict(GameFacts.of(spec)), TOURNAMENT_FACT: asdict(terms)}
        return Store.create(folder, kept, facts, provenance())
    store = Store.open(folder)
    try:
        before, now = asdict(terms_of(store)), asdict(terms)
        changed = [f"{name} was {before[name]}, now {now[name]}" for name in now if now[name] != before[name]]
        if changed:
            raise RunError(
                f"{folder} is another tournament ({'; '.join(changed)}). Go on with the same, or name another folder "
                "by --out"
            )
    except BaseException:
        store.close()
        raise
    return store
