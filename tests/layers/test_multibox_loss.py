"""MultiBoxLoss against SSD's procedure written out box by box, by hand, and the battery."""
import math

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, ShapeError
from netdef.testing import check_layer

CLASSES = 3


def priors(side=4, variance=(0.1, 0.1, 0.2, 0.2)):
    """A grid of squares and upright boxes, as PriorBox lays them out; some stick out of the picture."""
    boxes = [(x - w / 2, y - h / 2, x + w / 2, y + h / 2) for y in (np.arange(side) + 0.5) / side
             for x in (np.arange(side) + 0.5) / side for w, h in ((0.3, 0.3), (0.2, 0.45))]
    return np.stack((np.array(boxes), np.broadcast_to(variance, (len(boxes), 4)))).reshape(1, 2, -1)


TRUTH = np.array([[0, 1, 0, 0.1, 0.12, 0.42, 0.39, 0], [0, 2, 0, 0.55, 0.3, 0.8, 0.77, 0], [0, 1, 0, 0.5, 0.52, 0.81, 0.84, 1],
                  [-1, -1, -1, -1, -1, -1, -1, -1], [1, 2, 0, 0.2, 0.61, 0.36, 0.99, 0]]).reshape(1, 1, -1, 8)
BOXES = 32


def iou(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    area = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return w * h / (sum(area) - w * h) if w > 0 and h > 0 else 0.0


def centre(b):
    return np.array([(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]])


def encode(truth, p, v, code, encoded):
    if code == "CENTER_SIZE":
        a, b = centre(truth), centre(p)
        t = np.concatenate(((a[:2] - b[:2]) / b[2:], np.log(a[2:] / b[2:])))
    else:
        t = (truth - p) / (np.tile(centre(p)[2:], 2) if code == "CORNER_SIZE" else 1)
    return t if encoded else t / v


def decode(t, p, v, code):
    if code == "CENTER_SIZE":
        b = centre(p)
        c, s = b[:2] + v[:2] * t[:2] * b[2:], b[2:] * np.exp(v[2:] * t[2:])
        return np.concatenate((c - s / 2, c + s / 2))
    return p + v * t * (np.tile(centre(p)[2:], 2) if code == "CORNER_SIZE" else 1)


def match_one(boxes, truths, per_prediction, threshold, ignore):
    out = [ignore and (min(b) < 0 or max(b) > 1) for b in boxes]
    matched = [-2 if o else -1 for o in out]
    over = {(i, j): iou(b, t) for i, b in enumerate(boxes) for j, t in enumerate(truths) if not out[i]}
    over = {k: x for k, x in over.items() if x > 1e-6}
    best = [max([over.get((i, j), 0) for j in range(len(truths))], default=0) for i in range(len(boxes))]
    pool = set(range(len(truths)))
    while True:
        left = [(x, -i, -j) for (i, j), x in over.items() if matched[i] == -1 and j in pool]
        if not left:
            break
        _, i, j = max(left)
        matched[-i] = -j
        pool.discard(-j)
    for i in range(len(boxes)) if per_prediction else ():
        fits = [(over[i, j], -j) for j in range(len(truths)) if (i, j) in over and over[i, j] >= threshold]
        if matched[i] == -1 and fits:
            matched[i] = -max(fits)[1]
    return matched, best


def classes_loss(x, label, logistic):
    if logistic:
        return sum(math.log1p(math.exp(-v if c == label else v)) for c, v in enumerate(x))
    return -math.log(math.exp(x[label]) / sum(math.exp(v) for v in x))


def suppressed(order, boxes, threshold):
    kept = []
    for i in order:
        if (boxes[i][2] - boxes[i][0]) * (boxes[i][3] - boxes[i][1]) >= 1e-5 and all(
                iou(boxes[i], boxes[k]) <= threshold for k in kept):
            kept.append(i)
    return kept


def reference(share=True, logistic=False, l2=False, per_prediction=True, threshold=0.5, use_prior=True, difficult=True,
              ratio=3, neg_overlap=0.5, code="CORNER", encoded=False, agnostic=False, ignore=False, inside=False,
              mining="MAX_NEGATIVE", sample=64, nms=None, nms_prior=False, weight=1, mode="VALID", classes=CLASSES):
    """The loss as SSD's Caffe goes about it."""
    def loss(loc, conf, prior, truth):
        items, (p, v) = len(loc), prior.reshape(2, -1, 4)
        boxes = len(p)
        sets = 1 if share else classes
        loc, conf = loc.reshape(items, boxes, sets, 4), conf.reshape(items, boxes, classes)
        rows = [r for r in truth.reshape(-1, 8) if r[0] >= 0 and (difficult or not r[7])]
        total_loc = total_conf = matches = 0
        for n in range(items):
            own = [r for r in rows if r[0] == n]
            made = [[decode(loc[n, i, k], p[i], np.ones(4) if encoded else v[i], code) for i in range(boxes)]
                    for k in range(sets)]
            states = []
            for k in range(sets):
                index = [j for j, r in enumerate(own) if share or r[1] == k]
                if use_prior:
                    state, best = match_one(p, [r[3:7] for r in own], per_prediction, threshold, ignore)
                    state = [s if s < 0 or s in index else -1 for s in state]
                else:
                    state, best = match_one(made[k], [own[j][3:7] for j in index], per_prediction, threshold, ignore)
                    state = [s if s < 0 else index[s] for s in state]
                states.append(state)
            label = [0] * boxes
            local = np.zeros(boxes)
            for k, i in np.ndindex(sets, boxes):
                if states[k][i] >= 0:
                    box = own[states[k][i]]
                    label[i] = 1 if agnostic else int(box[1])
                    d = loc[n, i, k] / (v[i] if encoded else 1) - encode(box[3:7], p[i], v[i], code, encoded) / (
                        v[i] if encoded else 1)
                    at = p[i] if use_prior else made[k][i]
                    d = np.where((at < 0) | (at > 1), 0, d) if inside else d
                    local[i] += sum(0.5 * x * x if l2 or abs(x) < 1 else abs(x) - 0.5 for x in d)
            each = [classes_loss(conf[n, i], label[i], logistic) for i in range(boxes)]
            found = [i for i in range(boxes) if any(s[i] >= 0 for s in states)]
            counted = range(boxes)
            if mining != "NONE":
                state, hard = states[0], mining == "HARD_EXAMPLE"
                able = [i for i in range(boxes) if hard or (state[i] == -1 and best[i] < neg_overlap)] if own else []
                value = [each[i] + (local[i] if hard else 0) for i in range(boxes)]
                order = sorted(able, key=lambda i, value=value: -value[i])
                if nms is not None:
                    order = suppressed(order, p if nms_prior else made[0], nms)
                picked = order[: sample if hard else int(len(found) * ratio)]
                found = [i for i in found if not hard or i in picked]
                counted = found + [i for i in picked if state[i] == -1]
            total_loc += sum(local[i] for i in found)
            total_conf += sum(each[i] for i in counted)
            matches += sum(s[i] >= 0 for s in states for i in found)
        divisor = {"VALID": matches, "BATCH_SIZE": items, "FULL": items * boxes, "NONE": 1}[mode]
        return np.array((total_conf + weight * total_loc) / max(1, divisor))

    return loss


CASES = {
    "": {}, "code_type: CENTER_SIZE": {"code": "CENTER_SIZE"}, "code_type: CORNER_SIZE": {"code": "CORNER_SIZE"},
    "loc_loss_type: L2": {"l2": True}, "conf_loss_type: LOGISTIC": {"logistic": True},
    "conf_loss_type: LOGISTIC mining_type: NONE": {"logistic": True, "mining": "NONE"},
    "match_type: BIPARTITE": {"per_prediction": False}, "overlap_threshold: 0.3": {"threshold": 0.3},
    "mining_type: NONE": {"mining": "NONE"}, "mining_type: NONE share_location: false": {"mining": "NONE", "share": False},
    "mining_type: HARD_EXAMPLE sample_size: 7": {"mining": "HARD_EXAMPLE", "sample": 7},
    "mining_type: NONE share_location: false use_prior_for_matching: false": {"mining": "NONE", "share": False,
                                                                             "use_prior": False},
    "use_difficult_gt: false": {"difficult": False}, "neg_pos_ratio: 1.5 neg_overlap: 0.2": {"ratio": 1.5, "neg_overlap": 0.2},
    "encode_variance_in_target: true code_type: CENTER_SIZE": {"encoded": True, "code": "CENTER_SIZE"},
    "ignore_cross_boundary_bbox: true": {"ignore": True},
    "mining_type: HARD_EXAMPLE sample_size: 9 ignore_cross_boundary_bbox: true": {"mining": "HARD_EXAMPLE", "sample": 9,
                                                                                 "ignore": True},
    "bp_inside: true overlap_threshold: 0.2": {"inside": True, "threshold": 0.2},
    "use_prior_for_matching: false code_type: CENTER_SIZE": {"use_prior": False, "code": "CENTER_SIZE"},
    "use_prior_for_matching: false bp_inside: true": {"use_prior": False, "inside": True},
    "nms_param { nms_threshold: 0.2 top_k: -1 } use_prior_for_nms: true": {"nms": 0.2, "nms_prior": True},
    "nms_param { nms_threshold: 0.1 } code_type: CENTER_SIZE": {"nms": 0.1, "code": "CENTER_SIZE"},
    "loc_weight: 2.5": {"weight": 2.5},
}


@pytest.mark.parametrize("options", CASES)
def test_battery(options):
    how = CASES[options]
    sets = 1 if how.get("share", True) else CLASSES
    report = check_layer(f'type: "MultiBoxLoss" multibox_loss_param {{ num_classes: {CLASSES} {options} }}',
                         [(2, BOXES * 4 * sets), (2, BOXES * CLASSES), priors(), TRUTH], reference(**how), batch=False,
                         low=-1.1, high=1.3, step=1e-6, threshold=1e-4, float32_tolerance=1e-4)
    assert {"gradients", "constraints"} <= set(report.passed)
    assert len(report.gradients) == 4 and all(g.checked for g in report.gradients)


@pytest.mark.parametrize("mode", ["FULL", "BATCH_SIZE", "NONE"])
def test_normalization(mode):
    check_layer(f'type: "MultiBoxLoss" loss_param {{ normalization: {mode} }} multibox_loss_param {{ num_classes: 3 }}',
                [(2, BOXES * 4), (2, BOXES * 3), priors(), TRUTH], reference(mode=mode), batch=False, step=1e-6,
                threshold=1e-4, float32_tolerance=1e-4)


def test_things_of_any_class():
    check_layer('type: "MultiBoxLoss" multibox_loss_param { num_classes: 2 map_object_to_agnostic: true }',
                [(2, BOXES * 4), (2, BOXES * 2), priors(), TRUTH], reference(agnostic=True, classes=2), batch=False, step=1e-6,
                threshold=1e-4, float32_tolerance=1e-4)


def build(options="num_classes: 3", truth=1, extra="", scores=None, places=None, dtype="float64", items=1):
    shapes = [(items, places or BOXES * 4), (items, scores or BOXES * 3), (1, 2, BOXES * 4), (1, 1, truth, 8)]
    dims = " ".join("shape {" + "".join(f" dim: {n}" for n in s) + " }" for s in shapes)
    text = f"""force_backward: true
layer {{ name: "in" type: "Input" top: "loc" top: "conf" top: "prior" top: "truth" input_param {{ {dims} }} }}
layer {{ name: "loss" type: "MultiBoxLoss" bottom: "loc" bottom: "conf" bottom: "prior" bottom: "truth" top: "loss" {extra}
         multibox_loss_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase="TRAIN", dtype=dtype)


def run(net, truth, loc=0.0, conf=0.0):
    items = net.blobs["loc"].shape[0]
    net.forward(loc=np.full((items, BOXES * 4), loc), conf=np.full((items, BOXES * 3), conf), prior=priors(),
                truth=np.array(truth, float).reshape(1, 1, -1, 8))
    net.backward()
    return net.loss


def test_by_hand():
    """One true box equal to default box 5: its loc loss is 0; it and three others have log 3 each."""
    box = priors()[0, 0, 20:24]
    net = build("num_classes: 3 overlap_threshold: 0.6")
    assert run(net, [0, 2, 0, *box, 0]) == pytest.approx(4 * math.log(3))
    d = net.blobs["conf"].diff.reshape(BOXES, 3)
    assert d[5] == pytest.approx([1 / 3, 1 / 3, -2 / 3])
    assert np.flatnonzero(d[:, 0] < 0).tolist() == [0, 1, 2], "of equal losses the first boxes"
    assert not net.blobs["loc"].diff.any()


def test_no_true_boxes_and_no_batch():
    net = build(items=2)
    assert run(net, [-1] * 8) == 0 and not net.blobs["conf"].diff.any()
    assert run(build("num_classes: 3 mining_type: NONE", items=2), [-1] * 8) == pytest.approx(2 * BOXES * math.log(3))
    net.blobs["loc"].reshape(0, BOXES * 4)
    net.blobs["conf"].reshape(0, BOXES * 3)
    net.reshape()
    assert run(net, [-1] * 8) == 0


@pytest.mark.parametrize(("flags", "loc", "conf"), [((False, True), False, True), ((True, False), True, False)])
def test_propagate_down_leaves_a_part_out_as_in_ssd(flags, loc, conf):
    extra = " ".join(f"propagate_down: {str(f).lower()}" for f in (*flags, False, False))
    net, both = build(extra=extra), build()
    losses = run(net, TRUTH[0, 0, 1], 0.3), run(both, TRUTH[0, 0, 1], 0.3)
    assert 0 < losses[0] < losses[1]
    assert (net.blobs["loc"].diff.any(), net.blobs["conf"].diff.any()) == (loc, conf)


def test_infinite_scores_give_no_number_and_no_warning():
    net = build()
    assert math.isnan(run(net, TRUTH[0, 0, 0], conf=np.inf))


def test_a_wrong_class_is_named():
    with pytest.raises(DataError) as caught:
        run(build(), [0, 3, 0, 0.1, 0.1, 0.4, 0.4, 0])
    assert str(caught.value).splitlines()[0].endswith(
        "layer 'loss' (MultiBoxLoss): true boxes 'truth': expected a picture of the batch from 0 to 0 and a class from 0 to 2 "
        "other than the background 0, got picture 0 and class 3; num_classes counts the background, too")
    with pytest.raises(DataError, match="got picture 1 and class 1"):
        run(build(), [1, 1, 0, 0.1, 0.1, 0.4, 0.4, 0])
    with pytest.raises(DataError, match="got picture 0 and class 0"):
        run(build(), [0, 0, 0, 0.1, 0.1, 0.4, 0.4, 0])


@pytest.mark.parametrize(("options", "message"), [
    ("", "num_classes: missing; expected a number of at least 1"),
    ("num_classes: 3 background_label_id: 3", "background_label_id: expected a class from 0 to 2, got 3"),
    ("num_classes: 3 do_neg_mining: false", "do_neg_mining: disagrees with mining_type"),
    ("num_classes: 3 share_location: false", "mining_type: needs share_location, as in SSD"),
    ("num_classes: 3 map_object_to_agnostic: true", "expected num_classes 2 .nothing and a thing., got 3"),
    ("num_classes: 3 nms_param { eta: 2 }", r"nms_param: eta: expected a number in \(0, 1\], got 2"),
])
def test_options_that_cannot_be(options, message):
    with pytest.raises(FieldError, match=message):
        build(options)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="expected scores for 32 default boxes, 32 x 3 = 96 numbers an item, got 'conf'"):
        build(scores=95)
    with pytest.raises(ShapeError, match="expected places for 32 default boxes"):
        build(places=124)
