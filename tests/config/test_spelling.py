from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdef.config.prototxt import unescape
from netdef.config.spelling import bytes_text, float_text, yaml_text


def float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


@pytest.mark.parametrize(("value", "text"), [
    (0.1, "0.1"), (1e-5, "1e-05"), (500, "500"), (0.0, "0"), (-0.0, "-0"), (0.0005, "0.0005"), (1 / 3, "0.33333334"),
    (3.4028234663852886e38, "3.4028235e+38"), (1e-45, "1e-45"), (123456789, "123456790"), (16777216, "16777216"),
    (1e10, "1e+10"), (math.inf, "inf"), (-math.inf, "-inf"), (math.nan, "nan"),
])
def test_floats_print_short(value, text):
    assert float_text(float32(value)) == text


def test_doubles_print_short():
    assert [float_text(v, single=False) for v in (0.1, 3.0, 1e300, -2.5)] == ["0.1", "3", "1e+300", "-2.5"]


@given(st.floats(width=32, allow_nan=False))
def test_floats_read_back(value):
    text = float_text(value)
    assert struct.pack("<f", float(text)) == struct.pack("<f", value)


@given(st.binary())
def test_bytes_read_back(data):
    text = bytes_text(data)
    assert text.isascii() and text.isprintable() and unescape(text) == data


@pytest.mark.parametrize(("text", "spelt"), [
    ("conv1", "conv1"), ("a/b.c-d", "a/b.c-d"), ("No", '"No"'), ("true", '"true"'), ("1e3", '"1e3"'), ("", '""'),
    ("a b", '"a b"'), ("a: b", '"a: b"'), ('q"\\', '"q\\"\\\\"'), ("\x00\n", '"\\x00\\n"'), ("\u00e4", '"\u00e4"'),
    ("\u2028", '"\\u2028"'), ("<<", '"<<"'), ("~", '"~"'), ("- x", '"- x"'),
])
def test_yaml_texts(text, spelt):
    assert yaml_text(text) == spelt
