"""Plays a game at random, and reports which rules of its contract it breaks and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from league.games.conformance.monitor import ContractMonitor, Violations
from league.games.core import Acting, Game, Turn
from league.games.counter_rng import fold, mix, uniform
from league.games.symmetry import Symmetry

Actions = dict[str, Tensor]
_COMPARED_TURNS = 12
"""Turns for which a copy (a replay, a loaded state, a fork) must agree with its original."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a game a check has played."""

    episodes: int
    turns: int


def check(
    factory: Callable[[int], Game],
    *,
    episodes: int = 20,
    seed: int = 0,
    slots: int = 4,
    max_turns: int = 5000,
    zero_sum: bool = False,
) -> Coverage:
    """Check a game against its contract (`league.games.core`) in uniformly random legal play.

    factory: makes a game from a number of slots. episodes: the least number to play to the end, within max_turns turns.
    zero_sum: also require that the scores of an episode sum to zero.
    Raises GameError with every broken rule and the first place where it was broken (slot, turn, seat).
    """
    checked, violations = find_violations(
        factory, episodes=episodes, seed=seed, slots=slots, max_turns=max_turns, zero_sum=zero_sum
    )
    violations.report()
    return checked


def find_violations(
    factory: Callable[[int], Game],
    *,
    episodes: int = 20,
    seed: int = 0,
    slots: int = 4,
    max_turns: int = 5000,
    zero_sum: bool = False,
) -> tuple[Coverage, Violations]:
    """The violations that `check` raises, as data. For the arguments see `check`."""
    with _opened(factory, slots) as game:
        violations = Violations(game.spec)
        checked = _play(game, violations, episodes=episodes, seed=seed, max_turns=max_turns, zero_sum=zero_sum)
        if game.replays and not violations.found:
            with _opened(factory, slots) as twin:
                _check_replay(game, twin, violations, seed)
                _check_seeds(game, twin, violations, seed)
                _check_save(game, twin, violations, seed)
                _check_symmetries(game, twin, violations, seed)
        if game.can_fork and not violations.found:
            _check_fork(game, violations, seed)
        if not violations.found:
            _check_forfeit(game, violations, seed)
    return checked, violations


def _play(game: Game, violations: Violations, episodes: int, seed: int, max_turns: int, zero_sum: bool) -> Coverage:
    """Play at random and check every turn; stop after the first turn that breaks a rule."""
    monitor = ContractMonitor(game, violations, zero_sum)
    turn, played = game.start(_seeds(game, seed, 0)), 0
    monitor.check_turn(turn, 0)
    for count in range(1, max_turns + 1):
        if violations.found:
            return Coverage(played, count)
        turn = game.step(random_actions(game, turn, fold(seed, count)), _seeds(game, seed, count))
        monitor.check_turn(turn, count)
        played += int(turn.ended.sum())
        if played >= episodes:
            return Coverage(played, count)
    violations.add(f"{episodes} episodes must end within {max_turns} turns of {game.slots} slots", f"{played} did")
    return Coverage(played, max_turns)


def _check_replay(game: Game, twin: Game, violations: Violations, seed: int) -> None:
    """Equal seeds and equal actions must give equal turns, also in a second instance of the game."""
    turn, again = game.start(_seeds(game, seed, 0)), twin.start(_seeds(game, seed, 0))
    _compare("equal seeds and actions must give equal turns", turn, again, violations, 0)
    _compare_play(
        "equal seeds and actions must give equal turns",
        game,
        turn,
        twin,
        violations=violations,
        seed=seed,
        turns=4 * _COMPARED_TURNS,
    )


