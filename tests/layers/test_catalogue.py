"""What the catalogue knows of a type, as data."""
from __future__ import annotations

import pytest

from netdef.errors import UnknownLayerType
from netdef.layers import registry
from netdef.layers.catalogue import BVLC, agrees_with, entry, list_types

OWN = {name: cls for name, cls in registry.layer_types().items() if cls.__module__.startswith("netdef.layers.")}


def test_the_list_of_caffe():
    """61 registered types; those that read and write files of pictures come with the data sources."""
    assert len(BVLC) == 61
    assert BVLC - set(OWN) <= {"HDF5Output", "ImageData", "WindowData"}


def test_relu():
    relu = entry("ReLU")
    assert relu.summary.startswith("Keeps positive values")
    assert [title for title, _ in relu.sections] == ["Formula", "Shapes", "Numerical care", "Source"]
    assert dict(relu.sections)["Shapes"] == "bottom any shape, top the same. In place is allowed and usual."
    assert relu.example.startswith('layer { name: "data"') and relu.example.count("\n") == 1
    assert dict(relu.facts) == {"Bottoms": "1", "Tops": "1", "Gradient": "to all bottoms", "Agrees with": "BVLC Caffe 1.0"}
    ((field, rows),) = relu.options
    slope = next(row for row in rows if row.name == "negative_slope")
    assert field == "relu_param" and (slope.kind, slope.default) == ("float", "0") and "leaky" in slope.comment


def test_kinds_and_defaults():
    rows = {row.name: row for _, rows in entry("Convolution").options for row in rows}
    shown = {name: (rows[name].kind, rows[name].default) for name in
             ("num_output", "kernel_size", "bias_term", "weight_filler", "group")}
    assert shown == {"num_output": ("uint32", "unset"), "kernel_size": ("uint32, several", ""), "bias_term": ("bool", "true"),
                     "weight_filler": ("FillerParameter", ""), "group": ("uint32", "1")}
    pool = next(row for _, rows in entry("Pooling").options for row in rows if row.name == "pool")
    assert (pool.kind, pool.default) == ("MAX | AVE | STOCHASTIC", "MAX")


def test_a_loss_lists_the_common_options_too():
    assert [field for field, _ in entry("SoftmaxWithLoss").options] == ["softmax_param", "loss_param"]
    assert [field for field, _ in entry("Data").options] == ["data_param", "transform_param", "sampling_param"]


def test_gradient_by_bottom():
    facts = {name: dict(entry(name).facts).get("Gradient") for name in ("SoftmaxWithLoss", "Accuracy", "Eltwise", "Input")}
    assert facts == {"SoftmaxWithLoss": "only to bottom 0", "Accuracy": "none", "Eltwise": "to all bottoms", "Input": None}


def test_agreement():
    found = {name: agrees_with(registry.find(name)) for name in ("Power", "ROIPooling", "Normalize", "LayerNorm")}
    assert found == {"Power": "BVLC Caffe 1.0", "ROIPooling": "py-faster-rcnn", "Normalize": "SSD, caffe-windows",
                     "LayerNorm": ""}


@pytest.mark.parametrize("name", OWN)
def test_every_type_has_an_entry(name):
    made = entry(name)
    assert made.summary and made.example and {"Shapes", "Source"} <= {title.split(",")[0] for title, _ in made.sections}
    assert all(row.comment for _, rows in made.options for row in rows)


def test_list_and_unknown_type():
    assert len(list_types().splitlines()) == len(registry.layer_types())
    with pytest.raises(UnknownLayerType, match="did you mean 'ReLU'"):
        entry("Relu")
