"""`league rate --guest`: policies that a run does not hold play rated games against its roster.

A guest gets a line in the standings, and nothing in the run changes: its games are kept in the ledger, but training,
matchmaking and the choice of rated matches are as if they had not been played (`Ranking.load`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from league import plugins
from league.errors import PolicyError
from league.events import Tick, part
from league.files import digest
from league.games.counter_rng import fold
from league.games.registry import is_own
from league.play.fixture import Fixture
from league.records import PolicyId, Snapshot
from league.run import code
from league.run.roster.guests import Guest, admit, invite
from league.run.roster.policy_text import split_roles
from league.studies.rate.games import RatedGames

LEAST = 10
"""The fewest games against one opponent: with fewer games a guest meets fewer opponents, spread over the roster."""

_SEED = 31
"""What the seeds of guests' games are drawn for."""


def welcome(games: RatedGames, texts: Sequence[str]) -> list[Snapshot]:
    """The guests that the texts name, one for every role that each can play; new ones are added to the run.

    Raises PolicyError for a policy that can play no role, is part of the run, or is not the guest of that name.
    """
    guests: dict[PolicyId, Guest] = {}
    for guest in (guest for text in texts for guest in _invited(games, text)):
        guests.setdefault(guest.record.id, guest)
    known = games.store.snapshots()
    for guest in guests.values():
        _require_stranger(guest.record, known)
        games.stepwise.require_playable(guest.record.name, guest.policy)
    records = [admit(guest, known, str(games.store.folder)) for guest in guests.values()]
    games.guests |= {id: guest.policy for id, guest in guests.items()}
    for record in records:
        if record not in known:
            games.add_guest(record)
            if is_own(record.guest):
                code.keep_guest(games.store, plugins.located(record.guest, [Path.cwd()]))
    return records


def rate_guests(games: RatedGames, guests: Sequence[Snapshot], count: int, tick: Tick) -> None:
    """Play until each guest has `count` rated games, spread over the roster; those of earlier calls count."""
    left = [fixture for guest in guests for fixture in _missing(games, guest, count)]
    steps = list(games.stepwise.steps(left, games.policies(left)))
    whole, done = sum(fixture.episode_count for fixture in left), 0
    for step in steps:
        size = sum(fixture.episode_count for fixture in step)
        games.play(step, part(tick, done / whole, size / whole))
        done += size


def spread(field: Sequence[Snapshot], count: int) -> list[Snapshot]:
    """At most `count` of the field, evenly spread over it, the last among them and, of two or more, the first."""
    if count >= len(field):
        return list(field)
    step = (len(field) - 1) / max(count - 1, 1)
    return [field[len(field) - 1 - round(place * step)] for place in reversed(range(count))]


def _missing(games: RatedGames, guest: Snapshot, count: int) -> list[Fixture]:
    """The games that a guest lacks, opponent by opponent; alone in one-sided games."""
    field: list[Snapshot | None] = [*spread(games.field(guest.role), max(count // LEAST, 1))] or [None]
    share, results = -(-count // len(field)), games.store.results(of=guest.id)
    found = []
    for opponent in field:
        who = guest.id if opponent is None else opponent.id
        played = sum(result.games for result in results if who in result.policies)
        if played < share:
            pair = (int(digest(id.encode())[:15], 16) for id in (guest.id, who))
            seed = fold(games.config.seed, _SEED, *pair, played)
            found += games.meeting(guest, opponent, share - played, seed)
    return found


def _invited(games: RatedGames, text: str) -> list[Guest]:
    """The guests that a text names: of the role that it names, else of every role that the policy can play."""
    roles = [role.name for role in games.spec.roles]
    named = split_roles(text, roles)
    if "" not in named:
        return [invite(policy, role, games.roster) for role, policy in named.items()]
    found, problem = [], PolicyError(f"'{text}' plays no role of {games.spec.id}")
    for role in roles:
        try:
            found.append(invite(named[""], role, games.roster))
        except PolicyError as error:
            problem = error
    if not found:
        raise problem
    return found


def _require_stranger(record: Snapshot, known: Sequence[Snapshot]) -> None:
    """Raises PolicyError for a policy that is rated in the run already."""
    for one in known:
        if not one.guest and (one.id == record.id or (one.origin == "anchor" and one.text == record.guest)):
            raise PolicyError(f"'{record.name}' is rated in this run already, as {one.name}: guests come from outside")