def _check_seeds(game: Game, twin: Game, violations: Violations, seed: int) -> None:
    """An episode must depend on its seed only: not on its slot, and not on how it began (a start, or an auto-reset)."""
    equal = torch.full((game.slots,), fold(seed, 1), dtype=torch.int64, device=game.device)
    turn = game.start(equal)
    _compare("equal seeds must give equal episodes in every slot", turn, _select(turn, [0] * game.slots), violations, 0)
    for count in range(1, 4 * _COMPARED_TURNS + 1):
        seeds = _seeds(game, seed, count)
        turn = game.step(random_actions(game, turn, fold(seed, count)), seeds)
        if bool(turn.ended.any()):
            begun = turn.ended.nonzero()[:, 0].tolist()
            rule = "an episode after an auto-reset must equal one that start begins with the same seed"
            _compare(
                rule,
                _without_results(_select(turn, begun)),
                _without_results(_select(twin.start(seeds), begun)),
                violations,
                count,
            )
            return


def _check_save(game: Game, twin: Game, violations: Violations, seed: int) -> None:
    """A saved state must be a copy, and another game that loads it must continue in the same way."""
    turn = _advance(game, seed)
    saved = game.save()
    kept = {name: value.clone() for name, value in saved.items()}
    loaded = twin.load(saved)
    rule = "a game that loads a saved state must continue like the original"
    _compare(rule, _without_results(turn), _without_results(loaded), violations, _COMPARED_TURNS)
    violations.add_first(
        "load gives no reward and ends no episode", (loaded.reward != 0).any(1) | loaded.ended, _COMPARED_TURNS
    )
    # Twice as long if episodes can be truncated, so that most games reach a truncation.
    _compare_play(
        rule,
        game,
        turn,
        twin,
        violations=violations,
        seed=seed + 1,
        turns=_COMPARED_TURNS * (2 if game.spec.can_truncate else 1),
    )
    for name, value in kept.items():
        if not torch.equal(value, saved[name]):
            violations.add(
                f"later steps must not change a saved state; '{name}' changed", f"after turn {_COMPARED_TURNS}"
            )


def _check_symmetries(game: Game, twin: Game, violations: Violations, seed: int) -> None:
    """Played with relabelled actions, a game must show relabelled observations, and score alike."""
    for number in range(len(game.spec.roles[0].symmetries)):
        symmetries = {role.name: role.symmetries[number] for role in game.spec.roles}
        rule = f"relabelled actions must give relabelled turns (symmetry {number} of {game.spec.id})"
        seeds = _seeds(game, seed, 0)
        turn, other = game.start(seeds), twin.start(seeds)
        _compare(rule, _relabelled(turn, symmetries), other, violations, 0)
        for count in range(1, 4 * _COMPARED_TURNS + 1):
            actions, seeds = random_actions(game, turn, fold(seed, count)), _seeds(game, seed, count)
            new = {name: torch.tensor(one.new_action, device=game.device) for name, one in symmetries.items()}
            turn = game.step(actions, seeds)
            other = twin.step({name: new[name][action] for name, action in actions.items()}, seeds)
            _compare(rule, _relabelled(turn, symmetries), other, violations, count)


def _relabelled(turn: Turn, symmetries: Mapping[str, Symmetry]) -> Turn:
    """The turn without the critic's state, as symmetries by role relabel what its seats see and may do."""
    acts = {}
    for name, acting in turn.acts.items():
        one = symmetries[name]
        obs = acting.obs.flatten(2)[..., list(one.observation)].view(acting.obs.shape)
        mask = None if acting.mask is None else acting.mask[..., list(one.actions)]
        acts[name] = replace(acting, obs=obs, mask=mask)
    return replace(turn, acts=acts, state=None, final_state=None, final_obs=None)


