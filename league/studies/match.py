"""`league match`: two policies (or one per side) at a game, seat-balanced, with intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from league.errors import PolicyError
from league.games.core import Game, GameSpec
from league.games.counter_rng import mix
from league.matchmaking.posts import by_seat
from league.play.fixture import Fixture, alike, fixtures, sides_of
from league.play.match import play
from league.play.table import Move, Table
from league.policies.core import Policy
from league.rating.payoff import beaten, wilson
from league.records import MatchResult, Post
from league.run.lookup import Found, find, role_of
from league.run.names import split_roles
from league.run.roster import Roster
from league.studies.playing import games_for
from league.studies.teams import Mixed, TeamScore, halfwidth, mixed, team_score
from league.threads import alone


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What a match showed, from the first contestant's view.

    labels: of each contestant. games: rated games, won, drawn and lost by the first (with more than two sides: first
    place alone, shared, neither). score: the share of the other sides that it beat (level: half), which between two is
    (wins + draws / 2) / games, on average over the games, with its 95 % Wilson interval low, high.
    Where the contestants are not compared, the score is None and nothing is won, drawn or lost; where greedy play only
    repeats the same episodes, there is a score and no interval. mean_returns, return_halfwidths: by contestant, mean
    score of an episode and half its 95 % interval. by_seat: where the first sat, its score from there and the games.
    sides: how many the game has; the second of two contestants holds all but the first's. teams: in one-sided games,
    what each contestant scored with itself at all seats, and what they scored mixed.
    """

    labels: tuple[str, ...]
    games: int
    wins: int
    draws: int
    losses: int
    score: float | None
    low: float | None
    high: float | None
    mean_returns: tuple[float, ...]
    return_halfwidths: tuple[float, ...]
    by_seat: tuple[tuple[str, float, int], ...]
    forfeits: tuple[int, ...]
    episodes: int
    seconds: float
    seed: int
    note: str = ""
    sides: int = 2
    teams: tuple[TeamScore, ...] = ()


@dataclass(frozen=True, slots=True)
class Contest:
    """A match about to be played: labels by contestant, every policy by its id in the fixtures, and a note.

    posts: those that the fixtures' lineups fill. comparable: whether the contestants' scores are.
    interval: whether the games are a sample, so that there is one. mixed: teams of both, in one-sided games.
    """

    spec: GameSpec
    posts: tuple[Post, ...]
    labels: tuple[str, ...]
    fixtures: tuple[Fixture, ...]
    policies: Mapping[str, Policy]
    comparable: bool
    note: str = ""
    interval: bool = True
    mixed: tuple[Mixed, ...] = ()


def contest(roster: Roster, texts: Sequence[str], games: int, seed: int) -> Contest:
    """Who meets whom, from POLICY texts. Raises PolicyError where they do not fill the game's sides.

    Sides that are alike: one POLICY a side. One-sided games: one POLICY, or two that play the same episodes each, apart
    from each other and mixed.
    Sides that differ: one a side (their scores are shown, not compared), or two of one role, which play the same
    episodes, each with the best of the other roles.
    """
    spec = roster.spec
    texts = list(texts)
    if alike(spec) and len(spec.sides) > 1:
        return _sides(roster, texts, games, seed)
    return _compared(roster, texts, games, seed)


def match(
    make: Callable[[int], Game],
    roster: Roster,
    texts: Sequence[str],
    games: int = 400,
    seed: int = 0,
    temperature: float = 1.0,
    tick: Callable[[float], None] = lambda fraction: None,
) -> MatchReport:
    """Play and report. make: a new game of so many slots. temperature: of every choice; 0 is greedy."""
    alone()
    began = time.monotonic()
    planned = contest(roster, texts, games, seed)
    every = [*planned.fixtures, *(fixture for team in planned.mixed for fixture in team.fixtures)]
    episodes = sum(fixture.games * len(fixture.episodes) for fixture in every)
    traces = None
    with games_for(make, planned.spec, episodes) as (games_at_once, threads):
        if temperature == 0 and not _has_chance(games_at_once[0]):
            games_at_once = games_at_once[:1]
            traces = _Traces(games_at_once[0].slots, episodes)
        results = play(
            games_at_once,
            planned.policies,
            every,
            temperature,
            tick,
            listen=traces,
            threads=threads,
            posts=planned.posts,
        )
    if traces is not None and (different := traces.different()) < episodes:
        note = f"only {different} different episodes: greedy play repeats itself, so there is no interval"
        planned = replace(planned, note="; ".join(filter(None, (planned.note, note))), interval=False)
    return report(planned, results, seed, time.monotonic() - began)


