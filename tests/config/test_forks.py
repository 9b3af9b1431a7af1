from __future__ import annotations

import pytest

from netdef.config import dialects, forks, schema
from netdef.errors import FieldError, UnknownLayerType
from netdef.layers import registry


def test_short_names():
    assert forks.short("ssd") == forks.short("SSD") == "ssd" and forks.short("MobileNet-YOLO") == "yolo"
    with pytest.raises(FieldError, match="--dialect: expected one of bvlc, ssd.*; did you mean 'segnet'?"):
        forks.short("segnt")


def test_tables_name_forks_that_exist():
    assert {f for t in forks.TYPES.values() for f in t.forks} <= {*forks.NAMES} == {*forks.NUMBERS}


def test_numbered_fields_are_known_by_name():
    for fork, numbers in forks.NUMBERS.items():
        for name in numbers.values():
            known = dialects.owners("LayerParameter", name) or name in schema.fields("LayerParameter")
            assert known, (fork, name)


def test_numbers_of_types_are_numbers_of_a_fork():
    for layer_type, numbers in dialects._NUMBERS.items():
        for number, name in numbers.items():
            if layer_type == "Permute" or number not in (150, 204):
                continue
            assert any(fork.get(number) == name for fork in forks.NUMBERS.values()), (layer_type, number)


def test_an_unknown_type_says_what_is_known_of_it():
    name = next(t for t in ("MTCNNData", "DenseCRF", "Correlation") if t not in registry.layer_types())
    with pytest.raises(UnknownLayerType) as caught:
        registry.find(name)
    assert forks.TYPES[name].does in str(caught.value) and "a Python layer can stand in" in str(caught.value)
    with pytest.raises(UnknownLayerType, match="did you mean 'ReLU'"):
        registry.find("RelU")
