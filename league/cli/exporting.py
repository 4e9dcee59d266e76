"""`league export`: write a policy as a folder that works without its run."""

from __future__ import annotations

import shlex
from pathlib import Path

from league.cli.output import print_json
from league.cli.shared import opened_run
from league.run.folders import run_option
from league.run.roster.policy_text import own_run


def export_policy(run: str | None, policy: str, out: Path, as_json: bool) -> None:
    """`league export`."""
    from league.config.load import from_dict
    from league.games.registry import is_own
    from league.studies.export import export

    run, (policy,) = own_run(run, (policy,))
    with opened_run(run) as opened:
        written = export(opened, policy, out)
        # What an export names is not imported: code of the user's own is found by the run.
        game = from_dict(opened.config).game
        own = is_own(game.id) or bool(game.wrappers)
        option = run_option(opened.store.folder) if own else ""
    if as_json:
        print_json({"folder": str(out), "policies": {one.id: str(one.file) for one in written}})
        return
    for one in written:
        print(f"{one.name} ({one.id[:8]}) is in {one.file}")
    folder, role = str(out.absolute()), written[0].role
    policies = [f"{role}={folder}", f"{role}=random"] if len(written) > 1 else [folder, "random"]
    argument = f", role={role!r}" if len(written) > 1 else ""
    print(
        f"Next: league match {shlex.join(policies)}{option}    or, in Python: league.load_policy({folder!r}{argument})"
    )
