"""ROIPooling against naive bins, by hand, and the battery."""
import math

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, ShapeError
from netdef.testing import check_layer


def naive(x, rois, pooled, scale=1.0):
    out = np.zeros((len(rois), x.shape[1], *pooled))
    for r, roi in enumerate(rois.reshape(-1, 5)):
        x1, y1, x2, y2 = (math.floor(abs(v * scale) + 0.5) * (1 if v >= 0 else -1) for v in roi[1:])
        for ph in range(pooled[0]):
            rows = edges(ph, y1, y2, pooled[0], x.shape[2])
            for pw in range(pooled[1]):
                part = x[int(roi[0]), :, slice(*rows), slice(*edges(pw, x1, x2, pooled[1], x.shape[3]))]
                out[r, :, ph, pw] = part.max((1, 2)) if part.size else 0
    return out


def edges(i, first, last, pooled, size):
    length = max(last - first + 1, 1) / pooled
    return (min(max(math.floor(i * length) + first, 0), size), min(max(math.ceil((i + 1) * length) + first, 0), size))


ROIS = np.array([[0, 0, 0, 5, 5], [1, 1, 2, 4, 4], [1, 3, 3, 2, 2], [0, -4, -3, 1, 2], [0, 4, 4, 12, 9], [1, 0, 0, 0, 0],
                 [0, 8, 8, 9, 9]], float)


@pytest.mark.parametrize("pooled", [(2, 2), (1, 3), (4, 2)])
def test_battery(pooled):
    report = check_layer(f'type: "ROIPooling" roi_pooling_param {{ pooled_h: {pooled[0]} pooled_w: {pooled[1]} }}',
                         [(2, 2, 6, 6), ROIS], lambda x, rois: naive(x, rois, pooled), batch=[1])
    assert {"gradients", "constraints", "other shape"} <= set(report.passed)
    assert len(report.gradients) == 2


def test_battery_with_a_scale():
    check_layer('type: "ROIPooling" roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.25 }',
                [(2, 1, 6, 7), ROIS * [1, 4, 4, 4, 4] + [0, 1.9, -1.9, 1, 0]],
                lambda x, rois: naive(x, rois, (2, 2), 0.25), batch=[1])


def build(options="pooled_h: 2 pooled_w: 2", features=(1, 1, 4, 4), rois=(1, 5)):
    dims = [" ".join(f"dim: {n}" for n in shape) for shape in (features, rois)]
    text = f"""layer {{ name: "in" type: "Input" top: "x" top: "r"
                       input_param {{ shape {{ {dims[0]} }} shape {{ {dims[1]} }} }} }}
force_backward: true
layer {{ name: "pool" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" roi_pooling_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def pool(net, x, *rois):
    return net.forward(x=np.asarray(x, float).reshape(net.blobs["x"].shape), r=np.array(rois, float))["y"]


def test_trap_30_corners_are_rounded_away_from_zero_and_both_ends_count():
    x = np.arange(16)
    net = build("pooled_h: 1 pooled_w: 1 spatial_scale: 0.5")
    assert pool(net, x, [0, 0, 0, 1, 0]).item() == 1  # x2 = round(0.5) = 1 is in
    assert pool(net, x, [0, 0, 0, 0.9, 5]).item() == 12  # y2 = round(2.5) = 3, which np.round would make 2
    assert pool(net, x, [0, 4, 4, 0, 0]).item() == 10  # turned round: one cell


def test_bins_overlap_and_empty_ones_are_zero():
    x = -np.arange(1.0, 17)
    y = pool(build("pooled_h: 1 pooled_w: 2"), x, [0, 0, 0, 2, 0])  # 3 cells in 2 bins: [0, 2) and [1, 3)
    assert y.ravel().tolist() == [-1, -2]
    assert pool(build("pooled_h: 1 pooled_w: 1"), x, [0, 9, 9, 12, 12]).item() == 0


def test_gradients_of_overlapping_regions_add_up_and_ties_go_to_the_first():
    net = build("pooled_h: 1 pooled_w: 1", rois=(3, 5))
    pool(net, np.zeros(16), [0, 0, 0, 3, 3], [0, 0, 0, 1, 1], [0, 9, 9, 9, 9])
    net.backward(y=np.array([1.0, 2, 4]).reshape(3, 1, 1, 1))
    dx = net.blobs["x"].diff.ravel()
    assert dx[0] == 3 and not dx[1:].any()


def test_nan_is_never_chosen():
    assert pool(build("pooled_h: 1 pooled_w: 1"), [np.nan] + [-5.0] * 15, [0, 0, 0, 3, 3]).item() == -5


def test_regions_with_four_axes_and_none_at_all():
    net = build(rois=(2, 5, 1, 1))
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    whole = np.array([[0, 0, 0, 3, 3]] * 2).reshape(2, 5, 1, 1)
    assert net.forward(x=x, r=whole)["y"][1].ravel().tolist() == [5, 7, 13, 15]
    assert net.forward(x=x, r=np.zeros((0, 5, 1, 1)))["y"].shape == (0, 1, 2, 2)
    net.backward(y=np.zeros((0, 1, 2, 2)))
    assert not net.blobs["x"].diff.any()


@pytest.mark.parametrize("roi, shown", [((1, 0, 0, 1, 1), "1, 0, 0, 1, 1"), ((-1, 0, 0, 1, 1), "-1, 0, 0, 1, 1"),
                                        ((0, 0, np.nan, 1, 1), "0, 0, nan, 1, 1")])
def test_a_bad_region_is_named(roi, shown):
    net = build(rois=(2, 5))
    with pytest.raises(DataError, match=rf"layer 'pool' \(ROIPooling\): region 1 of 'r': .* got \({shown}\)"):
        pool(net, np.zeros(16), (0, 0, 0, 1, 1), roi)


def test_errors():
    with pytest.raises(FieldError, match="pooled_w: missing; expected a number of at least 1"):
        build("pooled_h: 2")
    with pytest.raises(ShapeError, match=r"expected regions of shape \(R, 5\), got \(1, 4\)"):
        build(rois=(1, 4))
    with pytest.raises(ShapeError, match="expected features of 4 axes"):
        build(features=(1, 4))
