"""`league export`: write a policy as a folder that works without its run: weights, metadata and a model card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from league import files
from league.api import Run
from league.errors import PolicyError
from league.games.words import described
from league.policies import weights
from league.policies.exported import METADATA_CAP, POLICY_FILE, role_file
from league.policies.names import MIXTURES
from league.records import PolicyId, Snapshot
from league.run.roster.mixtures import mixture
from league.run.roster.policy_text import split_roles
from league.studies.snapshot_profile import SnapshotProfile, profile

RATINGS = ("melo", "field", "robust", "bradley-terry", "elo", "openskill")
"""The ratings in the metadata of an exported policy."""

_MOST_SHOWN = 10
"""The most members of a mixture that a model card names."""

FORMAT = 1
"""The version of the format of metadata.json."""


@dataclass(frozen=True, slots=True)
class Exported:
    """A policy that was written. name: its snapshot's, or what mixture it is. id: the sha256 of the file."""

    name: str
    id: PolicyId
    role: str
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """A policy to write. content: of its file. about: its entry in metadata.json. card: its lines of the model card."""

    name: str
    id: PolicyId
    role: str
    content: bytes
    about: dict[str, object]
    card: list[str]


def export(run: Run, text: str, out: Path) -> tuple[Exported, ...]:
    """Write the policies that `text` names to `out`: one file per role, and one metadata.json and README.md for all.

    An earlier export in `out` is replaced. Raises PolicyError if there is nothing to export or if `out` holds something
    else, SnapshotError if a snapshot is damaged; `out` is then unchanged.
    """
    spec = run.roster.spec
    if out.exists() and not _may_be_replaced(out):
        raise PolicyError(f"{out} exists and is not an exported policy: name another folder with --out")
    # Read all snapshots before writing: a damaged one must not destroy an earlier export.
    items = _items(run, text)
    files.make_folder(out)
    for old in out.glob(f"*{files.SUFFIX}"):
        old.unlink()
    written = []
    for item in items:
        path = out / (POLICY_FILE if len(spec.roles) == 1 else role_file(item.role))
        files.write_durably(path, item.content)
        written.append(Exported(item.name, item.id, item.role, path))
    data = {
        "format": FORMAT,
        "game": spec.id,
        "game_version": spec.version,
        "game_options": dict(spec.options),
        "game_words": described(spec),
        "policies": [
            {**item.about, "id": item.id, "file": one.file.name} for item, one in zip(items, written, strict=True)
        ],
        "config": run.config,
        "made_with": run.store.provenance()[-1],
    }
    files.write_durably(out / "metadata.json", (files.readable_json(data) + "\n").encode())
    files.write_durably(out / "README.md", _card(run, items, written).encode())
    return tuple(written)


def _has_memory(metadata: dict[str, object]) -> bool:
    """Whether a policy has memory, as a mixture has: of whom it drew. metadata: from its file."""
    network = metadata.get("network")
    return "mixture" in metadata or (isinstance(network, dict) and network.get("memory", "none") != "none")


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


def _items(run: Run, text: str) -> list[_Item]:
    """What `text` names, by role. Raises PolicyError for policies without weights of their own."""
    roles = [role.name for role in run.roster.spec.roles]
    wanted = split_roles(text, roles)
    if "" in wanted and wanted[""] in ("best", "latest", *MIXTURES):
        wanted = dict.fromkeys(roles, wanted[""])
    items = []
    for role, name in wanted.items():
        if name in MIXTURES:
            items.append(_mixture_item(run, name, role))
            continue
        snapshot = run.roster.ranking.named(name, [role] if role else roles)
        if snapshot.origin == "anchor":
            raise PolicyError(f"'{snapshot.name}' is scripted and has no weights to export")
        items.append(_snapshot_item(run, snapshot))
    return items


