"""Parameter: a learned blob as a top."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError
from netdef.testing import check_layer


@pytest.mark.parametrize("dims", [(3,), (2, 3, 4), ()])
def test_battery(dims):
    text = " ".join(f"dim: {n}" for n in dims)
    report = check_layer(f'type: "Parameter" parameter_param {{ shape {{ {text} }} }}', [], lambda w: w)
    assert {"gradients", "need", "backward_reads"} <= set(report.passed)


def test_its_gradient_and_start():
    net = netdef.Net(parse_text_message('''
        layer { name: "w" type: "Parameter" top: "w" parameter_param { shape { dim: 3 } } }
        layer { name: "in" type: "Input" top: "x" top: "t" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "sum" type: "Bias" bottom: "x" bottom: "w" top: "y" }
        layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }''', "net.prototxt",
                                        "NetParameter"), phase="TRAIN")
    assert net.params["w"][0].data.tolist() == [0, 0, 0]
    net.forward(x=np.ones((2, 3)), t=np.zeros((2, 3)))
    net.clear_param_diffs()
    net.backward()
    assert net.params["w"][0].diff.tolist() == [1, 1, 1]


@pytest.mark.parametrize(("options", "message"), [
    ("", "shape: missing"), ("shape { dim: -1 }", "shape: expected sizes of at least 0, got -1"),
])
def test_errors(options, message):
    with pytest.raises(FieldError, match=message):
        check_layer(f'type: "Parameter" parameter_param {{ {options} }}', [])
