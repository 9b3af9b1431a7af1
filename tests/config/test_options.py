from __future__ import annotations

import pytest

from netdef.config import options, schema
from netdef.config.options import declare_options, options_field, type_names


@pytest.mark.parametrize(("type_name", "field"), [
    ("InnerProduct", "inner_product_param"), ("ReLU", "relu_param"), ("HDF5Data", "hdf5_data_param"),
    ("ArgMax", "argmax_param"), ("Deconvolution", "convolution_param"), ("LSTM", "recurrent_param"),
    ("SoftmaxWithLoss", "softmax_param"), ("LRN", "lrn_param"), ("Silence", None), ("EuclideanLoss", None),
    ("Nonsense", None), ("", None), ("Transform", None), ("Loss", None),
])
def test_options_field(type_name, field):
    assert options_field(type_name) == field


def test_every_options_field_belongs_to_a_type():
    belonging = {options_field(t) for t in type_names()}
    second = {"normalize_param"}  # caffe-windows's Normalize, beside SSD's norm_param
    assert set(schema.layer_fields()) - second <= belonging


def test_types_of_users_can_be_declared(monkeypatch):
    monkeypatch.setattr(options, "_declared", {})
    declare_options("Twice", "power_param")
    assert options_field("Twice") == "power_param" and "Twice" in type_names()
    declare_options("Thrice", "no_such_param")
    assert options_field("Thrice") is None and "Thrice" not in type_names()


def test_type_names_are_spelt_as_in_caffe():
    assert {"ReLU", "InnerProduct", "HDF5Data", "TanH", "ArgMax", "LSTM", "MVN"} <= set(type_names())
    assert "Recurrent" not in type_names()