def _mixture_item(run: Run, word: str, role: str) -> _Item:
    mixed = mixture(word, role, run.roster)
    members, (metadata, _) = mixed.members, weights.unpack(mixed.content)
    shown = ", ".join(f"{one.name} {share:.1%}" for one, share in members[:_MOST_SHOWN])
    rest = f" and {len(members) - _MOST_SHOWN} more" if len(members) > _MOST_SHOWN else ""
    name = f"{word} of {len(members)}"
    seats = ", ".join(run.roster.spec.seats[seat] for seat in run.roster.spec.role(role).seats)
    return _Item(
        name=name,
        id=mixed.id,
        role=role,
        content=mixed.content,
        about=metadata,
        card=[
            f"- role: {role}; seats: {seats}",
            f"- a mixture: for each episode one of its {len(members)} members is drawn and plays it to the end",
            f"- members: {shown}{rest}",
        ],
    )


def _snapshot_item(run: Run, snapshot: Snapshot) -> _Item:
    described = profile(run.roster.ranking, run.store, snapshot.id)
    inside, _ = weights.read(run.store.snapshot_folder, snapshot.id)
    path = files.content_path(run.store.snapshot_folder, snapshot.id)
    return _Item(
        name=snapshot.name,
        id=snapshot.id,
        role=snapshot.role,
        content=files.read_capped(path, weights.CAP),
        about=_about(run, described, inside),
        card=_lines(run, described, inside),
    )


def _about(run: Run, one: SnapshotProfile, inside: dict[str, object]) -> dict[str, object]:
    """The entry of a snapshot in metadata.json. inside: the metadata in its file."""
    snapshot = one.snapshot
    ratings = {}
    for name in ("mean-score",) if run.roster.ranking.game.one_sided else RATINGS:
        # An evicted snapshot has the last ratings of the systems that the run shows.
        rating = run.roster.ratings.last(name, snapshot.id)
        if rating is not None:
            ratings[name] = asdict(rating)
    return inside | {
        "training_steps": snapshot.steps,
        "ratings": ratings,
        "begun_from": one.begun_from,
        "lineage": [ancestor.id for ancestor in run.roster.entrants.lineage(snapshot)],
    }


def _lines(run: Run, one: SnapshotProfile, inside: dict[str, object]) -> list[str]:
    """What the model card says of a snapshot. inside: the metadata in its file."""
    snapshot, spec = one.snapshot, run.roster.spec
    unit = "mean score" if run.roster.ranking.game.one_sided else "Elo points above random play"
    lines = [
        f"- role: {snapshot.role}; seats: {', '.join(spec.seats[s] for s in spec.role(snapshot.role).seats)}",
        f"- trained for {snapshot.steps:,} agent-steps ({snapshot.round} rounds)",
    ]
    lines += [f"- its run began from {one.begun_from}"] if one.begun_from else []
    if one.rating is not None:
        r = one.rating
        if one.field is not None:
            f = one.field
            lines.append(f"- score against its run's snapshots: {f.value:.3f} [{f.low:.3f}, {f.high:.3f}], predicted")
        lines.append(f"- rating: {r.value:.2f} [{r.low:.2f}, {r.high:.2f}] ({unit}), {r.games} rated games")
    if "epsilon" in inside:
        lines.append(
            "- it learnt what actions are worth: it takes the best, and a random one with probability "
            f"{inside['epsilon']} where it is given an `rng`"
        )
    return lines


def _card(run: Run, items: Sequence[_Item], written: Sequence[Exported]) -> str:
    """A short model card in Markdown."""
    spec = run.roster.spec
    lines = [
        f"# A policy for {spec.id}",
        "",
        f"Trained by self-play with `league` ({run.config['matchmaking']['kind']}, {run.config['algorithm']['kind']}).",
        "",
        "## Game",
        "",
        f"- {spec.seating}",
        *(f"- {name}: {words}" for name, words in described(spec).items()),
        "",
    ]
    for item, one in zip(items, written, strict=True):
        lines += [f"## {item.name} (`{one.file.name}`)", "", *item.card, f"- sha256: `{item.id}`", ""]
    role = f', role="{items[0].role}"' if len(spec.roles) > 1 else ""
    use = ["action = policy.act(observation, seat=agent, action_mask=mask)"]
    if any(_has_memory(one.about) for one in items):
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
