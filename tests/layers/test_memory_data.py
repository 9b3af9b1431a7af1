"""MemoryData: batches in order and round again, and arrays that do not fit."""
import logging

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ConfigErrors, DataError, FieldError, GraphError

OPTIONS = "batch_size: 2 channels: 1 height: 2 width: 3"


def net_of(options=OPTIONS, more="", tops='top: "data" top: "label"', **kwargs):
    text = f'layer {{ name: "mem" type: "MemoryData" {tops} memory_data_param {{ {options} }} {more} }}'
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), **kwargs)


def items(n):
    """n items whose values, and labels, are their numbers."""
    return np.zeros((n, 1, 2, 3)) + np.arange(n)[:, None, None, None], np.arange(n)


def labels_of(net, passes):
    out = []
    for _ in range(passes):
        net.forward()
        assert (net.blobs["data"].data == net.blobs["label"].data[:, None, None, None]).all()
        out.append(net.blobs["label"].data.tolist())
    return out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batches_go_round(dtype):
    net = net_of(dtype=dtype)
    net.steps[0].layer.reset(*items(6))
    assert labels_of(net, 4) == [[0, 1], [2, 3], [4, 5], [0, 1]]
    assert net.blobs["data"].data.dtype == dtype


def test_shapes():
    net = net_of()
    assert net.blobs["data"].shape == (2, 1, 2, 3)
    assert net.blobs["label"].shape == (2,)


def test_reset_starts_again():
    net = net_of()
    layer = net.steps[0].layer
    layer.reset(*items(4))
    labels_of(net, 1)
    data, labels = items(2)
    layer.reset(data + 7, (labels + 7).reshape(2, 1, 1, 1))
    assert labels_of(net, 2) == [[7, 8], [7, 8]]


def test_the_arrays_are_not_copied():
    net, (data, labels) = net_of(), items(2)
    net.steps[0].layer.reset(data, labels)
    data[0], labels[0] = 5, 5
    assert labels_of(net, 1) == [[5, 1]]


def test_state():
    net = net_of()
    net.steps[0].layer.reset(*items(6))
    labels_of(net, 1)
    state = net.state()
    after = labels_of(net, 3)
    net.set_state(state)
    assert labels_of(net, 3) == after


def test_forward_without_data():
    with pytest.raises(DataError, match=r"layer 'mem' \(MemoryData\): has no data yet; call net.set_input_arrays"):
        net_of().forward()


@pytest.mark.parametrize(("data", "labels", "message"), [
    ((4, 1, 2, 2), 4, r"expected data of shape \(n, 1, 2, 3\), got \(4, 1, 2, 2\)"),
    ((4, 6), 4, r"expected data of shape"),
    ((3, 1, 2, 3), 3, r"expected a multiple of batch_size \(2\) items, got 3"),
    ((0, 1, 2, 3), 0, r"got 0"),
    ((4, 1, 2, 3), 3, r"expected one label for each of the 4 items, got shape \(3,\)"),
])
def test_arrays_that_do_not_fit(data, labels, message):
    with pytest.raises(DataError, match=message):
        net_of().steps[0].layer.reset(np.zeros(data), np.zeros(labels))


def test_a_transform_does_not_apply(caplog):
    net = net_of(more="transform_param { scale: 2 }")
    with caplog.at_level(logging.WARNING, "netdef"):
        net.steps[0].layer.reset(*items(2))
    assert "transform_param does not change arrays in memory" in caplog.text
    assert labels_of(net, 1) == [[0, 1]]


def test_bad_options():
    with pytest.raises(FieldError, match="width: missing; expected a number of at least 1"):
        net_of("batch_size: 2 channels: 1 height: 2")
    with pytest.raises(ConfigErrors, match="(?s)batch_size: .*got 0.*height: .*got 0"):
        net_of("batch_size: 0 channels: 1 height: 0 width: 3")
    with pytest.raises(GraphError, match="expected 2 tops, got 1"):
        net_of(tops='top: "data"')
