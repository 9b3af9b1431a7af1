"""Split, written out."""
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import GraphError
from netdef.testing import check_layer


@pytest.mark.parametrize("tops", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4, 5), (7,)])
def test_battery(tops, shape):
    report = check_layer('type: "Split"', [shape], lambda x: [x] * tops, tops=tops)
    assert {"gradients", "backward_reads"} <= set(report.passed)


def test_in_place_is_refused():
    text = '''layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 } } }
        layer { name: "s" type: "Split" bottom: "x" top: "x" top: "y" }'''
    with pytest.raises(GraphError, match="Split cannot work in place on 'x'"):
        netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