def _check_fork(game: Game, violations: Violations, seed: int) -> None:
    """A fork must continue like its original, and playing it must not change the original."""
    turn = _advance(game, seed)
    before, rows = game.save(), list(reversed(range(game.slots)))
    order = torch.tensor(rows, device=game.device)
    with closing(game.fork(order)) as fork:
        forked = fork.load(fork.save())
        _compare(
            "a fork must begin at its original's position",
            _without_results(_select(turn, rows)),
            _without_results(forked),
            violations,
            _COMPARED_TURNS,
        )
        for count in range(_COMPARED_TURNS):
            forked = fork.step(random_actions(fork, forked, fold(seed, count)), _seeds(fork, seed, count))
    for name, value in game.save().items():
        if not torch.equal(value, before[name]):
            violations.add(
                f"playing a fork must not change its original; '{name}' changed", f"after turn {_COMPARED_TURNS}"
            )
    with closing(game.fork(order)) as fork:
        for count in range(_COMPARED_TURNS):
            actions, seeds = random_actions(game, turn, fold(seed, count, 7)), _seeds(game, seed, count)
            forked = fork.step({name: action[order] for name, action in actions.items()}, seeds[order])
            turn = game.step(actions, seeds)
            _compare(
                "a fork must continue like its original",
                _select(turn, rows),
                forked,
                violations,
                _COMPARED_TURNS + count,
            )


def _check_forfeit(game: Game, violations: Violations, seed: int) -> None:
    """An illegal action must end the episode: only its seat forfeits, other sides score more, and play continues."""
    monitor = ContractMonitor(game, violations, zero_sum=False)
    turn = game.start(_seeds(game, seed, 0))
    for count in range(1, 2 * _COMPARED_TURNS):
        actions = random_actions(game, turn, fold(seed, count, 11))
        offender = torch.zeros_like(monitor.done)
        if count % 3 == 0:  # at different depths of an episode
            offender = _make_one_illegal(turn, actions, offender)
        turn = game.step(actions, _seeds(game, seed, count))
        blamed = torch.zeros_like(offender) if turn.forfeit is None else turn.forfeit
        violations.add_first(
            "an illegal action must be the offender's forfeit, and only its own", blamed != offender, count
        )
        broken = offender.any(1)
        violations.add_first("an illegal action must end the episode", broken & ~turn.ended, count)
        worst = turn.score.masked_fill(~offender, -torch.inf).amax(1, keepdim=True)
        offending_side = torch.zeros_like(offender)
        for side in game.spec.sides:
            offending_side[:, list(side)] = offender[:, list(side)].any(1, keepdim=True)
        unpunished = broken[:, None] & ~offending_side & (turn.score <= worst)
        violations.add_first(
            "after an illegal action the other sides must score more than the offender", unpunished, count
        )
        turn.forfeit = None
        monitor.check_turn(turn, count)
        if violations.found:
            return


def _make_one_illegal(turn: Turn, actions: Actions, offender: Tensor) -> Tensor:
    """In every slot, make the first row that has an illegal action take it. Returns the offending seats, `[B, S]`."""
    for name, acting in turn.acts.items():
        able, action = acting.present & ~offender.any(1, keepdim=True), actions[name]
        if action.is_floating_point():
            illegal = torch.full_like(action, torch.nan)
        elif acting.mask is None or action.dim() > 2:
            continue
        else:
            able, illegal = able & ~acting.mask.all(2), (~acting.mask).to(torch.uint8).argmax(2)
        chosen = able & (able.cumsum(1) == 1)
        actions[name] = torch.where(chosen.view(*chosen.shape, *[1] * (action.dim() - 2)), illegal, action)
        offender = offender | torch.zeros_like(offender).scatter_reduce(1, acting.seat, chosen, "amax")
    return offender


def random_actions(game: Game, turn: Turn, seed: int) -> Actions:
    """A uniformly random legal action for every row of every role: `[B, K, *shape]`. seed: of all draws."""
    chosen = {}
    for index, role in enumerate(game.spec.roles):
        acting = turn.acts[role.name]
        row = torch.arange(acting.seat.numel(), device=game.device).view(acting.seat.shape)
        draw = uniform(row, seed, index)[..., None]
        if role.actions.draws > 1:
            draw = uniform(row[..., None], seed, index, torch.arange(role.actions.draws, device=game.device))
        chosen[role.name] = role.actions.uniform(draw, acting.mask)
    return chosen


