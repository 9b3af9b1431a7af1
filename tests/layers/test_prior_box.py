"""PriorBox against boxes laid out one by one, by hand, and the battery."""
import math

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def reference(small, large=(), ratios=(1.0,), clip=False, variance=(0.1,), image=None, step=None, offset=0.5):
    def boxes(x, picture):
        height, width = image or picture.shape[2:]
        step_h, step_w = step or (height / x.shape[2], width / x.shape[3])
        made = []
        for row, column in np.ndindex(x.shape[2:]):
            for i, s in enumerate(small):
                sides = [(s, s)] + ([(math.sqrt(s * large[i]),) * 2] if large else [])
                sides += [(s * math.sqrt(a), s / math.sqrt(a)) for a in ratios if a != 1]
                for w, h in sides:
                    cx, cy = (column + offset) * step_w, (row + offset) * step_h
                    box = [(cx - w / 2) / width, (cy - h / 2) / height, (cx + w / 2) / width, (cy + h / 2) / height]
                    made += [min(max(v, 0), 1) for v in box] if clip else box
        return np.array([made, (list(variance) * len(made))[: len(made)]])[None]

    return boxes


CASES = {
    "min_size: 7": {"small": [7]},
    "min_size: 7 max_size: 12 aspect_ratio: 2": {"small": [7], "large": [12], "ratios": [1, 2, 0.5]},
    "min_size: 7 min_size: 9 max_size: 12 max_size: 16 aspect_ratio: 3 aspect_ratio: 1 aspect_ratio: 3 flip: false clip: true "
    "variance: 0.1 variance: 0.2 variance: 0.3 variance: 0.4": {
        "small": [7, 9], "large": [12, 16], "ratios": [1, 3], "clip": True, "variance": (0.1, 0.2, 0.3, 0.4)},
    "min_size: 5 img_size: 30 step: 4 offset: 0.25 variance: 0.3": {
        "small": [5], "image": (30, 30), "step": (4, 4), "offset": 0.25, "variance": (0.3,)},
    "min_size: 5 img_h: 30 img_w: 40 step_h: 4 step_w: 6": {"small": [5], "image": (30, 40), "step": (4, 6)},
}


@pytest.mark.parametrize("options", CASES)
def test_battery(options):
    options = options.replace("  ", " ")
    report = check_layer(f'type: "PriorBox" prior_box_param {{ {options} }}', [(2, 3, 2, 3), (2, 1, 16, 20)],
                         reference(**CASES[options]), other=[(1, 3, 4, 1), (1, 1, 9, 8)], tolerance=1e-7)
    assert {"values", "constraints", "other shape"} <= set(report.passed)


def build(options, feature="dim: 1 dim: 1 dim: 1 dim: 1"):
    text = f"""layer {{ name: "in" type: "Input" top: "map" top: "data" input_param {{ shape {{ {feature} }}
                       shape {{ dim: 1 dim: 3 dim: 100 dim: 200 }} }} }}
layer {{ name: "priors" type: "PriorBox" bottom: "map" bottom: "data" top: "p" prior_box_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_by_hand():
    """One place, in the middle of 200 x 100 pixels."""
    net = build("min_size: 20 max_size: 80 variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2")
    net.forward()
    boxes, variances = net.blobs["p"].data.reshape(2, 2, 4)
    assert boxes == pytest.approx(np.array([[0.45, 0.4, 0.55, 0.6], [0.4, 0.3, 0.6, 0.7]]))
    assert variances == pytest.approx(np.array([[0.1, 0.1, 0.2, 0.2]] * 2))


def test_trap_30_fractions_of_sizes_are_cut_off(caplog):
    net = build("min_size: 20.9")
    assert "layer 'priors' (PriorBox): min_size: 20.9 is cut to 20, as SSD does" in caplog.text
    net.forward()
    assert net.blobs["p"].data[0, 0, 0] == pytest.approx(0.45)


@pytest.mark.parametrize(("options", "message"), [
    ("", "min_size: missing; expected a number of at least 1"),
    ("min_size: 4 max_size: 8 max_size: 9", "max_size: expected none, or one for each of the 1 min_size, got 2"),
    ("min_size: 4 max_size: 4", "max_size: expected a number above its min_size 4, got 4"),
    ("min_size: 4 variance: 0.1 variance: 0.1", "variance: expected one number or four, got 2"),
    ("min_size: 4 img_size: 9 img_h: 9 img_w: 9", "img_size: expected this, or img_h and img_w, got both"),
    ("min_size: 4 step_w: 9", "step_w: expected step_h and step_w, got one of them"),
])
def test_options_that_cannot_be(options, message):
    with pytest.raises(FieldError, match=message):
        build(options)


def test_a_map_without_places():
    with pytest.raises(ShapeError, match=r"expected a bottom of 4 axes \(N, C, H, W\), got \(1, 5\)"):
        build("min_size: 4", "dim: 1 dim: 5")
