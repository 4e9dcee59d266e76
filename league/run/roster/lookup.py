"""Looking up a POLICY: from the text that users write to a policy that can play.

POLICY: best, latest, nash, average, random, one-ply, mcts=N, a snapshot's id or unique prefix or name, a folder or
file of `league export`, `package.module:Name`, any of these with `@RUN`, and by role: `predator=POLICY,prey=POLICY`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from league import files
from league.config.load import from_dict
from league.errors import PolicyError
from league.games.core import GameSpec
from league.policies.core import Policy
from league.policies.exported import POLICY_FILE, read_exported, role_file
from league.policies.foreign import load_user_policy
from league.policies.mixture import Mixture, restore_any
from league.policies.names import MIXTURES, RANDOM
from league.policies.neural import fits
from league.policies.scripted import make_scripted
from league.records import PolicyId
from league.run import code
from league.run.folders import find_run
from league.run.roster.mixtures import mixture
from league.run.roster.policy_text import sort_of
from league.run.roster.roster import Roster
from league.storage.store import Store


@dataclass(frozen=True, slots=True)
class Found:
    """A policy, its label, and the id of its snapshot or file (None if it is scripted or the user's own)."""

    label: str
    policy: Policy
    id: PolicyId | None = None


def find(text: str, role: str, roster: Roster) -> Found:
    """The policy that `text` refers to, for a role of the game. Raises PolicyError, SnapshotError or RunError."""
    spec, sort = roster.spec, sort_of(text)
    if sort == "scripted" and text != RANDOM:
        return Found(text, make_scripted(text, role, spec))
    # An anchor's file need not lie in the working folder; what does lie there is what the name means.
    elsewhere = text in roster.places and not Path(text.rpartition(":")[0]).is_file()
    if any(anchor.id == text and (elsewhere or text != anchor.text) for anchor in roster.entrants.anchors):
        anchor = roster.ranking.named(text, [role])
        return Found(text, roster.policy(anchor.id), anchor.id)
    if sort in ("export", "path"):
        return _exported(Path(text).expanduser(), role, roster)
    if sort == "other run":
        name, _, run = text.partition("@")
        return _in_other_run(name, run, role, roster)
    if sort == "own code":
        return Found(text, load_user_policy(text, role, spec))
    if text in MIXTURES:
        mixed = mixture(text, role, roster)
        return Found(f"{text} of {len(mixed.members)}", mixed.policy, mixed.id)
    snapshot = roster.ranking.named(text, [role])
    return Found(snapshot.name, roster.policy(snapshot.id), snapshot.id)


def policy_files(folder: Path, role: str) -> tuple[Path, Path]:
    """Where an exported folder has the weights of a role: the file of its only role, and that of one of several."""
    return folder / POLICY_FILE, folder / role_file(role)


def role_of(text: str, roster: Roster) -> str | None:
    """The role of a POLICY that names a snapshot; None for best, random, bots and other policies of any role."""
    try:
        snapshot = roster.ranking.named(text, [role.name for role in roster.spec.roles])
    except PolicyError:
        return None
    # An anchor's text without a role refers to the anchors of all roles.
    scripted = snapshot.origin == "anchor" and text != snapshot.id
    return None if scripted or sort_of(text) in ("word", "scripted") else snapshot.role


def open_roster(store: Store, spec: GameSpec, device: str = "cpu") -> Roster:
    """The roster of an open run, with its ratings; cached ones if they are up to date."""
    places = code.places(code.kept(store))
    roster = Roster(spec, store.snapshot_folder, from_dict(store.config()).rating, device, places)
    roster.ranking.load(store)
    return roster


def _exported(path: Path, role: str, roster: Roster) -> Found:
    if path.is_dir():
        candidates = policy_files(path, role)
        path = next((file for file in candidates if file.is_file()), candidates[0])
    if not path.is_file():
        raise PolicyError(f"there is no policy at {path}: name a folder or a file that `league export` wrote")
    metadata, tensors = read_exported(path)
    if reason := fits(metadata, roster.spec):
        raise PolicyError(f"{path} cannot play here: {reason}")
    if metadata.get("role") != role:
        raise PolicyError(f"{path} plays the role '{metadata.get('role')}', but '{role}' is needed")
    policy = restore_any(metadata, tensors, str(path), roster.spec.role(role).actions, roster.device)
    name = f"{metadata.get('learner')}.{metadata.get('number')}"
    if isinstance(policy, Mixture):
        name = f"mixture of {len(policy.members)}"
    return Found(f"{name} ({path.absolute().parent.name})", policy, files.digest_file(path))


def _in_other_run(name: str, run: str, role: str, roster: Roster) -> Found:
    with Store.reader(find_run(run)) as store:
        other = open_roster(store, roster.spec, roster.device)
        if name in MIXTURES:
            found = find(name, role, other)
            return Found(f"{found.label}@{run}", found.policy, found.id)
        snapshot = other.ranking.named(name, [role])
        return Found(f"{snapshot.name}@{run}", other.policy(snapshot.id), snapshot.id)
