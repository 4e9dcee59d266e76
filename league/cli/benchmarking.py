"""`league bench`: measure how fast league is on this machine."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

from league.cli.output import console, print_json
from league.cli.overrides import Overrides, game_from_anywhere
from league.cli.shared import progress_bar
from league.config.load import load


def run_bench(
    config: str | None, overrides: Overrides, quick: bool, only: str | None, compare: Path | None, as_json: bool
) -> None:
    """`league bench`."""
    settings = load(config, overrides.assignments())
    from league.studies.bench import bench_report
    from league.studies.bench.measure import bench
    from league.views.bench_table import bench_table

    # Read before the benchmark runs, so that a bad path fails at once.
    old = None if compare is None else bench_report.read(compare)
    names = [name.strip() for name in (only or "").split(",") if name.strip()]
    with progress_bar("measuring") as tick:
        found = bench(settings, quick, names, tick)
    changes = None if old is None else bench_report.compare(found, old, str(compare))
    if as_json:
        print_json(found.to_dict() | ({} if changes is None else {"comparison": asdict(changes)}))
    else:
        given = [str(Path(config).absolute())] if config else []
        given += ["--game", game_from_anywhere(overrides.game)] if overrides.game else []
        table = bench_table(found, changes, shlex.join([*given, *overrides.words()]))
        # Commands to copy may be longer than a line.
        console().print(table, crop=False)
