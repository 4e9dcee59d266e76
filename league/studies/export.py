"""`league export`: a champion as a folder that works without its run: weights, metadata and a model card."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from league import files
from league.api import Run
from league.errors import PolicyError
from league.lookup import POLICY_FILE, split_roles
from league.policies import weights
from league.records import Snapshot
from league.studies.show import Shown, lineage, shown

RATINGS = ("bradley-terry", "elo", "openskill")
"""The ratings that an exported policy states."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the folder, and the snapshot and file of each role."""

    folder: Path
    policies: tuple[tuple[Snapshot, Path], ...]


def export(run: Run, text: str, out: Path) -> Exported:
    """Write the policies that `text` means to `out`; one file a role, and one metadata.json and README.md for all.

    Raises PolicyError where there is nothing to export or `out` holds something else.
    """
    spec = run.roster.spec
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "metadata.json").is_file())):
        raise PolicyError(f"{out} exists and is no exported policy: name another folder with --out")
    chosen = _chosen(run, text)
    for old in out.glob("*.safetensors") if out.is_dir() else ():
        old.unlink()
    files.make_folder(out)
    written = []
    for snapshot in chosen:
        # Read before it is copied: a damaged snapshot must not be exported.
        weights.read(run.store.snapshot_folder, snapshot.id)
        name = POLICY_FILE if len(spec.roles) == 1 else f"{snapshot.role}.safetensors"
        shutil.copyfile(files.content_path(run.store.snapshot_folder, snapshot.id), out / name)
        written.append((snapshot, out / name))
    described = [shown(run, snapshot.id) for snapshot in chosen]
    data = {
        "format": 1,
        "game": spec.id,
        "game_version": spec.version,
        "game_options": dict(spec.options),
        "policies": [_metadata(run, one, path.name) for one, (_, path) in zip(described, written, strict=True)],
        "config": run.config,
        "made_with": run.store.provenance()[-1],
    }
    files.write_durably(out / "metadata.json", (json.dumps(data, indent=2, default=str) + "\n").encode())
    files.write_durably(out / "README.md", _card(run, described, [path for _, path in written]).encode())
    return Exported(out, tuple(written))


def _chosen(run: Run, text: str) -> list[Snapshot]:
    wanted = split_roles(text)
    roles = [role.name for role in run.roster.spec.roles]
    if "" in wanted and wanted[""] in ("best", "latest"):
        wanted = dict.fromkeys(roles, wanted[""])
    for role in wanted:
        if role and role not in roles:
            raise PolicyError(f"'{text}': this game has no role '{role}'; its roles are {', '.join(roles)}")
    found = [run.roster.named(name, [role] if role else roles) for role, name in wanted.items()]
    for snapshot in found:
        if snapshot.origin == "anchor":
            raise PolicyError(f"'{snapshot.name}' is scripted: there are no weights to export")
    return found


def _metadata(run: Run, one: Shown, file: str) -> dict[str, object]:
    snapshot = one.snapshot
    inside, _ = weights.read(run.store.snapshot_folder, snapshot.id)
    ratings = {}
    for name in ("mean-score",) if run.roster.one_sided else RATINGS:
        line = next((s for s in run.roster.standings(snapshot.role, name) if s.snapshot.id == snapshot.id), None)
        if line is not None:
            ratings[name] = asdict(line.rating)
    return inside | {
        "id": snapshot.id,
        "file": file,
        "training_steps": snapshot.steps,
        "ratings": ratings,
        "lineage": [ancestor.id for ancestor in lineage(run.roster.snapshots, snapshot)],
    }


def _card(run: Run, described: Sequence[Shown], paths: Sequence[Path]) -> str:
    """A short model card in Markdown."""
    spec = run.roster.spec
    unit = "mean score" if run.roster.one_sided else "Bradley–Terry points, random play = 0"
    lines = [
        f"# A policy for {spec.id}",
        "",
        f"Trained by self-play with `league` ({run.config['matchmaking']['kind']}).",
        "",
    ]
    for one, path in zip(described, paths, strict=True):
        snapshot = one.snapshot
        lines += [
            f"## {snapshot.name} (`{path.name}`)",
            "",
            f"- role: {snapshot.role}; seats: {', '.join(spec.seats[s] for s in spec.role(snapshot.role).seats)}",
            f"- trained for {snapshot.steps:,} agent-steps ({snapshot.round} rounds)",
        ]
        if one.rating is not None:
            r = one.rating
            lines.append(f"- rating: {r.value:.2f} [{r.low:.2f}, {r.high:.2f}] ({unit}), {r.games} rated games")
        lines += [f"- sha256: `{snapshot.id}`", ""]
    role = f', role="{described[0].snapshot.role}"' if len(spec.roles) > 1 else ""
    lines += [
        "## Use",
        "",
        "```python",
        "import league",
        "",
        f'policy = league.load_policy("."{role})',
        "action = policy.act(observation, seat=agent, action_mask=mask)",
        "```",
        "",
        "## Limits",
        "",
        "Its rating holds among the policies it was rated against, from sampled play. It has seen no other game, no "
        "other rules and no other opponents than those of its run.",
        "",
    ]
    return "\n".join(lines)
