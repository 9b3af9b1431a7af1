"""Rows, lanes and crossings."""
from __future__ import annotations

import random
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from netdef.report.ranks import Rows, ranks


def test_the_longest_path_counts_and_sources_move_down():
    assert ranks(4, [(0, 1), (1, 2), (0, 2), (3, 2)]) == [0, 1, 2, 1]


def test_lanes_are_shared_by_edges_from_one_port():
    edges = [(0, 1, 0), (1, 2, 0), (2, 3, 0), (0, 3, 0), (0, 2, 0)]
    rows = Rows(4, edges)
    assert rows.chains[3] == [0, 4, 5, 3] and rows.chains[4] == [0, 4, 2]
    apart = Rows(4, [*edges[:4], (0, 2, 1)])
    assert apart.chains[4] == [0, 6, 2]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(6, 11)), max_size=25))
def test_crossings_are_counted(pairs):
    rows = Rows(12, [(a, b, 0) for a, b in pairs])
    expected = 0
    for upper, lower in zip(rows.rows, rows.rows[1:], strict=False):
        ends = [(upper.index(a), lower.index(b)) for a in upper for b in rows.down[a]]
        expected += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(ends, 2))
    assert rows.crossings() == expected


def test_crossings_are_taken_out():
    """Three trees with their leaves shuffled: medians put every leaf under its own, whatever the order at first."""
    shuffled = random.Random(1)
    edges = [(a, 3 + 9 * level + i, 0) if level == 0 else (3 + 9 * (level - 1) + i, 3 + 9 * level + j, 0)
             for level in range(4) for i, j in enumerate(shuffled.sample(range(9), 9)) for a in [i % 3]]
    first = Rows(39, edges)
    assert first.crossings() == 0
    first.rows = [shuffled.sample(row, len(row)) for row in first.rows]
    assert first.crossings() > 20
    first._reduce_crossings()
    assert first.crossings() == 0
