"""Pooling against naive windows and Caffe's published values, its options and errors, and the battery."""
import itertools
import math

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def windows(x, kernel, stride, pad, rounding=math.ceil):
    """(place, values of the window, size with padding) of every window of every plane; one number for both axes."""
    kernel, stride, pad = ((n, n) if isinstance(n, int) else n for n in (kernel, stride, pad))
    out = []
    for a in (0, 1):
        n = rounding((x.shape[2 + a] + 2 * pad[a] - kernel[a]) / stride[a]) + 1
        out.append(n - (any(pad) and (n - 1) * stride[a] >= x.shape[2 + a] + pad[a]))
    for n, c, i, j in itertools.product(range(x.shape[0]), range(x.shape[1]), *map(range, out)):
        start = (i * stride[0] - pad[0], j * stride[1] - pad[1])
        end = [min(start[a] + kernel[a], x.shape[2 + a] + pad[a]) for a in (0, 1)]
        size = (end[0] - start[0]) * (end[1] - start[1])
        rows, columns = (slice(max(start[a], 0), min(end[a], x.shape[2 + a])) for a in (0, 1))
        yield (n, c, i, j), x[n, c, rows, columns], size


def pooled(x, value, **options):
    found = list(windows(x, **options))
    y = np.zeros((*x.shape[:2], *(max((p[a] for p, _, _ in found), default=-1) + 1 for a in (2, 3))))
    for place, window, size in found:
        y[place] = value(window, size)
    return y


METHODS = {"MAX": lambda w, size: w.max(), "AVE": lambda w, size: w.sum() / size}
CASES = {
    "plain": ("kernel_size: 2 stride: 2", (2, 2, 4, 6), {"kernel": 2, "stride": 2, "pad": 0}),
    "ceil": ("kernel_size: 3 stride: 2", (1, 2, 6, 5), {"kernel": 3, "stride": 2, "pad": 0}),
    "floor": ("kernel_size: 3 stride: 2 round_mode: FLOOR", (1, 2, 6, 5),
              {"kernel": 3, "stride": 2, "pad": 0, "rounding": math.floor}),
    "pad": ("kernel_size: 3 stride: 2 pad: 1", (1, 2, 6, 5), {"kernel": 3, "stride": 2, "pad": 1}),
    "pad clips the last window": ("kernel_size: 2 stride: 2 pad: 1", (1, 2, 5, 6),
                                  {"kernel": 2, "stride": 2, "pad": 1}),
    "h and w": ("kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 2 pad_h: 1 pad_w: 0", (1, 2, 5, 6),
                {"kernel": (3, 2), "stride": (1, 2), "pad": (1, 0)}),
    "default stride": ("kernel_size: 2", (1, 2, 3, 4), {"kernel": 2, "stride": 1, "pad": 0}),
    "larger than the image by less than a stride": ("kernel_size: 3 stride: 2", (1, 2, 2, 2),
                                                    {"kernel": 3, "stride": 2, "pad": 0}),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", CASES)
def test_battery(method, name):
    options, shape, kwargs = CASES[name]
    check_layer(f'type: "Pooling" pooling_param {{ pool: {method} {options} }}', [shape],
                lambda x: pooled(x, METHODS[method], **kwargs))


@pytest.mark.parametrize("method", METHODS)
def test_global_pooling_follows_the_image(method):
    check_layer(f'type: "Pooling" pooling_param {{ pool: {method} global_pooling: true }}', [(2, 3, 4, 3)],
                lambda x: (x.max((2, 3), keepdims=True) if method == "MAX" else x.mean((2, 3), keepdims=True)),
                other=[(1, 3, 2, 5)])


def test_battery_with_the_places_as_second_top():
    def reference(x):
        flat = np.arange(30.0).reshape(1, 1, 6, 5) + np.zeros_like(x)
        places = {p: w for (p, w, _) in windows(flat, kernel=3, stride=2, pad=1)}
        values = list(windows(x, kernel=3, stride=2, pad=1))
        y, mask = np.zeros((*x.shape[:2], 4, 3)), np.zeros((*x.shape[:2], 4, 3))
        for place, window, _ in values:
            y[place], mask[place] = window.max(), places[place].reshape(-1)[window.argmax()]
        return y, mask
    check_layer('type: "Pooling" pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 }', [(2, 2, 6, 5)],
                reference, tops=2, gradient_tops=[0])


def test_battery_of_stochastic_pooling_in_training():
    check_layer('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }', [(2, 2, 6, 5)],
                random=True, low=0, high=4)


def test_battery_of_stochastic_pooling_in_the_test_phase():
    check_layer('type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }', [(2, 2, 6, 5)],
                lambda x: pooled(x, lambda w, size: (w * w).sum() / w.sum(), kernel=3, stride=2, pad=0), phase="TEST",
                low=0, high=4)


def build(options, shape, tops=1, phase="TRAIN", dtype="float32"):
    dims = " ".join(f"dim: {n}" for n in shape)
    names = " ".join(f'top: "t{i}"' for i in range(tops))
    text = ('force_backward: true\n'
            f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ {dims} }} }} }}\n'
            f'layer {{ name: "pool1" type: "Pooling" bottom: "x" {names} pooling_param {{ {options} }} }}')
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase=phase, seed=3, dtype=dtype)


