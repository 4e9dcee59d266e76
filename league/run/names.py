"""POLICY as people write it, taken apart: who is meant for which role. Nothing is loaded here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from league.errors import PolicyError, nearest

_LISTED = 12
"""Names that an error lists one by one, where there are no more."""


def split_roles(text: str, roles: Sequence[str], seats: Sequence[str] = ()) -> dict[str, str]:
    """`predator=A,prey=B` → {"predator": "A", "prey": "B"}; anything else → {"": text}.

    roles: those of the game. seats: names that may stand in the place of a role's, where each seat may have a policy of
    its own. Raises PolicyError for a role (or seat) that it does not have, or that is named twice.
    """
    parts = text.split(",")
    if not all(_names_role(part) for part in parts):
        if len(parts) > 1 and not Path(text).exists():
            raise PolicyError(f"'{text}': with several policies each needs its role, as in predator=best,prey=latest")
        return {"": text.strip()}
    named: dict[str, str] = {}
    for part in parts:
        role, _, policy = (word.strip() for word in part.partition("="))
        if role not in (*roles, *seats):
            what, whats = ("role or seat", "roles and seats") if seats else ("role", "roles")
            known = [*roles, *seats]
            shown = known if len(known) <= _LISTED else [*known[: _LISTED - 2], "…", known[-1]]
            raise PolicyError(
                f"'{text}': this game has no {what} '{role}'{nearest(role, known)} (its {whats}: {', '.join(shown)})"
            )
        if role in named:
            raise PolicyError(f"'{text}': the {'role' if role in roles else 'seat'} '{role}' is named twice")
        named[role] = policy
    return named


def _names_role(part: str) -> bool:
    """Whether a part of a POLICY says whose it is: ROLE=POLICY, which no path and no `mcts=N` is."""
    role, equals, _ = part.strip().partition("=")
    return bool(equals) and role != "mcts" and not any(letter in role for letter in "/.~:@")
