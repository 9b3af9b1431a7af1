"""SoftmaxWithLoss: the battery in every normalization, the clamp (trap 12), labels, the second top."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, GraphError, ShapeError
from netdef.testing import check_layer

NET = '''force_backward: true
layer { name: "in" type: "Input" top: "score" top: "label" input_param { shape { %s } shape { %s } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" %s }'''


def dims(shape):
    return " ".join(f"dim: {n}" for n in shape)


def run(score, label, options='top: "loss"', backward=True, **kwargs):
    score, label = np.asarray(score), np.asarray(label)
    text = NET % (dims(score.shape), dims(label.shape), options)
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), **kwargs)
    net.forward(score=score, label=label)
    if backward:
        net.backward()
    return net


def reference(mode="VALID", axis=1, ignore=None):
    def loss(x, label):
        x = np.moveaxis(x, axis, -1)
        p = np.exp(x - x.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        label = label.reshape(x.shape[:-1])
        total, valid = 0.0, 0
        for place in np.ndindex(*label.shape):
            if ignore is None or label[place] != ignore:
                total -= np.log(p[place][int(label[place])])
                valid += 1
        outer = int(np.prod(x.shape[:axis]))
        return np.array(total / max(1, {"VALID": valid, "FULL": label.size, "BATCH_SIZE": outer, "NONE": 1}[mode]))

    return loss


VECTOR = np.array([2.0, 0, 1])
MAP = np.array([[[0, 1], [2, 1]], [[1, 1], [0, 2]], [[2, 2], [2, 0]]], float)  # (3, 2, 2)


@pytest.mark.parametrize(("options", "shape", "labels", "kwargs"), [
    ("", (3, 3), VECTOR, {}),
    ("", (3, 3), VECTOR.reshape(3, 1, 1, 1), {}),
    ("", (3, 3, 2, 2), MAP, {}),
    ("", (3, 3, 2, 2), MAP.reshape(3, 1, 2, 2), {}),
    *((f"loss_param {{ normalization: {mode} ignore_label: 1 }}", (3, 3, 2, 2), MAP, {"mode": mode, "ignore": 1})
      for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")),
    ("loss_param { normalize: false }", (3, 3, 2, 2), MAP, {"mode": "BATCH_SIZE"}),
    ("softmax_param { axis: 2 }", (3, 2, 3, 2), MAP, {"axis": 2}),
    ("softmax_param { axis: -1 } loss_param { normalization: BATCH_SIZE }", (3, 2, 2, 3), MAP,
     {"axis": 3, "mode": "BATCH_SIZE"}),
    ("loss_param { ignore_label: 255 }", (3, 3), np.array([1.0, 255, 0]), {"ignore": 255}),
])
def test_battery(options, shape, labels, kwargs):
    report = check_layer(f'type: "SoftmaxWithLoss" {options}', [shape, labels], reference(**kwargs))
    assert "gradients" in report.passed


def test_the_second_top_holds_the_probabilities():
    def both(x, label):
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        return reference()(x, label), p

    check_layer('type: "SoftmaxWithLoss"', [(3, 3), VECTOR], both, tops=2)


def test_equal_scores():
    net = run(np.zeros((4, 10)), [0, 1, 2, 9], dtype="float64")
    assert net.loss == pytest.approx(np.log(10))
    assert net.blobs["score"].diff[0] == pytest.approx([(0.1 - 1) / 4] + [0.1 / 4] * 9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_trap_12_the_largest_loss(dtype):
    """-log of the smallest normal float32, in both precisions; the gradient goes on."""
    net = run([[0, 1000]], [0], dtype=dtype)
    assert float(net.blobs["loss"].data) == pytest.approx(87.33654, abs=1e-5)
    assert net.blobs["score"].diff.tolist() == [[-1, 1]]


def test_nan_and_infinity_are_no_errors():
    for bad in (np.nan, np.inf):
        net = run([[0, bad], [0, 0]], [0, 0])
        assert np.isnan(net.loss)
        assert net.blobs["score"].diff[1].tolist() == [-0.25, 0.25]


def test_an_ignored_item_full_of_nan_does_no_harm():
    net = run([[np.nan, np.nan], [0, 0]], [255, 1], 'top: "loss" loss_param { ignore_label: 255 }')
    assert net.loss == pytest.approx(np.log(2))
    assert net.blobs["score"].diff.tolist() == [[0, 0], [0.5, -0.5]]


def test_trap_11_the_default_divides_by_the_places_that_count():
    """Two of the four places are ignored: log 2 is the mean over the other two, along softmax_param's axis."""
    options = 'top: "loss" softmax_param { axis: -1 } loss_param { ignore_label: 9 }'
    assert run(np.zeros((2, 2, 2)), [[0, 9], [9, 1]], options, dtype="float64").loss == pytest.approx(np.log(2))


def test_nothing_but_ignored_labels():
    net = run([[1, 2], [3, 4]], [7, 7], 'top: "loss" loss_param { ignore_label: 7 }')
    assert net.loss == 0
    assert not net.blobs["score"].diff.any()


def test_losses_that_ignore_each_class_in_turn_sum_up():
    score, label = np.random.default_rng(0).normal(size=(6, 5)), [0, 1, 2, 3, 4, 0]
    options = 'top: "loss" loss_param { normalize: false %s }'
    full = run(score, label, options % "", dtype="float64").loss
    parts = [run(score, label, options % f"ignore_label: {k}", dtype="float64").loss for k in range(5)]
    assert sum(parts) == pytest.approx(4 * full)


@pytest.mark.parametrize("weight", [0.25, -2])
def test_the_loss_weight_scales_the_gradient(weight):
    plain = run([[1, 2, 4]], [1], dtype="float64")
    scaled = run([[1, 2, 4]], [1], f'top: "loss" loss_weight: {weight}', dtype="float64")
    assert scaled.loss == pytest.approx(weight * plain.loss)
    assert scaled.blobs["score"].diff == pytest.approx(weight * plain.blobs["score"].diff)


def test_the_top_may_be_left_out():
    assert run([[0, 0]], [1], "").loss == pytest.approx(np.log(2))


@pytest.mark.parametrize(("label", "shown"), [(2, "2"), (-1, "-1"), (0.5, "0.5")])
def test_a_label_that_is_no_class(label, shown):
    with pytest.raises(DataError, match=f"item 1 of the batch: expected a whole number from 0 to 1, got {shown}"):
        run([[0, 0], [0, 0]], [0, label])


def test_trap_23_labels_get_no_gradient():
    with pytest.raises(GraphError, match="gradient by bottom 1"):
        run([[0, 0]], [0], 'propagate_down: true propagate_down: true')


@pytest.mark.parametrize(("score", "label", "message"), [
    ((2, 3), (3,), "as many items"),
    ((2, 3), (2, 4), r"one label for each of the 2 places \(2,\)"),
    ((2, 3), (2, 3, 1), r"one label for each of the 2 places \(2,\)"),
    ((2, 3, 4), (2,), "each of the 8 places"),
    ((2,), (2,), "axis 1 does not exist"),
])
def test_shapes_that_do_not_fit(score, label, message):
    with pytest.raises(ShapeError, match=message):
        run(np.zeros(score), np.zeros(label))
