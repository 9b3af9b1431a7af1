from __future__ import annotations

import re

import pytest

from netdef.config import dialects, schema
from netdef.config.load import parse_text_message
from netdef.errors import FieldError


def test_the_hint_names_every_fork_that_has_the_field():
    assert dialects.hint("LayerParameter", "upsample_param") == "it belongs to SegNet, MobileNet-YOLO, not to netdef"
    assert dialects.hint("V1LayerParameter", "bn_param").startswith("it belongs to SegNet, PSPNet")
    assert dialects.hint("DropoutParameter", "sample_weights_test") == "it belongs to SegNet, not to netdef"
    assert dialects.hint("LayerParameter", "nonsense") == "" == dialects.hint("PoolingParameter", "bn_param")


def test_an_unknown_field_of_a_fork():
    with pytest.raises(FieldError) as caught:
        parse_text_message('base_lr: 1\nstepearly: 3', "s.prototxt", "SolverParameter")
    assert str(caught.value).startswith("s.prototxt:2:1: error: no field 'stepearly' in the solver; "
                                        "it belongs to SegNet, not to netdef")


@pytest.mark.parametrize(("layer_type", "number", "name"), [
    ("Permute", 202, "permute_param"), ("PriorBox", 203, "prior_box_param"), ("TripletLoss", 203, "triplet_loss_param"),
    ("Upsample", 137, "upsample_param"), ("Embed", 137, None), ("Convolution", 106, None)])
def test_numbers_mean_what_the_type_says(layer_type, number, name):
    assert dialects.field_of(layer_type, number) == name


def test_every_numbered_field_has_an_owner():
    for layer_type, numbers in dialects._NUMBERS.items():
        for name in numbers.values():
            assert re.fullmatch(r"\w+_param", name) and dialects.owners("LayerParameter", name), layer_type


def test_no_field_of_bvlc_caffe_has_an_owner():
    for name, info in schema.fields("LayerParameter").items():
        if info.number < 50000:
            assert not dialects.owners("LayerParameter", name), name
