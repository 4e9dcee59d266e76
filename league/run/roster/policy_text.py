"""Parsing a POLICY: what sort of policy it means, of which run, and one for each role. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from league import files
from league.errors import PolicyError, nearest
from league.policies.names import MIXTURES, is_scripted
from league.run.folders import find_run

_MAX_LISTED = 12
"""The most names that an error lists in full."""


Sort = Literal["scripted", "word", "export", "other run", "own code", "path", "snapshot"]

_WORDS = ("best", "latest", *MIXTURES)
"""Words that mean a policy of a run."""


def sort_of(text: str) -> Sort:
    """What sort of policy a POLICY without roles means.

    "word": best, latest or a mixture of a run. "export": a folder or file that is there. "other run": `POLICY@RUN`.
    "own code": `package.module:Name` or `file.py:Name`. "path": nothing is there. "snapshot": a name or an id.
    """
    # The words do not depend on the folders that exist: a folder called "best" is ./best.
    if is_scripted(text):
        return "scripted"
    if text in _WORDS:
        return "word"
    path = Path(text).expanduser()
    if path.is_dir() or path.suffix == files.SUFFIX:
        return "export"
    if "@" in text:
        return "other run"
    if ":" in text:
        return "own code"
    return "path" if text.startswith((".", "/", "~")) else "snapshot"


def parts_of(text: str) -> list[tuple[str, str]]:
    """Each POLICY in a text, with what stands before it: `a=X,b=Y` → [("a=", "X"), ("b=", "Y")], `X` → [("", "X")].

    Unlike `split_roles`, it does not need the game.
    """
    parts = text.split(",")
    if not all(_names_role(part) for part in parts):
        return [("", text.strip())]
    return [(f"{role.strip()}=", policy.strip()) for role, _, policy in (part.partition("=") for part in parts)]


def named_runs(texts: Sequence[str]) -> list[Path]:
    """The folders of the runs that policies name by `POLICY@RUN`, each once. Raises RunError."""
    named = (text.partition("@")[2] for _, text in every_part(texts) if sort_of(text) == "other run")
    return list({folder.resolve(): folder for folder in map(find_run, named)}.values())


def own_run(run: str | None, texts: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The run that is named, by the user or by all `POLICY@RUN` alike, and the texts without its `@RUN`.

    None if none is named, or several are. Raises RunError for one that does not exist.
    """
    named = named_runs(texts)
    if run is None and len(named) != 1:
        return None, tuple(texts)
    folder = named[0] if run is None else find_run(run)

    def short(text: str) -> str:
        name, _, other = text.partition("@")
        return name if sort_of(text) == "other run" and find_run(other).resolve() == folder.resolve() else text

    kept = tuple(",".join(before + short(text) for before, text in parts_of(one)) for one in texts)
    return str(folder) if run is None else run, kept


def from_anywhere(text: str) -> str:
    """The text with all paths in it made absolute, to be printed in commands. Raises RunError."""

    def absolute(policy: str) -> str:
        name, _, place = policy.partition("@") if (sort := sort_of(policy)) == "other run" else policy.rpartition(":")
        if sort == "export":
            return str(Path(policy).expanduser().absolute())
        if sort == "other run":
            return f"{name}@{find_run(place).absolute()}"
        return f"{Path(name).absolute()}:{place}" if sort == "own code" and name.endswith(".py") else policy

    return ",".join(before + absolute(policy) for before, policy in parts_of(text))


def every_part(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The parts of several texts, as in `parts_of`."""
    return (part for text in texts for part in parts_of(text))


def split_roles(text: str, roles: Sequence[str], seats: Sequence[str] = ()) -> dict[str, str]:
    """`predator=A,prey=B` → {"predator": "A", "prey": "B"}; anything else → {"": text}.

    roles: those of the game. seats: names usable like roles, if each seat may have its own policy.
    Raises PolicyError for a role or seat that the game does not have or that is named twice.
    """
    parts = text.split(",")
    if not all(_names_role(part) for part in parts):
        if len(parts) > 1 and not Path(text).exists() and sort_of(text) != "other run":
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
