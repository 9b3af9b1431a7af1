"""ConfusionMatrix: counts, shares, ties and NaN."""
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, ShapeError
from netdef.testing import check_layer

VECTOR = np.array([2.0, 0, 1, 1, 0])
PLANES = np.stack([VECTOR, VECTOR[::-1]], 1)


def reference(axis=1, ignore=None, normalize="COUNT"):
    def count(x, label):
        x = np.moveaxis(x, axis, -1)
        label = label.reshape(x.shape[:-1])
        matrix = np.zeros((x.shape[-1],) * 2)
        for place in np.ndindex(*label.shape):
            if label[place] != ignore:
                matrix[int(label[place]), int(np.argmax(x[place]))] += 1
        if normalize == "ALL":
            return matrix / max(1, matrix.sum())
        if normalize == "ROW":
            return np.array([row / max(1, row.sum()) for row in matrix])
        return matrix

    return count


@pytest.mark.parametrize(("options", "shape", "labels", "kwargs"), [
    ("", (5, 3), VECTOR, {}),
    ("normalize: ALL", (5, 4), VECTOR, {"normalize": "ALL"}),
    ("normalize: ROW", (5, 4), VECTOR, {"normalize": "ROW"}),
    ("ignore_label: 1", (5, 3), VECTOR, {"ignore": 1}),
    ("ignore_label: 255 normalize: ROW", (5, 3), np.array([2.0, 255, 1, 255, 0]), {"ignore": 255, "normalize": "ROW"}),
    ("axis: -1", (5, 2, 3), PLANES, {"axis": 2}),
    ("", (5, 3, 2), PLANES.reshape(5, 1, 2), {}),
])
def test_battery(options, shape, labels, kwargs):
    check_layer(f'type: "ConfusionMatrix" confusion_matrix_param {{ {options} }}', [shape, labels], reference(**kwargs))


def run(score, label, options=""):
    text = f'''layer {{ name: "in" type: "Input" top: "x" top: "label" input_param {{
                 shape {{ dim: {len(score)} dim: {len(score[0])} }} shape {{ dim: {len(label)} }} }} }}
        layer {{ name: "m" type: "ConfusionMatrix" bottom: "x" bottom: "label" top: "m"
                 confusion_matrix_param {{ {options} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
    net.forward(x=score, label=label)
    return net.blobs["m"].data.tolist()


def test_rows_are_true_classes():
    assert run([[0, 1], [0, 1], [1, 0]], [0, 0, 0]) == [[1, 2], [0, 0]]


def test_of_equal_scores_the_first_is_the_guess():
    assert run([[1, 1]], [1]) == [[0, 0], [1, 0]]


def test_a_place_with_nan_is_not_counted(caplog):
    with caplog.at_level(logging.WARNING, "netdef"):
        assert run([[np.nan, 1], [0, 1]], [1, 1], "normalize: ALL") == [[0, 0], [0, 1]]
    assert "1 of 2 places have NaN among their scores and are not counted" in caplog.text


def test_errors():
    with pytest.raises(DataError, match="expected a whole number from 0 to 1, got 2"):
        run([[0, 0]], [2])
    with pytest.raises(ShapeError, match="one label for each of the 2 places"):
        check_layer('type: "ConfusionMatrix"', [(2, 3), (2, 3)])
