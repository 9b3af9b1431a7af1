"""The schema: agreement with BVLC Caffe's, comments, options added at run time, company in one process."""
from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from netdef.config import schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fresh(monkeypatch):
    """What the test registers is forgotten after it."""
    monkeypatch.setattr(schema, "_loaded", schema._schema())


def _caffe_rows(shared: Path) -> list[dict[str, str]]:
    with open(shared / "facts" / "proto-bvlc.tsv", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _rows_of_message(name: str) -> list[tuple[str, ...]]:
    rows = []
    for field in schema.fields(name).values():
        label = "repeated" if field.repeated else "required" if field.required else "optional"
        rows.append((name, field.name, str(field.number), label, field.type_name or field.kind,
                     field.default, "packed" if field.packed else ""))
    return rows


def _typed(kind: str, text: str):
    if text == "":
        return None
    if kind in ("float", "double"):
        return float(text)
    if kind in ("int32", "int64", "uint32"):
        return int(text)
    return text == "true" if kind == "bool" else text


def test_same_fields_as_bvlc_caffe(shared):
    rows = [r for r in _caffe_rows(shared) if r["label"] != "enum"]
    theirs = {(*(r[k] for k in ("message", "field", "number", "label", "type")), _typed(r["type"], r["default"]),
               r["option"]) for r in rows}
    names = {r["message"] for r in rows}
    ours = {row for name in names for row in _rows_of_message(name) if int(row[2]) < 50000}
    assert len(theirs) == len(rows)
    assert ours == theirs


def test_same_enums_as_bvlc_caffe(shared):
    theirs: dict[str, dict[str, int]] = {}
    for row in _caffe_rows(shared):
        if row["label"] == "enum":
            theirs.setdefault(row["message"], {})[row["field"]] = int(row["number"])
    ours = {name: {v: n for v, n in schema.enum_values(name).items() if n < 50000} for name in theirs}
    assert ours == theirs


def test_messages_beyond_bvlc_caffe_belong_to_fields_from_50000_up(shared):
    theirs = {r["message"] for r in _caffe_rows(shared)}
    numbers = {schema.field_info("LayerParameter", f).number: m for f, m in schema.layer_fields().items()}
    later = {message for number, message in numbers.items() if number >= 50000}
    later |= {f.type_name for name in theirs & set(schema.message_names()) for f in schema.fields(name).values()
              if f.number >= 50000 and f.type_name}
    while more := {f.type_name for name in later & set(schema.message_names()) for f in schema.fields(name).values()
                   if f.type_name} - later:
        later |= more
    later.add("BoxCode")  # holds nothing but an enum that several messages share
    later |= {"PreprocessingParameter", "Recipe"}  # in files of their own, part of no message
    known = [*schema.message_names(), *schema.enum_names()]
    assert not [name for name in known if name not in theirs and not name.startswith(tuple(later) or "?")]


@pytest.mark.parametrize("message", schema.message_names())
def test_every_field_is_documented(message):
    assert len(schema.message_comment(message)) > 15
    assert not [name for name in schema.fields(message) if len(schema.field_comment(message, name)) <= 15]


@pytest.mark.parametrize("enum", schema.enum_names())
def test_every_enum_value_is_documented(enum):
    assert len(schema.enum_comment(enum)) > 15
    assert not [v for v in schema.enum_values(enum) if len(schema.enum_value_comment(enum, v)) <= 15]


def test_comments_do_not_repeat_the_name():
    said = {}
    for message in schema.message_names():
        for field in schema.fields(message).values():
            words = field.name.replace("_", " ")
            said[f"{message}.{field.name}"] = field.comment.lower().rstrip(".") in (words, f"the {words}")
    assert not [name for name, empty in said.items() if empty]


def test_field_info():
    eps = schema.field_info("BatchNormParameter", "eps")
    assert (eps.name, eps.number, eps.repeated, eps.kind, eps.type_name, eps.default) == (
        "eps", 3, False, "float", None, 1e-5)
    assert schema.field_info("netdef.PoolingParameter", "pool").type_name == "PoolingParameter.PoolMethod"
    assert schema.is_repeated("ConvolutionParameter", "kernel_size")
    assert schema.field_info("ClipParameter", "min").required
    assert schema.field_info("NetParameter", "input_dim").deprecated
    assert not eps.deprecated


@pytest.mark.parametrize(("message", "field", "value"), [
    ("PoolingParameter", "pool", "MAX"),
    ("ParamSpec", "share_mode", "STRICT"),
    ("FillerParameter", "type", "constant"),
    ("SolverParameter", "base_lr", 0.0),
    ("SolverParameter", "random_seed", -1),
    ("SolverParameter", "test_initialization", True),
    ("LayerParameter", "name", ""),
    ("LayerParameter", "bottom", ()),
    ("LayerParameter", "relu_param", None),
    ("Datum", "data", b""),
    ("BatchNormParameter", "use_global_stats", False),
    ("BatchNormParameter", "moving_average_fraction", 0.999),
])
def test_default_of(message, field, value):
    assert schema.default_of(message, field) == value
    assert type(schema.default_of(message, field)) is type(value)


def test_declared_defaults_are_those_of_new_messages():
    for message in schema.message_names():
        made = schema.new(message)
        for name, info in schema.fields(message).items():
            if info.default is None or info.repeated:
                continue
            value = getattr(made, name)
            expected = schema.enum_values(info.type_name)[info.default] if info.kind == "enum" else info.default
            assert value == (pytest.approx(expected, rel=1e-7) if info.kind == "float" else expected), (message, name)


def test_layer_fields():
    fields = schema.layer_fields()
    assert fields["convolution_param"] == "ConvolutionParameter"
    assert not {"transform_param", "loss_param", "param"} & set(fields)
    assert schema.field_comment("LayerParameter", "elu_param").startswith("ELU: ")


def test_names():
    assert schema.full_names() == sorted("netdef." + n for n in (*schema.message_names(), *schema.enum_names()))
    assert schema.descriptor("ReLUParameter").full_name == "netdef.ReLUParameter"
    assert schema.descriptor("LRNParameter.NormRegion").full_name == "netdef.LRNParameter.NormRegion"
    assert schema.message_class("NetParameter") is schema.message_class("netdef.NetParameter")


@pytest.mark.parametrize("call", [
    lambda: schema.new("NetParametr"),
    lambda: schema.field_info("ConvolutionParameter", "num_ouput"),
    lambda: schema.enum_values("Phas"),
    lambda: schema.enum_value_comment("Phase", "TESTS"),
])
def test_unknown_names(call):
    with pytest.raises(KeyError, match="did you mean"):
        call()


def _net():
    net = schema.new("NetParameter")
    net.name = "tiny"
    layer = net.layer.add(name="conv1", type="Convolution", bottom=["data"], top=["conv1"])
    layer.param.add(lr_mult=0.5)
    layer.convolution_param.kernel_size.extend([3, 5])
    layer.convolution_param.weight_filler.type = "xavier"
    layer.include.add(phase=schema.enum_values("Phase")["TRAIN"])
    blob = layer.blobs.add()
    blob.shape.dim.extend([1, 2])
    blob.data.extend([0.5, -1.5])
    return net


def test_round_trip():
    net = _net()
    again = schema.message_class("NetParameter").FromString(net.SerializeToString())
    assert again == net
    assert list(again.layer[0].convolution_param.kernel_size) == [3, 5]


def test_register_options(fresh):
    before = _net()
    name = schema.register_options("twice_param", None, {
        "times": ("float", 2.0, "The factor on each value."),
        "axis": "repeated int32",
        "weight_filler": ("FillerParameter",),
        "method": ("PoolingParameter.PoolMethod", "AVE"),
        "bias_term": ("bool", True),
    }, comment="Twice: multiplies by a number.")
    assert name == "TwiceParameter"
    assert schema.layer_fields()["twice_param"] == name
    assert schema.field_info("LayerParameter", "twice_param").number == 60000
    assert schema.field_comment(name, "times") == "The factor on each value."
    assert schema.field_comment("LayerParameter", "twice_param") == schema.message_comment(name)
    assert schema.default_of(name, "method") == "AVE"
    layer = schema.new("LayerParameter")
    assert (layer.twice_param.times, layer.twice_param.bias_term, layer.twice_param.method) == (2.0, True, 1)
    layer.twice_param.axis.append(1)
    assert schema.message_class("LayerParameter").FromString(layer.SerializeToString()) == layer

    adopted = schema.adopt(before)
    adopted.layer[0].twice_param.times = 3
    assert schema.adopt(adopted) is adopted
    assert adopted.layer[0].name == "conv1"


def test_registering_the_same_again_is_allowed(fresh):
    for _ in range(2):
        schema.register_options("twice_param", None, {"times": ("float", 2.0)})
    schema.register_options("twice_param", 60000, {"times": ("float", 2.0)})
    schema.register_options("thrice_param", None, {"times": ("float", 3.0)})
    assert schema.field_info("LayerParameter", "thrice_param").number == 60001


def test_register_a_file(fresh):
    file = FileDescriptorProto(name="mine.proto", package="netdef", dependency=["common.proto"])
    message = file.message_type.add(name="MineParameter")
    message.field.add(name="filler", number=1, label=1, type=11, type_name=".netdef.FillerParameter")
    message.field.add(name="mode", number=2, label=1, type=14, type_name=".netdef.MineParameter.Mode",
                      default_value="B")
    mode = message.enum_type.add(name="Mode")
    mode.value.add(name="A", number=0)
    mode.value.add(name="B", number=1)
    file.source_code_info.location.add(path=[4, 0, 2, 1], leading_comments=" How it works.\n")
    for _ in range(2):
        assert schema.register_options("mine_param", 60123, file) == "MineParameter"
    assert schema.field_comment("MineParameter", "mode") == "How it works."
    assert schema.enum_values("MineParameter.Mode") == {"A": 0, "B": 1}
    assert schema.new("LayerParameter").mine_param.mode == 1
    assert file.name == "mine.proto"


def _file(**changes) -> FileDescriptorProto:
    file = FileDescriptorProto(**{"name": "mine.proto", "package": "netdef", **changes})
    file.message_type.add(name="MineParameter")
    return file


@pytest.mark.parametrize(("field", "number", "message", "words"), [
    ("relu_param", None, {"a": "float"}, "the name is taken by 'relu_param: 123 ReLUParameter'"),
    ("name", None, {"a": "float"}, "the name is taken by 'name: 1'"),
    ("mine_param", 123, {"a": "float"}, "protobuf|the number is taken by 'relu_param: 123"),
    ("mine_param", 149, {"a": "float"}, "take one from 50000 up"),
    ("mine_param", 0, {"a": "float"}, "protobuf allows the numbers"),
    ("mine_param", 19500, {"a": "float"}, "protobuf allows the numbers"),
    ("mine_param", 1 << 29, {"a": "float"}, "protobuf allows the numbers"),
    ("Mine", None, {"a": "float"}, "snake_case"),
    ("blob_shape_param", None, _file(), ""),
    ("filler_param", None, {"a": "float"}, "FillerParameter is defined in common.proto already"),
    ("mine_param", None, _file(package="other"), "package netdef"),
    ("mine_param", None, FileDescriptorProto(name="x.proto", package="netdef"), "with a message in it"),
    ("mine_param", None, _file(dependency=["nowhere.proto"]), "nowhere.proto"),
])
def test_what_cannot_be_registered(fresh, field, number, message, words):
    before = schema._schema()
    if not words:  # a good one
        assert schema.register_options(field, number, message) == "MineParameter"
        return
    with pytest.raises(ValueError, match=words):
        schema.register_options(field, number, message)
    assert schema._schema() is before


def test_a_changed_message_under_a_taken_name_is_refused(fresh):
    schema.register_options("twice_param", None, {"times": ("float", 2.0)})
    with pytest.raises(ValueError, match="taken by 'twice_param: 60000 TwiceParameter'"):
        schema.register_options("twice_param", None, {"times": ("float", 3.0)})


def test_messages_of_other_packages_are_not_adopted():
    with pytest.raises(TypeError, match=r"google\.protobuf\.FileDescriptorProto"):
        schema.adopt(FileDescriptorProto())


COMPANY = """
import importlib.util, sys
sys.path.insert(0, {root!r})
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

def a_real_caffe():
    file = descriptor_pb2.FileDescriptorProto(name="common.proto", package="caffe")
    file.message_type.add(name="NetParameter").field.add(name="name", number=1, label=1, type=9)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    found = descriptor_pool.Default().FindMessageTypeByName("caffe.NetParameter")
    return message_factory.GetMessageClass(found)

{first}
from netdef.config import schema
net = schema.new("NetParameter")
net.layer.add(name="ip", type="InnerProduct").inner_product_param.num_output = 3
{second}
assert caffe(name="x").name == "x"
assert "netdef" not in caffe.DESCRIPTOR.full_name and net.DESCRIPTOR.full_name == "netdef.NetParameter"
assert schema.message_class("NetParameter").FromString(net.SerializeToString()) == net
schema.register_options("mine_param", None, {{"a": ("float", 1.0)}})
assert schema.adopt(net).layer[0].mine_param.a == 1.0
if importlib.util.find_spec("onnx"):
    import onnx
    onnx.ModelProto()
else:
    assert "numpy" not in sys.modules
"""


@pytest.mark.parametrize("implementation", ["upb", "python"])
@pytest.mark.parametrize("caffe_first", [True, False])
def test_lives_beside_a_real_caffe(caffe_first, implementation):
    made = "caffe = a_real_caffe()"
    code = COMPANY.format(root=str(ROOT), first=made * caffe_first, second=made * (not caffe_first))
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": implementation}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION" in done.stderr and implementation == "upb":
        pytest.skip("this protobuf has no upb")
    assert done.returncode == 0, done.stderr
