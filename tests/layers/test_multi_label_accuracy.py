"""MultiLabelAccuracy: three views of yes-or-no answers."""
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ShapeError
from netdef.testing import check_layer

TRUTHS = np.array([[1.0, 0, 1], [0, 0, -1], [1, 1, 0], [-1, -1, -1]])


def reference(threshold=0.0, ignore=None):
    def count(x, t):
        right, seen = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        perfect = asked = 0
        for item in range(len(x)):
            counted = wrong = 0
            for place in np.ndindex(*x.shape[1:]):
                truth = t[item][place]
                if truth != ignore:
                    good = (x[item][place] > threshold) == (truth > 0.5)
                    counted, wrong = counted + 1, wrong + (not good)
                    right[place[0]] += good
                    seen[place[0]] += 1
            asked += counted > 0
            perfect += counted > 0 and wrong == 0
        return (np.array(right.sum() / max(1, seen.sum())), np.array(perfect / max(1, asked)),
                right / np.maximum(1, seen))

    return count


@pytest.mark.parametrize(("options", "kwargs"), [("", {}), ("ignore_label: -1", {"ignore": -1}),
                                                 ("threshold: 0.5 ignore_label: -1", {"threshold": 0.5, "ignore": -1})])
@pytest.mark.parametrize("tops", [1, 2, 3])
def test_battery(options, kwargs, tops):
    config = f'type: "MultiLabelAccuracy" multi_label_accuracy_param {{ {options} }}'
    truths = TRUTHS if "ignore" in kwargs else np.abs(TRUTHS)
    check_layer(config, [(4, 3), truths], lambda *b: reference(**kwargs)(*b)[:tops], tops=tops)
    planes = np.stack([truths, truths[::-1]], 2)
    check_layer(config, [(4, 3, 2), planes], lambda *b: reference(**kwargs)(*b)[:tops], tops=tops)


def run(score, target, options=""):
    text = f'''layer {{ name: "in" type: "Input" top: "x" top: "t" input_param {{ shape {{ dim: {np.shape(score)[0]}
                 dim: {np.shape(score)[1]} }} }} }}
        layer {{ name: "acc" type: "MultiLabelAccuracy" bottom: "x" bottom: "t" top: "all" top: "perfect" top: "each"
                 multi_label_accuracy_param {{ {options} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
    net.forward(x=score, t=target)
    return [net.blobs[name].data.tolist() for name in ("all", "perfect", "each")]


def test_by_hand():
    """A score of exactly the threshold is a no."""
    assert run([[1, -1], [0, 2]], [[1, 0], [1, 1]]) == [0.75, 0.5, [0.5, 1]]
    assert run([[0.4, 0.6]], [[0, 1]], "threshold: 0.5") == [1, 1, [1, 1]]


def test_nothing_counted():
    assert run([[1, 1]], [[-1, -1]], "ignore_label: -1") == [0, 0, [0, 0]]


def test_nan_is_wrong_either_way(caplog):
    with caplog.at_level(logging.WARNING, "netdef"):
        assert run([[np.nan, np.nan]], [[0, 1]]) == [0, 0, [0, 0]]
    assert "layer 'acc' (MultiLabelAccuracy): 2 of 2 scores are NaN" in caplog.text


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="as many values an item"):
        check_layer('type: "MultiLabelAccuracy"', [(2, 3), (2,)])
    with pytest.raises(ShapeError, match="at least 2 axes"):
        check_layer('type: "MultiLabelAccuracy"', [(2,), (2,)])
