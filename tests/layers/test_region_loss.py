"""RegionLoss against Darknet's rule as a plain loop, gradients against the loss with all targets held fixed, and refusals."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, ShapeError
from netdef.testing import check_layer
from netdef.testing.case import LayerCheckError

BIASES = [(1.5, 2.0), (0.75, 0.625), (3.0, 1.0)]
CLASSES, BOXES = 2, len(BIASES)
NUMBERS = 5 + CLASSES
OPTIONS = (f"num_class: {CLASSES} num: {BOXES} " + " ".join(f"biases: {w} biases: {h}" for w, h in BIASES)
           + " object_scale: 5 class_scale: 1.5 noobject_scale: 0.5 coord_scale: 2 thresh: 0.3")
TRUTH = np.zeros((2, 4, 5))
TRUTH[0, :3] = [[1, 0.3, 0.2, 0.4, 0.5], [0, 0.7, 0.6, 0.2, 0.25], [1, 0.75, 0.65, 0.25, 0.2]]  # the last two share a box
TRUTH[1, :1] = [[0, 0.5, 1.0, 0.9, 0.3]]  # on the lower border


def logistic(v):
    return 1 / (1 + np.exp(-v))


def overlap(a, b):
    """Of (x, y, w, h)."""
    w, h = (min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2) - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2) for k in (0, 1))
    shared = w * h if w > 0 and h > 0 else 0
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def darknet(x, truth, rescore=1, match=1, warm=True, thresh=0.3):
    """Y, dY by x and the fork's number, cell by cell: delta as Darknet writes it, with the sign turned."""
    items, _, height, width = x.shape
    t = x.reshape(items, BOXES, NUMBERS, height, width)
    delta, cost = np.zeros(t.shape), {}

    def square(at, scale, value, target, slope):
        delta[at] = scale * (value - target) * slope
        cost[at] = scale / 2 * (value - target) ** 2

    def place(n, b, j, i, target, scale):
        for k in range(4):
            at = (n, b, k, j, i)
            u = logistic(t[at]) if k < 2 else t[at]
            square(at, scale, u, target[k], u * (1 - u) if k < 2 else 1)

    def box(n, b, j, i):
        v = t[n, b, :, j, i]
        return ((i + logistic(v[0])) / width, (j + logistic(v[1])) / height, np.exp(v[2]) * BIASES[b][0] / width,
                np.exp(v[3]) * BIASES[b][1] / height)

    for n in range(items):
        real = [row for row in truth[n] if row[3]]
        for b, j, i in np.ndindex(BOXES, height, width):
            o = logistic(t[n, b, 4, j, i])
            free = any(overlap(box(n, b, j, i), row[1:]) > thresh for row in real)
            square((n, b, 4, j, i), 0 if free else 0.5, o, 0, o * (1 - o))
            if warm:
                place(n, b, j, i, (0.5, 0.5, 0, 0), 0.01)
        for label, mx, my, w, h in real:
            i, j = min(int(mx * width), width - 1), min(int(my * height), height - 1)
            sizes = [(bw / width, bh / height) if match else box(n, b, j, i)[2:] for b, (bw, bh) in enumerate(BIASES)]
            b = int(np.argmax([overlap((0, 0, *size), (0, 0, w, h)) for size in sizes]))
            iou = overlap(box(n, b, j, i), (mx, my, w, h))
            target = (mx * width - i, my * height - j, np.log(w * width / BIASES[b][0]), np.log(h * height / BIASES[b][1]))
            place(n, b, j, i, target, 2 * (1 if rescore else 2 - w * h))
            o = logistic(t[n, b, 4, j, i])
            square((n, b, 4, j, i), 5, o, iou if rescore else 1, o * (1 - o))
            p = np.exp(t[n, b, 5:, j, i])
            p /= p.sum()
            delta[n, b, 5:, j, i] = 1.5 * (p - np.eye(CLASSES)[int(label)])
            cost[n, b, 5, j, i] = -1.5 * np.log(p[int(label)])
    return sum(cost.values()) / items, delta.reshape(x.shape) / items, np.square(delta).sum() / items


def made(options=OPTIONS, shape=(2, BOXES * NUMBERS, 4, 3), truth=TRUTH.shape, phase="TRAIN", dtype="float64", tops=2):
    dims = " ".join("shape {" + "".join(f" dim: {n}" for n in s) + " }" for s in (shape, truth))
    return netdef.Net(parse_text_message(f'''force_backward: true
        layer {{ name: "in" type: "Input" top: "x" top: "truth" input_param {{ {dims} }} }}
        layer {{ name: "loss" type: "RegionLoss" bottom: "x" bottom: "truth" top: "loss" {'top: "seen"' if tops > 1 else ""}
                 loss_weight: 1 {"loss_weight: 0" if tops > 1 else ""} region_loss_param {{ {options} }} }}''', "n.prototxt",
                                         "NetParameter"), phase=phase, dtype=dtype)


