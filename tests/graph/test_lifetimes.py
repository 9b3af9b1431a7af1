"""The layout of shared memory: no two arrays in one place at one time, and what a plan's text says about it."""
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdef.graph.build import build
from netdef.graph.fusions import Use, fuse, single
from netdef.graph.lifetimes import ALIGN, Tenant, layout, place
from netdef.graph.memorytext import layout_of, param_bytes, peak_bytes
from netdef.graph.render import render_plan, render_summary

SPANS = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda s: (min(s), max(s)))
TENANTS = st.lists(st.tuples(st.integers(0, 5000), st.lists(SPANS, min_size=1, max_size=2)), max_size=14)


@given(TENANTS)
def test_nobody_meets(wanted):
    tenants = [Tenant(("data", i, 0), str(i), n, tuple(busy)) for i, (n, busy) in enumerate(wanted)]
    placed, size = place(tenants)
    assert [(t.key, t.nbytes, t.busy) for t in placed] == [(t.key, t.nbytes, t.busy) for t in tenants]
    for t in placed:
        assert t.offset % ALIGN == 0 and t.offset + t.nbytes + ALIGN <= size
    for i, a in enumerate(placed):
        for b in placed[:i]:
            together = any(p <= s and r <= q for p, q in a.busy for r, s in b.busy)
            apart = a.offset + a.nbytes + ALIGN <= b.offset or b.offset + b.nbytes + ALIGN <= a.offset
            assert apart or not together


@pytest.mark.parametrize("model", ["lenet", "resnet20", "googlenet"])
def test_sharing_pays(model):
    """Near the bound that no layout can beat: what is busy at one time."""
    plan = build(f"configs/{model}/net.yaml", "TRAIN")
    for pieces in (fuse(plan, Use(frozenset())), single(plan)):
        found = layout(plan, pieces, Use(frozenset()))
        live = np.zeros(2 * len(plan.steps) + 1)
        for t in found.tenants:
            for begin, end in set(t.busy):
                live[begin: end + 1] += t.nbytes
        assert live.max() <= found.size <= 1.1 * live.max() + 128 * len(found.tenants)
        assert model == "lenet" or found.size < 0.6 * found.unshared


def test_float64_takes_twice_as_much():
    plan = build("configs/mlp/net.yaml", "TRAIN")
    one, two = peak_bytes(plan), peak_bytes(plan, 8)
    assert 1.8 * one < two <= 2 * one
    assert peak_bytes(plan, histories=2) - one == param_bytes(plan)[1]


def test_text():
    plan = build("configs/mlp/net.yaml", "TRAIN")
    text = render_plan(plan)
    assert "run as one step in `netdef train`:\n  ip1 + relu1\n  ip2 + relu2\n" in text
    assert "23,040  data       ip1           ip1 .. relu1 (backward)" in text
    assert "peak, TRAIN" in render_summary(plan)
    assert layout_of(build("configs/mlp/net.yaml", "TEST")).size < layout_of(plan).size


def test_a_net_whose_shapes_show_only_later(built):
    text = ('layer { name: "x" type: "Input" top: "x" top: "s" input_param { shape { dim: 2 dim: 1 } } }\n'
            'layer { name: "f" type: "Filter" bottom: "x" bottom: "s" top: "f" }')
    plan = built(text + 'layer { name: "r" type: "ReLU" bottom: "f" top: "r" }', phase="TEST")
    assert layout_of(plan) is None and "peak, TEST     not known before it has run" in render_summary(plan)
    assert layout_of(built(text, phase="TEST")) is not None, "nobody reads what changes its size"
