"""A pass written out."""
from __future__ import annotations

import math
import re

import numpy as np
import pytest

from netdef.errors import NetdefError
from netdef.predict.steps import worked
from netdef.runtime.net import Net

NET = """
layers:
  - x: {Input: {shape: {dim: [1, 2]}}}
  - hidden: {InnerProduct: {num_output: 3}}
  - squash: {TanH: {}, top: hidden}
  - y: {InnerProduct: {num_output: 2}}
  - prob: {Softmax: {}}
"""


@pytest.fixture
def net(tmp_path):
    (tmp_path / "net.yaml").write_text(NET)
    made = Net(tmp_path / "net.yaml")
    made.params["hidden"][0].data[...] = [[0.2, -0.4], [1, 0.5], [-3, 2]]
    made.params["hidden"][1].data[...] = [0.1, -0.1, 0]
    made.params["y"][0].data[...] = [[1, -1, 2], [0.5, 0, 0]]
    return made


def test_reads_like_a_worked_example(net):
    assert worked(net, {"x": np.array([[0.3, 0.5]])}) == """\
x (Input), 1x2
  x = [0.3, 0.5]

hidden (InnerProduct) of x: y = W x + b
  weights W, 3x2 = [[0.2, -0.4],
                    [1, 0.5],
                    [-3, 2]]
  bias b, 3 = [0.1, -0.1, 0]
  hidden[0] = 0.2*0.3 - 0.4*0.5 + 0.1 = -0.04
  hidden[1] = 1*0.3 + 0.5*0.5 - 0.1 = 0.45
  hidden[2] = -3*0.3 + 2*0.5 + 0 = 0.1

squash (TanH) of hidden, in place: y = tanh(x)
  hidden[0] = tanh(-0.04) = -0.03998
  hidden[1] = tanh(0.45) = 0.4219
  hidden[2] = tanh(0.1) = 0.09967

y (InnerProduct) of hidden: y = W x + b
  weights W, 2x3 = [[1, -1, 2],
                    [0.5, 0, 0]]
  bias b, 2 = [0, 0]
  y[0] = 1*(-0.03998) - 1*0.4219 + 2*0.09967 + 0 = -0.2625
  y[1] = 0.5*(-0.03998) + 0*0.4219 + 0*0.09967 + 0 = -0.01999

prob (Softmax) of y: y[c] = exp(x[c]) / sum over k of exp(x[k])
  prob[0] = exp(-0.2625) / (exp(-0.2625) + exp(-0.01999)) = 0.4397
  prob[1] = exp(-0.01999) / (exp(-0.2625) + exp(-0.01999)) = 0.5603"""


def test_every_line_is_true(net):
    """Each sum, computed as Python reads it, gives the number behind the last =."""
    text = worked(net, {"x": np.array([[-1.7, 0.25]])})
    sums = re.findall(r"\[\d\] = (.+) = (\S+)$", text, re.MULTILINE)
    assert len(sums) == 10
    for left, right in sums:
        assert eval(left, {"exp": math.exp, "tanh": math.tanh}) == pytest.approx(float(right), abs=2e-3)


def test_limit(net):
    text = worked(net, {"x": np.array([[1, 2]])}, limit=2)
    assert "weights W, 3x2\n" in text and "  hidden[1] = " in text and "hidden[2]" not in text
    assert "  ... and 1 more" in text
    assert "y[0] = 1*(-0.4621) - 1*0.9562 + ... (1 more) + 0 = " in text


def test_layers_of_pictures(tmp_path):
    (tmp_path / "n.yaml").write_text("""
layers:
  - x: {Input: {shape: {dim: [1, 1, 3, 3]}}}
  - conv: {Convolution: {num_output: 1, kernel_size: 2, weight_filler: {type: constant, value: 0.5}}}
  - abs: {AbsVal: {}}
  - sum: {Eltwise: {}, bottom: [conv, abs]}
  - drop: {Dropout: {}, top: sum}
  - flat: {Flatten: {}}
""")
    text = worked(Net(tmp_path / "n.yaml"), {"x": -np.arange(9.0).reshape(1, 1, 3, 3)})
    assert "conv (Convolution) of x" in text and "conv = [[[-4, -6],\n" in text
    assert "abs[0,1,0] = |-10| = 10" in text
    assert "sum[0,0,0] = (-4) + 4 = 0" in text
    assert "sum = the same values\n" in text and "flat = the same values, as 1x4" in text


def test_one_item(net):
    with pytest.raises(NetdefError, match="expected one item"):
        worked(net, {"x": np.zeros((2, 2))})
