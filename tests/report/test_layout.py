"""Layouts of random graphs: what has to hold of every one, and what single ones should look like."""
from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdef.report.layout import Edge, Node, curve, lay_out

SIZES = st.tuples(st.integers(10, 200), st.integers(10, 90), st.integers(0, 30))


@st.composite
def graphs(draw):
    """Up to 14 boxes of any size with tails and ports, and edges from lower to higher numbers, some of them twice."""
    n = draw(st.integers(1, 14))
    ports = [draw(st.lists(st.tuples(st.integers(2, 20), st.integers(2, 60)), min_size=2, max_size=3))
             if draw(st.integers(0, 4)) == 0 else [] for _ in range(n)]
    nodes = [Node(i, *draw(SIZES), tuple(p)) for i, p in enumerate(ports)]
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30)) if n > 1 else []
    edges = [Edge(min(a, b), max(a, b), draw(st.integers(0, max(0, len(ports[min(a, b)]) - 1)))) for a, b in pairs if a != b]
    return nodes, edges


def box_of(node, layout):
    """Left, top, right and bottom, as placed."""
    x, y = layout.nodes[node.key]
    across = sum(map(sum, node.ports))
    tb = layout.rankdir == "tb"
    width, height = (max(node.width, across), node.height) if tb else (node.width, max(node.height, across))
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def meet(a, b, slack=0.01):
    return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack


@settings(max_examples=100, deadline=None)
@given(graphs(), st.sampled_from(["tb", "lr"]))
def test_of_every_layout(graph, rankdir):
    check(*graph, rankdir)


@pytest.mark.parametrize("seed", range(6))
def test_of_larger_layouts(seed):
    """Sixty boxes with edges that cross and pass many rows."""
    r = random.Random(seed)
    nodes = [Node(i, r.randrange(10, 200), r.randrange(10, 90), r.randrange(20)) for i in range(60)]
    ends = [sorted((max(0, b - r.choice((1, 1, 2, 3, 9, 40))), b)) for b in range(1, 60) for _ in range(r.choice((1, 1, 2, 3)))]
    check(nodes, [Edge(a, b) for a, b in ends], "tb")


def check(nodes, edges, rankdir):
    """No boxes overlap, edges run forwards and through no box, all is within the whole, and the same again."""
    layout = lay_out(nodes, edges, rankdir)
    boxes = {n.key: box_of(n, layout) for n in nodes}
    keys = sorted(boxes)
    assert not [(a, b) for a in keys for b in keys if a < b and meet(boxes[a], boxes[b])], "boxes overlap"
    along = 1 if rankdir == "tb" else 0
    for edge, points in zip(edges, layout.edges, strict=True):
        places = [p[along] for p in points]
        assert places == sorted(places) and places[0] < places[-1], "an edge runs back"
        assert places[0] == pytest.approx(boxes[edge.source][along + 2])
        assert places[-1] == pytest.approx(boxes[edge.target][along])
        assert points[0] == pytest.approx(layout.ports[edge.source, edge.port])
        end = points[-1][1 - along]
        assert boxes[edge.target][1 - along] <= end <= boxes[edge.target][3 - along]
        for (x, y), (x1, y1) in zip(points, points[1:], strict=False):
            part = (min(x, x1) - 0.02, min(y, y1) - 0.02, max(x, x1) + 0.02, max(y, y1) + 0.02)
            assert not [k for k in keys if meet(part, boxes[k], 0.05)], "an edge runs through a box"
    inside = (0, 0, layout.width, layout.height)
    for x, y, right, bottom in [*boxes.values(), *((*p, *p) for line in layout.edges for p in line)]:
        assert inside[0] <= x and inside[1] <= y and right <= inside[2] and bottom <= inside[3]
    assert lay_out(nodes, edges, rankdir) == layout


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_left_to_right_is_top_to_bottom_turned(graph):
    nodes, edges = graph
    turned = [Node(n.key, n.height, n.width, n.tail, n.ports) for n in nodes]
    tb, lr = lay_out(turned, edges, "tb"), lay_out(nodes, edges, "lr")
    assert lr.height == tb.width
    assert {k: x for k, (x, _) in tb.nodes.items()} == {k: y for k, (_, y) in lr.nodes.items()}