def _seeds(game: Game, seed: int, turn: int) -> Tensor:
    return mix(torch.arange(game.slots, device=game.device), seed, turn)


def _advance(game: Game, seed: int) -> Turn:
    turn = game.start(_seeds(game, seed, 0))
    for count in range(1, _COMPARED_TURNS + 1):
        turn = game.step(random_actions(game, turn, fold(seed, count)), _seeds(game, seed, count))
    return turn


def _compare_play(rule: str, game: Game, turn: Turn, twin: Game, violations: Violations, seed: int, turns: int) -> None:
    """Play both games with the same actions and seeds, and compare every turn."""
    for count in range(1, turns + 1):
        actions, seeds = random_actions(game, turn, fold(seed, count)), _seeds(game, seed, count)
        turn = game.step({name: action.clone() for name, action in actions.items()}, seeds)
        _compare(rule, turn, twin.step(actions, seeds), violations, count)


def _compare(rule: str, one: Turn, other: Turn, violations: Violations, count: int) -> None:
    """Compare everything that is defined: rows of present seats, scores of ended episodes."""
    for name in ("reward", "terminated", "truncated", "ended"):
        violations.add_first(f"{rule}: {name} differs", getattr(one, name) != getattr(other, name), count)
    if one.state is not None and other.state is not None:
        violations.add_first(f"{rule}: state differs", (one.state != other.state).flatten(1).any(1), count)
    if one.final_state is not None and other.final_state is not None:
        wrong = (one.final_state != other.final_state).flatten(1).any(1) & one.truncated.any(1)
        violations.add_first(f"{rule}: final_state differs", wrong, count)
    if one.final_obs is not None and other.final_obs is not None:
        for role, seen in one.final_obs.items():
            cut = one.truncated[:, list(violations.spec.role(role).seats)]
            wrong = (seen != other.final_obs[role]).flatten(2).any(2)
            violations.add_first(f"{rule}: final_obs differs", wrong & cut, count, role)
    violations.add_first(f"{rule}: score differs", (one.score != other.score) & one.ended[:, None], count)
    for role, mine in one.acts.items():
        theirs = other.acts[role]
        violations.add_first(f"{rule}: present differs", mine.present != theirs.present, count, role)
        for what in ("obs", "mask", "seat"):
            left, right = getattr(mine, what), getattr(theirs, what)
            if left is not None and right is not None:
                rows = mine.present & theirs.present
                wrong = (left != right).flatten(2).any(2) if left.dim() > 2 else left != right
                violations.add_first(f"{rule}: {what} differs", wrong & rows, count, role)


def _select(turn: Turn, rows: list[int]) -> Turn:
    """The same turn with only the given slots, in the given order."""

    def pick(value: Tensor | None) -> Tensor | None:
        return None if value is None else value[rows]

    acts = {
        name: Acting(acting.obs[rows], pick(acting.mask), acting.seat[rows], acting.present[rows])
        for name, acting in turn.acts.items()
    }
    return Turn(
        acts=acts,
        reward=turn.reward[rows],
        terminated=turn.terminated[rows],
        truncated=turn.truncated[rows],
        ended=turn.ended[rows],
        score=turn.score[rows],
        state=pick(turn.state),
        final_state=pick(turn.final_state),
        forfeit=pick(turn.forfeit),
        final_obs=None if turn.final_obs is None else {role: seen[rows] for role, seen in turn.final_obs.items()},
    )


def _without_results(turn: Turn) -> Turn:
    """The turn without the results of the last step: who acts, the observations and the state remain."""
    zero, never = torch.zeros_like(turn.reward), torch.zeros_like(turn.terminated)
    return Turn(
        acts=turn.acts,
        reward=zero,
        terminated=never,
        truncated=never,
        ended=torch.zeros_like(turn.ended),
        score=zero,
        state=turn.state,
    )


@contextmanager
def _opened(factory: Callable[[int], Game], slots: int) -> Iterator[Game]:
    game = factory(slots)
    try:
        yield game
    finally:
        game.close()
