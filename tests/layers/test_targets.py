"""SoftmaxWithLoss beyond one class a place: soft and several labels, smoothing, weights; and the shared arithmetic."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, GraphError, ShapeError
from netdef.layers import targets
from netdef.testing import check_layer

VECTOR = np.array([2.0, 0, 1])
MAP = np.array([[[0, 1], [2, 1]], [[1, 1], [0, 2]], [[2, 2], [2, 0]]], float)  # (3, 2, 2)


def reference(axis=1, ignore=None, smoothing=0.0, class_weight=None, mode="VALID"):
    """Place by place and class by class."""
    def loss(x, label, weight=None):
        shares = label.shape == x.shape
        x = np.moveaxis(x, axis, -1)
        classes = x.shape[-1]
        places = x.shape[:-1]
        label = np.moveaxis(label, axis, -1) if shares else label.reshape(places)
        total, valid = 0.0, 0
        for place in np.ndindex(*places):
            if shares:
                t = label[place]
                if not t.any() or (t == ignore).all():
                    continue
                t = t / t.sum()
            elif label[place] == ignore:
                continue
            else:
                t = np.eye(classes)[int(label[place])]
            valid += 1
            t = (1 - smoothing) * t + smoothing / classes
            own = 1.0 if weight is None else (
                weight.reshape(places)[place] if weight.size == np.prod(places) else weight.reshape(-1)[place[0]])
            p = np.exp(x[place]) / np.exp(x[place]).sum()
            for c in range(classes):
                total -= own * (1.0 if class_weight is None else class_weight[c]) * t[c] * np.log(p[c])
        outer = int(np.prod(places[:axis]))
        divisor = {"VALID": valid, "FULL": int(np.prod(places)), "BATCH_SIZE": outer, "NONE": 1}[mode]
        return np.array(total / max(1, divisor))

    return loss


SOFT = np.array([[0.5, 0.25, 0.25], [1, 0, 0], [0, 0.75, 0.25]])
SEVERAL = np.array([[1.0, 1, 0], [0, 0, 0], [1, 1, 1]])
SOFT_MAP = np.random.default_rng(3).integers(0, 3, (3, 3, 2, 2)).astype(float)
CLASS_WEIGHTS = (0.5, 2.0, 0.0)
WEIGHTED = "class_weight: [0.5, 2, 0]"
SEGNET = "weight_by_label_freqs: true class_weighting: [0.5, 2, 0]"


@pytest.mark.parametrize(("options", "shape", "bottoms", "kwargs"), [
    ("", (3, 3), [SOFT], {}),
    ("", (3, 3), [SEVERAL], {}),
    ("loss_param { normalization: FULL }", (3, 3), [SEVERAL], {"mode": "FULL"}),
    ("", (3, 3, 2, 2), [SOFT_MAP], {}),
    ("softmax_param { axis: -1 } loss_param { ignore_label: 2 }", (3, 2, 2, 3), [np.moveaxis(SOFT_MAP, 1, 3)],
     {"axis": 3, "ignore": 2}),
    ("loss_param { ignore_label: 1 }", (3, 3), [SEVERAL], {"ignore": 1}),
    ("loss_param { ignore_label: -1 }", (3, 3), [np.array([[-1.0, -1, -1], [0, 1, 0], [1, 0, 1]])], {"ignore": -1}),
    ("loss_param { label_smoothing: 0.25 }", (3, 3), [VECTOR], {"smoothing": 0.25}),
    ("loss_param { label_smoothing: 0.25 ignore_label: 1 }", (3, 3, 2, 2), [MAP], {"smoothing": 0.25, "ignore": 1}),
    ("loss_param { label_smoothing: 0.5 }", (3, 3), [SEVERAL], {"smoothing": 0.5}),
    (f"loss_param {{ {WEIGHTED} }}", (3, 3), [VECTOR], {"class_weight": CLASS_WEIGHTS}),
    (f"loss_param {{ {SEGNET} }}", (3, 3), [VECTOR], {"class_weight": CLASS_WEIGHTS}),
    ("loss_param { weight_by_label_freqs: false }", (3, 3), [VECTOR], {}),
    (f"loss_param {{ {WEIGHTED} normalization: BATCH_SIZE }} softmax_param {{ axis: 2 }}", (3, 2, 3, 2), [MAP],
     {"class_weight": CLASS_WEIGHTS, "axis": 2, "mode": "BATCH_SIZE"}),
    (f"loss_param {{ {WEIGHTED} label_smoothing: 0.25 }}", (3, 3), [SOFT],
     {"class_weight": CLASS_WEIGHTS, "smoothing": 0.25}),
    ("", (3, 3), [VECTOR, np.array([0.5, 0, -2])], {}),
    ("", (3, 3), [SEVERAL, np.array([0.5, 1, 2]).reshape(3, 1, 1, 1)], {}),
    ("", (3, 3, 2, 2), [MAP, np.arange(12.0).reshape(3, 1, 2, 2)], {}),
    ("", (3, 3, 2, 2), [MAP, np.array([0.5, 1, 2])], {}),
    ("softmax_param { axis: 2 } loss_param { normalization: NONE ignore_label: 0 }", (3, 2, 3, 2),
     [MAP, np.array([0.5, 1, 2])], {"axis": 2, "ignore": 0, "mode": "NONE"}),
])
def test_battery(options, shape, bottoms, kwargs):
    report = check_layer(f'type: "SoftmaxWithLoss" {options}', [shape, *bottoms], reference(**kwargs))
    assert len(report.gradients) == 2  # two objectives by the scores alone


def run(score, label, options="", weight=None, dtype="float64"):
    arrays = {"score": np.asarray(score, float), "label": np.asarray(label, float)}
    if weight is not None:
        arrays["weight"] = np.asarray(weight, float)
    dims = " ".join("shape {" + "".join(f" dim: {n}" for n in a.shape) + " }" for a in arrays.values())
    names = list(arrays)
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" {" ".join(f'top: "{n}"' for n in names)} input_param {{ {dims} }} }}
        layer {{ name: "loss" type: "SoftmaxWithLoss" {" ".join(f'bottom: "{n}"' for n in names)} top: "loss"
                 {options} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype=dtype)
    net.forward(**arrays)
    net.backward()
    return net


def test_one_hot_labels_are_class_numbers():
    score = np.random.default_rng(0).normal(size=(4, 5))
    numbers, shares = run(score, [0, 4, 2, 2]), run(score, np.eye(5)[[0, 4, 2, 2]])
    assert shares.loss == pytest.approx(numbers.loss, rel=1e-12)
    assert shares.blobs["score"].diff == pytest.approx(numbers.blobs["score"].diff, rel=1e-12)


def test_each_of_k_labels_counts_one_kth():
    net = run(np.zeros((1, 4)), [[1, 0, 1, 0]])
    assert net.loss == pytest.approx(np.log(4))
    assert net.blobs["score"].diff.tolist() == [[-0.25, 0.25, -0.25, 0.25]]


def test_one_class_has_class_numbers():
    """Where C is 1 both readings of the label fit; Caffe's counts."""
    assert run([[3.0]], [[0]]).loss == 0
    with pytest.raises(DataError, match="from 0 to 0, got 1"):
        run([[3.0]], [[1]])