def show(make: Callable[[int], Game], roster: Roster, texts: Sequence[str], seed: int, temperature: float) -> list[str]:
    """One game, position by position, as text, and last what each side scored.

    Raises GameError where the game has no text view.
    """
    planned = contest(roster, texts, 1, seed)
    lineup, posts = planned.fixtures[0].episodes[0], planned.posts
    # One contestant at all posts: what counts here is each post's own score.
    fixture = Fixture((lineup,), (lineup,), (tuple(range(len(posts))),), 1, seed)
    game, frames = make(1), []

    def watch(table: Table) -> None:
        frames.append(table.game.render(0))

    try:
        (result,) = play([game], planned.policies, [fixture], temperature, watch=watch, posts=posts)
    finally:
        game.close()
    # With the last move the next game has begun: that position cannot be shown, only what came of it.
    ends = [
        f"  {' '.join(roster.spec.seats[seat] for seat in post.seats)} ({_label(planned, policy)}): {score:g}"
        for post, policy, score in zip(posts, lineup, result.score_sum, strict=True)
    ]
    return [*frames, "\n".join(["The game is over. Scores:", *ends])]


def report(planned: Contest, results: Sequence[MatchResult], seed: int, seconds: float) -> MatchReport:
    """Sum up the results of a contest's fixtures and, behind them, of its mixed teams."""
    spec, count = planned.spec, len(planned.labels)
    episodes = sum(result.episodes for result in results)
    results, rest = results[: len(planned.fixtures)], iter(results[len(planned.fixtures) :])
    wins = draws = losses = 0
    total = 0.0
    sums, squares, entries, forfeits = [0.0] * count, [0.0] * count, [0] * count, [0] * count
    seats = []
    for fixture, result in zip(planned.fixtures, results, strict=True):
        order = [_contestant(side[0]) for side in result.lineup]
        at = order.index(0)
        won = drawn = 0
        for pattern, number in result.placements.items():
            if pattern[at] == 0 and len(pattern) > 1:
                alone = pattern.count(0) == 1
                won, drawn = won + number * alone, drawn + number * (not alone)
        share = beaten(result.placements, at)
        total += share
        wins, draws, losses = wins + won, draws + drawn, losses + result.games - won - drawn
        if not result.paired and len(results) > 1:
            where = " ".join(spec.seats[seat] for seat in spec.sides[at])
            seats.append((where, share / result.games, result.games))
        for place, policy in enumerate(result.policies):
            contestant = _contestant(policy)
            sums[contestant] += result.score_sum[place]
            squares[contestant] += result.score_sq[place]
            entries[contestant] += fixture.games * sum(place in held for held in fixture.holders)
            forfeits[contestant] += result.forfeits[place]
    games = sum(result.games for result in results)
    means = tuple(total / number for total, number in zip(sums, entries, strict=True))
    halves = tuple(
        halfwidth(square, mean, number) for square, mean, number in zip(squares, means, entries, strict=True)
    )
    score = low = high = None
    if not planned.comparable or count == 1:
        wins = draws = losses = 0
    else:
        score = total / games
        low, high = wilson(total, games) if planned.interval else (None, None)
    return MatchReport(
        planned.labels,
        games,
        wins,
        draws,
        losses,
        score,
        low,
        high,
        means,
        halves,
        tuple(seats),
        tuple(forfeits),
        episodes,
        seconds,
        seed,
        planned.note,
        len(spec.sides),
        _teams(planned, results[0], rest) if len(spec.sides) == 1 else (),
    )


