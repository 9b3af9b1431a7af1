"""Filter: what is kept, batches of 0, sizes that change, and the errors."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


@pytest.mark.parametrize("selector", [[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [1, -2, 0.5, 1, 3], [0, 0, 0, 0, 1]])
@pytest.mark.parametrize("shapes", [[(5, 3)], [(5, 2, 3), (5,)]])
def test_battery(selector, shapes):
    report = check_layer('type: "Filter"', [*shapes, np.array(selector, float)],
                         lambda *b: [x[b[-1] != 0] for x in b[:-1]], tops=len(shapes))
    assert {"gradients", "other shape", "backward_reads"} <= set(report.passed)


def test_a_selector_with_axes_of_size_one():
    check_layer('type: "Filter"', [(3, 2), np.array([1.0, 0, 1]).reshape(3, 1, 1)], lambda x, s: x[s.ravel() != 0])


def test_layers_behind_follow():
    net = netdef.Net(parse_text_message('''force_backward: true
        layer { name: "in" type: "Input" top: "x" top: "s" input_param { shape { dim: 4 dim: 2 } shape { dim: 4 } } }
        layer { name: "f" type: "Filter" bottom: "x" bottom: "s" top: "f" }
        layer { name: "sum" type: "Reduction" bottom: "f" top: "y" reduction_param { operation: SUMSQ axis: 1 } }''',
                                        "net.prototxt", "NetParameter"))
    x = np.arange(8.0).reshape(4, 2)
    for s in ([1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1]):
        kept = np.array(s) != 0
        y = net.forward(x=x, s=s)["y"]
        assert y.tolist() == np.square(x[kept]).sum(1).tolist()
        net.backward(y=np.ones(len(y)))
        assert net.blobs["x"].diff.tolist() == (2 * x * kept[:, None]).tolist()


@pytest.mark.parametrize(("bottoms", "tops", "error", "message"), [
    ([(4, 2), (4,)], 2, FieldError, r"a top for each bottom but the last \(1\), got 2"),
    ([(4, 2), (4, 2)], 1, ShapeError, r"a selector with one value an item, \(N\) or \(N, 1, ...\), got 'b1' of shape"),
    ([(4, 2), (3,)], 1, ShapeError, r"as the selector 'b1' has \(3\), got 'b0' of shape \(4, 2\)"),
])
def test_errors(bottoms, tops, error, message):
    with pytest.raises(error, match=message):
        check_layer('type: "Filter"', bottoms, tops=tops)
