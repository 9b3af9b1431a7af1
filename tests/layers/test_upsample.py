"""Upsample in both meanings: the battery, a pooling undone, and what is refused."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.debug.netcheck import check
from netdef.errors import FieldError
from netdef.testing import check_layer
from netdef.testing.case import LayerCheckError

MASK = np.array([[[[0.0, 3], [10, 12]], [[5, 2], [8, 15]]]])


def placed(height, width):
    def reference(x, mask):
        y = np.zeros((*x.shape[:2], height, width))
        for n, c, h, w in np.ndindex(*x.shape):
            place = int(mask[n, c, h, w])
            y[n, c, place // width, place % width] = x[n, c, h, w]
        return y
    return reference


@pytest.mark.parametrize("options, size", [("", (4, 4)), ("scale: 2", (4, 4)), ("scale: 2 pad_out_h: true", (3, 4)),
                                           ("scale_h: 2 scale_w: 3", (4, 6)), ("upsample_h: 5 upsample_w: 4", (5, 4))])
def test_battery_with_a_mask(options, size):
    x = np.arange(8.0).reshape(1, 2, 2, 2) + 1
    mask = np.minimum(MASK, size[0] * size[1] - 1)
    check_layer(f'type: "Upsample" upsample_param {{ {options} }}', [x, mask], placed(*size), other=[x + 1, mask], batch=False)


@pytest.mark.parametrize("options, scale", [("", 1), ("scale: 2", 2), ("scale: 3", 3)])
def test_battery_without(options, scale):
    report = check_layer(f'type: "Upsample" upsample_param {{ {options} }}', [(2, 3, 2, 4)],
                         lambda x: x.repeat(scale, 2).repeat(scale, 3))
    assert {"values", "gradients"} <= set(report.passed)


def test_refused():
    with pytest.raises(FieldError, match="upsample_h: needs a second bottom, the mask of a max pooling"):
        check_layer('type: "Upsample" upsample_param { upsample_h: 4 upsample_w: 4 }', [(1, 1, 2, 2)])
    with pytest.raises(FieldError, match="expected upsample_w beside it"):
        check_layer('type: "Upsample" upsample_param { upsample_h: 4 }', [(1, 1, 2, 2), (1, 1, 2, 2)])
    with pytest.raises(LayerCheckError, match="outside a plane of 2x2: expected the size of the image that was pooled"):
        check_layer('type: "Upsample" upsample_param { scale: 1 }', [(1, 1, 2, 2), np.full((1, 1, 2, 2), 4.0)], batch=False)


NET = """
layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 3 dim: 8 dim: 6 }
        data_filler { type: "gaussian" std: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 pad: 1
        weight_filler { type: "xavier" } } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" top: "mask" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "back" type: "Upsample" bottom: "pool" bottom: "mask" top: "back" upsample_param { scale: 2 } }
layer { name: "decode" type: "Convolution" bottom: "back" top: "decode" convolution_param { num_output: 2 kernel_size: 3 pad: 1
        weight_filler { type: "xavier" } } }
layer { name: "loss" type: "Reduction" bottom: "decode" top: "loss" loss_weight: 1 reduction_param { operation: SUMSQ } }
"""


def test_a_pooling_is_undone():
    net = netdef.Net(parse_text_message(NET, "net.prototxt", "NetParameter"), phase="TRAIN", seed=1)
    net.forward()
    conv, pool, back = (net.blobs[n].data for n in ("conv", "pool", "back"))
    kept = back != 0
    assert kept.sum() == pool.size
    np.testing.assert_array_equal(back[kept], conv[kept])


def test_gradients_through_encoder_and_decoder():
    assert check(parse_text_message(NET, "net.prototxt", "NetParameter")).ok
