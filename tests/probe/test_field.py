"""Receptive fields: exactly where the gradient by the input is not 0, for every kind of window and for branches."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import NetdefError
from netdef.probe.field import Fields, concentration, effective
from netdef.probe.reads import reads, window_matrix
from netdef.probe.subject import Probe

W = "weight_filler: {type: uniform, min: 0.1, max: 1}, bias_term: false"  # no two ways cancel
HEAD = "layers:\n  - data: {Input: {shape: {dim: [2, 2, 17, 15]}}}\n"
NETS = {
    "conv": f"  - y: {{Convolution: {{num_output: 3, kernel_size: [3, 5], stride: [2, 1], pad: [1, 0], {W}}}}}\n",
    "dilated": f"  - y: {{Convolution: {{num_output: 3, kernel_size: 3, dilation: 3, pad: 3, {W}}}}}\n",
    "grouped": f"  - y: {{Convolution: {{num_output: 4, kernel_size: 3, group: 2, {W}}}}}\n",
    "depthwise": f"  - y: {{DepthwiseConvolution: {{num_output: 2, kernel_size: 3, {W}}}}}\n",
    "average": "  - y: {Pooling: {pool: AVE, kernel_size: 3, stride: 2, pad: 1}}\n",
    "gap": "  - y: {Pooling: {pool: AVE, kernel_size: 2, stride: 3}}\n",
    "global": "  - y: {Pooling: {pool: AVE, global_pooling: true}}\n",
    "deconv": f"  - y: {{Deconvolution: {{num_output: 3, kernel_size: 4, stride: 2, pad: 1, {W}}}}}\n",
    "deconv2": f"  - y: {{Deconvolution: {{num_output: 4, kernel_size: 2, stride: 3, group: 2, {W}}}}}\n",
    "lrn": "  - y: {LRN: {local_size: 3, norm_region: WITHIN_CHANNEL, alpha: 1}}\n",
    "across": "  - y: {LRN: {local_size: 3, alpha: 1}}\n",
    "softmax": "  - y: {Softmax: {}}\n",
    "mvn": "  - y: {MVN: {}}\n", "normalize": "  - y: {Normalize: {across_spatial: false}}\n",
    "pad": "  - y: {Pad: {pad: 2}}\n", "tile": "  - y: {Tile: {axis: 2, tiles: 2}}\n",
    "permute": "  - y: {Permute: {order: [0, 3, 1, 2]}}\n", "upsample": "  - y: {Upsample: {scale: 2}}\n",
    "interp": "  - y: {Interp: {height: 9, width: 29}}\n", "im2col": "  - y: {Im2col: {kernel_size: 3, stride: 2}}\n",
    "chain": f"""  - c1: {{Convolution: {{num_output: 3, kernel_size: 3, dilation: 2, pad: 1, {W}}}}}
  - r1: {{ReLU: {{}}, top: c1}}
  - p1: {{Pooling: {{pool: AVE, kernel_size: 3, stride: 2}}, bottom: c1}}
  - b1: {{Scale: {{filler: {{value: 2}}}}}}
  - y: {{Convolution: {{num_output: 2, kernel_size: 3, pad: 1, {W}}}}}
""",
    "branches": f"""  - near: {{Convolution: {{num_output: 3, kernel_size: 1, {W}}}, bottom: data}}
  - far: {{Convolution: {{num_output: 3, kernel_size: 3, dilation: 5, pad: 5, {W}}}, bottom: data}}
  - sum: {{Eltwise: {{}}, bottom: [near, far]}}
  - both: {{Concat: {{}}, bottom: [sum, data]}}
  - y: {{Convolution: {{num_output: 2, kernel_size: 2, {W}}}}}
""",
    "slices": f"""  - parts: {{Slice: {{axis: 1, slice_point: 1}}, bottom: data, top: [a, b]}}
  - wide: {{Convolution: {{num_output: 1, kernel_size: 5, pad: 2, {W}}}, bottom: a}}
  - y: {{Concat: {{}}, bottom: [wide, b]}}
""",
    "up and crop": f"""  - down: {{Convolution: {{num_output: 2, kernel_size: 3, stride: 2, pad: 1, {W}}}}}
  - up: {{Deconvolution: {{num_output: 2, kernel_size: 4, stride: 2, {W}}}}}
  - crop: {{Crop: {{axis: 2, offset: 1}}, bottom: [up, data]}}
  - y: {{Eltwise: {{}}, bottom: [crop, data]}}
""",
    "flat": """  - p: {Pooling: {pool: AVE, kernel_size: 4, stride: 4}}
  - y: {Flatten: {}}
