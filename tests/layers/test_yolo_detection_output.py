"""YOLO's outputs against plain loops: decoding, thresholds, overlaps across classes, batches, and what is refused."""
import math

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def s(x):
    return 1 / (1 + math.exp(-x))


def overlap(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w < 0 or h < 0:
        return 0
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h)


def rows(found, images, threshold):
    out = []
    for image in range(images):
        kept = []
        for score, label, box in sorted((f[1:] for f in found if f[0] == image), key=lambda f: -f[0]):
            if all(overlap(box, k[2]) < threshold for k in kept):
                kept.append((score, label, box))
        out += [[image, label + 1, score, *box] for score, label, box in kept]
    out = out or [[i] + [-1] * 6 for i in range(images)]
    return np.array(out, float).reshape(1, 1, -1, 7)


def boxes(x, count, sizes, scale):
    n, _, height, width = x.shape
    x = x.reshape(n, count, -1, height, width)
    for image, j, i, b in np.ndindex(n, height, width, count):
        t = x[image, b, :, j, i]
        cx, cy = (i + s(t[0])) / width, (j + s(t[1])) / height
        w, h = math.exp(t[2]) * sizes[b][0] / width / scale, math.exp(t[3]) * sizes[b][1] / height / scale
        yield image, t, (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)


def v2(*maps, count=2, least=0.2, threshold=0.45):
    found = []
    for x in maps:
        for image, t, box in boxes(x, count, [(1.5, 2), (3, 1)], 1):
            p = np.exp(t[5:] - t[5:].max())
            score = s(t[4]) * (p / p.sum()).max()
            if score >= least:
                found.append((image, score, int(p.argmax()), box))
    return rows(found, len(maps[0]), threshold)


def v3(*maps, least=0.3, threshold=0.45):
    found, pairs = [], [(10, 14), (23, 27), (37, 58), (81, 82)]
    for x, mask, scale in zip(maps, ([2, 3], [0, 1]), (32, 16), strict=True):
        for image, t, box in boxes(x, 2, [pairs[m] for m in mask], scale):
            found += [(image, s(t[4]) * s(t[5 + c]), c, box) for c in range(len(t) - 5) if s(t[4]) * s(t[5 + c]) > least]
    return rows(found, len(maps[0]), threshold)


V2 = "num_classes: 2 num_box: 2 biases: [1.5, 2, 3, 1]"
V3 = "num_classes: 2 num_box: 2 biases: [10, 14, 23, 27, 37, 58, 81, 82] mask: [2, 3, 0, 1] anchors_scale: [32, 16]"


@pytest.mark.parametrize("shapes", [[(2, 14, 3, 4)], [(1, 14, 2, 2), (1, 14, 4, 4)]])
@pytest.mark.parametrize("least, threshold", [(0.2, 0.45), (0.35, 0.1), (0.01, 1), (0.999, 0.5)])
def test_v2(shapes, least, threshold):
    report = check_layer(f'type: "YoloDetectionOutput" yolo_detection_output_param {{ {V2} confidence_threshold: {least} '
                         f'nms_threshold: {threshold} }}', shapes, lambda *maps: v2(*maps, least=least, threshold=threshold))
    assert {"values", "batches", "constraints"} <= set(report.passed)


@pytest.mark.parametrize("least, threshold", [(0.3, 0.45), (0.45, 0.1), (0.05, 0.9), (0.999, 0.5)])
def test_v3(least, threshold):
    report = check_layer(f'type: "Yolov3DetectionOutput" yolov3_detection_output_param {{ {V3} confidence_threshold: {least} '
                         f'nms_threshold: {threshold} }}', [(2, 14, 2, 3), (2, 14, 4, 6)],
                         lambda *maps: v3(*maps, least=least, threshold=threshold))
    assert {"values", "other shape"} <= set(report.passed)


def test_a_second_class_of_the_same_box_is_dropped():
    """The overlap is taken across classes, so that of one box the best class is left."""
    x = np.full((1, 14, 1, 1), -9.0)
    x[0, 4:7] = [[[9]], [[2]], [[3]]]
    net = netdef.Net(parse_text_message(f'''
        layer {{ name: "in" type: "Input" top: "a" top: "b" input_param {{ shape {{ dim: 1 dim: 14 dim: 1 dim: 1 }} }} }}
        layer {{ name: "found" type: "Yolov3DetectionOutput" bottom: "a" bottom: "b" top: "y"
                 yolov3_detection_output_param {{ {V3} confidence_threshold: 0.5 }} }}''', "net.prototxt", "NetParameter"))
    y = net.forward(a=x, b=np.full((1, 14, 1, 1), -9.0))["y"]
    assert y.shape == (1, 1, 1, 7) and y[0, 0, 0, :2].tolist() == [0, 2]
    assert net.forward(a=x * 0 - 9, b=x * 0 - 9)["y"].tolist() == [[[[0, -1, -1, -1, -1, -1, -1]]]]


@pytest.mark.parametrize("options, message", [
    (V3 + " mask_group_num: 3", "mask_group_num: expected as many as there are bottoms, 2, got 3"),
    (V3 + " anchors_scale: 8", "anchors_scale: expected one for each of the 2 bottoms, got 3"),
    (V3 + " mask: 1", "mask: expected 2 .num_box. for each of the 2 bottoms, got 5"),
    (V3.replace("[2, 3", "[2, 4"), "biases: expected a pair for each number of mask, up to 4, got 8 numbers")])
def test_v3_refused(options, message):
    with pytest.raises(FieldError, match=message):
        check_layer(f'type: "Yolov3DetectionOutput" yolov3_detection_output_param {{ {options} }}', [(1, 14, 2, 2)] * 2)


def test_v2_refused():
    with pytest.raises(FieldError, match="biases: expected 2 numbers for each of the 2 boxes, got 5"):
        check_layer(f'type: "YoloDetectionOutput" yolo_detection_output_param {{ {V2} biases: 1 }}', [(1, 14, 2, 2)])
    with pytest.raises(ShapeError, match=r"expected maps of shape \(1, 14, H, W\), 5 \+ num_classes 2 numbers for each of 2 "
                                         r"boxes, got \(1, 15, 2, 2\)"):
        check_layer(f'type: "YoloDetectionOutput" yolo_detection_output_param {{ {V2} }}', [(1, 15, 2, 2)])