def random(shape=(2, BOXES * NUMBERS, 4, 3), seed=0):
    return np.random.default_rng(seed).normal(size=shape) * 0.7


@pytest.mark.parametrize("rescore", [0, 1])
@pytest.mark.parametrize("match", [0, 1])
@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("seed", range(3))
def test_darknets_rule(rescore, match, phase, seed):
    net, x = made(OPTIONS + f" rescore: {rescore} bias_match: {match}", phase=phase), random(seed=seed)
    net.forward(x=x, truth=TRUTH)
    net.backward()
    loss, delta, printed = darknet(x, TRUTH, rescore, match, phase == "TRAIN")
    assert net.loss == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(net.blobs["x"].diff, delta, rtol=1e-9, atol=1e-12)
    assert net.blobs["seen"].data[0] == pytest.approx(printed, rel=1e-9) and printed != pytest.approx(loss)


def test_battery_where_no_target_moves():
    """With rescore: 0 no target is an overlap, so the loss is what its gradient says."""
    report = check_layer(f'type: "RegionLoss" region_loss_param {{ {OPTIONS} rescore: 0 }}',
                         [(2, BOXES * NUMBERS, 4, 3), TRUTH], lambda x, t: darknet(x, t, 0)[0], low=-1.5, high=1.5)
    assert {"values", "gradients", "batches", "constraints"} <= set(report.passed)


def test_gradient_of_the_loss_with_overlaps_held_fixed():
    """With rescore: 1 the numeric gradient of what the loss would be if the overlaps stayed as they are."""
    x, items = random(), 2
    net = made(OPTIONS)
    net.forward(x=x, truth=TRUTH)
    net.backward()
    fixed = overlaps_of(x)

    def surrogate(v):
        moved = overlaps_of(v)
        value = darknet(v, TRUTH)[0]
        for at, q in fixed.items():  # undo that the target moved with the box
            o = logistic(v.reshape(items, BOXES, NUMBERS, 4, 3)[at])
            value += 2.5 * ((o - q) ** 2 - (o - moved[at]) ** 2) / items
        return np.array(value)

    numeric = central(surrogate, x)
    np.testing.assert_allclose(net.blobs["x"].diff, numeric, rtol=1e-6, atol=1e-8)


def overlaps_of(x):
    """The last true box of each place and its overlap with the box that says it, by place of the object's number."""
    found, (height, width) = {}, x.shape[2:]
    t = x.reshape(2, BOXES, NUMBERS, height, width)
    for n in range(2):
        for _, mx, my, w, h in (row for row in TRUTH[n] if row[3]):
            i, j = min(int(mx * width), width - 1), min(int(my * height), height - 1)
            b = int(np.argmax([overlap((0, 0, bw / width, bh / height), (0, 0, w, h)) for bw, bh in BIASES]))
            v = t[n, b, :, j, i]
            said = ((i + logistic(v[0])) / width, (j + logistic(v[1])) / height, np.exp(v[2]) * BIASES[b][0] / width,
                    np.exp(v[3]) * BIASES[b][1] / height)
            found[n, b, 4, j, i] = overlap(said, (mx, my, w, h))
    return found


def central(f, x, step=1e-5):
    out = np.zeros_like(x)
    for at in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        out[at] = (f(up) - f(down)) / (2 * step)
    return out


def test_the_beginning_is_over_after_12800_pictures():
    net, x = made(), random()
    net.forward(x=x, truth=TRUTH)
    warm = float(net.loss)
    net.pass_number = 6400
    net.forward(x=x, truth=TRUTH)
    assert warm == pytest.approx(darknet(x, TRUTH)[0]) and net.loss == pytest.approx(darknet(x, TRUTH, warm=False)[0])
    assert warm > net.loss


def test_the_numbers_of_the_second_top():
    net, x = made(), random()
    net.forward(x=x, truth=TRUTH)
    t = logistic(x.reshape(2, BOXES, NUMBERS, 4, 3)[:, :, 4])
    seen = net.blobs["seen"].data
    assert seen.shape == (7,) and seen[4] == pytest.approx(t.mean()) and 0 < seen[1] < 1 and 0 < seen[2] < 1
    net.forward(x=x, truth=np.zeros_like(TRUTH))
    assert net.blobs["seen"].data[[1, 2, 3, 5, 6]].tolist() == [0] * 5


