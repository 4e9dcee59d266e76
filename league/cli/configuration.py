"""`league config`: every setting, its value and where the value comes from."""

from __future__ import annotations

from league.cli.output import console, print_json
from league.cli.overrides import Overrides
from league.config.compare import differences
from league.config.explain import toml_text
from league.config.load import load, resolved_settings, to_dict
from league.run.folders import find_run
from league.views.listings import config_table


def show_config(path: str | None, overrides: Overrides, diff: str | None, as_json: bool) -> None:
    """`league config`."""
    assignments = overrides.assignments()
    resolved = resolved_settings(path, assignments)
    if diff is not None:
        from league.storage.store import Store

        with Store.reader(find_run(diff)) as store:
            rows = differences(store.config(), to_dict(load(path, assignments)))
        if as_json:
            print_json([row._asdict() for row in rows])
            return
        for row in rows:
            print(f"{row.key}: {toml_text(row.old)} in {diff}, {toml_text(row.new)} here")
        if not rows:
            print(f"No setting differs from {diff}'s.")
        return
    if as_json:
        print_json({row.key: {"value": row.value, "source": row.source} for row in resolved})
    else:
        console().print(config_table(resolved))
