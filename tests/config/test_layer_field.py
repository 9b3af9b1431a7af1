"""Options from a dict: types, defaults and what is refused."""
from __future__ import annotations

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from netdef.config.layer_field import attach, file_from_dict, message_name


def made(options):
    return file_from_dict("mine_param", options, {"FillerParameter": "common.proto"}, {"Phase": "common.proto"})


@pytest.mark.parametrize(("field", "name"), [("twice_param", "TwiceParameter"), ("my_own_param", "MyOwnParameter"),
                                             ("crf", "CrfParameter")])
def test_message_name(field, name):
    assert message_name(field) == name


@pytest.mark.parametrize(("given", "default"), [
    (("float", 1), "1"), (("float", 0.1), "0.1"), (("double", 1e-9), "1e-09"), (("int32", -3), "-3"),
    (("bool", False), "false"), (("string", "warp"), "warp"), (("Phase", "TEST"), "TEST"), ("float", ""),
    (["uint32", 7, "Size in pixels."], "7"), (("repeated float",), ""), (("bytes", None, ""), ""),
])
def test_defaults(given, default):
    field = made({"a": given}).message_type[0].field[0]
    assert field.default_value == default and field.number == 1


def test_types_and_comments():
    file = made({"a": ("repeated FillerParameter", None, "How to fill."), "b": ("optional Phase",)})
    a, b = file.message_type[0].field
    assert (a.label, a.type_name) == (FieldDescriptorProto.LABEL_REPEATED, ".netdef.FillerParameter")
    assert (b.label, b.type) == (FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.TYPE_ENUM)
    assert list(file.dependency) == ["common.proto"]
    assert [(list(p.path), p.leading_comments) for p in file.source_code_info.location] == [
        ([4, 0, 2, 0], "How to fill.")]


@pytest.mark.parametrize(("options", "words"), [
    ({"a": "floot"}, r"MineParameter\.a: unknown type 'floot'"),
    ({"a": "required float"}, "expected a type such as"),
    ({"a": ("float", "x")}, "expected a default of type float, got 'x'"),
    ({"a": ("int32", True)}, "expected a default of type int32, got True"),
    ({"a": ("int32", 1.5)}, "expected a default of type int32, got 1.5"),
    ({"a": ("bool", 1)}, "expected a default of type bool"),
    ({"a": ("repeated float", 1.0)}, "has no default"),
    ({"a": ("FillerParameter", "constant")}, "has no default"),
    ({"a": ("float", 1.0, "comment", 4)}, "expected a type or"),
    ({"a": ()}, "expected a type or"),
    ({"a": (1.0, "float")}, "expected a type or"),
    ({"a b": "float"}, "snake_case name for an option"),
])
def test_refused(options, words):
    with pytest.raises(ValueError, match=words):
        made(options)


def test_attach_adds_field_import_and_comment():
    net = FileDescriptorProto(name="netdef.proto")
    net.message_type.add(name="LayerParameter")
    file = made({"a": "float"})
    attach(net, "mine_param", 50001, "MineParameter", file, "Mine.")
    (field,) = net.message_type[0].field
    assert (field.name, field.number, field.type_name) == ("mine_param", 50001, ".netdef.MineParameter")
    assert list(net.dependency) == ["user/mine_param.proto"]
    assert net.source_code_info.location[0].leading_comments == "Mine."
    with pytest.raises(ValueError, match="the number is taken by 'mine_param: 50001 MineParameter'"):
        attach(net, "other_param", 50001, "MineParameter", file)
    with pytest.raises(ValueError, match="holds no message Other"):
        attach(net, "other_param", 50002, "Other", file)