def run(options, x, tops=1, **kwargs):
    x = np.asarray(x, float)
    net = build(options, (1, 1, *x.shape), tops, **kwargs)
    net.forward(x=x[None, None])
    return [net.blobs[f"t{i}"].data[0, 0].tolist() for i in range(tops)]


def test_published_max_values_and_ties():
    values, mask = run("pool: MAX kernel_size: 2", [[1, 2, 5, 2, 3], [9, 4, 1, 4, 8], [1, 2, 5, 2, 3]], tops=2)
    assert values == [[9, 5, 5, 8], [9, 5, 5, 8]]
    assert mask == [[5, 2, 2, 9], [5, 12, 12, 9]]


MAGIC = [[35, 1, 6, 26, 19, 24], [3, 32, 7, 21, 23, 25], [31, 9, 2, 22, 27, 20], [8, 28, 33, 17, 10, 15],
         [30, 5, 34, 12, 14, 16], [4, 36, 29, 13, 18, 11]]


def test_published_rectangular_windows():
    values, mask = run("kernel_h: 3 kernel_w: 2", MAGIC, tops=2)
    assert values == [[35, 32, 26, 27, 27], [32, 33, 33, 27, 27], [31, 34, 34, 27, 27], [36, 36, 34, 18, 18]]
    assert mask == [[0, 7, 3, 16, 16], [7, 20, 20, 16, 16], [12, 26, 26, 16, 16], [31, 31, 26, 34, 34]]
    wide = [[35, 32, 26, 26], [32, 32, 27, 27], [33, 33, 33, 27], [34, 34, 34, 17], [36, 36, 34, 18]]
    assert run("kernel_h: 2 kernel_w: 3", MAGIC) == [wide]


def test_published_padded_max():
    image = [[1, 2, 4], [2, 3, 2], [4, 2, 1]]
    assert run("kernel_size: 3 stride: 2 pad: 2", image) == [[[1, 4, 4], [4, 4, 4], [4, 4, 1]]]


def test_published_averages():
    ninth = 8 / 9
    got = run("pool: AVE kernel_size: 3 pad: 1", np.full((3, 3), 2), dtype="float64")[0]
    np.testing.assert_allclose(got, [[ninth, 4 / 3, ninth], [4 / 3, 2, 4 / 3], [ninth, 4 / 3, ninth]])
    overhang = run("pool: AVE kernel_size: 3 stride: 2", np.ones((4, 4)))[0]
    assert overhang == [[1, 1], [1, 1]]
    padded = run("pool: AVE kernel_size: 3 stride: 2 pad: 1", np.ones((4, 4)), dtype="float64")[0]
    np.testing.assert_allclose(padded, [[4 / 9, 2 / 3, 1 / 3], [2 / 3, 1, 1 / 2], [1 / 3, 1 / 2, 1 / 4]])