def _teams(planned: Contest, apart: MatchResult, rest: Iterator[MatchResult]) -> tuple[TeamScore, ...]:
    """Each contestant at all seats, then the mixed teams. rest: the results of these."""
    spec, count = planned.spec, len(planned.labels)
    whole = [(planned.fixtures[0], apart)]
    found = [
        team_score(spec, label, [float(other == number) for other in range(count)], whole, number)
        for number, label in enumerate(planned.labels)
    ]
    for team in planned.mixed:
        played = [(fixture, next(rest)) for fixture in team.fixtures]
        found.append(team_score(spec, team.label, team.shares, played))
    return tuple(found)


class _Traces:
    """What was done in each episode, as a hash of all actions: tells whether greedy play repeats itself."""

    def __init__(self, slots: int, episodes: int) -> None:
        self._running = torch.zeros(slots, dtype=torch.int64)
        self._ended = torch.zeros(episodes + 1, dtype=torch.int64)

    def __call__(self, move: Move) -> None:
        for role, action in move.action.items():
            numbers = action.view(torch.int32) if action.is_floating_point() else action
            numbers = numbers.flatten(2) if numbers.dim() > 2 else numbers[..., None]
            taken = torch.where(move.acts[role].present[..., None], numbers, -1).flatten(1).cpu()
            for column in taken.unbind(1):
                self._running = mix(self._running, column)
        ended, last = move.turn.ended.cpu(), len(self._ended) - 1
        self._ended[torch.where(ended, move.episode.cpu().clamp(max=last), last)] = self._running
        self._running = torch.where(ended, 0, self._running)

    def different(self) -> int:
        """How many episodes differ."""
        return len(self._ended[:-1].unique())


def _has_chance(game: Game) -> bool:
    """Whether anything that is seen at an episode's start depends on its seed. The game begins anew."""
    turn = game.start(torch.arange(1, game.slots + 1, device=game.device))
    seen = [acting.obs for acting in turn.acts.values()] + ([turn.state] if turn.state is not None else [])
    return any(bool((values != values[:1]).any()) for values in seen)


def _contestant(policy: str) -> int:
    """The number of the contestant that a policy's key in the fixtures begins with."""
    return int(policy.partition(":")[0])


def _label(planned: Contest, policy: str) -> str:
    """What to call the holder of a post in one of the contest's episodes."""
    number = policy.partition(":")[0]
    return planned.labels[int(number)] if number.isdigit() else "another"


def _sides(roster: Roster, texts: list[str], games: int, seed: int) -> Contest:
    """One POLICY a side, each holding all posts of its side; two for more sides: the second holds all others."""
    spec = roster.spec
    field = len(texts) == 2 < len(spec.sides)
    if field:
        texts = [texts[0], *[texts[1]] * (len(spec.sides) - 1)]
    if len(texts) != len(spec.sides):
        raise PolicyError(f"{spec.id} has {len(spec.sides)} sides: name one policy for each, not {len(texts)}")
    policies, lineup = {}, []
    labels: list[str] = []
    for side, text in enumerate(texts):
        # Who takes all other sides is one contestant.
        number = min(side, 1) if field else side
        wanted, names = split_roles(text, [role.name for role in spec.roles]), []
        for post in spec.posts:
            if post.side != side:
                continue
            found = _find(wanted, post.role, text, roster)
            key = f"{number}:{post.role}"
            policies[key] = found.policy
            lineup.append(key)
            names.append(found.label)
        if number == len(labels):
            labels.append("+".join(dict.fromkeys(names)))
    return Contest(spec, spec.posts, tuple(labels), tuple(fixtures(spec, lineup, games, seed)), policies, True)


