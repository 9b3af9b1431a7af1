"""Which algorithm a convolution gets, and that the environment can ask for another."""
import math

import numpy as np
import pytest

from netdef.kernels import choice
from netdef.kernels.conv_blocks import geometry

pytestmark = pytest.mark.compiled


def chosen(x_shape, filters, kernel, stride=1, pad=0, group=1, which="forward"):
    axes = len(kernel)
    g = geometry(x_shape, (filters, x_shape[1] // group, *kernel), (stride,) * axes, (pad,) * axes, (1,) * axes, group)
    return choice.choose(choice.planar(g), which)


@pytest.mark.parametrize("args, name", [
    (((4, 64, 56, 56), 64, (3, 3), 1, 1), "winograd4x4"),
    (((4, 64, 56, 56), 64, (3, 3), 2, 1), "direct"),
    (((4, 3, 224, 224), 64, (3, 3), 1, 1), "direct"),
    (((16, 3, 227, 227), 96, (11, 11), 4), "direct"),
    (((8, 64, 56, 56), 256, (1, 1)), "pointwise"),
    (((8, 64, 56, 56), 256, (1, 1), 2), "direct"),
    (((8, 64, 56, 56), 64, (3, 3), 1, 1, 64), "depthwise"),
    (((8, 64, 7, 7), 256, (7, 7)), "product"),
    (((8, 1024, 1, 1), 1000, (1, 1)), "product"),
    (((2, 64, 500), 64, (5,), 1, 2), "direct"),
    (((2, 8, 9, 9, 9), 8, (3, 3, 3)), "blocks"),
    (((0, 8, 9, 9), 8, (3, 3)), "blocks"),
    (((2, 8, 2, 2), 8, (3, 3)), "blocks"),  # no outputs
], ids=str)
def test_choice(args, name):
    assert chosen(*args) == name


def test_another_may_be_asked_for(monkeypatch):
    layer = ((4, 64, 56, 56), 64, (3, 3), 1, 1)
    monkeypatch.setenv("NETDEF_WINOGRAD", "0")
    assert chosen(*layer) == "direct"
    monkeypatch.delenv("NETDEF_WINOGRAD")
    for name, found in (("blocks", "blocks"), ("direct", "direct"), ("depthwise", "direct")):  # the next that can be
        monkeypatch.setenv("NETDEF_CONV", name)
        assert chosen(*layer) == found
    monkeypatch.setenv("NETDEF_CONV", "fastest")
    with pytest.raises(ValueError, match="NETDEF_CONV: expected one of winograd4x4, .*, got 'fastest'"):
        chosen(*layer)


def test_scratch_serves_the_plain_kernels_where_only_they_run(monkeypatch):
    small, how = ((2, 3, 8, 8), (4, 3, 3, 3)), ((1, 1), (0, 0), (1, 1), 1)
    assert choice.scratch_shape(*small, *how) == (geometry(*small, *how).scratch,)
    large = ((64, 3, 32, 32), (8, 3, 3, 3))
    compiled = choice.scratch_shape(*large, *how)
    monkeypatch.setenv("NETDEF_KERNELS", "reference")
    plain = choice.scratch_shape(*large, *how)
    assert plain == (geometry(*large, *how).scratch,) != compiled


def test_scratch_is_enough_for_each_pass():
    from netdef.kernels.compiled import conv

    for x_shape, filters, kernel, stride in (((64, 1, 28, 28), 20, (5, 5), 1), ((64, 20, 12, 12), 50, (5, 5), 1),
                                             ((8, 256, 14, 14), 1024, (1, 1), 1), ((8, 256, 56, 56), 512, (1, 1), 2)):
        w_shape, how = (filters, x_shape[1], *kernel), ((stride,) * 2, (0, 0), (1, 1), 1)
        g = geometry(x_shape, w_shape, *how)
        size = math.prod(choice.scratch_shape(x_shape, w_shape, *how))
        col = np.empty(size, np.float32)
        assert all(np.shares_memory(conv._fitting(g, which, choice.choose(g, which), col), col) for which in choice.PASSES)


def test_a_net_may_do_without_winograd():
    import netdef
    from netdef.config.load import parse_text_message
    from netdef.debug.timing import time_net

    text = """layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 4 dim: 32 dim: 24 dim: 24 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 32 kernel_size: 3 } }"""
    for line, name in (("", "winograd4x4"), ("winograd: false", "direct")):
        net = netdef.Net(parse_text_message(f"{line}\n{text}", "net.prototxt", "NetParameter"), phase="TRAIN")
        conv = next(s for s in time_net(net, 1).steps if s.name == "conv")
        assert f"conv_forward: {name}" in conv.kernels[0]
