"""Wrong action masks: malformed ones, masks that allow what the environment refuses or punishes, and masks that
forbid what it accepts.

The environment itself shows how it responds to illegal actions: positions from played episodes are reached again and
a forbidden action is tried there. If an allowed action gets the same response, the mask is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from league.games.pettingzoo.answers import UnusableError, mask_sizes, read_mask
from league.games.pettingzoo.spaces import composed
from league.studies.check.environment import (
    Agent,
    BareEnvironment,
    EnvCallError,
    EnvironmentCheck,
    EpisodeRecord,
    TurnState,
    legal_flags,
    play_episode,
    sample_legal,
)
from league.studies.check.finding_log import FindingLog

_REFUSAL_WORDS = re.compile(r"\b(illegal|invalid|not (a )?legal|not allowed|forbidden)\b", re.IGNORECASE)
"""Words that environments print, log or put in infos when they refuse an action."""

_MAX_TRIES, _MAX_TURN = 6, 60
"""Largest number of forbidden actions to try, and the last turn of an episode at which to try one."""


@dataclass(frozen=True, slots=True)
class Response:
    """How an environment responded to one action.

    kind: it "raises" (`text`), "says" that it refuses (`text`), "ends" the episode with a loss for the actor alone
    (`paid`), "stays" (same agent and observation, `paid`), or "plays" on.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """An allowed action with a suspicious response, or a position at which some action is forbidden."""

    agent: Agent
    action: Any
    where: str
    response: Response = Response("plays")
    history: tuple[Mapping[Agent, Any], ...] = ()
    seed: int = 0


class MaskCheck(EnvironmentCheck):
    """Checks every mask of an acting agent, and the response to the action that it allowed."""

    def __init__(self, bare: BareEnvironment, log: FindingLog) -> None:
        super().__init__(bare, log)
        self._history: list[Mapping[Agent, Any]] = []
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
            for agent, action in actions.items():
                if before.masks.get(agent) is not None:
                    answer = classify_response(before, agent, after)
                    if answer.kind != "plays":
                        self._suspects.append(
                            _Case(agent=agent, action=action, where=before.place(agent), response=answer)
                        )
        self._inspect(after)

    def explains(self, found: EpisodeRecord) -> bool:
        """Whether step() raised on the only action that it got, which a mask allowed; if so, report it."""
        failed, state = found.failed, found.last
        if failed is None or failed.call != "step" or failed.returned or state is None or len(found.tried) != 1:
            return False
        (agent,) = found.tried
        if not self.found_masks or state.masks.get(agent) is None:
            return False
        self._report_allowed_illegal(
            _Case(agent=agent, action=found.tried[agent], where=f"{state.place(agent)}; {failed.place}"),
            str(failed),
        )
        return True

    def finish(self, renew: Callable[[], BareEnvironment]) -> None:
        """Try forbidden actions in environments made by `renew`, and compare the responses."""
        spread = self._forbidden[:: max(len(self._forbidden) // _MAX_TRIES, 1)][:_MAX_TRIES]
        tried = [(case, answer) for case in spread if (answer := _try_forbidden(case, renew)) is not None]
        answers = {(answer.kind, round(answer.paid, 6)) for _, answer in tried}
        for case in self._suspects:
            answer = case.response
            as_illegal = (answer.kind, round(answer.paid, 6)) in answers
            if answer.kind == "says" or (answer.kind == "stays" and answer.paid < 0) or as_illegal:
                like = ", its response to actions that the mask forbids" if as_illegal else ""
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
                "actions tried; the others were refused)",
                case.where,
                "either the mask forbids a legal action, or step() fails to refuse an illegal one",
                self._method,
            )
        else:
            self._log.add(
                "note",
                "masks.unchecked",
                f"step() plays on with actions that the mask forbids (all {len(tried)} tried), so the check cannot "
                "tell whether the mask forbids legal actions",
                case.where,
                "raise an error in step() for illegal actions, so that a wrong mask shows",
                "step",
            )

    @property
    def _method(self) -> str:
        return self._env.observing_methods[1]

    def _inspect(self, state: TurnState) -> None:
        for agent, mask in state.masks.items():
            space = self._env.action_spaces.get(agent)
            if mask is None or space is None:
                continue
            self.found_masks, where = True, state.place(agent)
            try:
                legal = read_mask(mask, mask_sizes(space))
            except UnusableError as fault:
                what = f"the mask of '{agent}' {fault.what}"
                self._log.add("error", f"masks.{fault.kind}", what, where, fault.advice, self._method)
                continue
            if not legal.all() and state.turn <= _MAX_TURN and len(self._forbidden) < 4 * _MAX_TRIES:
                action = _forbidden_action(space, legal, state.turn)
                self._forbidden.append(
                    _Case(agent=agent, action=action, where=where, history=tuple(self._history), seed=state.seed)
                )

    def _report_allowed_illegal(self, case: _Case, answer: str) -> None:
        self._log.add(
            "error",
            "masks.allows-illegal",
            f"the mask of '{case.agent}' allows {case.action}, but {answer}",
            case.where,
            "compute the mask from the same rule that step() uses, at the moment when the agent acts",
            self._method,
        )


def classify_response(before: TurnState, agent: Agent, after: TurnState) -> Response:
    """How an environment responded to the action of `agent`."""
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
    """How an environment responds to a forbidden action; None if its position cannot be reached again."""
    bare = renew()
    try:
        state = play_episode(bare, case.seed, len(case.history), given=case.history).last
        if state is None or state.turn < len(case.history) or case.agent not in state.acting:
            return None
        return _respond(bare, state, case)
    finally:
        bare.close()


def _respond(bare: BareEnvironment, state: TurnState, case: _Case) -> Response:
    """The response to a forbidden action. Every other agent acts, even if its own mask allows no action."""
    actions: dict[Agent, Any] = {}
    for agent in state.acting:
        if agent not in bare.action_spaces:
            continue
        mask, space = state.masks.get(agent), bare.action_spaces[agent]
        legal = None if mask is None else legal_flags(mask, space)
        other = space.sample() if legal is None else sample_legal(space, legal)
        actions[agent] = case.action if agent == case.agent else other
    try:
        return classify_response(state, case.agent, bare.step(state, actions))
    except EnvCallError as failed:
        return Response("raises", text=str(failed))


def _forbidden_action(space: spaces.Space[Any], legal: npt.NDArray[Any], number: int) -> Any:
    """An action that a mask forbids in one of its parts; which one follows from `number`."""
    sizes = mask_sizes(space)
    ends = np.cumsum(sizes)
    illegal = np.flatnonzero(legal == 0)
    place = int(illegal[number % len(illegal)])
    part = int(np.searchsorted(ends, place, side="right"))
    choices = [int(np.flatnonzero(flags)[0]) for flags in np.split(legal, ends[:-1])]
    choices[part] = place - int(ends[part] - sizes[part])
    return composed(space, choices)


def _messages(info: object) -> Sequence[tuple[str, object]]:
    """The words of an info: texts, and keys whose value is true."""
    if not isinstance(info, Mapping):
        return ()
    return [(str(key), value) for key, value in info.items() if value is True or isinstance(value, str)]


def _rewards(state: TurnState) -> dict[Agent, float]:
    """By agent; empty if one of them is not a number."""
    try:
        return {agent: float(reward) for agent, reward in state.rewards.items()}
    except (TypeError, ValueError):
        return {}


def _equal(one: Any, other: Any) -> bool:
    """Whether two observations are equal; NaN equals nothing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))
