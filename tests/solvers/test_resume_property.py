"""The exact resume as a property: any rule, policy, stop point and extra, dropout on, data in order or shuffled."""
from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import netdef
from netdef.solvers.prove import _all_of, _difference, _difference_of_events, _told
from netdef.solvers.rules import rules

ORDERED = 'type: "Rows"'
SHUFFLED = 'type: "HDF5Data" hdf5_data_param { source: "list.txt" batch_size: 4 shuffle: true }'
NET = """
name: "dropping"
layer { name: "rows" top: "x" top: "y" DATA }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "bn" }
layer { name: "hidden" type: "InnerProduct" bottom: "bn" top: "hidden"
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "hidden" top: "hidden" dropout_param { dropout_ratio: 0.5 } }
layer { name: "ip" type: "InnerProduct" bottom: "hidden" top: "ip" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""
POLICIES = {
    "fixed": "", "step": "gamma: 0.5 stepsize: 3", "exp": "gamma: 0.9", "inv": "gamma: 0.1 power: 0.5",
    "multistep": "gamma: 0.5 stepvalue: 3 stepvalue: 4 stepvalue: 9", "poly": "power: 2", "sigmoid": "gamma: 0.3 stepsize: 4",
    "cosine": "min_lr: 0.001", "plateau": "gamma: 0.5 plateau_patience: 1",
}
try:
    import h5py
except ImportError:
    h5py = None
SOURCES = [ORDERED] if h5py is None else [ORDERED, SHUFFLED]
MONITORS = ["loss", "train:loss"]


@st.composite
def solvers(draw):
    """The text of a solver that can be trained twelve iterations."""
    kind, policy = draw(st.sampled_from(sorted(rules()))), draw(st.sampled_from(sorted(POLICIES)))
    momentum = 0 if kind in ("AdaGrad", "RMSProp") else draw(st.sampled_from([0, 0.5, 0.9]))
    return " ".join([
        f'type: "{kind}" momentum: {momentum} lr_policy: "{policy}" {POLICIES[policy]} base_lr: 0.05 max_iter: 40 display: 1',
        f'monitor: "{draw(st.sampled_from(MONITORS))}" snapshot_best: {draw(st.sampled_from([0, 2]))}',
        f"warmup_iter: {draw(st.sampled_from([0, 5]))} ema_decay: {draw(st.sampled_from([0, 0.9]))}",
        f"iter_size: {draw(st.integers(1, 2))} average_loss: {draw(st.integers(1, 3))}",
        f"weight_decay: {draw(st.sampled_from([0, 0.01]))} clip_gradients: {draw(st.sampled_from([-1, 0.5]))}",
        f'regularization_type: "{draw(st.sampled_from(["L1", "L2"]))}"',
        f"test_iter: {draw(st.integers(1, 2))} test_interval: {draw(st.integers(1, 4))}",
        f"snapshot: {draw(st.sampled_from([0, 3]))} snapshot_keep: {draw(st.sampled_from([0, 2]))}",
        f'random_seed: {draw(st.integers(-1, 5))} snapshot_prefix: "s" net: "net.prototxt"'])


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=solvers(), data=st.sampled_from(SOURCES), stop=st.integers(0, 9), more=st.integers(1, 7))
def test_n_and_m_more_are_n_plus_m(toy_layers, table, text, data, stop, more):
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            Path("net.prototxt").write_text(NET.replace("DATA", data))
            if data == SHUFFLED:
                save_rows(table)
            Path("solver.prototxt").write_text(text)
            check(stop, more)
        finally:
            os.chdir(home)


def save_rows(table):
    """Two files of uneven size: rounds end amid batches."""
    x, y = table
    for name, rows in (("a.h5", slice(0, 5)), ("b.h5", slice(5, None))):
        with h5py.File(name, "w") as file:
            file["x"], file["y"] = np.ascontiguousarray(x[rows]), np.ascontiguousarray(y[rows])
    Path("list.txt").write_text("a.h5\nb.h5\n")


def check(stop, more):
    straight = netdef.Solver("solver.prototxt", overrides=["snapshot_prefix=t"])
    expected = _told(straight)
    straight.step(stop + more)
    first = netdef.Solver("solver.prototxt", seed=straight.net.seed)
    seen = _told(first)
    first.step(stop)
    state = first.snapshot()[1]
    second = netdef.Solver("solver.prototxt", snapshot=state)
    later = _told(second)
    second.step(more)
    assert _difference_of_events(expected, seen + later) == ""
    assert _difference(_all_of(straight), _all_of(second)) == ""