def test_weights_scale_loss_and_gradient_and_leave_the_divisor():
    plain, weighted = run(np.zeros((2, 2)), [0, 1]), run(np.zeros((2, 2)), [0, 1], weight=[3, 0])
    assert weighted.loss == pytest.approx(3 * plain.loss / 2)
    assert weighted.blobs["score"].diff.tolist() == [[-0.75, 0.75], [0, 0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_clamp_holds_for_each_class(dtype):
    net = run([[0, 1000]], [[1, 1]], dtype=dtype)
    assert net.loss == pytest.approx(87.33654 / 2, abs=1e-5)
    assert net.blobs["score"].diff.tolist() == [[-0.5, 0.5]]


def test_a_place_that_does_not_count_may_be_nan():
    net = run([[np.nan, 1], [0, 0]], [[0, 0], [1, 0]])
    assert net.loss == pytest.approx(np.log(2))
    assert net.blobs["score"].diff.tolist() == [[0, 0], [-0.5, 0.5]]
    assert np.isnan(run([[np.nan, 1], [0, 0]], [[0, 1], [1, 0]]).loss)


@pytest.mark.parametrize("value", [-1, np.nan, np.inf])
def test_shares_that_are_none(value):
    label = np.zeros((2, 3, 2))
    label[1, 2, 1] = value
    with pytest.raises(DataError, match=r"layer 'loss' \(SoftmaxWithLoss\): label blob 'label', item 1 of the batch, "
                                        "class 2, place 1: expected a number of at least 0, got"):
        run(np.zeros((2, 3, 2)), label)


def test_bad_options_are_located():
    with pytest.raises(FieldError, match=r"label_smoothing: expected a number in \[0, 1\), got 1") as caught:
        run([[0, 0]], [0], "loss_param { label_smoothing: 1 }")
    assert caught.value.span.text[caught.value.span.column - 1:].startswith("1 } }")
    with pytest.raises(FieldError, match="class_weight: expected numbers of at least 0, got -1 for class 1") as caught:
        run([[0, 0]], [0], "loss_param { class_weight: 2 class_weight: -1 }")
    assert caught.value.span.text[caught.value.span.column - 1:].startswith("-1 } }")
    with pytest.raises(FieldError, match="weight_by_label_freqs: expected class_weighting beside it, got none"):
        run([[0, 0]], [0], "loss_param { weight_by_label_freqs: true }")
    with pytest.raises(FieldError, match="expected either class_weight or SegNet's weight_by_label_freqs and"):
        run([[0, 0]], [0], "loss_param { class_weight: [1, 1] class_weighting: [1, 1] }")
    with pytest.raises(ShapeError, match="class_weighting: expected one number for each of the 2 classes, got 3"):
        run([[0, 0]], [0], "loss_param { weight_by_label_freqs: true class_weighting: [1, 1, 1] }")
    with pytest.raises(ShapeError, match="class_weight: expected one number for each of the 2 classes, got 3"):
        run([[0, 0]], [0], "loss_param { class_weight: [1, 1, 1] }")
    with pytest.raises(ShapeError, match=r"one weight for each of the 2 items or 2 places.* 'weight' of shape \(3,\)"):
        run(np.zeros((2, 3)), [0, 0], weight=[1, 1, 1])


def test_weights_get_no_gradient():
    with pytest.raises(GraphError, match="gradient by bottom 2"):
        run([[0, 0]], [0], "propagate_down: true propagate_down: false propagate_down: true", weight=[1])


@pytest.mark.parametrize(("type_name", "option"), [
    ("SigmoidCrossEntropyLoss", "label_smoothing: 0.1"), ("SigmoidCrossEntropyLoss", "class_weight: 1"),
    ("FocalLoss", "class_weight: 1"), ("InfogainLoss", "label_smoothing: 0.1"), ("InfogainLoss", "normalize: true"),
])
def test_losses_without_the_option_refuse_it(type_name, option):
    name = option.split(":")[0]
    shapes = [(2, 2), (2, 2), (2, 2)][: 3 if type_name == "InfogainLoss" else 2]
    with pytest.raises(FieldError, match=rf"\({type_name}\): loss_param {{ {name} }} has no meaning in this type"):
        check_layer(f'type: "{type_name}" loss_param {{ {option} }}', shapes)


def test_targets_that_sum_to_anything():
    """The gradient of -sum(T log p) through the softmax, T of any sign."""
    generator = np.random.default_rng(1)
    x, target = generator.normal(size=(2, 3, 2)), generator.normal(size=(2, 3, 2))
    terms, dx, numeric = np.empty_like(x), np.empty_like(x), np.empty_like(x)

    def value(x):
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        return targets.loss(p, target, 1e-20, terms)

    targets.gradient(np.exp(x) / np.exp(x).sum(1, keepdims=True), target, 1, dx)
    for place in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-5
        numeric[place] = (value(x + step) - value(x - step)) / 2e-5
    np.testing.assert_allclose(dx, numeric, atol=1e-8)
