"""CoordinateError and BoxIoU against loops, and boxes that one can check by eye."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def error_reference(squared):
    def error(a, b):
        off = np.abs(a.reshape(len(a), -1) - b.reshape(len(b), -1))
        n, k = max(1, off.shape[0]), off.shape[1]
        each = [sum(v**2 for v in off[:, i]) / n if squared else sum(off[:, i]) / n for i in range(k)]
        mean = sum(each) / k
        return np.sqrt(each) if squared else np.array(each), np.array(np.sqrt(mean) if squared else mean)

    return error


@pytest.mark.parametrize(("options", "squared"), [("", False), ("norm: L2", True)])
@pytest.mark.parametrize("shapes", [[(5, 4), (5, 4)], [(3, 2, 2), (3, 4)], [(4,), (4, 1)]])
@pytest.mark.parametrize("tops", [1, 2])
def test_battery_of_errors(options, squared, shapes, tops):
    check_layer(f'type: "CoordinateError" coordinate_error_param {{ {options} }}', shapes,
                lambda *b: error_reference(squared)(*b)[:tops], tops=tops)


def iou_reference(corners, threshold=0.5):
    def iou(a, b):
        each = []
        for x, y in zip(a.reshape(-1, 4), b.reshape(-1, 4), strict=True):
            ax1, ay1, ax2, ay2 = corners(*x)
            bx1, by1, bx2, by2 = corners(*y)
            shared = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))
            own, other = max(0, ax2 - ax1) * max(0, ay2 - ay1), max(0, bx2 - bx1) * max(0, by2 - by1)
            union = own + other - shared
            each.append(shared / union if union else 0.0)
        n = max(1, len(each))
        return np.array(sum(each) / n), np.array(sum(v >= threshold for v in each) / n), np.array(each)

    return iou


CODES = {
    "": lambda a, b, c, d: (a, b, c, d),
    "whole_pixels: true": lambda a, b, c, d: (a, b, c + 1, d + 1),
    "code: CENTER_SIZE": lambda a, b, c, d: (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
    "code: CORNER_SIZE threshold: 0.25": lambda a, b, c, d: (a, b, a + c, b + d),
}


@pytest.mark.parametrize("options", CODES)
@pytest.mark.parametrize("shapes", [[(6, 4), (6, 4)], [(3, 4, 1, 1), (3, 4)], [(2, 8), (2, 2, 4)]])
@pytest.mark.parametrize("tops", [1, 2, 3])
def test_battery_of_boxes(options, shapes, tops):
    threshold = 0.25 if "threshold" in options else 0.5
    check_layer(f'type: "BoxIoU" box_iou_param {{ {options} }}', shapes,
                lambda *b: iou_reference(CODES[options], threshold)(*b)[:tops], tops=tops)


def iou(a, b, options=""):
    text = f'''layer {{ name: "in" type: "Input" top: "a" top: "b" input_param {{ shape {{ dim: {len(a)} dim: 4 }} }} }}
        layer {{ name: "iou" type: "BoxIoU" bottom: "a" bottom: "b" top: "mean" top: "found" top: "each"
                 box_iou_param {{ {options} }} }}'''
    net = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), dtype="float64")
    net.forward(a=a, b=b)
    return [net.blobs[name].data.tolist() for name in ("mean", "found", "each")]


def test_boxes_by_eye():
    """The same box, the left half, a corner of one, one beside it, and a turned-round (empty) one."""
    box = [0, 0, 2, 2]
    others = [box, [0, 0, 1, 2], [1, 1, 3, 3], [2, 0, 4, 2], [2, 2, 0, 0]]
    assert iou([box] * 5, others) == [pytest.approx((1 + 0.5 + 1 / 7) / 5), 0.4, pytest.approx([1, 0.5, 1 / 7, 0, 0])]


def test_pixels_count_their_last_one():
    """Boxes of one pixel have an area with whole_pixels and none without."""
    assert iou([[3, 3, 3, 3]], [[3, 3, 3, 3]], "whole_pixels: true") == [1, 1, [1]]
    assert iou([[3, 3, 3, 3]], [[3, 3, 3, 3]]) == [0, 0, [0]]


def test_nan_shows():
    mean, found, each = iou([[0, 0, np.nan, 1], [0, 0, 1, 1]], [[0, 0, 1, 1]] * 2)
    assert np.isnan(mean) and found == 0.5 and np.isnan(each[0]) and each[1] == 1


def test_errors():
    for shape in ((2, 5), (2, 4, 3), (2,)):
        with pytest.raises(ShapeError, match="expected boxes of four numbers along the last axis"):
            check_layer('type: "BoxIoU"', [shape, shape])
    with pytest.raises(FieldError, match="whole_pixels: belongs to the code CORNER"):
        check_layer('type: "BoxIoU" box_iou_param { code: CENTER_SIZE whole_pixels: true }', [(2, 4), (2, 4)])
    with pytest.raises(ShapeError, match="as many values an item"):
        check_layer('type: "CoordinateError"', [(2, 3), (2, 4)])