def line(n):
    return [Node(i, 100 + 7 * (i % 5), 30, 12) for i in range(n)], [Edge(i, i + 1) for i in range(n - 1)]


def test_a_chain_is_straight():
    nodes, edges = line(40)
    layout = lay_out(nodes, edges)
    assert len({x for x, _ in layout.nodes.values()}) == 1
    assert all(len(points) == 2 for points in layout.edges)


def test_a_shortcut_leaves_the_trunk_straight_and_has_a_lane():
    nodes, edges = line(9)
    layout = lay_out(nodes, [*edges, Edge(2, 6)])
    assert len({round(x, 3) for x, _ in layout.nodes.values()}) == 1
    lane = layout.edges[-1]
    trunk = layout.nodes[0][0]
    assert max(abs(x - trunk) for x, _ in lane) > 55, "beside the boxes, which are up to 128 wide"
    assert len({x for x, _ in lane[2:-2]}) == 1, "straight in between"


def test_readers_of_one_blob_share_a_lane():
    nodes, edges = line(9)
    layout = lay_out(nodes, [*edges, Edge(0, 5), Edge(0, 8)])
    assert set(layout.edges[-2][:3]) == set(layout.edges[-1][:3])


def test_a_source_stands_near_its_reader():
    nodes, edges = line(6)
    layout = lay_out([*nodes, Node("late", 50, 30)], [*edges, Edge("late", 5)])
    assert layout.nodes["late"][1] == layout.nodes[4][1]


def test_branches_are_compact_and_do_not_cross():
    """Four branches between two boxes, as in an inception module."""
    nodes = [Node(k, 100, 30) for k in ("in", "a", "b", "b2", "c", "c2", "d", "d2", "out")]
    edges = [Edge(*e) for e in (("in", "a"), ("in", "b"), ("b", "b2"), ("in", "c"), ("c", "c2"), ("in", "d"), ("d", "d2"),
                                ("a", "out"), ("b2", "out"), ("c2", "out"), ("d2", "out"))]
    layout = lay_out(nodes, edges)
    assert layout.width < 4 * 126 + 30
    xs = [layout.nodes[k][0] for k in "abcd"]
    assert xs == sorted(xs)
    assert all(xs[1] <= layout.nodes[k][0] <= xs[2] for k in ("in", "out")), "between the middle ones"


def test_a_large_net_takes_no_time():
    n = 500
    nodes, edges = line(n)
    edges += [Edge(i, i + 3) for i in range(0, n - 3, 3)] + [Edge(0, n - 1)]
    start = time.process_time()
    lay_out(nodes, edges)
    assert time.process_time() - start < 2


def test_the_empty_graph():
    layout = lay_out([], [])
    assert layout.nodes == {} and layout.edges == () and layout.width == layout.height == 24


@pytest.mark.parametrize("nodes, edges, options, message", [
    ([Node(1, 9, 9), Node(2, 9, 9)], [Edge(1, 2), Edge(2, 1)], {}, "circle"),
    ([Node(1, 9, 9)], [Edge(1, 1)], {}, "circle"),
    ([Node(1, 9, 9), Node(1, 9, 9)], [], {}, "once"),
    ([Node(1, 9, 9)], [Edge(1, "x")], {}, "'x', which is no node"),
    ([], [], {"rankdir": "bt"}, "'bt'"),
])
def test_what_cannot_be_laid_out(nodes, edges, options, message):
    with pytest.raises(ValueError, match=message):
        lay_out(nodes, edges, **options)


def test_curves():
    assert curve([(1, 2), (1, 8), (5, 12), (5, 20)]) == "M1 2L1 8C1 10 5 10 5 12L5 20"
    assert curve([(2, 1), (12.25, 5)], "lr") == "M2 1C7.1 1 7.1 5 12.2 5"