""",
    "rows": f"  - y: {{InnerProduct: {{num_output: 3, axis: 2, {W}}}}}\n",
    "all": f"  - y: {{InnerProduct: {{num_output: 3, {W}}}}}\n",
}


def places(shape, rng):
    """Corners, and some units in between."""
    yield tuple(0 for _ in shape)
    yield tuple(n - 1 for n in shape)
    for _ in range(6):
        yield tuple(int(rng.integers(n)) for n in shape)


@pytest.mark.parametrize("name", NETS)
def test_exact_fields_are_where_gradients_are(net_of, name):
    net, weights = net_of(HEAD + NETS[name])
    fields, probe = Fields(net), Probe(net, weights, scores=False, dtype="float64")
    rng = np.random.default_rng(3)
    x = rng.uniform(0.5, 1.5, (1, 2, 17, 15))
    shape = probe.forward(x).shape[1:]
    for unit in places(shape, rng):
        seed = np.zeros((1, *shape))
        seed[(0, *unit)] = 1
        probe.forward(x)
        moved = probe.backward(seed)[0] != 0
        found = fields.of("y", unit)
        assert found.exact and (found.mask == moved).all(), (unit, found.mask.sum(), moved.sum())


@pytest.mark.parametrize("name", [n for n in NETS if n not in ("permute", "rows")])
def test_the_rule_covers_the_exact_field(net_of, name):
    """Size, jump and start against the exact pixels: equal for a unit far from the borders, but for gaps."""
    fields = Fields(net_of(HEAD + NETS[name])[0])
    value = next(v for v in reversed(fields.description.values) if v.blob == "y")
    axes, shape = fields.spans[value.id], fields._shape(value.id)[1:]
    if axes is None:
        assert name in ("global", "tile", "interp", "up and crop", "flat", "all", "mvn", "normalize", "softmax")
        return
    sides = []
    for k in range(max(shape[1:])):  # along the diagonal, since axes do not know each other
        y, x = min(k, shape[1] - 1), min(k, shape[2] - 1)
        found = fields.of("y", (0, y, x))
        if not found.mask.any():
            continue
        sides.append([high - low + 1 for low, high in found.box])
        for (low, high), axis, at, size in zip(found.box, axes, (y, x), (17, 15), strict=True):
            first, last = axis.at(at)
            if axis.rough:
                assert high - low + 1 <= axis.size and abs(low - first) <= axis.size, (name, y, x)
                continue
            assert first <= low and high <= last, (name, y, x)
            if first >= 0 and last < size and name not in ("slices", "im2col"):  # whose channels read unlike places
                assert (low, high) == (first, last), (name, y, x)
    if any(axis.rough for axis in axes):  # the most that any unit reads
        assert [max(s) for s in zip(*sides, strict=True)] == [axis.size for axis in axes]


def test_the_table_of_lenet():
    table = str(Fields("builtin:lenet")).splitlines()
    assert [line.split() for line in table[2:6]] == [
        ["conv1", "Convolution", "20x24x24", "5", "1", "0"], ["pool1", "Pooling", "20x12x12", "6", "2", "0"],
        ["conv2", "Convolution", "50x8x8", "14", "2", "0"], ["pool2", "Pooling", "50x4x4", "16", "4", "0"]]
    assert table[6].split() == ["ip1", "ReLU", "500", "all", "-", "-"]


def test_known_fields():
    """VGG-16's, which papers give: 212 pixels at pool5 with steps of 32."""
    rows = {line.split()[0]: line.split()[-3:] for line in str(Fields("builtin:vgg16")).splitlines()}
    assert rows["pool5"][:2] == ["212", "32"] and rows["conv5_3"][:2] == ["196", "16"]


def test_words(net_of):
    fields = Fields(net_of(HEAD + NETS["dilated"])[0])
    assert str(fields.of("y", (0, 0))).splitlines() == [
        "y[0,0] reads rows 0 to 3 and columns 0 to 3 of 'data': 4x4 of 17x15 pixels, 4 of its 16 places, 2 of 2 channels",
        "with padding: rows -3 to 3, columns -3 to 3"]
    assert fields.of("y").unit == (8, 7)
    assert str(Fields(net_of(HEAD + NETS["all"])[0]).of("y", (1,))).startswith("y[1] reads rows 0 to 16 and columns 0 to 14")


def test_what_is_not_known_is_said(net_of):
    fields = Fields(net_of(HEAD + "  - y: {GroupNorm: {group: 2}}\n")[0])
    found = fields.of("y", (0, 0))
    assert not found.exact and found.mask.all() and "for want of a rule: y (GroupNorm)" in str(found)


@pytest.mark.parametrize("blob, unit, said", [("x", None, "no blob 'x'"), ("y", (17, 0), "no unit 17,0 in 'y', which is 3x17x15"),
                                              ("y", (0,), "no unit 0"), ("y", (0, -1), "no unit")])
def test_mistakes(net_of, blob, unit, said):
    with pytest.raises(NetdefError, match=said):
        Fields(net_of(HEAD + NETS["dilated"])[0]).of(blob, unit)


def test_window_matrix():
    assert window_matrix(4, 2, 2, 3, 1).astype(int).tolist() == [[1, 0, 0, 0], [0, 0, 1, 1]]
    assert window_matrix(5, 1, 2, 1, 0, 3).astype(int).tolist() == [[1, 0, 0, 1, 0]]


def test_nothing_marked_reads_nothing(net_of):
    node = Fields(net_of(HEAD + NETS["all"])[0]).description.layers[1]
    made, known = reads(node, [np.zeros((1, 3), bool)], [(1, 2, 17, 15)])
    assert known and not made[0].any()


def test_the_field_in_effect(net_of):
    net, weights = net_of(HEAD + NETS["chain"])
    fields, probe = Fields(net), Probe(net, weights, scores=False)
    found = fields.of("y")
    inputs = np.random.default_rng(0).standard_normal((8, 2, 17, 15))
    heat = effective(probe, found.unit, inputs, 1)
    assert heat.shape == (17, 15) and not (heat[~found.places] != 0).any()
    assert (heat == effective(probe, found.unit, inputs, 1)).all()
    most, moving = concentration(heat)
    assert 0 < most < moving <= found.places.sum()
    with pytest.raises(NetdefError, match="no unit 99,0"):
        effective(probe, (99, 0), inputs)


def test_concentration():
    assert concentration(np.array([[8.0, 1, 0], [1, 0, 0]])) == (2, 3)
    assert concentration(np.zeros((2, 2))) == (0, 0)
