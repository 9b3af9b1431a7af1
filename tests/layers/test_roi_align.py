"""ROIAlign against samples taken one by one, its two gradients, and joint training through the corners."""
import math

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.debug.netcheck import check
from netdef.errors import DataError, FieldError
from netdef.testing import check_layer


def sample(plane, y, x):
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    fy, fx = y - top, x - left
    return ((1 - fy) * ((1 - fx) * plane[top, left] + fx * plane[top, right])
            + fy * ((1 - fx) * plane[bottom, left] + fx * plane[bottom, right]))


def naive(x, rois, pooled, scale=1.0, ratio=-1, aligned=False):
    out = np.zeros((len(rois), x.shape[1], *pooled))
    for r, roi in enumerate(rois.reshape(-1, 5)):
        x1, y1, x2, y2 = (v * scale - 0.5 * aligned for v in roi[1:])
        sizes = [y2 - y1, x2 - x1] if aligned else [max(y2 - y1, 1), max(x2 - x1, 1)]
        grid = [ratio if ratio > 0 else math.ceil(s / p) for s, p in zip(sizes, pooled, strict=True)]
        for c, p, q in np.ndindex(out.shape[1:]):
            total = 0.0
            for i, j in np.ndindex(max(0, grid[0]), max(0, grid[1])):
                total += sample(x[int(roi[0]), c], y1 + (p + (i + 0.5) / grid[0]) * sizes[0] / pooled[0],
                                x1 + (q + (j + 0.5) / grid[1]) * sizes[1] / pooled[1])
            out[r, c, p, q] = total / max(grid[0] * grid[1], 1)
    return out


ROIS = np.array([[0, 0.3, 0.2, 4.6, 4.1], [1, 1.1, 2.3, 3.8, 4.2], [1, 3.3, 3.1, 2.2, 2.7], [0, -4.1, -3.3, 1.2, 2.6],
                 [0, 4.2, 4.3, 12.1, 9.7], [1, 2.15, 3.35, 2.45, 3.75], [0, 9.1, 9.2, 12.3, 12.7]])
ROIS[:, 0] += 0.5  # only the whole part counts, so that a small difference is no other image


@pytest.mark.parametrize("pooled", [(2, 2), (1, 3)])
@pytest.mark.parametrize("ratio, aligned", [(2, False), (-1, False), (1, True), (0, True)])
def test_battery(pooled, ratio, aligned):
    report = check_layer(f'type: "ROIAlign" roi_align_param {{ pooled_h: {pooled[0]} pooled_w: {pooled[1]} '
                         f'sampling_ratio: {ratio} aligned: {str(aligned).lower()} }}', [(2, 2, 6, 6), ROIS],
                         lambda x, rois: naive(x, rois, pooled, 1.0, ratio, aligned), batch=[1], float32_tolerance=1e-4)
    assert {"gradients", "constraints", "other shape"} <= set(report.passed)
    assert len(report.gradients) >= 2


def test_battery_with_a_scale():
    check_layer('type: "ROIAlign" roi_align_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.25 sampling_ratio: 2 }',
                [(2, 1, 6, 7), ROIS * [1, 4, 4, 4, 4]], lambda x, rois: naive(x, rois, (2, 2), 0.25, 2), batch=[1],
                float32_tolerance=1e-4)


def build(options="pooled_h: 2 pooled_w: 2", rois=(1, 5)):
    text = f"""layer {{ name: "in" type: "Input" top: "x" top: "r" input_param {{ shape {{ dim: 1 dim: 1 dim: 6 dim: 6 }}
                       shape {{ {' '.join(f'dim: {n}' for n in rois)} }} }} }}
force_backward: true
layer {{ name: "pool" type: "ROIAlign" bottom: "x" bottom: "r" top: "y" roi_align_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))


def test_a_ramp_is_read_without_rounding():
    """On a linear map the means are the map at the bins' middles, and the corners' gradients are its slope."""
    net = build("pooled_h: 1 pooled_w: 1 sampling_ratio: 2", rois=(1, 5, 1, 1))
    x = np.arange(6.0) + 10 * np.arange(6.0)[:, None]
    y = net.forward(x=x.reshape(1, 1, 6, 6), r=np.array([0, 0.6, 1.2, 3.2, 4.4]).reshape(1, 5, 1, 1))["y"]
    assert y.item() == pytest.approx(1.9 + 10 * 2.8)
    net.backward(y=np.ones((1, 1, 1, 1)))
    assert net.blobs["r"].diff.ravel() == pytest.approx([0, 0.5, 5, 0.5, 5], rel=1e-5)


def test_a_small_region_is_made_one_cell_wide_and_its_end_moves_nothing():
    net = build("pooled_h: 1 pooled_w: 1 sampling_ratio: 1")
    x = np.tile(np.arange(6.0), (1, 1, 6, 1))
    y = net.forward(x=x, r=np.array([[0, 2.2, 2.2, 2.5, 2.5]]))["y"]
    assert y.item() == pytest.approx(2.7)
    net.backward(y=np.ones((1, 1, 1, 1)))
    assert net.blobs["r"].diff.ravel() == pytest.approx([0, 1, 0, 0, 0])


def test_joint_training_is_exact():
    """The regions come out of a layer that learns, and its gradient through the pooling agrees with differences."""
    net = parse_text_message('''
layer { name: "data" type: "DummyData" top: "x" top: "seed" dummy_data_param { shape { dim: 1 dim: 2 dim: 6 dim: 6 }
        shape { dim: 3 dim: 2 } data_filler { type: "uniform" } data_filler { type: "uniform" } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param { num_output: 2 kernel_size: 3 pad: 1
        weight_filler { type: "xavier" } } }
layer { name: "item" type: "DummyData" top: "item" dummy_data_param { shape { dim: 3 dim: 1 }
        data_filler { value: 0.5 } } }
layer { name: "start" type: "InnerProduct" bottom: "seed" top: "start" inner_product_param { num_output: 2
        weight_filler { type: "uniform" min: 0.2 max: 0.6 } bias_filler { value: 0.35 } } }
layer { name: "end" type: "InnerProduct" bottom: "seed" top: "end" inner_product_param { num_output: 2
        weight_filler { type: "uniform" min: 0.2 max: 0.6 } bias_filler { value: 3.45 } } }
layer { name: "rois" type: "Concat" bottom: "item" bottom: "start" bottom: "end" top: "rois" }
layer { name: "pool" type: "ROIAlign" bottom: "conv" bottom: "rois" top: "pool"
        roi_align_param { pooled_h: 2 pooled_w: 2 sampling_ratio: 2 } }
layer { name: "loss" type: "Reduction" bottom: "pool" top: "loss" loss_weight: 1 reduction_param { operation: SUMSQ } }''',
                             "net.prototxt", "NetParameter")
    assert check(net, float32=False).ok  # DummyData draws other numbers in float32


def test_errors():
    net = build()
    with pytest.raises(DataError, match=r"layer 'pool' \(ROIAlign\): region 0 of 'r': .* got \(1, 0, 0, 1, 1\)"):
        net.forward(x=np.zeros((1, 1, 6, 6)), r=np.array([[1.0, 0, 0, 1, 1]]))
    with pytest.raises(FieldError, match="pooled_w: missing; expected a number of at least 1"):
        build("pooled_h: 2")
