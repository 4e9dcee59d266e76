"""The anchors of a run: scripted or frozen policies that are rated and never trained (`rating.anchors`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from league.errors import ConfigError, PolicyError
from league.games.core import Game, GameSpec
from league.policies import weights
from league.policies.core import Policy
from league.policies.foreign import load_user_policy
from league.policies.mixture import restore_any
from league.policies.names import anchor_name, is_scripted, is_weights
from league.policies.neural import fits
from league.policies.scripted import make_scripted
from league.records import Snapshot, anchor


def make_anchor(text: str, role: str, spec: GameSpec, device: str = "cpu") -> Policy:
    """An anchor's policy for a role. text: as in `rating.anchors`. device: where a network runs.

    Raises PolicyError if it cannot play the role, SnapshotError if its file is missing or damaged.
    """
    if is_scripted(text):
        return make_scripted(text, role, spec)
    return _frozen(Path(text), role, spec, device) if is_weights(text) else load_user_policy(text, role, spec)


def anchors_for(texts: Sequence[str], game: Game) -> tuple[Snapshot, ...]:
    """The anchors named in `texts`, one for every role that each policy can play.

    Each is called by `anchor_name`. Raises ConfigError if it can play no role, looks ahead in a game that cannot be
    forked, or is called as another is.
    """
    found, names = [], [anchor_name(text) for text in texts]
    for name in names:
        if names.count(name) > 1:
            both = " and ".join(text for text in texts if anchor_name(text) == name)
            raise ConfigError(f"'rating.anchors': {both} would both be called {name} in the standings: rename a file")
    for text in texts:
        problem: PolicyError | None = None
        made = 0
        for role in game.spec.roles:
            try:
                policy = make_anchor(text, role.name, game.spec, str(game.device))
            except PolicyError as error:
                problem = error
                continue
            if getattr(policy, "looks_ahead", False) and not game.can_fork:
                problem = PolicyError(f"'{text}' looks ahead, and the state of {game.spec.id} cannot be copied")
                continue
            found.append(anchor(role.name, len(game.spec.roles), anchor_name(text)))
            made += 1
        if not made:
            raise ConfigError(f"'rating.anchors': {problem}") from problem
    return tuple(found)


def _frozen(path: Path, role: str, spec: GameSpec, device: str) -> Policy:
    """The network in a file whose name is the sha256 of its content."""
    metadata, tensors = weights.read(path)
    if reason := fits(metadata, spec):
        raise PolicyError(f"{path} cannot play here: {reason}")
    if metadata.get("role") != role:
        raise PolicyError(f"{path} plays the role '{metadata.get('role')}', not '{role}'")
    return restore_any(metadata, tensors, str(path), spec.role(role).actions, device)