def _compared(roster: Roster, texts: list[str], games: int, seed: int) -> Contest:
    """Contestants that take the same posts in turn; or, one a side, scores that stand beside each other."""
    spec = roster.spec
    posts = by_seat(spec.posts) if len(spec.sides) == 1 else spec.posts
    wanted = [roles_meant(text, roster) for text in texts]
    if len(texts) == len(spec.sides) > 1 and all("" in roles for roles in wanted):
        by_side = [{post.role for post in posts} for posts in sides_of(spec)]
        wanted = [dict.fromkeys(held, roles[""]) for held, roles in zip(by_side, wanted, strict=True)]
    filled = [{role.name for role in spec.roles} if "" in roles else set(roles) for roles in wanted]
    if len(texts) == len(spec.sides) > 1 and sum(map(len, filled)) == len(set().union(*filled)):
        return _beside(roster, texts, wanted, games, seed)
    if not 1 <= len(texts) <= 2:
        raise PolicyError(f"{spec.id}: name one policy, or two to compare, not {len(texts)}")
    if any(roles != filled[0] for roles in filled):
        shown = " and ".join(
            f"'{text}' ({', '.join(sorted(roles))})" for text, roles in zip(texts, filled, strict=True)
        )
        raise PolicyError(f"{spec.id}: only policies of the same roles can be compared, not {shown}")
    policies: dict[str, Policy] = {}
    episodes, holders, labels, others = [], [], [], []
    for number, roles in enumerate(wanted):
        lineup, held, names = [], [], []
        for post in posts:
            mine = "" in roles or post.role in roles
            source = roles.get(post.role, roles.get("", "")) if mine else stand_in(roster, post.role)
            found = find(source, post.role, roster)
            key = f"{number}:{post.role}" if mine else f"other:{post.role}"
            policies[key] = found.policy
            lineup.append(key)
            held.append(number if mine else -1)
            if mine:
                names.append(found.label)
            elif found.label not in others:
                others.append(found.label)
        episodes.append(tuple(lineup))
        holders.append(tuple(held))
        labels.append("+".join(dict.fromkeys(names)))
    fixture = Fixture(
        tuple((f"{number}:",) for number in range(len(texts))),
        tuple(episodes),
        tuple(holders),
        games,
        seed,
        tuple(others),
    )
    note = f"with {', '.join(others)} at the other posts" if others else ""
    teams = tuple(mixed(fixture, labels)) if len(spec.sides) == 1 else ()
    return Contest(spec, posts, tuple(labels), (fixture,), policies, len(texts) > 1, note, mixed=teams)


def _beside(
    roster: Roster, texts: Sequence[str], wanted: Sequence[Mapping[str, str]], games: int, seed: int
) -> Contest:
    """One POLICY a side, where sides differ in their roles: what each scores."""
    spec = roster.spec
    order = [next((n for n, roles in enumerate(wanted) if post.role in roles), None) for post in spec.posts]
    if None in order:
        missing = [post.role for post, number in zip(spec.posts, order, strict=True) if number is None]
        raise PolicyError(f"{spec.id}: no policy was named for the role {' and '.join(missing)}; write ROLE=POLICY")
    policies, labels = {}, [""] * len(texts)
    for post, number in zip(spec.posts, order, strict=True):
        assert number is not None
        found = find(wanted[number][post.role], post.role, roster)
        policies[f"{number}:{post.role}"] = found.policy
        labels[number] = found.label
    lineup = tuple(f"{number}:{post.role}" for post, number in zip(spec.posts, order, strict=True))
    held = tuple(int(number or 0) for number in order)
    fixture = Fixture(tuple((f"{n}:",) for n in range(len(texts))), (lineup,), (held,), games, seed)
    note = "scores of different roles are not compared"
    return Contest(spec, spec.posts, tuple(labels), (fixture,), policies, False, note)


def roles_meant(text: str, roster: Roster, seats: Sequence[str] = ()) -> dict[str, str]:
    """The roles (and seats, where it may name `seats`) that a POLICY text fills: as written, or as a snapshot tells."""
    roles = split_roles(text, [role.name for role in roster.spec.roles], seats)
    if "" in roles and len(roster.spec.roles) > 1 and (role := role_of(roles[""], roster)) is not None:
        return {role: roles[""]}
    return roles


def stand_in(roster: Roster, role: str) -> str:
    """The POLICY that fills a role for which none was named."""
    return "best" if roster.ranking.best(role) is not None else "latest"


def _find(wanted: Mapping[str, str], role: str, text: str, roster: Roster) -> Found:
    name = wanted.get(role, wanted.get(""))
    if name is None:
        raise PolicyError(f"'{text}' names no policy for the role '{role}'; write {role}=POLICY")
    return find(name, role, roster)
