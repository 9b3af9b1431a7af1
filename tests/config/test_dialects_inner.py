"""Numbers of forks inside messages of BVLC Caffe: binary nets as each fork would write them."""
from __future__ import annotations

import struct

import pytest

from netdef.config import dialects, dialects_inner, forks, schema
from netdef.config.blobproto import encode_varint, tagged
from netdef.config.load import load_net
from netdef.config.recognise import recognise
from netdef.config.wire import BYTES, FIXED32, VARINT
from netdef.errors import ConfigError


def framed(number, body):
    return tagged(number, BYTES) + encode_varint(len(body)) + body


def number(n, value):
    return tagged(n, VARINT) + encode_varint(value)


def real(n, value):
    return tagged(n, FIXED32) + struct.pack("<f", value)


def layer(type_name, *fields, name="x", bottoms=1):
    return framed(100, framed(1, name.encode()) + framed(2, type_name.encode()) + framed(3, b"in") * bottoms
                  + framed(4, b"out") + b"".join(fields))


LOSS, DROPOUT, TRANSFORM, BATCH_NORM, DATA = 101, 108, 100, 139, 107
RFCN = layer("PSROIPooling", framed(10001, number(2, 3)), bottoms=2)
RCNN = layer("ROIPooling", framed(8266711, number(1, 7)), bottoms=2)
SEGNET = layer("BN", framed(45, number(3, 1)))
NVIDIA = layer("Convolution", number(145, 1))
SSD = layer("PriorBox", framed(203, real(1, 30)), bottoms=2)


@pytest.fixture
def read(tmp_path):
    def call(*layers, dialect=None):
        path = tmp_path / "n.caffemodel"
        path.write_bytes(b"".join(layers))
        return load_net(str(path), dialect=dialect).message.layer

    return call


def loss(*fields):
    return layer("SoftmaxWithLoss", framed(LOSS, b"".join(fields)), name="loss", bottoms=2)


def text(message):
    return " ".join(str(message).split())


@pytest.mark.parametrize(("others", "fields", "expected"), [
    (RFCN, [number(3, 3), real(4, 128)], "normalization: PRE_FIXED pre_fixed_normalizer: 128"),
    (RFCN, [number(3, 4)], "normalization: NONE"),
    (RFCN, [number(3, 2)], "normalization: BATCH_SIZE"),
    (RCNN, [number(3, 3), real(4, 128)], None),  # nothing but the number speaks for one of three
    (b"", [number(3, 3)], "normalization: NONE"),
    (b"", [number(3, 4)], "normalization: NONE"),  # BVLC's has no 4
    (SEGNET, [number(3, 1), real(4, 0.5), real(4, 2)], "weight_by_label_freqs: true class_weighting: 0.5 class_weighting: 2"),
    (b"", [number(3, 1), real(4, 0.5), real(4, 2)], "weight_by_label_freqs: true class_weighting: 0.5 class_weighting: 2"),
    (NVIDIA, [number(3, 1), real(4, 0.25)], "normalization: VALID label_smoothing: 0.25"),
    (SSD, [number(1, 3), number(3, 1)], "ignore_label: 3 normalization: VALID"),
], ids=str)
def test_losses(read, others, fields, expected):
    if expected is None:
        fields = [number(1, 7), *fields]
        expected = "ignore_label: 7 normalization: PRE_FIXED pre_fixed_normalizer: 128"  # ROIPooling and 4 together: R-FCN
    assert text(read(others, loss(*fields))[-1].loss_param) == expected


def test_nothing_decides(read, caplog):
    """Number 4 of LossParameter: three forks have it, and the net says nothing."""
    found = read(loss(number(1, 9), real(4, 0.25)), layer("SoftmaxWithLoss", framed(LOSS, real(4, 0.5)), name="other"))
    assert text(found[0].loss_param).startswith("ignore_label: 9") and not found[0].loss_param.HasField("label_smoothing")
    assert framed(LOSS, number(1, 9) + real(4, 0.25)) in found[0].SerializePartialToString(), "the bytes are kept"
    said, = caplog.records
    assert said.getMessage().endswith(
        "n.caffemodel: warning: field 4 of loss_param may be pre_fixed_normalizer (R-FCN) or class_weighting (SegNet) or "
        "label_smoothing (NVIDIA Caffe), in 2 layers, the first 'loss': nothing in the net decides, so it is left as it is; "
        "--dialect names the Caffe that wrote the file")


def test_a_value_that_two_forks_number_differently(read, caplog):
    """ROIPooling may be R-FCN's or py-faster-rcnn's, and 3 means another thing in each."""
    found = read(RCNN, loss(number(3, 3)))
    assert text(found[-1].loss_param) == "normalization: NONE"
    assert "field 3 of loss_param may be NONE (py-faster-rcnn) or PRE_FIXED (R-FCN), " \
        "in layer 'loss'" in caplog.text


@pytest.mark.parametrize(("dialect", "expected"), [
    ("rfcn", "normalization: PRE_FIXED pre_fixed_normalizer: 0.25"), ("nvcaffe", "normalization: NONE label_smoothing: 0.25"),
    ("segnet", "class_weighting: 0.25"), ("bvlc", "normalization: NONE")])
