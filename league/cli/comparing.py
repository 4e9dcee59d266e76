"""`league compare`: train configs for equal agent-steps, then judge everything against everything."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from league.cli.output import console, print_json
from league.cli.shared import game_maker, progress_bar
from league.errors import ConfigError
from league.views.text import clean, count, duration


def run_comparison(
    configs: Sequence[str],
    *,
    seeds: int,
    steps: int,
    games: int,
    out: Path,
    jobs: int | None,
    probe: Path | None,
    overrides: Sequence[str],
    as_json: bool,
    markdown: bool,
) -> None:
    """`league compare`."""
    from league.config.load import to_dict
    from league.studies.compare.contenders import contenders, trained
    from league.studies.compare.judge import check_solutions, judge, labelled
    from league.studies.compare.side_by_side import train
    from league.studies.tournament import require_pairs
    from league.views.compare_table import compare_markdown, compare_table

    if seeds < 1 or steps < 1 or games < 1 or (jobs is not None and jobs < 1):
        raise ConfigError("--seeds, --steps, --games and --jobs must be 1 or more")
    if as_json and markdown:
        raise ConfigError("--json and --markdown are two forms of the same output: give one of them")
    runs = contenders(configs, seeds, steps, out, overrides)
    make = game_maker(to_dict(runs[0].config))
    # All that can be refused is refused before hours of training.
    game = make(1)
    game.close()
    require_pairs(game.spec)
    check_solutions(runs)
    positions = None if probe is None else labelled(make, probe)
    for one in runs:
        trained(one)

    def done(label: str, agent_steps: int, seconds: float) -> None:
        print(f"trained {clean(label)}: {count(agent_steps)} agent-steps, {duration(seconds)}", file=sys.stderr)

    try:
        with progress_bar(f"training {len(runs)} runs") as tick:
            train(runs, jobs, tick, done)
        with progress_bar("judging") as tick:
            report = judge(make, runs, out, games, positions, tick)
    except KeyboardInterrupt:
        print(f"Interrupted: what was trained and played is in {out}; the same command goes on.", file=sys.stderr)
        raise
    if as_json:
        print_json(asdict(report))
    elif markdown:
        print(compare_markdown(report))
    else:
        console().print(compare_table(report))
