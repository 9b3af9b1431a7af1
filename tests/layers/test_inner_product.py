"""InnerProduct against np.matmul, its options, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer


def reference(axis=1, transpose=False):
    def product(x, w, b=0.0):
        rows = x.reshape(*x.shape[:axis], -1)
        return rows @ (w if transpose else w.T) + b
    return product


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_battery(transpose, bias):
    options = f"num_output: 4 transpose: {transpose} bias_term: {bias}".lower()
    report = check_layer(f'type: "InnerProduct" inner_product_param {{ {options} }}', [(3, 2, 2)],
                         reference(transpose=transpose))
    assert len(report.gradients) == 2 * (2 + bias)


@pytest.mark.parametrize("axis, shape", [(0, (2, 3)), (2, (2, 3, 4)), (2, (2, 2, 2, 2)), (1, (5, 1))])
def test_axis(axis, shape):
    check_layer(f'type: "InnerProduct" inner_product_param {{ num_output: 2 axis: {axis} }}', [shape], reference(axis),
                batch=axis > 0)


def test_negative_axis_counts_from_the_end():
    check_layer('type: "InnerProduct" inner_product_param { num_output: 2 axis: -1 }', [(2, 3, 4)], reference(2))


def build(options, shape):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = (f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
            f'layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {{ {options} }} }}')
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_an_axis_that_does_not_exist_is_located():
    message = r"net.prototxt:2:\d+: error: layer 'ip' \(InnerProduct\): axis 2 does not exist in a bottom of 2 axes"
    with pytest.raises(ShapeError, match=message):
        build("num_output: 2 axis: 2", (3, 4))


def test_no_values_an_item():
    with pytest.raises(ShapeError, match="at least one value an item, got none"):
        build("num_output: 2", (3, 0))


def test_macs_and_shapes():
    net = build("num_output: 5", (3, 4, 2))
    step = net.plan.steps[1]
    assert step.inferred.macs == 3 * 5 * 8
    assert [b.shape for b in net.params["ip"]] == [(5, 8), (5,)]


def test_without_fillers_everything_is_zero():
    net = build("num_output: 5", (3, 4))
    assert not net.forward(data=np.ones((3, 4)))["ip"].any()


def test_another_number_of_values_an_item_is_refused():
    net = build("num_output: 5", (3, 4))
    with pytest.raises(netdef.NetdefError, match=r"the new input size would change param 'weights'"):
        net.forward(data=np.ones((3, 5)))
