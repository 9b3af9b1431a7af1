"""CtcLoss against the sum over all readings, the battery, and what goes with it."""
import itertools

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer
from netdef.testing.case import LayerCheckError


def spelt(reading, blank):
    return [s for s, _ in itertools.groupby(reading) if s != blank]


def all_readings(x, labels, blank, frames=None):
    """The loss by listing every reading, which only short sequences allow."""
    frames = frames or len(x)
    p = np.exp(x[:frames]) / np.exp(x[:frames]).sum(2, keepdims=True)
    total = 0.0
    for n, label in enumerate(labels):
        wanted = [int(s) for s in label if s != blank]
        likely = sum(np.prod(p[range(frames), n, reading]) for reading in itertools.product(range(x.shape[2]), repeat=frames)
                     if spelt(reading, blank) == wanted)
        total -= np.log(likely) if likely else 0
    return np.array(total / max(1, len(labels)))


@pytest.mark.parametrize("labels", [[[1, 2], [2, 0]], [[1, 1], [0, 0]], [[2, 1], [0, 2]]])
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("frames, total", [(4, 4), (3, 5)])
def test_battery(labels, blank, frames, total):
    report = check_layer(f'type: "CtcLoss" ctc_loss_param {{ alphabet_size: 3 time_step: {frames} blank_label: {blank} }}',
                         [(total, 2, 3), np.array(labels, float)], lambda x, y: all_readings(x, y, blank, frames),
                         other=[(total, 3, 3), np.array([*labels, labels[0]], float)], batch=False)
    assert {"values", "gradients", "constraints", "other shape"} <= set(report.passed)


def net(frames, items, symbols, length, blank=0, dtype="float32"):
    return netdef.Net(parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" top: "label" input_param {{
                 shape {{ dim: {frames} dim: {items} dim: {symbols} }} shape {{ dim: {items} dim: {length} }} }} }}
        layer {{ name: "loss" type: "CtcLoss" bottom: "x" bottom: "label" top: "loss"
                 ctc_loss_param {{ alphabet_size: {symbols} time_step: {frames} blank_label: {blank} }} }}''', "net.prototxt",
                                         "NetParameter"), phase="TRAIN", dtype=dtype)


def test_what_cannot_be_spelt_counts_nothing(caplog):
    made = net(2, 2, 3, 2)
    x = np.random.default_rng(0).normal(size=(2, 2, 3))
    loss = made.forward(x=x, label=np.array([[1, 1], [1, 2]]))["loss"]
    made.backward()
    p = np.exp(x) / np.exp(x).sum(2, keepdims=True)
    assert loss == pytest.approx(-np.log(p[0, 1, 1] * p[1, 1, 2]) / 2, rel=1e-5)
    assert not made.blobs["x"].diff[:, 0].any() and made.blobs["x"].diff[:, 1].any()
    assert "time_step: a label cannot be spelt in 2 frames; it counts 0" in caplog.text


def test_long_sequences_do_not_vanish():
    made = net(300, 1, 40, 100)
    label = np.random.default_rng(1).integers(1, 40, (1, 100))
    loss = made.forward(x=np.zeros((300, 1, 40)), label=label)["loss"]
    made.backward()
    assert 500 < loss < 1000
    np.testing.assert_allclose(made.blobs["x"].diff.sum(2), 0, atol=1e-5)


def test_it_learns_to_spell():
    made = net(8, 1, 4, 3)
    x, label = np.zeros((8, 1, 4)), np.array([[3, 3, 1]])
    for _ in range(200):
        loss = float(made.forward(x=x, label=label)["loss"])
        made.backward()
        x -= 2 * made.blobs["x"].diff
    assert loss < 0.05 and spelt(x[:, 0].argmax(1).tolist(), 0) == [3, 3, 1]


@pytest.mark.parametrize("options, shapes, error, message", [
    ("alphabet_size: 3 time_step: 4 blank_label: 3", [(4, 2, 3), (2, 2)], FieldError,
     "blank_label: expected one of the 3 symbols, 0 to 2, got 3"),
    ("alphabet_size: 3 time_step: 5", [(4, 2, 3), (2, 2)], ShapeError, "expected at most the 4 frames of 'b0', got 5"),
    ("alphabet_size: 4 time_step: 4", [(4, 2, 3), (2, 2)], ShapeError, r"expected scores of shape \(T, N, 4\), alphabet_size"),
    ("alphabet_size: 3 time_step: 4", [(4, 2, 3), (3, 2)], ShapeError, r"expected labels of shape \(2, L\), a row for each"),
])
def test_refused(options, shapes, error, message):
    with pytest.raises(error, match=message):
        check_layer(f'type: "CtcLoss" ctc_loss_param {{ {options} }}', shapes)


def test_a_label_that_is_no_symbol():
    with pytest.raises(LayerCheckError, match="expected a whole number from 0 to 2, got 3"):
        check_layer('type: "CtcLoss" ctc_loss_param { alphabet_size: 3 time_step: 4 }', [(4, 1, 3), np.array([[1.0, 3]])])


def test_continuation_indicator():
    check_layer('type: "ContinuationIndicator" continuation_indicator_param { time_step: 3 batch_size: 2 }', [],
                lambda: np.array([[0.0, 0], [1, 1], [1, 1]]))


@pytest.mark.parametrize("blank", [0, 3])
def test_sequence_accuracy(blank):
    def reference(x, labels):
        right = [spelt(frames.argmax(1).tolist(), blank) == [int(s) for s in label if s != blank]
                 for frames, label in zip(x, labels, strict=True)]
        return np.array(sum(right) / max(1, len(right)))
    one, two, none = (0, 1, 2) if blank == 3 else (1, 2, 3)
    said = [[one, one, blank, two], [one, blank, one, two], [blank, blank, blank, blank], [none, two, two, two]]
    labels = np.array([[one, two, blank], [one, two, blank], [blank, blank, blank], [none, blank, two]], float)
    x = np.eye(4)[np.array(said)] + 0.1
    assert reference(x, labels) == 0.75
    check_layer(f'type: "LabelsequenceAccuracy" labelsequence_accuracy_param {{ blank_label: {blank} }}', [x, labels], reference)
