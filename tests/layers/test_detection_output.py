"""DetectionOutput against its procedure written out box by box, by hand, on a real model, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer

BOXES, CLASSES = 32, 3


def priors():
    """Squares and upright boxes in turn on a grid of 4 x 4, and their variances."""
    places = [((x + 0.5) / 4, (y + 0.5) / 4, *size) for y in range(4) for x in range(4) for size in ((0.3, 0.3), (0.2, 0.45))]
    boxes = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for x, y, w, h in places]
    return np.stack((np.array(boxes), np.tile((0.1, 0.1, 0.2, 0.2), (BOXES, 1)))).reshape(1, 2, -1)


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    sides = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return w * h / (sum(sides) - w * h) if w > 0 and h > 0 else 0.0


def decode(t, p, v, code):
    size = p[2:] - p[:2]
    if code == "CENTER_SIZE":
        middle, half = (p[:2] + p[2:]) / 2 + v[:2] * t[:2] * size, size * np.exp(v[2:] * t[2:]) / 2
        return np.concatenate((middle - half, middle + half))
    return p + v * t * (np.tile(size, 2) if code == "CORNER_SIZE" else 1)


def reference(code="CORNER", share=True, background=0, encoded=False, threshold=0.3, eta=1.0, top_k=-1, keep=-1, least=-np.inf):
    def detect(loc, conf, prior):
        items, (p, v) = len(loc), prior.reshape(2, -1, 4)
        loc, conf = loc.reshape(items, BOXES, -1, 4), conf.reshape(items, BOXES, CLASSES)
        rows = []
        for n in range(items):
            found = []
            for c in range(CLASSES):
                if c == background:
                    continue
                order = sorted((i for i in range(BOXES) if conf[n, i, c] > least), key=lambda i, c=c, n=n: -conf[n, i, c])
                kept, limit = [], threshold
                for i in order[:top_k] if top_k >= 0 else order:
                    box = decode(loc[n, i, 0 if share else c], p[i], np.ones(4) if encoded else v[i], code)
                    if all(iou(box, k[3:]) <= limit for k in kept):
                        kept.append([n, c, conf[n, i, c], *box])
                        limit *= eta if limit > 0.5 else 1
                found += kept
            best = sorted(found, key=lambda r: -r[2])
            best = best[:keep] if keep >= 0 else best
            rows += [r for r in found if any(r is b for b in best)]
        rows = rows or [[n] + [-1] * 6 for n in range(items)]
        return np.array(rows).reshape(1, 1, -1, 7)

    return detect


CASES = {
    "": {}, "code_type: CENTER_SIZE": {"code": "CENTER_SIZE"}, "code_type: CORNER_SIZE": {"code": "CORNER_SIZE"},
    "share_location: false": {"share": False}, "background_label_id: 2": {"background": 2},
    "background_label_id: -1 keep_top_k: 5": {"background": -1, "keep": 5},
    "variance_encoded_in_target: true code_type: CENTER_SIZE": {"encoded": True, "code": "CENTER_SIZE"},
    "nms_param { nms_threshold: 0.1 top_k: 9 }": {"threshold": 0.1, "top_k": 9},
    "nms_param { nms_threshold: 0.8 eta: 0.9 }": {"threshold": 0.8, "eta": 0.9},
    "confidence_threshold: 0.5 keep_top_k: 7": {"least": 0.5, "keep": 7},
    "confidence_threshold: 2": {"least": 2.0},
}


@pytest.mark.parametrize("options", CASES)
def test_battery(options):
    how = CASES[options]
    sets = 1 if how.get("share", True) else CLASSES
    report = check_layer(f'type: "DetectionOutput" detection_output_param {{ num_classes: {CLASSES} {options} }}',
                         [(2, BOXES * 4 * sets), (2, BOXES * CLASSES), priors()], reference(**how), batch=[0, 1],
                         empty_batch=False, phase="TEST", tolerance=1e-6)
    assert {"shapes", "values", "constraints", "batches", "other shape"} <= set(report.passed)


def build(options, items=1, boxes=4, scores=None, extra=""):
    text = f"""layer {{ name: "in" type: "Input" top: "loc" top: "conf" top: "prior" input_param {{
  shape {{ dim: {items} dim: {boxes * 4} }} shape {{ dim: {items} dim: {scores or boxes * 2} }}
  shape {{ dim: 1 dim: 2 dim: {boxes * 4} }} }} }}
layer {{ name: "out" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "prior" top: "found"
         detection_output_param {{ {options} }} }} {extra}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase="TEST")


PRIORS = np.array([[[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.45], [0.5, 0.5, 1, 1], [0.6, 0.6, 0.7, 0.7]], [[0.1] * 4] * 4], np.float32)


