"""From a POLICY as people write it to a policy that can sit down: names, ids, exported folders, other runs, bots.

POLICY: best, latest, random, one-ply, a snapshot's id or unique prefix or name, a folder or file of `league export`,
`package.module:Name`, any of these with `@RUN`, and by role: `predator=POLICY,prey=POLICY`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from league import plugins
from league.config import from_dict
from league.errors import PolicyError, RunError
from league.games.core import GameSpec
from league.policies import weights
from league.policies.core import Policy
from league.policies.neural import fits, restore
from league.policies.scripted import SCRIPTED, make_scripted
from league.records import Snapshot
from league.roster import Roster
from league.storage.store import Store

POLICY_FILE = "policy.safetensors"
"""The weights in a folder that `league export` writes (one role), else `<role>.safetensors`."""

RUNS = Path("runs")
"""Where runs lie unless a folder is given."""


@dataclass(frozen=True, slots=True)
class Found:
    """A policy, what to call it, and its snapshot record where it is one of a run."""

    label: str
    policy: Policy
    snapshot: Snapshot | None = None
    roster: Roster | None = None


def split_roles(text: str) -> dict[str, str]:
    """`predator=A,prey=B` → {"predator": "A", "prey": "B"}; anything else → {"": text}. Raises PolicyError."""
    parts = text.split(",")
    if not all("=" in part and not part.lstrip().startswith("mcts=") for part in parts):
        if len(parts) > 1:
            raise PolicyError(f"'{text}': with several policies each needs its role, as in predator=best,prey=latest")
        return {"": text.strip()}
    named = {}
    for part in parts:
        role, _, policy = part.partition("=")
        named[role.strip()] = policy.strip()
    return named


def find(text: str, role: str, roster: Roster) -> Found:
    """The policy that `text` means for a role of the roster's game. Raises PolicyError, SnapshotError or RunError."""
    spec = roster.spec
    if "@" in text:
        name, _, run = text.rpartition("@")
        return _elsewhere(name, run, role, roster)
    if text in SCRIPTED and text != "random":
        return Found(text, make_scripted(text, role, spec))
    path = Path(text)
    if text.startswith((".", "/", "~")) or path.is_dir() or text.endswith(".safetensors"):
        return _exported(path.expanduser(), role, roster)
    if ":" in text:
        return Found(text, foreign(text, role, spec))
    snapshot = roster.named(text, [role])
    return Found(snapshot.name, roster.policy(snapshot.id), snapshot, roster)


def role_of(text: str, roster: Roster) -> str | None:
    """The role that a POLICY can only be of, where its name tells; None for best, random, bots and the like."""
    try:
        snapshot = roster.named(text, [role.name for role in roster.spec.roles])
    except PolicyError:
        return None
    return None if text in ("best", "latest", "random") else snapshot.role


def foreign(text: str, role: str, spec: GameSpec) -> Policy:
    """A policy of the user's own, `package.module:Name` or `file.py:Name`: called with (role, spec), it gives a Policy."""
    factory = plugins.load(text, "policy", PolicyError)
    try:
        made = cast(Policy, factory(role, spec))
    # Whatever a user's own code raises is the user's to mend.
    except Exception as error:
        raise PolicyError(f"policy '{text}' cannot be made with (role, spec): {error!r}") from error
    if not callable(getattr(made, "logits", None)):
        raise PolicyError(f"policy '{text}' has no method logits(rows); see league.policies.core.Policy")
    made.role = role
    return made


def find_run(name: str | None) -> Path:
    """The folder of a run: a folder, a name under runs/, or the newest run where `name` is None. Raises RunError."""
    if name is None:
        runs = Store.find_runs(RUNS)
        if not runs:
            raise RunError("there is no run yet under runs/: start one with `league run`, or name a folder with --run")
        return runs[0]
    for folder in (Path(name), RUNS / name):
        if (folder / "league.db").is_file():
            return folder
    known = ", ".join(run.name for run in Store.find_runs(RUNS)[:8]) or "none"
    raise RunError(f"'{name}' is no run: neither a folder with a league.db nor a name under runs/ (there: {known})")


def open_roster(store: Store, spec: GameSpec, device: str = "cpu") -> Roster:
    """The roster of an open run, with its ledger and ratings (cached ones where they are up to date)."""
    rating = from_dict(store.config()).rating
    roster = Roster(spec, store.snapshot_folder, rating=rating, device=device)
    roster.snapshots = [snapshot for snapshot in store.snapshots() if snapshot.origin != "anchor"]
    roster.results = store.results()
    ratings, upto = store.ratings("reference")
    if upto == store.last_match():
        roster.ratings = ratings
    else:
        roster.rate()
    return roster


def _exported(path: Path, role: str, roster: Roster) -> Found:
    if path.is_dir():
        candidates = [path / POLICY_FILE, path / f"{role}.safetensors"]
        path = next((file for file in candidates if file.is_file()), candidates[0])
    metadata, tensors = weights.read(path)
    if reason := fits(metadata, roster.spec):
        raise PolicyError(f"{path} cannot play here: {reason}")
    if metadata.get("role") != role:
        raise PolicyError(f"{path} plays the role '{metadata.get('role')}', wanted is '{role}'")
    policy = restore(metadata, tensors, str(path), roster.device)
    label = f"{metadata.get('learner')}.{metadata.get('number')} ({path.parent.name})"
    return Found(label, policy)


def _elsewhere(name: str, run: str, role: str, roster: Roster) -> Found:
    with Store.reader(find_run(run)) as store:
        other = open_roster(store, roster.spec, roster.device)
        found = find(name, role, other)
    return Found(f"{found.label}@{run}", found.policy, found.snapshot, other)
