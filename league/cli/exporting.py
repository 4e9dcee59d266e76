"""`league export`: write a policy as a folder that works without its run."""

from __future__ import annotations

import shlex
from pathlib import Path

from league.cli.shared import opened_run, print_json


def export_policy(run: str | None, policy: str, out: Path, as_json: bool) -> None:
    """`league export`."""
    from league.studies.export import export

    with opened_run(run) as opened:
        written = export(opened, policy, out)
    if as_json:
        print_json({"folder": str(out), "policies": {one.id: str(one.file) for one in written}})
        return
    for one in written:
        print(f"{one.name} ({one.id[:8]}) is in {one.file}")
    folder = shlex.quote(str(out) if "/" in str(out) else f"./{out}")
    several = len(written) > 1
    role = written[0].role
    rivals = f"{role}={folder} {role}=random" if several else f"{folder} random"
    argument = f", role={role!r}" if several else ""
    print(f"Next: league match {rivals}    or, in Python: league.load_policy({str(out)!r}{argument})")