def run(net, scores):
    conf = np.stack((1 - np.asarray(scores), scores), axis=-1).reshape(net.blobs["conf"].shape)
    return net.forward(loc=np.zeros(net.blobs["loc"].shape), conf=conf, prior=PRIORS.reshape(1, 2, 16))["found"][0, 0]


def test_by_hand():
    """Box 1 lies on box 0 (overlap 0.9), box 3 inside box 2 (0.04), so only box 1 goes."""
    found = run(build("num_classes: 2 nms_param { nms_threshold: 0.45 } confidence_threshold: 0.1"), [0.7, 0.6, 0.8, 0.3])
    assert found == pytest.approx(np.array([[0, 1, 0.8, 0.5, 0.5, 1, 1], [0, 1, 0.7, 0, 0, 0.5, 0.5],
                                            [0, 1, 0.3, 0.6, 0.6, 0.7, 0.7]]))


def test_of_equal_scores_the_earlier_box_stays():
    found = run(build("num_classes: 2 nms_param { nms_threshold: 0.45 }"), [0.5] * 4)
    assert found[0, 3:] == pytest.approx(PRIORS[0, 0])
    assert len(run(build("num_classes: 2 nms_param { nms_threshold: 1 top_k: 2 }"), [0.5] * 4)) == 2
    assert run(build("num_classes: 2 nms_param { top_k: 0 }"), [0.5] * 4).tolist() == [[0] + [-1] * 6]


def test_nothing_found_gives_a_row_an_image_and_layers_behind_follow():
    behind = 'layer { name: "twice" type: "Power" bottom: "found" top: "twice" power_param { scale: 2 } }'
    net = build("num_classes: 2 confidence_threshold: 0.9", items=2, extra=behind)
    conf = np.zeros((2, 8))
    conf[0, 1::2] = 0.95
    net.forward(loc=np.zeros((2, 16)), conf=np.full((2, 8), 0.5), prior=PRIORS.reshape(1, 2, 16))
    assert net.blobs["found"].data[0, 0].tolist() == [[0] + [-1] * 6, [1] + [-1] * 6]
    assert net.blobs["twice"].shape == (1, 1, 2, 7)
    net.forward(conf=conf)
    assert net.blobs["twice"].shape == (1, 1, 3, 7) and not net.blobs["found"].data[..., 0].any()


def test_scores_that_are_no_numbers_and_boxes_without_end_are_passed_over():
    net = build("num_classes: 2 code_type: CENTER_SIZE confidence_threshold: 0.1 nms_param { nms_threshold: 0.4 }")
    conf = np.stack(([0.0] * 4, [np.nan, 0.9, 0.8, 0.7]), axis=-1).reshape(1, 8)
    loc = np.zeros((1, 4, 4))
    loc[0, 1] = 1e30
    found = net.forward(loc=loc.reshape(1, 16), conf=conf, prior=PRIORS.reshape(1, 2, 16))["found"][0, 0]
    assert found[:, 2] == pytest.approx([0.9, 0.8, 0.7])


def test_what_has_no_effect_is_said(caplog):
    build('num_classes: 2 save_output_param { output_directory: "x" }')
    assert "layer 'out' (DetectionOutput): save_output_param: has no effect here" in caplog.text


@pytest.mark.parametrize(("options", "message"), [
    ("", "num_classes: missing; expected a number of at least 1"),
    ("num_classes: 2 nms_param { nms_threshold: -1 }", "nms_param: nms_threshold: expected a number of at least 0, got -1"),
    ("num_classes: 2 keep_top_k: -2", "keep_top_k: expected a number of at least -1, got -2"),
])
def test_options_that_cannot_be(options, message):
    with pytest.raises(FieldError, match=message):
        build(options)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="expected scores for 4 default boxes, 4 x 2 = 8 numbers an item, got 'conf' of shape"):
        build("num_classes: 2", scores=9)


def test_a_real_face_detector(shared):
    """Every face above 0.3, to a thousandth, as OpenCV finds them."""
    folder = shared / "models" / "res10_face_ssd"
    recorded = np.load(folder / "reference.npz")
    net = netdef.Net(folder / "deploy.prototxt", phase="TEST", weights=next(folder.glob("*.caffemodel")))
    net.blobs["data"].reshape(*recorded["in/data"].shape)
    net.reshape()
    found = net.forward(data=recorded["in/data"])["detection_out"].reshape(-1, 7)
    wanted = recorded["out/detection_out"].reshape(-1, 7)
    found, wanted = found[found[:, 2] > 0.3], wanted[wanted[:, 2] > 0.3]
    assert len(found) == len(wanted) > 0
    assert found[np.argsort(-found[:, 2])] == pytest.approx(wanted[np.argsort(-wanted[:, 2])], abs=1e-3)
