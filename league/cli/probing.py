"""`league probe`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from league.cli.output import console, print_json
from league.cli.shared import opened_context, progress_bar


def show_probe(
    run: str | None, game: str | None, policy: str, file: Path, every: bool, symmetry: bool, as_json: bool
) -> None:
    """`league probe`."""
    from league.studies.probe.probe import probe
    from league.views.probe_table import probe_table

    # Every snapshot is of a run, whatever else is probed.
    with opened_context(run, [policy, *["latest"] * every], game) as opened, progress_bar("probing") as tick:
        report = probe(opened.make, opened.roster, opened.texts[0], file, every, symmetry, tick)
    if as_json:
        print_json(asdict(report))
    else:
        console().print(probe_table(report))
