"""The anchors of a run: scripted policies that are rated and never trained (`rating.anchors`)."""

from __future__ import annotations

from collections.abc import Sequence

from league.errors import ConfigError, PolicyError
from league.games.core import Game, GameSpec
from league.policies.core import Policy
from league.policies.foreign import load_user_policy
from league.policies.names import is_scripted
from league.policies.scripted import make_scripted
from league.records import Snapshot, anchor


def make_anchor(text: str, role: str, spec: GameSpec) -> Policy:
    """An anchor's policy for a role. text: as in `rating.anchors`. Raises PolicyError if it cannot play the role."""
    return make_scripted(text, role, spec) if is_scripted(text) else load_user_policy(text, role, spec)


def anchors_for(texts: Sequence[str], game: Game) -> tuple[Snapshot, ...]:
    """The anchors named in `texts`, one for every role that each policy can play.

    Raises ConfigError if it can play no role, or looks ahead in a game that cannot be forked.
    """
    found = []
    for text in texts:
        problem: PolicyError | None = None
        made = 0
        for role in game.spec.roles:
            try:
                policy = make_anchor(text, role.name, game.spec)
            except PolicyError as error:
                problem = error
                continue
            if getattr(policy, "looks_ahead", False) and not game.can_fork:
                problem = PolicyError(f"'{text}' looks ahead, and the state of {game.spec.id} cannot be copied")
                continue
            found.append(anchor(role.name, len(game.spec.roles), text))
            made += 1
        if not made:
            raise ConfigError(f"'rating.anchors': {problem}") from problem
    return tuple(found)
