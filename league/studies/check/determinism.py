"""Seeds: equal seeds must give equal episodes wherever they are played, and other seeds other episodes.

Episodes are traced turn by turn with equal draws of actions. A fresh process runs this module, too, so it imports no
torch for environments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from league.studies.check.environment import BareEnvironment, TurnState, Watcher, play_episode
from league.studies.check.finding_log import FindingLog
from league.studies.check.game_under_test import GameUnderTest, game_under_test
from league.studies.check.subprocess_call import call_in_subprocess

Trace = list[dict[str, str]]
"""By turn, a short hash of each thing that was shown, by its name ("the observation of 'a_0'")."""

_SEED, _OTHERS = 101, (202, 303, 404)
_DRAW = 7
_TIMEOUT = 120


def check_seeds(one: GameUnderTest, turns: int, log: FindingLog) -> None:
    """Trace episodes of equal and different seeds in a used instance, in fresh ones and in a fresh process."""
    fresh = trace_episodes(one, [_SEED], turns)[0]
    again = trace_episodes(one, [_SEED], turns)[0]
    first, used = trace_episodes(one, [_OTHERS[0], _SEED], turns)
    method, ignored = "reset", first_difference(fresh, first) is None
    for seed in _OTHERS[1:]:
        ignored = ignored and first_difference(fresh, trace_episodes(one, [seed], turns)[0]) is None
    if (place := first_difference(fresh, again)) is not None:
        log.add(
            "error",
            "seeds.unset",
            f"reset(seed={_SEED}) and the same actions give a different episode in a second instance: "
            f"{place[1]} differs",
            f"turn {place[0]}",
            "draw all random numbers from a generator that reset(seed=…) creates; use no global generator and no clock",
            method,
        )
    elif (place := first_difference(fresh, used)) is not None:
        what = "the seed is ignored: " if ignored else ""
        kept = (
            "the random numbers continue from the previous episode"
            if ignored
            else "something of the previous episode remains"
        )
        log.add(
            "error",
            "seeds.ignored" if ignored else "seeds.left-over",
            f"{what}reset(seed={_SEED}) after another episode in the same instance gives a different episode than in a "
            f"fresh instance: {place[1]} differs; {kept}",
            f"turn {place[0]}",
            "in reset(): `self.rng = np.random.default_rng(seed)`, and reset everything else",
            method,
        )
    elif ignored:
        log.add(
            "note",
            "seeds.no-effect",
            f"{1 + len(_OTHERS)} seeds with the same draws of actions give the same episode",
            advice="right for a game without chance; otherwise reset() must draw from its seed",
            method=method,
        )
    if log.has("seeds", "error"):
        return
    found, problem = trace_in_fresh_process(one, turns)
    if found is None:
        log.add("warning", "seeds.process", f"the game could not be played in a fresh process: {problem}")
    elif (place := first_difference(fresh, found)) is not None:
        log.add(
            "error",
            "seeds.process",
            f"reset(seed={_SEED}) and the same actions give a different episode in a fresh process with "
            f"another PYTHONHASHSEED: {place[1]} differs",
            f"turn {place[0]}",
            "do not depend on the order of a set, on hash() or id(): sort, or use lists",
            method,
        )


def trace_episodes(one: GameUnderTest, numbers: list[int], turns: int) -> list[Trace]:
    """Traces of one episode for each seed, played one after another in one new instance."""
    if one.source is None:
        return _trace_batched(one, numbers, turns)
    bare = one.bare()
    try:
        return [_trace_environment(bare, seed, turns) for seed in numbers]
    finally:
        bare.close()


def first_difference(one: Trace, other: Trace) -> tuple[int, str] | None:
    """The first turn on which two traces differ, and in what; None if they are equal."""
    for turn, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return turn, next(name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name))
    return None if len(one) == len(other) else (min(len(one), len(other)), "the length of the episode")


def trace_in_fresh_process(one: GameUnderTest, turns: int) -> tuple[Trace | None, str]:
    """The trace that a fresh process with another PYTHONHASHSEED makes, or None and why there is none."""
    request = {"id": one.id, "options": dict(one.options), "turns": turns}
    return call_in_subprocess("league.studies.check.determinism:serve_trace", request, _TIMEOUT)


def serve_trace(request: Mapping[str, Any]) -> Trace:
    """What `trace_in_fresh_process` calls in the other process."""
    return trace_episodes(game_under_test(request["id"], request["options"]), [_SEED], request["turns"])[0]


class _TraceRecorder(Watcher):
    """Records hashes of everything that each state of an episode shows."""

    def __init__(self) -> None:
        self.trace: Trace = []

    def look(self, state: TurnState) -> None:
        """See `Watcher`."""
        self.trace.append(dict(_hashes_by_name(state)))


def _trace_environment(bare: BareEnvironment, seed: int, turns: int) -> Trace:
    hashes = _TraceRecorder()
    play_episode(bare, seed, turns, [hashes], draw=_DRAW)
    return hashes.trace


def _hashes_by_name(state: TurnState) -> Iterator[tuple[str, str]]:
    yield "who is there", _hash(sorted(map(repr, state.agents)))
    yield "who acts", _hash((state.acting, state.dead))
    for agent, seen in state.observations.items():
        yield f"the observation of '{agent}'", _hash(seen)
        yield f"the mask of '{agent}'", _hash(state.masks.get(agent))
    for agent in state.rewards:
        yield f"the reward of '{agent}'", _hash(state.rewards[agent])
    yield "who is over", _hash((state.terminated, state.truncated))


def _trace_batched(one: GameUnderTest, numbers: list[int], turns: int) -> list[Trace]:
    """As `trace_episodes`, of a game in batched torch with one slot."""
    import torch

    from league.games.conformance.suite import random_actions

    game, found = one.game(1), []
    try:
        for seed in numbers:
            turn, trace = game.start(torch.tensor([seed])), Trace()
            for count in range(turns + 1):
                shown = {"who is over": _hash((turn.terminated.numpy(), turn.truncated.numpy()))}
                for role, acting in turn.acts.items():
                    shown[f"the observation of role {role}"] = _hash(acting.obs.numpy())
                    shown[f"who acts of role {role}"] = _hash((acting.seat.numpy(), acting.present.numpy()))
                shown["the rewards"] = _hash(turn.reward.numpy())
                trace.append(shown)
                if bool(turn.ended.all()):
                    # Everything else belongs to the next episode already.
                    trace[-1] = {"the rewards": shown["the rewards"], "who is over": shown["who is over"]}
                    break
                turn = game.step(random_actions(game, turn, _DRAW + count), torch.tensor([seed]))
            found.append(trace)
    finally:
        game.close()
    return found


def _hash(value: Any) -> str:
    """A short hash of an observation, or of anything made of mappings, sequences, arrays and numbers."""
    found = hashlib.blake2b(digest_size=6)
    for piece in _bytes(value):
        found.update(piece)
    return found.hexdigest()


def _bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, Mapping):
        # The order in which agents are named means nothing.
        for key in sorted(value, key=repr):
            yield repr(key).encode()
            yield from _bytes(value[key])
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _bytes(one)
    elif isinstance(value, np.ndarray | np.generic):
        yield f"{value.dtype}{value.shape}".encode()
        yield value.tobytes()
    else:
        yield repr(value).encode()
