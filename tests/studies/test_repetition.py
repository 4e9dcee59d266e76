"""What repeated games mean: nothing while few are repeated, less than they seem, or that nothing random was seen."""

from __future__ import annotations

import numpy as np
import pytest

from league.play.match import Episodes
from league.studies.repetition import Repetition, repetition


def episodes(*seatings: list[int]) -> Episodes:
    """One fixture whose games have these hashes, by seating."""
    trajectory = np.array(seatings, dtype=np.int64).T
    shape = trajectory.shape
    return Episodes(
        np.zeros((*shape, 2)), np.ones(shape, dtype=np.int64), np.zeros((*shape, 2), dtype=bool), trajectory
    )


@pytest.mark.parametrize(
    ("played", "expected"),
    [
        ([episodes([1, 2, 3], [4, 5, 1])], Repetition(6, 5, False)),
        ([episodes([7, 7, 7], [8, 8, 8])], Repetition(6, 2, True)),
        ([episodes([7, 7, 7]), episodes([7, 7, 7])], Repetition(6, 1, True)),
        ([episodes([7, 7, 7], [7, 8, 7])], Repetition(6, 2, False)),
        ([episodes([7]), episodes([8])], Repetition(2, 2, False)),
    ],
    ids=["few", "each seating its own", "both the same", "one seating varies", "a game each"],
)
def test_repetition_is_counted_by_seating(played: list[Episodes], expected: Repetition) -> None:
    assert repetition(played) == expected


def test_warnings() -> None:
    assert Repetition(400, 40, False).warning == ""
    assert Repetition(400, 9, False).warning.startswith("only 9 distinct games: the score holds for these policies")
    assert (
        Repetition(400, 2, True).warning == "only 2 distinct games, which every seating repeats: there is no interval"
    )
