"""Masks that lie: a mask that cannot be used, one that allows what the environment refuses or punishes, and one that
forbids what it would take.

How an environment answers an illegal action is learned from itself: positions of episodes that were played are reached
again, and an action that the mask forbids is tried there. An allowed action that is answered in the same way is a lie.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces

from league.studies.check.environment import (
    Agent,
    BareEnvironment,
    EnvCallError,
    EpisodeRecord,
    TurnState,
    as_binary_mask,
    play_episode,
)
from league.studies.check.finding_log import FindingLog

_REFUSAL_WORDS = re.compile(r"\b(illegal|invalid|not (a )?legal|not allowed|forbidden)\b", re.IGNORECASE)
"""What environments print, log or put in their infos when they refuse an action."""

_MAX_TRIES, _MAX_TURN = 6, 60
"""Forbidden actions that are tried; turns that an episode is followed to reach a position for it."""


@dataclass(frozen=True, slots=True)
class Response:
    """How an environment answered one action. kind: "raises" (what), "says" (so), "ends" the episode with a loss for
    the actor alone (`paid`), "stays" (same agent, same observation, `paid`), or "plays" on.
    """

    kind: str
    paid: float = 0.0
    text: str = ""

    def describe(self) -> str:
        """In words."""
        return {
            "raises": self.text,
            "says": f"says {self.text!r}",
            "ends": f"ends the episode with {self.paid:g} for the actor and 0 for all others",
            "stays": f"pays {self.paid:g}, changes nothing and asks again",
            "plays": "plays on",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class _Case:
    """An allowed action that was answered as if it were none, or a place where some action is forbidden."""

    agent: Agent
    action: Any
    where: str
    answer: Response = Response("plays")
    history: tuple[Mapping[Agent, Any], ...] = ()
    seed: int = 0


class MaskCheck:
    """Looks at every mask of an agent that acts, and at what became of the action that it allowed."""

    def __init__(self, bare: BareEnvironment, log: FindingLog) -> None:
        self._env, self._log = bare, log
        self._history: list[Mapping[Agent, Any]] = []
        self._endings = 0
        self._suspects: list[_Case] = []
        self._forbidden: list[_Case] = []
        self.found_masks = False

    def begin(self, state: TurnState) -> None:
        """See `Watcher`."""
        self._history = []
        self._inspect(state)

    def turn(self, before: TurnState, actions: Mapping[Agent, Any], after: TurnState) -> None:
        """See `Watcher`."""
        if before.dead is None:
            self._history.append(actions)
            self._endings += not after.acting
            for agent, action in actions.items():
                if before.masks.get(agent) is not None:
                    answer = classify_response(before, agent, after)
                    if answer.kind != "plays":
                        self._suspects.append(_Case(agent, action, before.place(agent), answer))
        self._inspect(after)

    def explains(self, found: EpisodeRecord) -> bool:
        """Whether a walk was ended by an action that a mask allowed and step() raised at; if so, that is noted."""
        if found.failed is None or found.failed.call != "step" or found.last is None or not self.found_masks:
            return False
        state = found.last
        agent = next((agent for agent in found.tried if state.masks.get(agent) is not None), None)
        if agent is None:
            return False
        self._report_allowed_illegal(
            _Case(agent, found.tried[agent], f"{state.place(agent)}; {found.failed.place}"), str(found.failed)
        )
        return True

    def finish(self, renew: Callable[[], BareEnvironment]) -> None:
        """Try what is forbidden, in environments made by `renew`, and compare."""
        spread = self._forbidden[:: max(len(self._forbidden) // _MAX_TRIES, 1)][:_MAX_TRIES]
        tried = [(case, answer) for case in spread if (answer := _try_forbidden(case, renew)) is not None]
        answers = {(answer.kind, round(answer.paid, 6)) for _, answer in tried}
        for case in self._suspects:
            answer = case.answer
            as_illegal = (answer.kind, round(answer.paid, 6)) in answers
            if answer.kind == "says" or (answer.kind == "stays" and answer.paid < 0) or as_illegal:
                like = ", as it answers actions that the mask forbids" if as_illegal else ""
                self._report_allowed_illegal(case, f"step({case.action}) {answer.describe()}{like}")
                break
        taken = [case for case, answer in tried if answer.kind == "plays"]
        if not taken:
            return
        case, some = taken[0], f"{len(taken)} of {len(tried)}"
        if len(taken) < len(tried):
            self._log.add(
                "warning",
                "masks.forbids-legal",
                f"the mask of '{case.agent}' forbids {case.action}, but step({case.action}) plays on ({some} forbidden "
                "actions that were tried; the others were refused)",
                case.where,
                "either the mask forbids what is legal, or step() overlooks that it is not",
                self._method,
            )
        else:
            self._log.add(
                "note",
                "masks.unchecked",
                f"step() plays on with actions that the mask forbids (all {len(tried)} that were tried), so it cannot "
                "be known whether the mask forbids what is legal",
                case.where,
                "raise an error in step() for illegal actions: then a wrong mask shows",
                "step",
            )

    @property
    def _method(self) -> str:
        return self._env.observing_methods[1]

    def _inspect(self, state: TurnState) -> None:
        for agent, mask in state.masks.items():
            space = self._env.action_spaces.get(agent)
            if mask is None or not isinstance(space, spaces.Discrete):
                continue
            self.found_masks = True
            where, array = state.place(agent), np.asarray(mask)
            legal = as_binary_mask(mask, space)
            if legal is None and array.shape != (space.n,):
                what = f"the mask of '{agent}' has shape {array.shape}, but there are {space.n} actions"
                self._log.add("error", "masks.length", what, where, f"it must be ({space.n},)", self._method)
            elif legal is None:
                what = f"the mask of '{agent}' holds other values than 0 and 1: {array.tolist()}"
                self._log.add("error", "masks.values", what, where, "1 where legal, else 0, as int8", self._method)
            elif not legal.any():
                what = f"'{agent}' is to act, but its mask allows nothing"
                advice = "end its episode, select another agent, or allow an action that does nothing"
                self._log.add("error", "masks.empty", what, where, advice, self._method)
            elif not legal.all() and state.turn <= _MAX_TURN and len(self._forbidden) < 4 * _MAX_TRIES:
                action = int(space.start) + int(np.flatnonzero(legal == 0)[state.turn % (space.n - int(legal.sum()))])
                self._forbidden.append(_Case(agent, action, where, history=tuple(self._history), seed=state.seed))

    def _report_allowed_illegal(self, case: _Case, answer: str) -> None:
        self._log.add(
            "error",
            "masks.allows-illegal",
            f"the mask of '{case.agent}' allows {case.action}, but {answer}",
            case.where,
            "the mask that an agent sees when it acts must be computed from the same rule as step() uses",
            self._method,
        )


def classify_response(before: TurnState, agent: Agent, after: TurnState) -> Response:
    """How an environment answered the action of `agent`."""
    info = after.infos.get(agent)
    output = f"{after.output} {' '.join(f'{key} {value}' for key, value in _messages(info))}"
    if word := _REFUSAL_WORDS.search(output):
        return Response("says", text=output[word.start() :].splitlines()[0][:80])
    paid = _rewards(after)
    own, others = paid.get(agent, 0.0), [value for one, value in paid.items() if one != agent]
    if not after.acting and own < 0 and not any(others) and others:
        return Response("ends", own)
    same = after.acting == before.acting == (agent,) and len(before.agents) > 1
    if same and _equal(before.observations.get(agent), after.observations.get(agent)):
        return Response("stays", own)
    return Response("plays")


def _try_forbidden(case: _Case, renew: Callable[[], BareEnvironment]) -> Response | None:
    """How an environment answers a forbidden action; None where its position is not found again."""
    bare = renew()
    try:
        found = play_episode(bare, case.seed, len(case.history), given=case.history)
        if found.last is None or found.last.turn < len(case.history) or case.agent not in found.last.acting:
            return None
        return _answer_to(bare, found.last, case)
    finally:
        bare.close()


def _answer_to(bare: BareEnvironment, state: TurnState, case: _Case) -> Response:
    actions: dict[Agent, Any] = {}
    for agent in state.acting:
        mask, space = state.masks.get(agent), bare.action_spaces[agent]
        legal = None if mask is None or not isinstance(space, spaces.Discrete) else as_binary_mask(mask, space)
        actions[agent] = case.action if agent == case.agent else space.sample(legal)
    try:
        return classify_response(state, case.agent, bare.step(state, actions))
    except EnvCallError as failed:
        return Response("raises", text=str(failed))


def _messages(info: object) -> Sequence[tuple[str, object]]:
    """What an info says in words: keys whose value is true, and texts."""
    if not isinstance(info, Mapping):
        return ()
    return [(str(key), value) for key, value in info.items() if value is True or isinstance(value, str)]


def _rewards(state: TurnState) -> dict[Agent, float]:
    try:
        return {agent: float(reward) for agent, reward in state.rewards.items()}
    except (TypeError, ValueError):
        return {}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))