def test_the_user_decides(read, dialect, expected, caplog):
    found = read(RFCN, SEGNET, loss(number(3, 1 if dialect == "segnet" else 3), real(4, 0.25)), dialect=dialect)[-1].loss_param
    assert expected in text(found) and found.weight_by_label_freqs == (dialect == "segnet") and "may be" not in caplog.text


@pytest.mark.parametrize(("others", "expected"), [(RCNN, "scale_train: false"), (RFCN, "scale_train: false"),
                                                  (SEGNET, "sample_weights_test: false"), (NVIDIA, "")])
def test_dropout(read, others, expected):
    found = read(others, layer("Dropout", framed(DROPOUT, real(1, 0.25) + number(2, 0))))[-1].dropout_param
    assert text(found).replace("2: 0", "").strip() == f"dropout_ratio: 0.25 {expected}".strip()


@pytest.mark.parametrize(("others", "numbers"), [(SSD, (8, 14)), (NVIDIA, (208, 214)), (b"", (8, 14)), (b"", (208, 214))])
def test_transforms(read, others, numbers):
    resize, expand = numbers
    fields = real(1, 0.5) + framed(resize, number(3, 300)) + framed(expand, real(2, 4))
    found = read(others, layer("Data", framed(TRANSFORM, fields)))[-1].transform_param
    assert found.resize_param.height == 300 and found.expand_param.max_expand_ratio == 4 and found.scale == 0.5


def test_numbers_that_are_taken_otherwise(read):
    """NVIDIA's Caffe has a flag under the number of SSD's resize_param."""
    found = read(NVIDIA, layer("Data", framed(TRANSFORM, number(8, 1))))[-1].transform_param
    assert not found.HasField("resize_param")


def test_batch_norm_and_shuffle_of_nvidia(read):
    fields = number(7, 1) + framed(5, framed(1, b"constant") + real(2, 3)) + real(3, 1e-4)
    found = read(layer("BatchNorm", framed(BATCH_NORM, fields)), layer("Data", framed(DATA, number(14, 1))), NVIDIA)
    assert found[0].batch_norm_param.scale_bias and found[0].batch_norm_param.scale_filler.value == 3
    assert found[1].data_param.shuffle


def test_bn_of_two_families(read):
    fields = framed(1, real(2, 5)) + real(3, 0.5) + number(5, 1)
    for where in (152, 137, 200):
        found = read(layer("BN", framed(where, fields)))[0].bn_param
        assert found.slope_filler.value == 5 and found.momentum == 0.5 and found.frozen and not found.HasField("scale_filler")
    found = read(layer("BN", framed(45, framed(1, real(2, 5)) + number(3, 1))))[0].bn_param
    assert found.scale_filler.value == 5 and found.bn_mode == 1 and not found.HasField("slope_filler")


def test_ctc_losses(read):
    found = read(layer("CTCLoss", framed(148, number(2, 4) + number(3, 1))),
                 layer("CtcLoss", framed(200, number(1, 9) + number(3, 8))))
    assert text(found[0].ctc_loss_param) == "blank_index: 4 preprocess_collapse_repeated: true"
    assert text(found[1].ctc_loss_param) == "alphabet_size: 9 time_step: 8"


def test_old_layers_too(tmp_path):
    """V1: dropout_param is 12."""
    (tmp_path / "n.caffemodel").write_bytes(framed(2, framed(4, b"d") + number(5, 6) + framed(12, number(2, 0))))
    found = load_net(str(tmp_path / "n.caffemodel"), dialect="faster-rcnn").message.layer
    assert found[0].dropout_param.HasField("scale_train") and not found[0].dropout_param.scale_train


def test_numbers_inside_are_evidence():
    net = memoryview(loss(real(4, 1), real(4, 2)))
    assert str(recognise(net)) == "SegNet (field 4 of loss_param x2)"
    assert recognise(memoryview(loss(number(3, 1)))).plain
    assert recognise(memoryview(layer("BN", framed(152, framed(1, b""))))).forks == ("pspnet",)


def test_damage_inside_is_told(read):
    with pytest.raises(ConfigError, match=r"expected a binary net; byte \d+"):
        read(layer("Dropout", framed(DROPOUT, real(1, 0.5)[:3])))


def test_tables_name_what_there_is():
    for fork, messages in dialects_inner.NUMBERS.items():
        assert fork in forks.NAMES
        for message, numbers in messages.items():
            for n, name in numbers.items():
                assert name.startswith("-") or name in schema.fields(message), (fork, message, n)
    for fork, message, name in dialects_inner._ENUMS:
        assert fork in dialects_inner.NUMBERS and name in schema.fields(message)


def test_names_of_fields_have_the_same_owners_as_in_text():
    for fork, messages in dialects_inner.NUMBERS.items():
        for message, numbers in messages.items():
            for name in numbers.values():
                told = dialects.owners(message, name)
                assert not told or forks.NAMES[fork] in told.split(", ") or fork in ("yolo", "rfcn", "nvcaffe"), (fork, name)
