"""Policies of the user's own, by name."""

from __future__ import annotations

from typing import cast

from league import plugins
from league.errors import PolicyError
from league.games.core import GameSpec
from league.policies.core import Policy, memory_width


def load_user_policy(text: str, role: str, spec: GameSpec) -> Policy:
    """Make the user's own policy: call `package.module:Name` or `file.py:Name` with (role, spec).

    Raises PolicyError if nothing has that name, if the call fails, or if the result breaks the contract of a policy.
    """
    factory = plugins.load(text, "policy", PolicyError)
    try:
        made = cast(Policy, factory(role, spec))
    # Any exception here is an error in the user's own code.
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
