"""Accuracy: ties, NaN (trap 4), top_k, ignored labels, per class."""
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, GraphError, ShapeError
from netdef.testing import check_layer


def dims(shape):
    return " ".join(f"dim: {n}" for n in shape)


def net_of(score, label, options="", tops='top: "accuracy"', **kwargs):
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "score" top: "label"
                 input_param {{ shape {{ {dims(np.shape(score))} }} shape {{ {dims(np.shape(label))} }} }} }}
        layer {{ name: "acc" type: "Accuracy" bottom: "score" bottom: "label" {tops}
                 accuracy_param {{ {options} }} }}'''
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), **kwargs)


def accuracy(score, label, options="", **kwargs):
    net = net_of(score, label, options, **kwargs)
    net.forward(score=score, label=label)
    return float(net.blobs["accuracy"].data)


def reference(top_k=1, axis=1, ignore=None):
    """By sorting: with distinct scores a label is right if it is among the top_k largest."""
    def count(x, label):
        x = np.moveaxis(x, axis, -1)
        label = label.reshape(x.shape[:-1])
        classes = x.shape[-1]
        right, seen = np.zeros(classes), np.zeros(classes)
        for place in np.ndindex(*label.shape):
            k = int(label[place])
            if k != ignore:
                seen[k] += 1
                right[k] += k in np.argsort(-x[place])[:top_k]
        return np.array(right.sum() / max(1, seen.sum())), right / np.maximum(1, seen)

    return count


VECTOR = np.array([2.0, 0, 1, 1, 0])


@pytest.mark.parametrize(("options", "shape", "labels", "kwargs"), [
    ("", (5, 4), VECTOR, {}),
    ("top_k: 2", (5, 4), VECTOR, {"top_k": 2}),
    ("top_k: 4", (5, 4), VECTOR, {"top_k": 4}),
    ("ignore_label: 1", (5, 4), VECTOR, {"ignore": 1}),
    ("ignore_label: 255", (5, 4), np.array([2.0, 255, 1, 255, 0]), {"ignore": 255}),
    ("axis: 2", (5, 2, 3), np.stack([VECTOR, VECTOR[::-1]], 1), {"axis": 2}),
    ("axis: -1 top_k: 2", (5, 2, 3), np.stack([VECTOR, VECTOR[::-1]], 1), {"axis": 2, "top_k": 2}),
    ("", (5, 3, 2), np.stack([VECTOR, VECTOR[::-1]], 1).reshape(5, 1, 2), {}),
])
def test_battery(options, shape, labels, kwargs):
    config = f'type: "Accuracy" accuracy_param {{ {options} }}'
    check_layer(config, [shape, labels], lambda *b: reference(**kwargs)(*b)[0])
    check_layer(config, [shape, labels], reference(**kwargs), tops=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_trap_04_a_tie_counts_against_the_label(dtype):
    assert accuracy(np.zeros((3, 4)), [0, 1, 2], dtype=dtype) == 0
    assert accuracy([[1, 1, 0], [1, 0, 0]], [0, 0], dtype=dtype) == 0.5
    assert accuracy([[1, 1, 0], [1, 0, 0]], [0, 0], "top_k: 2", dtype=dtype) == 1


def test_trap_04_nan_counts_as_wrong_and_warns_once(caplog):
    """Caffe reports 1.0 here."""
    score = np.array([[np.nan, np.nan], [0, 1], [np.nan, 1]])
    net = net_of(score, [0, 1, 1])
    with caplog.at_level(logging.WARNING, "netdef"):
        for _ in range(2):
            net.forward(score=score, label=[0, 1, 1])
    assert float(net.blobs["accuracy"].data) == pytest.approx(1 / 3)
    assert len(caplog.records) == 1
    assert "layer 'acc' (Accuracy): 2 of 3 places have NaN" in caplog.text


def test_no_labels_at_all():
    assert accuracy([[0, 1]], [9], "ignore_label: 9") == 0
    assert accuracy(np.zeros((0, 3)), np.zeros(0)) == 0


def test_per_class():
    net = net_of(np.zeros((4, 3)), np.zeros(4), tops='top: "accuracy" top: "each"')
    net.forward(score=[[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]], label=[0, 0, 1, 1])
    assert net.blobs["each"].data.tolist() == [0.5, 0.5, 0]
    assert float(net.blobs["accuracy"].data) == 0.5


@pytest.mark.parametrize("label", [3, -1, 1.5, np.nan])
def test_a_label_that_is_no_class(label):
    with pytest.raises(DataError, match=r"layer 'acc' \(Accuracy\): label blob 'label', item 1 of the batch"):
        accuracy(np.zeros((2, 3)), [0, label])


def test_trap_23_it_has_no_gradient():
    net = net_of(np.zeros((2, 3)), [0, 0])
    net.forward()
    net.backward()  # nothing to do, in spite of force_backward
    with pytest.raises(GraphError, match="gradient by bottom 0"):
        net_of(np.zeros((2, 3)), [0, 0], tops='top: "accuracy" propagate_down: true propagate_down: false')


def test_bad_options():
    with pytest.raises(FieldError, match="top_k: expected a number of at least 1, got 0"):
        net_of(np.zeros((2, 3)), [0, 0], "top_k: 0")
    with pytest.raises(ShapeError, match=r"top_k of at most the number of classes \(3\), got 4"):
        net_of(np.zeros((2, 3)), [0, 0], "top_k: 4")
    with pytest.raises(ShapeError, match="one label for each of the 2 places"):
        net_of(np.zeros((2, 3)), np.zeros((2, 3)))
