"""Parsing a POLICY into one policy per role. Loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from league.errors import PolicyError, nearest

_MAX_LISTED = 12
"""The most names that an error lists in full."""


def split_roles(text: str, roles: Sequence[str], seats: Sequence[str] = ()) -> dict[str, str]:
    """`predator=A,prey=B` → {"predator": "A", "prey": "B"}; anything else → {"": text}.

    roles: those of the game. seats: names usable like roles, if each seat may have its own policy.
    Raises PolicyError for a role or seat that the game does not have or that is named twice.
    """
    parts = text.split(",")
    if not all(_names_role(part) for part in parts):
        if len(parts) > 1 and not Path(text).exists():
            raise PolicyError(f"'{text}': each of several policies needs its role, as in predator=best,prey=latest")
        return {"": text.strip()}
    named: dict[str, str] = {}
    for part in parts:
        role, _, policy = (word.strip() for word in part.partition("="))
        if role not in (*roles, *seats):
            what, whats = ("role or seat", "roles and seats") if seats else ("role", "roles")
            known = [*roles, *seats]
            shown = known if len(known) <= _MAX_LISTED else [*known[: _MAX_LISTED - 2], "…", known[-1]]
            raise PolicyError(
                f"'{text}': this game has no {what} '{role}'{nearest(role, known)} (its {whats}: {', '.join(shown)})"
            )
        if role in named:
            raise PolicyError(f"'{text}': the {'role' if role in roles else 'seat'} '{role}' is named twice")
        named[role] = policy
    return named


def _names_role(part: str) -> bool:
    """Whether a part of a POLICY names its role: ROLE=POLICY, and neither a path nor `mcts=N`."""
    role, equals, _ = part.strip().partition("=")
    return bool(equals) and role != "mcts" and not any(letter in role for letter in "/.~:@")
