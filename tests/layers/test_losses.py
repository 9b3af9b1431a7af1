"""What losses share: the divisor (trap 11) and the labels."""
import numpy as np
import pytest

from netdef.config.load import parse_text_message
from netdef.errors import DataError, ShapeError
from netdef.layers.base import LayerSpec
from netdef.layers.losses import Normalization, check_first_axes, check_label_count, check_labels


def spec_of(options=""):
    text = f'layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" {options} }}'
    layer = parse_text_message(text, "net.prototxt", "NetParameter").child("layer", 0)
    return LayerSpec(layer, "TRAIN", "softmax_param", 2, 1)


@pytest.mark.parametrize(("options", "default", "mode"), [
    ("", "VALID", "VALID"),
    ("", "BATCH_SIZE", "BATCH_SIZE"),
    ("normalization: FULL", "VALID", "FULL"),
    ("normalization: NONE", "VALID", "NONE"),
    ("normalize: true", "BATCH_SIZE", "VALID"),
    ("normalize: false", "VALID", "BATCH_SIZE"),
    ("normalize: false normalization: VALID", "BATCH_SIZE", "VALID"),
    ("normalize: true normalization: NONE", "BATCH_SIZE", "NONE"),
    ("normalization: PRE_FIXED", "VALID", "PRE_FIXED"),
])
def test_trap_11_normalize_counts_only_without_normalization(options, default, mode):
    assert Normalization.read(spec_of(f"loss_param {{ {options} }}"), default) == Normalization(mode, None)


def test_ignore_label():
    assert Normalization.read(spec_of("loss_param { ignore_label: -1 }"), "VALID").ignore == -1
    assert Normalization.read(spec_of("loss_param { ignore_label: 0 }"), "VALID").ignore == 0


@pytest.mark.parametrize(("mode", "divisor"), [("FULL", 12), ("VALID", 5), ("BATCH_SIZE", 3), ("NONE", 1)])
def test_trap_11_the_divisor_is_at_least_1(mode, divisor):
    assert Normalization(mode, None).divisor(3, 4, 5) == divisor
    assert Normalization(mode, None).divisor(0, 4, 0) == 1


def test_a_divisor_fixed_in_the_config():
    loss = spec_of("loss_param { normalization: PRE_FIXED pre_fixed_normalizer: 128 }")
    assert Normalization.read(loss, "VALID").divisor(3, 4, 5) == 128
    assert Normalization("PRE_FIXED", None, 0.5).divisor(3, 4, 5) == 1


def test_first_axes():
    check_first_axes(spec_of(), (2, 3), (2,))
    for a, b in (((2, 3), (3,)), ((), ()), ((2,), ())):
        with pytest.raises(ShapeError, match="as many items"):
            check_first_axes(spec_of(), a, b)


def test_label_count():
    check_label_count(spec_of(), (2, 5, 3), (2, 1, 3), 1)
    with pytest.raises(ShapeError, match=r"each of the 6 places \(2, 3\) of 'score'.*'label' of shape \(2, 5, 3\)"):
        check_label_count(spec_of(), (2, 5, 3), (2, 5, 3), 1)


@pytest.mark.parametrize("labels", [[0, 1, 2], [2.0], [], np.zeros((2, 1, 3))])
def test_good_labels(labels):
    check_labels(spec_of(), np.asarray(labels, np.float32), 3, None)


@pytest.mark.parametrize(("label", "shown"), [(3, "3"), (-1, "-1"), (0.5, "0.5"), (np.nan, "nan"), (np.inf, "inf"),
                                              (255, "255"), (1e9, "1e")])
def test_a_bad_label_is_named(label, shown):
    message = rf"layer 'loss' \(SoftmaxWithLoss\): label blob 'label', item 2 of the batch: .* 0 to 2, got {shown}"
    with pytest.raises(DataError, match=message) as caught:
        check_labels(spec_of(), np.array([0, 1, label, 7]), 3, None)
    assert caught.value.span.text[caught.value.span.column - 1:].startswith('"label"')


def test_the_place_of_a_bad_label_in_a_map():
    labels = np.zeros((2, 1, 2, 3))
    labels[1, 0, 1, 2] = 9
    with pytest.raises(DataError, match=r"item 1 of the batch, place \(0, 1, 2\)"):
        check_labels(spec_of(), labels, 3, None)
    with pytest.raises(DataError, match="its only value"):
        check_labels(spec_of(), np.array(9.0), 3, None)


def test_the_ignored_label_is_allowed():
    check_labels(spec_of(), np.array([0, 255.0]), 3, 255)
    with pytest.raises(DataError, match=r"0 to 2 or 255 \(ignore_label\), got 254"):
        check_labels(spec_of(), np.array([0, 254.0]), 3, 255)
