"""`league export`: write a policy as a folder that works without its run: weights, metadata and a model card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from league import files
from league.api import Run
from league.errors import PolicyError
from league.policies import weights
from league.records import Snapshot
from league.run.roster.lookup import METADATA_CAP, POLICY_FILE, role_file
from league.run.roster.policy_text import split_roles
from league.studies.snapshot_profile import SnapshotProfile, lineage, profile

RATINGS = ("melo", "field", "robust", "bradley-terry", "elo", "openskill")
"""The ratings in the metadata of an exported policy."""

FORMAT = 1
"""The version of the format of metadata.json."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the folder, and the snapshot and file of each role."""

    folder: Path
    policies: tuple[tuple[Snapshot, Path], ...]


def export(run: Run, text: str, out: Path) -> Exported:
    """Write the policies that `text` names to `out`: one file per role, and one metadata.json and README.md for all.

    An earlier export in `out` is replaced. Raises PolicyError if there is nothing to export or if `out` holds something
    else, SnapshotError if a snapshot is damaged; `out` is then unchanged.
    """
    spec = run.roster.spec
    if out.exists() and not _may_be_replaced(out):
        raise PolicyError(f"{out} exists and is not an exported policy: name another folder with --out")
    chosen = _chosen(run, text)
    described = [profile(run.roster.ranking, run.store, snapshot.id) for snapshot in chosen]
    # Read all snapshots before writing: a damaged one must not destroy an earlier export.
    inside = [weights.read(run.store.snapshot_folder, snapshot.id)[0] for snapshot in chosen]
    files.make_folder(out)
    for old in out.glob(f"*{files.SUFFIX}"):
        old.unlink()
    written = []
    for snapshot in chosen:
        path = out / (POLICY_FILE if len(spec.roles) == 1 else role_file(snapshot.role))
        content = files.content_path(run.store.snapshot_folder, snapshot.id)
        files.write_durably(path, files.read_capped(content, weights.CAP))
        written.append((snapshot, path))
    data = {
        "format": FORMAT,
        "game": spec.id,
        "game_version": spec.version,
        "game_options": dict(spec.options),
        "policies": [
            _metadata(run, one, within, path.name)
            for one, within, (_, path) in zip(described, inside, written, strict=True)
        ],
        "config": run.config,
        "made_with": run.store.provenance()[-1],
    }
    files.write_durably(out / "metadata.json", (files.readable_json(data) + "\n").encode())
    card = _card(run, described, inside, [path for _, path in written])
    files.write_durably(out / "README.md", card.encode())
    return Exported(out, tuple(written))


def _has_memory(metadata: dict[str, object]) -> bool:
    """Whether a snapshot's policy has memory. metadata: from the snapshot's file."""
    network = metadata.get("network")
    return isinstance(network, dict) and network.get("memory", "none") != "none"


def _may_be_replaced(out: Path) -> bool:
    """Whether `out` is an empty folder or one that `export` wrote."""
    if not out.is_dir():
        return False
    if not any(out.iterdir()):
        return True
    try:
        data = json.loads(files.read_capped(out / "metadata.json", METADATA_CAP))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("format") == FORMAT and "policies" in data


def _chosen(run: Run, text: str) -> list[Snapshot]:
    roles = [role.name for role in run.roster.spec.roles]
    wanted = split_roles(text, roles)
    if "" in wanted and wanted[""] in ("best", "latest"):
        wanted = dict.fromkeys(roles, wanted[""])
    found = [run.roster.ranking.named(name, [role] if role else roles) for role, name in wanted.items()]
    for snapshot in found:
        if snapshot.origin == "anchor":
            raise PolicyError(f"'{snapshot.name}' is scripted and has no weights to export")
    return found


def _metadata(run: Run, one: SnapshotProfile, inside: dict[str, object], file: str) -> dict[str, object]:
    """The entry of one policy in metadata.json. inside: the metadata in its snapshot file."""
    snapshot = one.snapshot
    ratings = {}
    for name in ("mean-score",) if run.roster.ranking.game.one_sided else RATINGS:
        line = next(
            (s for s in run.roster.ranking.standings(snapshot.role, name) if s.snapshot.id == snapshot.id), None
        )
        if line is not None:
            ratings[name] = asdict(line.rating)
    return inside | {
        "id": snapshot.id,
        "file": file,
        "training_steps": snapshot.steps,
        "ratings": ratings,
        "lineage": [ancestor.id for ancestor in lineage(run.roster.entrants.snapshots, snapshot)],
    }


def _card(
    run: Run, described: Sequence[SnapshotProfile], inside: Sequence[dict[str, object]], paths: Sequence[Path]
) -> str:
    """A short model card in Markdown. inside: the metadata in each policy's snapshot file."""
    spec = run.roster.spec
    unit = "mean score" if run.roster.ranking.game.one_sided else "Elo points above random play"
    lines = [
        f"# A policy for {spec.id}",
        "",
        f"Trained by self-play with `league` ({run.config['matchmaking']['kind']}, {run.config['algorithm']['kind']}).",
        "",
    ]
    for one, within, path in zip(described, inside, paths, strict=True):
        snapshot = one.snapshot
        lines += [
            f"## {snapshot.name} (`{path.name}`)",
            "",
            f"- role: {snapshot.role}; seats: {', '.join(spec.seats[s] for s in spec.role(snapshot.role).seats)}",
            f"- trained for {snapshot.steps:,} agent-steps ({snapshot.round} rounds)",
        ]
        if one.rating is not None:
            r = one.rating
            if one.field is not None:
                f = one.field
                lines.append(
                    f"- score against its run's snapshots: {f.value:.3f} [{f.low:.3f}, {f.high:.3f}], predicted"
                )
            lines.append(f"- rating: {r.value:.2f} [{r.low:.2f}, {r.high:.2f}] ({unit}), {r.games} rated games")
        if "epsilon" in within:
            lines.append(
                "- it learnt what actions are worth: it takes the best, and a random one with probability "
                f"{within['epsilon']} where it is given an `rng`"
            )
        lines += [f"- sha256: `{snapshot.id}`", ""]
    role = f', role="{described[0].snapshot.role}"' if len(spec.roles) > 1 else ""
    use = ["action = policy.act(observation, seat=agent, action_mask=mask)"]
    if any(_has_memory(one) for one in inside):
        use = [
            "memory = None  # for each agent, as an episode begins",
            "action, memory = policy.step(observation, agent, memory, action_mask=mask)",
        ]
    lines += [
        "## Use",
        "",
        "```python",
        "import league",
        "",
        f'policy = league.load_policy("."{role})',
        *use,
        "```",
        "",
        "## Limits",
        "",
        "Its rating holds among the policies it was rated against, from sampled play. It has seen no other game, no "
        "other rules and no other opponents than those of its run.",
        "",
    ]
    return "\n".join(lines)
