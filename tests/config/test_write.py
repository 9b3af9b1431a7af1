from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netdef.config import schema, write
from netdef.config.load import parse_text_message
from netdef.config.scalars import RANGES

QUICK = settings(max_examples=60, deadline=None,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
WORDS = st.sampled_from(["conv1", "No", "1e3", "<<", "name", "include", "ReLU", "Convolution", "data", "", "a.b/c",
                         "null"])
TEXTS = st.one_of(WORDS, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))


def scalars(info: schema.FieldInfo) -> st.SearchStrategy[Any]:
    if info.kind in RANGES:
        return st.one_of(st.integers(*RANGES[info.kind]), st.integers(max(RANGES[info.kind][0], -3), 3))
    if info.kind == "enum":
        return st.sampled_from(list(schema.enum_values(info.type_name or "").values()))
    return {"bool": st.booleans(), "string": TEXTS, "bytes": st.binary(max_size=8),
            "float": st.floats(width=32, allow_nan=False), "double": st.floats(allow_nan=False)}[info.kind]


@st.composite
def messages(draw: st.DrawFn, name: str, depth: int = 3, skip: tuple[str, ...] = ("layers",)) -> Any:
    """A random message of the schema, a few fields at a time."""
    message = schema.new(name)
    usable = [f for f in schema.fields(name).values() if f.name not in skip and (f.kind != "message" or depth > 0)]
    chosen = draw(st.lists(st.sampled_from(usable), max_size=5, unique_by=lambda f: f.name)) if usable else []
    required = [f for f in usable if f.required and f not in chosen]
    for info in chosen + required:
        made = messages(info.type_name or "", depth - 1, skip) if info.kind == "message" else scalars(info)
        if info.repeated:
            for value in draw(st.lists(made, min_size=1, max_size=3)):
                getattr(message, info.name).append(value)
        elif info.kind == "message":
            getattr(message, info.name).CopyFrom(draw(made))
            getattr(message, info.name).SetInParent()
        else:
            setattr(message, info.name, draw(made))
    return message


@st.composite
def nets(draw: st.DrawFn) -> Any:
    """A net of random layers: many of them begin like real ones, so that the short form meets its cases."""
    net = draw(messages("NetParameter", 1))
    del net.layer[:]
    for layer in draw(st.lists(messages("LayerParameter", 2), max_size=4)):
        if draw(st.booleans()):
            layer.name = draw(TEXTS)
        if draw(st.booleans()):
            layer.type = draw(st.sampled_from(["ReLU", "Pooling", "Input", "Silence", "LSTM", "Unheard", "lower"]))
            layer.bottom.extend(net.layer[-1].top if net.layer else [])
        net.layer.append(layer)
    return net


def read(text: str, name: str, file: str = "f.prototxt") -> Any:
    return parse_text_message(text, file, name).message


@QUICK
@given(st.sampled_from(["NetParameter", "SolverParameter", "LayerParameter", "BlobProto", "Datum"]).flatmap(
    lambda name: st.tuples(st.just(name), messages(name, skip=()))))
def test_prototxt_reads_back(drawn):
    name, message = drawn
    text = write.to_prototxt(message)
    assert read(text, name) == message
    assert text_format.Parse(text, schema.new(name)) == message


@QUICK
@given(messages("NetParameter", skip=()), st.booleans(), st.booleans())
def test_what_protobuf_prints_is_read(message, one_line, utf8):
    text = text_format.MessageToString(message, as_one_line=one_line, as_utf8=utf8)
    assert read(text, "NetParameter") == message


@QUICK
@given(nets(), st.booleans())
def test_yaml_nets_read_back(net, short):
    assert read(write.to_yaml(net, short=short), "NetParameter", "f.yaml") == net


@QUICK
@given(st.sampled_from(["SolverParameter", "LayerParameter", "BlobProto", "Datum", "TransformationParameter"]).flatmap(
    lambda name: st.tuples(st.just(name), messages(name))), st.booleans())
def test_yaml_messages_read_back(drawn, short):
    name, message = drawn
    assert read(write.to_yaml(message, short=short), name, "f.yaml") == message


def test_not_a_number_reads_back():
    message = schema.new("SolverParameter")
    message.base_lr = float("nan")
    for text, file in ((write.to_prototxt(message), "f"), (write.to_yaml(message), "f.yaml")):
        assert str(read(text, "SolverParameter", file).base_lr) == "nan"


def test_layout_of_prototxt():
    net = read('name: "n" layer { name: "a\\n\\"b" top: "x" top: "y" phase: TEST relu_param {} '
               'convolution_param { kernel_size: [3, 5] bias_term: false weight_filler { std: 1e-2 } } }',
               "NetParameter")
    assert write.to_prototxt(net) == """name: "n"
layer {
  name: "a\\n\\"b"
  top: "x"
  top: "y"
  phase: TEST
  convolution_param {
    bias_term: false
    kernel_size: 3
    kernel_size: 5
    weight_filler {
      std: 0.01
    }
  }
  relu_param {}
}
"""
    assert write.to_prototxt(schema.new("NetParameter")) == ""


@pytest.mark.parametrize("text", [r'name: "\000\177\033"', 'name: "\u00e4\u2028\U0001f600"', "name: '\"'",
                                  'name: "\ufeff"'])
def test_strange_strings(text):
    net = read(text, "NetParameter")
    assert read(write.to_prototxt(net), "NetParameter") == net
    assert read(write.to_yaml(net), "NetParameter", "f.yaml") == net
