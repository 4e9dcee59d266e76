"""The strongest cycles are found by name, and only where there are any."""

from __future__ import annotations

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from league.rating.metagame.cycles import strongest_cycles


def edges(cycle: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(pairwise((*cycle, cycle[0])))


def planted(size: int, cycle: tuple[int, ...], by: float = 0.2) -> np.ndarray:
    """A ladder on which the members of a cycle are level, and beat each other in turn."""
    rung = np.arange(size, 0, -1.0)
    rung[list(cycle)] = rung[list(cycle)].mean()
    advantage = 0.02 * (rung[:, None] - rung)
    for i, j in edges(cycle):
        advantage[i, j], advantage[j, i] = by, -by
    return advantage


@pytest.mark.parametrize("cycle", [(2, 7, 4), (1, 8, 3, 6), (0, 5, 2, 9, 4)])
def test_a_planted_cycle_is_found_first(cycle: tuple[int, ...]) -> None:
    assert strongest_cycles(planted(10, cycle))[0] == cycle


def test_a_ladder_has_no_cycle() -> None:
    rung = np.random.default_rng(1).normal(size=200)
    assert strongest_cycles(rung[:, None] - rung) == []
    assert strongest_cycles(np.zeros((5, 5))) == []
    assert strongest_cycles(np.zeros((0, 0))) == []


def test_cycles_share_no_edge() -> None:
    found = strongest_cycles(np.random.default_rng(3).normal(size=(30, 30)) * np.tri(30, k=-1), most=4)
    assert found == []
    noise = np.triu(np.random.default_rng(3).normal(size=(30, 30)), 1)
    found = strongest_cycles(noise - noise.T, most=4)
    all_edges = [edge for cycle in found for edge in edges(cycle)]
    assert len(found) == 4
    assert len(set(all_edges)) == len(all_edges)


@given(size=st.integers(3, 7), seed=st.integers(0, 10_000), kept=st.floats(0.3, 1.0))
def test_none_is_stronger(size: int, seed: int, kept: float) -> None:
    rng = np.random.default_rng(seed)
    noise = np.triu(np.round(rng.normal(size=(size, size)), 1) * (rng.uniform(size=(size, size)) < kept), 1)
    edge = noise - noise.T

    def weakest(cycle: tuple[int, ...]) -> float:
        return min(edge[pair] for pair in edges(cycle))

    every = [cycle for length in (3, 4, 5) for cycle in permutations(range(size), length) if cycle[0] == min(cycle)]
    best = max(map(weakest, every), default=0.0)
    found = strongest_cycles(edge)
    if best <= 0:
        assert found == []
        return
    assert weakest(found[0]) == best
    shortest = min(len(cycle) for cycle in every if weakest(cycle) == best)
    assert len(found[0]) == shortest
    total = max(sum(edge[pair] for pair in edges(one)) for one in every if (weakest(one), len(one)) == (best, shortest))
    assert sum(edge[pair] for pair in edges(found[0])) == pytest.approx(total)
