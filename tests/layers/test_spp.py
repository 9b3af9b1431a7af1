"""SPP against naive bins, Caffe's shapes, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.graph.build import build as plan_net
from netdef.testing import check_layer


def naive(x, height, pool):
    """Every bin by itself; ``pool(values, rows, columns)`` gets the window's values and its size with padding."""
    levels = []
    for bins in (2**i for i in range(height)):
        (kh, ph), (kw, pw) = (window(size, bins) for size in x.shape[2:])
        for c in range(x.shape[1]):
            for i in range(bins):
                for j in range(bins):
                    top, left = i * kh - ph, j * kw - pw
                    rows, columns = min(top + kh, x.shape[2] + ph) - top, min(left + kw, x.shape[3] + pw) - left
                    part = x[:, c, max(top, 0): top + kh, max(left, 0): left + kw]
                    levels.append(pool(part.reshape(len(x), part[0].size), rows * columns))
    return np.stack(levels, 1)


def window(size, bins):
    kernel = -(-size // bins)
    return kernel, (kernel * bins - size + 1) // 2


POOLS = {"MAX": lambda v, n: v.max(1), "AVE": lambda v, n: v.sum(1) / n}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("height, shape", [(2, (2, 2, 3, 4)), (3, (2, 1, 7, 4)), (3, (1, 2, 9, 8))])
def test_battery(pool, height, shape):
    report = check_layer(f'type: "SPP" spp_param {{ pyramid_height: {height} pool: {pool} }}', [shape],
                         lambda x: naive(x, height, POOLS[pool]))
    assert {"gradients", "constraints", "other shape", "backward_reads"} <= set(report.passed)


def test_stochastic_draws_in_training_and_averages_in_test():
    check_layer('type: "SPP" spp_param { pyramid_height: 2 pool: STOCHASTIC }', [(2, 2, 4, 4)], random=True, low=0.1,
                skip=["gradients", "float32"])
    check_layer('type: "SPP" spp_param { pyramid_height: 2 pool: STOCHASTIC }', [(2, 2, 4, 4)],
                lambda x: naive(x, 2, lambda v, n: np.square(v).sum(1) / v.sum(1)), phase="TEST", low=0.1)


def net(options, shape):
    dims = " ".join(f"dim: {n}" for n in shape)
    text = f"""layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}
layer {{ name: "spp" type: "SPP" bottom: "x" top: "y" spp_param {{ {options} }} }}"""
    return parse_text_message(text, "net.prototxt", "NetParameter")


def build(options, shape):
    return netdef.Net(net(options, shape))


@pytest.mark.parametrize("shape, height, features", [((2, 3, 9, 8), 3, 63), ((4, 3, 1024, 765), 5, 1023),
                                                     ((10, 3, 7, 7), 3, 63)])
def test_caffes_shapes(shape, height, features):
    plan = plan_net(net(f"pyramid_height: {height}", shape), "TEST")
    assert plan.steps[1].inferred.tops == [(shape[0], features)]
    assert features == 3 * (4**height - 1) // 3


def test_one_level_keeps_four_axes():
    one = build("pyramid_height: 1", (2, 3, 4, 5))
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(one.forward(x=x)["y"], x.max((2, 3), keepdims=True), rtol=1e-6)


def test_another_image_size_gives_the_same_features():
    two = build("pyramid_height: 2", (1, 2, 6, 6))
    x = np.random.default_rng(0).normal(size=(1, 2, 11, 4))
    np.testing.assert_allclose(two.forward(x=x)["y"], naive(x, 2, POOLS["MAX"]), rtol=1e-6)


@pytest.mark.parametrize("options, shape, error, message", [
    ("", (1, 1, 4, 4), FieldError, "pyramid_height: missing; expected a number of at least 1"),
    ("pyramid_height: 3", (1, 1, 5, 8), ShapeError,
     "4 bins a side do not fit on an image of 5x8: bins of 2x2 would need 2x0 of padding; use a smaller pyramid_height"),
    ("pyramid_height: 4000000000", (1, 1, 8, 8), ShapeError, "16 bins a side do not fit"),
    ("pyramid_height: 2 pool: STOCHASTIC", (1, 1, 3, 4), ShapeError, "STOCHASTIC takes no padding, but 2 bins a side"),
    ("pyramid_height: 2", (1, 4, 4), ShapeError, "expected a bottom of 4 axes"),
    ("pyramid_height: 2", (1, 1, 0, 4), ShapeError, "expected an image with at least one value"),
])
def test_errors(options, shape, error, message):
    with pytest.raises(error, match=message):
        build(options, shape)