def test_rows_of_annotated_data():
    net, x = made(), random()
    net.forward(x=x, truth=TRUTH)
    rows = [[n, label + 1, 0, mx - w / 2, my - h / 2, mx + w / 2, my + h / 2, 0]
            for n in range(2) for label, mx, my, w, h in TRUTH[n] if w]
    other = made(truth=(1, 1, len(rows) + 2, 8))
    other.forward(x=x, truth=np.array([*rows, [0, 1, 0, 0.3, 0.3, 0.3, 0.5, 0], [-1] * 8], float)[None, None])
    assert other.loss == pytest.approx(net.loss)


def test_it_learns_the_boxes():
    """Steps down the gradient make the map say the true boxes; YoloDetectionOutput then finds them."""
    net, x = made(tops=1, dtype="float32"), random()
    net.pass_number = 10000
    truth = TRUTH.copy()
    truth[0, 2] = 0
    for _ in range(400):
        net.forward(x=x, truth=truth)
        net.backward()
        x -= net.blobs["x"].diff
    found = netdef.Net(parse_text_message(f'''
        layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: {BOXES * NUMBERS} dim: 4 dim: 3 }} }} }}
        layer {{ name: "out" type: "YoloDetectionOutput" bottom: "x" top: "found" yolo_detection_output_param {{
                 num_classes: {CLASSES} num_box: {BOXES} {" ".join(f"biases: {w} biases: {h}" for w, h in BIASES)}
                 confidence_threshold: 0.5 }} }}''', "n.prototxt", "NetParameter")).forward(x=x)["found"][0, 0]
    wanted = sorted((n, label + 1, mx - w / 2, my - h / 2, mx + w / 2, my + h / 2)
                    for n in range(2) for label, mx, my, w, h in truth[n] if w)
    np.testing.assert_allclose(sorted(tuple(row[[0, 1, 3, 4, 5, 6]]) for row in found), wanted, atol=0.02)


def test_numbers_of_a_net_that_learns_wildly():
    net, x = made(), random()
    x[0, 2:4] = 800
    net.forward(x=x, truth=TRUTH)
    net.backward()
    assert np.isfinite(net.loss) and np.isfinite(net.blobs["x"].diff).all()


@pytest.mark.parametrize(("options", "shapes", "error", "message"), [
    ("num_class: 2 num: 2 biases: 1", [(1, 14, 2, 2), (1, 1, 5)], FieldError,
     r"biases: expected 2 numbers for each of the 2 boxes \(num\), got 1"),
    ("num_class: 2 num: 1 biases: 1 biases: 0", [(1, 7, 2, 2), (1, 1, 5)], FieldError,
     "biases: expected numbers above 0, got 0 as number 1"),
    ("num_class: 2 num: 1 coords: 5 biases: 1 biases: 1", [(1, 7, 2, 2), (1, 1, 5)], FieldError, "coords: expected"),
    ("num_class: 2 num: 1 biases: 1 biases: 1", [(1, 8, 2, 2), (1, 1, 5)], ShapeError,
     r"expected a map of shape \(N, 7, H, W\), 5 \+ num_class 2 numbers for each of 1 boxes, got \(1, 8, 2, 2\)"),
    ("num_class: 2 num: 1 biases: 1 biases: 1", [(1, 7, 2, 2), (2, 1, 5)], ShapeError,
     r"expected true boxes of shape \(1, boxes, 5\), or the rows \(1, 1, boxes, 8\) of AnnotatedData, got \(2, 1, 5\)"),
])
def test_refused(options, shapes, error, message):
    with pytest.raises(error, match=message):
        check_layer(f'type: "RegionLoss" region_loss_param {{ {options} }}', shapes)


@pytest.mark.parametrize(("row", "message"), [
    ([2, 0.5, 0.5, 0.1, 0.1], "true box 0: expected a class from 0 to 1, got 2"),
    ([0, 160, 120, 30, 40], "true box 0: expected x, y, width and height as shares of the picture, from 0 to 1, got 160, 120"),
])
def test_true_boxes_that_cannot_be(row, message):
    truth = np.zeros((1, 2, 5))
    truth[0, 0] = row
    with pytest.raises(DataError, match=message):
        made(shape=(1, BOXES * NUMBERS, 2, 2), truth=truth.shape).forward(x=np.zeros((1, BOXES * NUMBERS, 2, 2)), truth=truth)
    with pytest.raises((DataError, LayerCheckError), match=message):
        check_layer(f'type: "RegionLoss" region_loss_param {{ {OPTIONS} }}', [(1, BOXES * NUMBERS, 2, 2), truth])


def test_options_without_effect_say_so(caplog):
    made(OPTIONS + ' softmax_tree: "tree" softmax: 0')
    assert "softmax_tree: has no effect here" in caplog.text and "always go through a softmax" in caplog.text
