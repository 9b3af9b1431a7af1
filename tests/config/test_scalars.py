from __future__ import annotations

import math

import pytest

from netdef.config import schema
from netdef.config.scalars import BadValue, parse
from netdef.config.schema import FieldInfo
from netdef.config.tree import Node
from netdef.errors import Span

HERE = Span("f")


def read(kind: str, text: str, written: str = "number", enum: str | None = None):
    info = FieldInfo("x", 1, False, kind, enum, None, "", False)
    return parse(info, Node("x", text, HERE, HERE, written))


def refusal(kind: str, text: str, written: str = "number", enum: str | None = None) -> tuple[str, str]:
    with pytest.raises(BadValue) as caught:
        read(kind, text, written, enum)
    return caught.value.expected, caught.value.hint


@pytest.mark.parametrize(("text", "value"), [
    ("0", 0), ("-0", 0), ("12", 12), ("-7", -7), ("0x1F", 31), ("-0xa", -10), ("017", 15), ("2147483647", 2**31 - 1),
])
def test_integers(text, value):
    assert read("int32", text) == value
    assert read("int32", text, "plain") == value


@pytest.mark.parametrize(("kind", "text", "written", "expected", "hint"), [
    ("int32", "abc", "word", "an integer", ""),
    ("int32", "3", "string", "an integer", "write 3 without quotes"),
    ("int32", "3", "quoted", "an integer", "write 3 without quotes"),
    ("int32", "1e5", "number", "an integer", "write 100000"),
    ("int32", "2.0", "plain", "an integer", "write 2"),
    ("int32", "2.5", "number", "an integer", ""),
    ("int32", "1e999", "number", "an integer", ""),
    ("int32", "08", "number", "an integer", "write 8"),
    ("int32", "64x", "number", "an integer", ""),
    ("uint32", "-1", "number", "an integer from 0 to 4294967295", ""),
    ("uint32", "4294967296", "number", "an integer from 0 to 4294967295", ""),
    ("int32", "2147483648", "number", "an integer from -2147483648 to 2147483647", ""),
    ("int64", "9" * 5000, "number", "an integer from -9223372036854775808 to 9223372036854775807", ""),
    ("float", "abc", "word", "a number", ""),
    ("float", "1", "string", "a number", "numbers stand without quotes"),
    ("float", "0x10", "number", "a number", ""),
    ("float", "010", "number", "a number", "numbers do not begin with 0"),
    ("float", "1.2.3", "number", "a number", ""),
    ("float", "1e40", "number", "a number up to 3.4028235e+38", ""),
    ("double", "1e400", "number", "a number up to 1.797e+308", ""),
    ("bool", "yes", "word", "true or false", ""),
    ("bool", "TRUE", "word", "true or false", "write true"),
    ("bool", "true", "string", "true or false", "write true without quotes"),
    ("bool", "2", "number", "true or false", ""),
    ("string", "conv1", "word", "a string in quotes", 'write "conv1"'),
    ("string", "1", "number", "a string in quotes", 'write "1"'),
    ("string", "\udcff", "string", "a string in UTF-8", ""),
    ("bytes", "x", "word", "a string in quotes", 'write "x"'),
    ("bytes", "ab\\q", "plain", "bytes with prototxt's escapes", "a backslash begins no escape at character 3"),
])
def test_refusals(kind, text, written, expected, hint):
    assert refusal(kind, text, written) == (expected, hint)


@pytest.mark.parametrize(("text", "value"), [
    ("1", 1.0), ("-2.5", -2.5), (".5", 0.5), ("1.", 1.0), ("1e-4", 1e-4), ("1.5f", 1.5), ("2F", 2.0), ("1E+3", 1000.0),
    ("0", 0.0), ("3.4028235e+38", 3.4028235e38), ("1e-60", 1e-60),
])
def test_floats(text, value):
    assert read("float", text) == value
    assert read("double", text, "plain") == value


def test_infinity_and_nan():
    for text in ("inf", "Infinity", "INF", "inff"):
        assert read("float", text, "word") == math.inf
    assert read("float", "-inf", "word") == -math.inf
    assert math.isnan(read("float", "nan", "word"))
    assert read("float", "-.inf", "plain") == -math.inf
    assert math.isnan(read("float", ".NaN", "plain"))
    assert refusal("float", ".inf", "number") == ("a number", "")
    assert math.copysign(1, read("float", "-0")) == -1


def test_booleans():
    for text in ("true", "True", "t", "1"):
        assert read("bool", text, "word") is True
    for text in ("false", "False", "f", "0"):
        assert read("bool", text, "plain") is False
    for text in ("yes", "On", "TRUE"):
        assert read("bool", text, "plain") is True
    for text in ("no", "OFF", "FALSE"):
        assert read("bool", text, "plain") is False


def test_strings_stay_what_was_written():
    for text in ("No", "1e3", "null", "~", "0x10", "true"):
        assert read("string", text, "plain") == text
    assert read("string", "\u00e4", "string") == "\u00e4"


def test_bytes():
    assert read("bytes", "a\udcff", "string") == b"a\xff"
    assert read("bytes", "a\\377\\x00\u00e4", "quoted") == b"a\xff\x00\xc3\xa4"


def test_enums():
    pool = "PoolingParameter.PoolMethod"
    assert schema.enum_values(pool)["AVE"] == read("enum", "AVE", "word", pool)
    assert read("enum", "1", "number", pool) == 1
    assert read("enum", "AVE", "quoted", pool) == 1
    names = "one of MAX, AVE, STOCHASTIC"
    assert refusal("enum", "max", "word", pool) == (names, "did you mean 'MAX'?")
    assert refusal("enum", "9", "number", pool) == (names, "")
    assert refusal("enum", "MAX", "string", pool) == (names, "it stands without quotes")
    assert refusal("enum", "CONVOLUTON", "word", "V1LayerParameter.LayerType")[0].endswith(", ...")
