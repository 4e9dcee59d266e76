"""Rosters of real runs, as tests/data/real_rosters.json has them: rated games beside new ones of the same pairs.

To measure anew, run this file: `python tests/rating/real_rosters.py RUN…` plays `NEW_GAMES` games of each pair that met
in the folders' ledgers and writes the file. For games in which two policies of one role face each other.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from league.rating.prediction.pairs import Pairs
from league.rating.prediction.payoff_model import Origins

FILE = Path(__file__).parents[1] / "data" / "real_rosters.json"

NEW_GAMES = 1000
"""New games of each pair; neither training nor rating saw them."""


@dataclass(frozen=True, kw_only=True)
class RealRoster:
    """A roster, what its ledger says of each pair, and `[M]` the scores that the first of a pair makes in new games."""

    name: str
    pairs: Pairs
    origins: Origins
    new: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def luck(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """`[M]` the variance that the number of new games gives their mean score."""
        return np.maximum(self.new * (1.0 - self.new), 1e-3) * self.pairs.spread / NEW_GAMES


def real_rosters() -> Iterator[RealRoster]:
    for kept in json.loads(FILE.read_text()):
        first, second, games, score, new = np.array(kept["rows"]).T
        count = len(kept["parents"])
        outside = np.isin(np.arange(count), kept["outside"])
        yield RealRoster(
            name=kept["run"],
            pairs=Pairs(
                count=count,
                first=first.astype(np.int64),
                second=second.astype(np.int64),
                games=games,
                score=score,
                spread=kept["spread"],
            ),
            origins=Origins(np.array(kept["parents"]), outside, np.ones(count, dtype=np.int64)),
            new=new,
        )


def measured(folder: Path) -> dict[str, object]:
    """What the file keeps of one run."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
    from test_predictions import played

    from league.api import open_run

    with open_run(folder) as run:
        roster = run.roster
        payoff = roster.ratings.payoff
        assert payoff is not None
        pairs, origins = payoff.pairs, payoff.model.origins
        names = [(payoff.ids[a], payoff.ids[b]) for a, b in zip(pairs.first, pairs.second, strict=True)]
        new, _ = played(roster, roster.spec.roles[0].name, names, [NEW_GAMES] * len(names), run.config["game"])
        columns = (pairs.first, pairs.second, pairs.games, np.round(pairs.score, 5), np.round(new, 5))
        return {
            "run": f"{run.config['game']['id']}, seed {run.config['seed']}",
            "spread": round(pairs.spread, 4),
            "parents": origins.parents.tolist(),
            "outside": np.flatnonzero(origins.outside).tolist(),
            "rows": list(zip(*(column.tolist() for column in columns), strict=True)),
        }


if __name__ == "__main__":
    found = ",\n".join(json.dumps(measured(Path(folder)), separators=(",", ":")) for folder in sys.argv[1:])
    FILE.write_text(f"[\n{found}\n]\n")
