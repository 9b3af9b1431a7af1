"""``netdef.register``: a layer type of one's own, with options of one's own."""
from __future__ import annotations

import numpy as np
import pytest

import netdef
from netdef.layers import registry
from netdef.layers.base import Inferred, Layer


class Times(Layer):
    """Multiplies by an option."""

    options_field = "times_param"

    def infer(self, bottom_shapes):
        return Inferred(tops=[bottom_shapes[0]])

    def forward(self, ctx, bottoms, params, tops):
        np.multiply(bottoms[0].data, self.options.factor, out=tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        np.multiply(tops[0].diff, self.options.factor, out=bottoms[0].diff)


@pytest.fixture
def times():
    """The layer, registered twice as in a notebook whose cell runs again."""
    for _ in range(2):
        netdef.register(Times, proto={"factor": ("float", 2.0, "what each value is multiplied by")})
    yield Times
    registry._types.pop("Times")


@pytest.mark.parametrize("name, text", [
    ("net.prototxt", '''
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }
layer { name: "t" type: "Times" bottom: "x" top: "t" times_param { factor: 3 } }
layer { name: "u" type: "Times" bottom: "t" top: "u" }'''),
    ("net.yaml", '''
layers:
  - x: {Input: {shape: {dim: 2}}}
  - t: {Times: {factor: 3}}
  - u: {Times: {}}'''),
])
def test_options_are_read_with_defaults(times, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    net = netdef.Net(str(tmp_path / name))
    assert net.forward(x=[1, 2])["u"].tolist() == [6, 12]


def test_another_class_may_not_take_the_name(times):
    with pytest.raises(ValueError, match="layer type 'Times' is already"):
        registry.register("Times")(type("Other", (Layer,), {}))
