"""check: right nets pass, wrong backward passes are found, kinks are left out."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.debug.netcheck import check
from netdef.errors import NetdefError
from netdef.layers import registry
from netdef.layers.base import Inferred, Layer

NET = '''
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 3 dim: 4 }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param {{ num_output: 5
  weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "act" type: "{0}" bottom: "ip" top: "act" }}
'''


class Cube(Layer):
    """x^3, with the gradient multiplied by ``wrong``."""

    wrong = 1.0

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = bottoms[0].data ** 3

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = self.wrong * 3 * bottoms[0].data ** 2 * tops[0].diff


class Step(Cube):
    """|x| above 0.3 of its bottom: kinks everywhere the sign changes."""

    def forward(self, ctx, bottoms, params, tops):
        tops[0].data[...] = np.abs(bottoms[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        bottoms[0].diff[...] = np.sign(bottoms[0].data) * tops[0].diff


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    registry.register("Cube")(Cube)
    registry.register("Step")(Step)
    yield
    registry._types.pop("Cube")
    registry._types.pop("Step")


def write(tmp_path, kind):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.format(kind))
    return str(path)


def test_right_gradients(tmp_path):
    report = check(write(tmp_path, "Cube"))
    assert report.ok, str(report)
    assert [r.name for r in report.rows] == ["param ip[0] weights", "param ip[1] bias", "input x"]
    assert all(r.checked for r in report.rows)


@pytest.mark.parametrize("wrong", [-1.0, 2.0, 1.001, 0.0])
def test_wrong_gradients(tmp_path, monkeypatch, wrong):
    monkeypatch.setattr(Cube, "wrong", wrong)
    report = check(write(tmp_path, "Cube"))
    assert not report.ok
    assert "WRONG" in str(report) and "backward says" in str(report)


def test_kinks_do_not_count_as_mistakes(tmp_path):
    assert check(write(tmp_path, "Step")).ok


def test_nothing_to_check(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 1 } } }')
    with pytest.raises(NetdefError, match="no param and no input"):
        check(str(path))
