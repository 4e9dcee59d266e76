"""Policies of the user's own, by name."""

from __future__ import annotations

from typing import cast

from league import plugins
from league.errors import PolicyError
from league.games.core import GameSpec
from league.policies.core import Policy, memory_width


def load_user_policy(text: str, role: str, spec: GameSpec) -> Policy:
    """A policy of the user's own, `package.module:Name` or `file.py:Name`, which is called with (role, spec).

    Raises PolicyError where there is none of that name, and where it is not made or breaks the contract of a policy.
    """
    factory = plugins.load(text, "policy", PolicyError)
    try:
        made = cast(Policy, factory(role, spec))
    # Whatever a user's own code raises is the user's to mend.
    except Exception as error:
        raise PolicyError(f"policy '{text}' cannot be made with (role, spec): {error!r}") from error
    if not callable(getattr(made, "logits", None)):
        raise PolicyError(f"policy '{text}' has no method logits(rows); see league.policies.core.Policy")
    if not isinstance(getattr(made, "memory", 0), int) or memory_width(made) < 0:
        raise PolicyError(f"policy '{text}': its attribute memory must be a whole number ≥ 0: how much it remembers")
    if memory_width(made) and not callable(getattr(made, "recall", None)):
        raise PolicyError(
            f"policy '{text}' remembers, but has no method recall(rows); see league.policies.core.PolicyWithMemory"
        )
    if getattr(made, "role", None) != role:
        raise PolicyError(f"policy '{text}' must have the role it was made for as its attribute role: '{role}'")
    return made
