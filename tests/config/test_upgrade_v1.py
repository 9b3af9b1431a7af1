from __future__ import annotations

import pytest

from netdef.config import schema
from netdef.config.load import parse_text_message
from netdef.config.located import Located
from netdef.config.upgrade import Report, upgrade_net
from netdef.config.upgrade_v1 import TYPES
from netdef.layers import registry

TEXT = """name: "n" force_backward: true
layers {
  name: "c" type: CONVOLUTION bottom: "x" top: "c" loss_weight: 2 include { phase: TEST }
  param: "w" param: "" blob_share_mode: STRICT blob_share_mode: PERMISSIVE
  blobs_lr: 1 blobs_lr: 2 blobs_lr: 3
  weight_decay: 0
  convolution_param { num_output: 3 kernel_size: 5 }
}
"""


def net(text: str) -> Located:
    return parse_text_message(text, "n.prototxt", "NetParameter")


def test_a_layer():
    report = Report()
    old = net(TEXT)
    made = upgrade_net(old, report)
    message = made.message.layer[0]
    assert made.message.force_backward and made.message.name == "n" and not made.message.layers
    assert (message.name, message.type, list(message.bottom), list(message.loss_weight)) == (
        "c", "Convolution", ["x"], [2])
    assert message.include[0].phase == 1 and message.convolution_param.num_output == 3
    assert [(p.name, p.share_mode, p.lr_mult, p.decay_mult) for p in message.param] == [
        ("w", 0, 1, 0), ("", 1, 2, 1), ("", 0, 3, 1)]
    assert str(made.span_of("layer", 0)) == "n.prototxt:2:1"
    assert str(made.span_of("layer", 0, "param", 2, "lr_mult")) == "n.prototxt:5:37"
    assert str(made.span_of("layer", 0, "include", 0, "phase")) == "n.prototxt:3:84"
    assert str(made.span_of("layer", 0, "convolution_param", "kernel_size", 0)) == "n.prototxt:7:50"
    assert [str(c).splitlines()[0] for c in report.changes][1:] == [
        "n.prototxt:2:1: upgrade: layer 'c' (CONVOLUTION): is read as layer { type: \"Convolution\" }",
        "n.prototxt:5:13: upgrade: layer 'c' (CONVOLUTION): 'blobs_lr' is read as param { lr_mult }",
        "n.prototxt:6:17: upgrade: layer 'c' (CONVOLUTION): 'weight_decay' is read as param { decay_mult }",
        "n.prototxt:4:10: upgrade: layer 'c' (CONVOLUTION): 'param' is read as param { name }",
        "n.prototxt:4:41: upgrade: layer 'c' (CONVOLUTION): 'blob_share_mode' is read as param { share_mode }"]
    assert len(old.message.layers) == 1, "the old net is left alone"


@pytest.mark.parametrize(("type_name", "home"), [
    ("DATA", "data_param"), ("IMAGE_DATA", "image_data_param"), ("WINDOW_DATA", "window_data_param")])
def test_transformations_move_out_of_data_layers(type_name, home, caplog):
    report = Report()
    made = upgrade_net(net(f'layers {{ name: "d" type: {type_name} {home} {{ source: "s" scale: 0.5 mean_file: "m"\n'
                           "crop_size: 3 mirror: true } }"), report)
    message = made.message.layer[0]
    transform = message.transform_param
    assert (transform.scale, transform.mean_file, transform.crop_size, transform.mirror) == (0.5, "m", 3, True)
    options = getattr(message, home)
    assert options.source == "s" and not any(options.HasField(f) for f in ("scale", "mean_file", "crop_size", "mirror"))
    assert str(made.span_of("layer", 0, "transform_param", "crop_size")) == "n.prototxt:2:12"
    assert not caplog.records, "no warning about transformations that have no effect: here they had one"
    assert sum("is read as transform_param" in c.text for c in report.changes) == 4


def test_every_value_of_the_enum_has_a_type():
    assert set(TYPES) == set(schema.enum_values("V1LayerParameter.LayerType"))
    assert {name for name in TYPES.values() if name} - set(registry.layer_types()) <= {"HDF5Output", "ImageData", "WindowData"}


def test_no_type_at_all():
    message = upgrade_net(net('layers { name: "a" } layers { name: "b" type: NONE }')).message
    assert [m.type for m in message.layer] == ["", ""] and not message.layer[0].HasField("type")
