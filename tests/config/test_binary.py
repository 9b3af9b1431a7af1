from __future__ import annotations

import contextlib
import logging
import os
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdef.config import schema
from netdef.config.blobproto import encode_varint
from netdef.config.load import kind_of, load_any, load_net
from netdef.errors import ConfigError


def saved():
    """A net as Caffe saves it in training: phases and rules noted, blobs inside."""
    net = schema.new("NetParameter")
    net.name = "n"
    net.layer.add(name="x", type="Input", top=["x"], phase=0).input_param.shape.add(dim=[1, 4])
    ip = net.layer.add(name="ip", type="InnerProduct", bottom=["x"], top=["ip"], phase=0)
    ip.include.add(phase=0)
    ip.inner_product_param.num_output = 3
    ip.blobs.add(data=[1.0] * 12).shape.dim.extend([3, 4])
    return net


@pytest.fixture
def write(tmp_path):
    def make(data, name="n.caffemodel"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.SerializePartialToString())
        return str(path)

    return make


def test_the_net_without_params_rules_and_phases(write):
    path = write(saved())
    loaded = load_net(path)
    wanted = saved()
    for layer in wanted.layer:
        for field in ("blobs", "include", "phase"):
            layer.ClearField(field)
    assert loaded.message == wanted and loaded.file == path and kind_of(path) == "net"
    assert load_any(path).message == wanted
    assert load_net(write(saved(), "any.name")).message == wanted, "the bytes decide, not the name"
    assert load_net(path, overrides=["layer.ip.inner_product_param.num_output=7"]).message.layer[
        1].inner_product_param.num_output == 7


def test_v1_and_v0_inside(write, caplog):
    old = schema.new("NetParameter")
    v1 = old.layers.add(name="c", bottom=["x"], top=["c"], blobs_lr=[1, 2])
    v1.type = schema.enum_values("V1LayerParameter.LayerType")["CONVOLUTION"]
    v1.blobs.add(num=1, data=[1])
    v0 = old.layers.add(bottom=["c"], top=["d"])
    v0.layer.name, v0.layer.type, v0.layer.num_output = "d", "innerproduct", 5
    v0.layer.blobs.add(num=1, data=[1])
    message = load_net(write(old)).message
    assert [(m.name, m.type, len(m.blobs)) for m in message.layer] == [("c", "Convolution", 0), ("d", "InnerProduct", 0)]
    assert message.layer[0].param[1].lr_mult == 2 and message.layer[1].inner_product_param.num_output == 5
    assert len(caplog.records) == 1 and "V0 syntax of 2013" in caplog.text


def test_fields_of_forks(write, caplog):
    """SSD keeps permute_param under 202; nobody has 31999."""
    layer = b"\x0a\x01p\x12\x07Permute" + encode_varint(202 << 3 | 2) + b"\x04\x08\x00\x08\x02"
    strange = b"\x0a\x01q\x12\x04ReLU" + encode_varint(31999 << 3) + b"\x01"
    raw = b"".join(b"\xa2\x06" + bytes([len(body)]) + body for body in (layer, strange, strange))
    with caplog.at_level(logging.WARNING, "netdef"):
        message = load_net(write(raw)).message
    assert list(message.layer[0].permute_param.order) == [0, 2]
    assert [r.getMessage().partition("warning: ")[2] for r in caplog.records] == [
        "field 31999 of 2 layers of type ReLU is not known here and is left out; a prototxt of the net may say it by "
        "name"]


def test_names_that_are_no_utf8(write):
    net = saved()
    net.layer[1].name = "ipXY"
    message = load_net(write(net.SerializePartialToString().replace(b"ipXY", b"\xb2\xe2\xca\xd4"))).message
    assert message.layer[1].name == "\\xb2\\xe2\\xca\\xd4"


def test_a_text_is_never_taken_for_a_binary_net(write):
    assert load_net(write(b'name: "n" layer { name: "r" type: "ReLU" }')).message.layer[0].name == "r"


def test_a_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=('layer { name: "r" type: "ReLU" }',))
    writer.start()
    assert load_net(str(tmp_path / "pipe")).message.layer[0].name == "r"
    writer.join()


def test_what_is_cut_off_names_the_byte(write):
    raw = saved().SerializePartialToString()
    with pytest.raises(ConfigError, match=r"is not text; nor is it a whole .caffemodel: byte \d+: field 100 needs"):
        load_net(write(raw[:-3]))


def test_params_are_stepped_over(tmp_path):
    """Half a gigabyte of params costs nothing: they are not looked at."""
    blob_size = 1 << 29
    blob = b"\x2a" + encode_varint(blob_size)
    head = b"\x0a\x02ip\x12\x0cInnerProduct\x3a" + encode_varint(len(blob) + blob_size) + blob
    path = tmp_path / "big.caffemodel"
    with path.open("wb") as file:
        file.write(b"\xa2\x06" + encode_varint(len(head) + blob_size) + head)
        file.truncate(file.tell() + blob_size)
    start = time.process_time()
    assert load_net(str(path)).message.layer[0].name == "ip"
    assert time.process_time() - start < 1


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_raises_only_config_errors(tmp_path_factory, data):
    raw = saved().SerializePartialToString()
    broken = bytearray(raw[: data.draw(st.integers(0, len(raw)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "broken.caffemodel"
    path.write_bytes(broken)
    with contextlib.suppress(ConfigError):
        load_net(str(path))


def test_real_models(shared):
    files = sorted((shared / "models").glob("*/*.caffemodel"))
    assert len(files) >= 15
    for path in files:
        message = load_net(path).message
        assert len(message.layer) > 5 and all(m.name and m.type and not m.blobs for m in message.layer), path