@pytest.mark.parametrize("options, out", [
    ("kernel_size: 3 stride: 2", (3, 2)),
    ("kernel_size: 3 stride: 2 pad: 1", (4, 3)),
    ("global_pooling: true", (1, 1)),
    ("kernel_size: 3 stride: 2 round_mode: FLOOR", (2, 2)),
])
def test_published_shapes(options, out):
    assert build(options, (2, 3, 6, 5)).blobs["t0"].shape == (2, 3, *out)


def test_nan_is_never_the_largest():
    values, mask = run("kernel_size: 2 stride: 2", [[np.nan, 1, np.nan, np.nan], [0, -3, np.nan, np.nan]], tops=2)
    assert values == [[1, np.finfo("f4").min]] and mask == [[1, -1]]


def test_a_window_without_a_maximum_passes_no_gradient():
    net = build("kernel_size: 2", (1, 1, 2, 2))
    net.forward(x=np.full((1, 1, 2, 2), np.nan))
    net.backward(t0=[[[[1.0]]]])
    assert not net.blobs["x"].diff.any()


def test_stochastic_draws_in_proportion_to_the_values():
    x = np.tile([[1.0, 3.0], [0.0, 4.0]], (60, 60))
    drawn = np.array(run("pool: STOCHASTIC kernel_size: 2 stride: 2", x)[0])
    share = [float((drawn == v).mean()) for v in (0, 1, 3, 4)]
    assert share == pytest.approx([0, 1 / 8, 3 / 8, 1 / 2], abs=0.03) and share[0] == 0  # four sigma of 3600 draws


def test_stochastic_of_zeros():
    assert run("pool: STOCHASTIC kernel_size: 2", np.zeros((3, 3)))[0] == [[0, 0], [0, 0]]
    assert run("pool: STOCHASTIC kernel_size: 2", np.zeros((3, 3)), phase="TEST")[0] == [[0, 0], [0, 0]]


WHO = r"net.prototxt:3:\d+: error: layer 'pool1' \(Pooling\): "


@pytest.mark.parametrize("options, message", [
    ("pool: MAX", "kernel_size: missing; expected kernel_size, or kernel_h and kernel_w, or global_pooling: true"),
    ("kernel_h: 2", "kernel_h: expected kernel_h and kernel_w together, got no kernel_w"),
    ("kernel_size: 2 kernel_h: 2 kernel_w: 2", "kernel_h: expected either kernel_size or kernel_h and kernel_w"),
    ("kernel_size: 2 stride: 2 stride_w: 2", "stride_w: expected either stride or stride_h and stride_w"),
    ("kernel_size: 2 pad_h: 1", "pad_h: expected pad_h and pad_w together, got no pad_w"),
    ("kernel_size: 2 pad: 2", r"pad: expected less than the kernel \(2\), got 2"),
    ("kernel_size: 2 pad_h: 0 pad_w: 2", r"pad_w: expected less than the kernel \(2\), got 2"),
    ("global_pooling: true kernel_size: 3", "kernel_size: expected none with global_pooling"),
    ("global_pooling: true pad: 1", "pad: global_pooling takes pad 0 and stride 1 only"),
    ("global_pooling: true stride: 2", "stride: global_pooling takes pad 0 and stride 1 only"),
    ("pool: STOCHASTIC kernel_size: 3 pad: 1", "pad: STOCHASTIC takes no padding"),
])
def test_option_errors(options, message):
    with pytest.raises(FieldError, match=WHO + message):
        build(options, (1, 2, 6, 6))


def test_only_max_has_a_second_top():
    with pytest.raises(FieldError, match="pool: only MAX has a second top"):
        build("pool: AVE kernel_size: 2", (1, 2, 6, 6), tops=2)


@pytest.mark.parametrize("options, shape, message", [
    ("kernel_size: 5", (1, 2, 3, 6), "the kernel 5x5 is larger than the image 3x6 padded by 0x0"),
    ("kernel_size: 2", (1, 2, 6), r"expected a bottom of 4 axes \(N, C, H, W\), got \(1, 2, 6\)"),
    ("kernel_size: 2", (1, 2, 0, 6), "expected an image with at least one value"),
])
def test_shape_errors(options, shape, message):
    with pytest.raises(ShapeError, match=WHO + message):
        build(options, shape)
