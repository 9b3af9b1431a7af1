"""Toy layers and solvers small enough to be worked out by hand."""
from __future__ import annotations

import re

import numpy as np
import pytest

import netdef
from netdef.layers import registry
from netdef.layers.base import Inferred, Layer, ParamInit, between, exactly

ROWS = 12
BATCH = 4


def features() -> np.ndarray:
    """Twelve rows of three features."""
    return np.random.default_rng(5).normal(size=(ROWS, 3)).astype(np.float32)


def targets() -> np.ndarray:
    """Twelve rows of two targets."""
    return (features() @ np.array([[1, -2], [0.5, 3], [-1, 0.25]]) + 0.5).astype(np.float32)


class Rows(Layer):
    """Four rows a pass, in order, from the beginning again after the last; remembers where it is."""

    bottoms = exactly(0)
    tops = exactly(2)

    def __init__(self, spec):
        super().__init__(spec)
        self.row = 0

    def infer(self, bottom_shapes):
        return Inferred(tops=[(BATCH, 3), (BATCH, 2)])

    def forward(self, ctx, bottoms, params, tops):
        rows = np.arange(self.row, self.row + BATCH) % ROWS
        tops[0].data[...], tops[1].data[...] = features()[rows], targets()[rows]
        self.row = (self.row + BATCH) % ROWS

    def state(self):
        return {"row": self.row}

    def set_state(self, state):
        self.row = state["row"]


class HalfSquares(Layer):
    """Sum of (a - b)^2 over twice the number of rows."""

    bottoms = exactly(2)
    is_loss = True
    differentiable = (True, False)

    def infer(self, bottom_shapes):
        return Inferred(tops=[()])

    def forward(self, ctx, bottoms, params, tops):
        d = bottoms[0].data - bottoms[1].data
        tops[0].data[...] = (d * d).sum() / (2 * len(d))

    def backward(self, ctx, tops, params, bottoms, need):
        d = bottoms[0].data - bottoms[1].data
        bottoms[0].diff[...] = d * tops[0].diff / len(d)


class Pull(Layer):
    """A loss of given gradient: ``gradients[pass] * sum(w)`` over four weights that begin at 1."""

    bottoms = exactly(0)
    tops = between(1, 2)
    is_loss = True
    gradients = [3.0]

    def infer(self, bottom_shapes):
        return Inferred(tops=[()], params=[ParamInit("w", (4,), 1.0)])

    def _gradient(self, ctx):
        return self.gradients[min(ctx.iteration, len(self.gradients) - 1)]

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = self._gradient(ctx) * params[0].data.sum()

    def backward(self, ctx, tops, params, bottoms, need):
        if need.params[0]:
            params[0].diff[...] += self._gradient(ctx) * tops[0].diff


LEAST_SQUARES = """
name: "squares"
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param { num_output: 2 weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""
PULL = 'name: "pull" layer { name: "pull" type: "Pull" top: "loss" }'


@pytest.fixture(autouse=True)
def toy_layers(monkeypatch):
    """The toy types are known during these tests only."""
    registry.layer_types()
    for cls in (Rows, HalfSquares, Pull):
        monkeypatch.setattr(cls, "type", cls.__name__)
        monkeypatch.setitem(registry._types, cls.__name__, cls)


@pytest.fixture
def table():
    """The features and targets that Rows gives."""
    return features(), targets()


@pytest.fixture
def solver_file(tmp_path, monkeypatch):
    """``solver_file(net_text, solver_text)``: the path of a solver file; the test runs in its folder."""
    monkeypatch.chdir(tmp_path)

    def write(net: str, text: str, name: str = "solver.prototxt") -> str:
        (tmp_path / "net.prototxt").write_text(net)
        defaults = "" if "lr_policy" in text else 'lr_policy: "fixed" '
        defaults += "" if "base_lr" in text else "base_lr: 0.1 "
        defaults += "" if re.search(r"\bnet(_param)? *[:{]", text) else 'net: "net.prototxt" '
        (tmp_path / name).write_text(defaults + text)
        return name

    return write


@pytest.fixture
def squares(solver_file):
    """``squares(solver_text, **options)``: a seeded Solver of a least-squares problem."""

    def make(text: str = "", **options):
        return netdef.Solver(solver_file(LEAST_SQUARES, text), **{"seed": 3, **options})

    return make


@pytest.fixture
def pull(solver_file, monkeypatch):
    """``pull(gradients, solver_text)``: a Solver of four equal weights with given gradients, in float64."""

    def make(gradients: list[float], text: str):
        monkeypatch.setattr(Pull, "gradients", gradients)
        return netdef.Solver(solver_file(PULL, text), seed=1, dtype="float64")

    return make


@pytest.fixture
def bad_solver(solver_file):
    """``bad_solver(solver_text, net=...)``: the message of the error that making it raises."""

    def message(text: str, net: str = LEAST_SQUARES, **options) -> str:
        with pytest.raises(netdef.NetdefError) as caught:
            netdef.Solver(solver_file(net, text), **options)
        return str(caught.value)

    return message
