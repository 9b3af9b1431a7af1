from __future__ import annotations

import numpy as np
import pytest

from netdef.config import blobproto, prototxt
from netdef.config.binary import read_net
from netdef.config.blobproto import encode_varint, tagged
from netdef.config.load import load_net, parse_text_message
from netdef.config.recognise import recognise
from netdef.config.wire import BYTES, VARINT
from netdef.errors import FieldError


def of(text):
    return recognise(prototxt.read(text, "n.prototxt"))


def layer(type, more="", bottoms=1):
    return f'layer {{ name: "x" type: "{type}" {"".join(f"bottom: {chr(34)}b{i}{chr(34)} " for i in range(bottoms))}{more} }}\n'


@pytest.mark.parametrize(("text", "expected"), [
    (layer("ReLU"), ()),
    (layer("PriorBox", "prior_box_param { min_size: 1 }"), ("ssd",)),
    (layer("ROIPooling", "roi_pooling_param { pooled_w: 1 }"), ("faster-rcnn",)),
    (layer("ROIPooling") + layer("PSROIPooling"), ("rfcn",)),
    (layer("Upsample", "upsample_param { scale: 2 }"), ("yolo",)),
    (layer("Upsample", "upsample_param { scale: 2 }", bottoms=2), ("segnet",)),
    (layer("BN", "bn_param { bn_mode: INFERENCE }"), ("segnet",)),
    (layer("BN", "bn_param { slope_filler { value: 1 } frozen: true }"), ("pspnet",)),
    (layer("Dropout", "dropout_param { sample_weights_test: false }"), ("segnet",)),
    (layer("Data", "transform_param { resize_param { prob: 1 } }"), ("ssd",)),
    (layer("PriorBox") + layer("ShuffleChannel"), ("ssd", "shufflenet")),
    (layer("ROIPooling") + layer("SoftmaxWithLossOHEM"), ("rfcn",)),
    (layer("CTCLoss", "ctc_loss_param { blank_index: 3 }"), ("ctc",)),
    (layer("CtcLoss", "ctc_loss_param { alphabet_size: 3 time_step: 3 }"), ("warpctc",)),
    (layer("Normalize", "normalize_param { bp_norm: true }"), ("windows",)),
])
def test_forks_by_types_and_fields(text, expected):
    assert of(text).forks == expected


def test_the_evidence_is_told():
    found = of(layer("PriorBox") * 3 + layer("Axpy"))
    assert str(found) == "SSD (layer type PriorBox x3, layer type Axpy)"
    assert str(of(layer("Axpy"))) == "a fork of Caffe (layer type Axpy)" and not of(layer("Axpy")).plain
    assert str(of(layer("ReLU"))) == "BVLC Caffe" and of(layer("ReLU")).plain


def test_messages_are_recognised_too():
    net = parse_text_message(layer("Permute", "permute_param { order: 0 }"), "n.prototxt", "NetParameter")
    assert recognise(net).forks == recognise(net.message).forks == ("ssd",)


def test_the_user_overrides():
    found = recognise(prototxt.read(layer("PriorBox"), "n"), "segnet")
    assert found.forks == ("segnet",) and str(found) == "SegNet (given)"
    with pytest.raises(FieldError, match="--dialect"):
        recognise(prototxt.read("", "n"), "nonsense")


def framed(number, body):
    return tagged(number, BYTES) + encode_varint(len(body)) + body


def saved(type, *fields):
    """A binary net with one layer, its fields given as bytes."""
    return framed(100, framed(1, b"x") + framed(2, type) + framed(3, b"in") + framed(4, b"out") + b"".join(fields))


def test_numbers_in_binary_files(tmp_path):
    assert recognise(memoryview(saved(b"BN", framed(45, b"")))).forks == ("segnet",)
    assert recognise(memoryview(saved(b"BN", framed(152, b"")))).forks == ("pspnet",)
    assert recognise(memoryview(saved(b"Convolution", tagged(145, VARINT) + b"\1"))).forks == ("nvcaffe",)
    assert recognise(memoryview(saved(b"Convolution", framed(106, b"")))).plain


def test_a_given_dialect_decides_what_numbers_mean(tmp_path):
    """NVIDIA's fork keeps recurrent_param under 151; others keep another thing there."""
    path = tmp_path / "net.caffemodel"
    options = tagged(1, VARINT) + encode_varint(7)  # num_output
    path.write_bytes(saved(b"LSTM", framed(151, options)))
    assert read_net(path, "net").message.layer[0].recurrent_param.num_output == 0
    assert load_net(path, dialect="nvcaffe").message.layer[0].recurrent_param.num_output == 7


def test_bvlc_as_given_dialect_maps_nothing(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(saved(b"Permute", framed(202, tagged(1, VARINT) + b"\1")))
    assert list(read_net(path, "net").message.layer[0].permute_param.order) == [1]
    assert not load_net(path, dialect="bvlc").message.layer[0].HasField("permute_param")


def test_params_are_stepped_over():
    blob = b"".join(bytes(p) for p in blobproto.encode(np.zeros(3, np.float32)))
    assert recognise(memoryview(saved(b"PriorBox", framed(7, blob)))).forks == ("ssd",)
