from __future__ import annotations

import pytest

from netdef.config import schema, write
from netdef.config.load import parse_text_message
from netdef.config.located import Located
from netdef.config.upgrade import Report, upgrade_net
from netdef.config.upgrade_v0 import TYPES
from netdef.errors import ConfigErrors, FieldError

PADDED = """input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "p" }
layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 3 stride: 2 group: 1 biasterm: false
    weight_filler { type: "xavier" } blobs_lr: 1. blobs_lr: 2. weight_decay: 1 } bottom: "p" top: "c" }
layers { layer { name: "p2" type: "padding" pad: 1 } bottom: "c" top: "p2" }
layers { layer { name: "m" type: "pool" pool: AVE kernelsize: 3 } bottom: "p2" top: "m" }
"""


def net(text: str) -> Located:
    return parse_text_message(text, "n.prototxt", "NetParameter")


def one(inner: str, report: Report | None = None) -> str:
    made = upgrade_net(net(f"layers {{ layer {{ {inner} }} }}"), report or Report())
    return " ".join(write.to_prototxt(made.message.layer[0]).split())


def test_padding_is_folded_into_conv_and_pool():
    report = Report()
    made = upgrade_net(net(PADDED), report)
    assert [m.name for m in made.message.layer] == ["input", "c", "m"]
    conv, pool = made.message.layer[1], made.message.layer[2]
    assert (list(conv.bottom), list(conv.convolution_param.pad)) == (["data"], [2])
    assert list(conv.convolution_param.kernel_size) == [3] and list(conv.convolution_param.stride) == [2]
    assert conv.convolution_param.weight_filler.type == "xavier" and not conv.convolution_param.bias_term
    assert [(p.lr_mult, p.decay_mult) for p in conv.param] == [(1, 1), (2, 1)]
    assert (list(pool.bottom), pool.pooling_param.pad, pool.pooling_param.pool) == (["c"], 1, 1)
    assert str(made.span_of("layer", 1)) == "n.prototxt:3:1"
    span = made.span_of("layer", 1, "convolution_param", "pad", 0)
    assert str(span) == "n.prototxt:2:49" and span.note == "upgraded from the padding layer 'p'"
    assert str(made.span_of("layer", 1, "convolution_param", "weight_filler", "type")) == "n.prototxt:4:27"
    texts = [str(c).splitlines()[0] for c in report.changes]
    assert texts[1] == "n.prototxt:2:49: upgrade: padding layer 'p' is folded into layer 'c' (conv) as pad: 2"
    said = "upgrade: layer 'c' (conv): 'kernelsize' is read as convolution_param { kernel_size }"
    assert any(t.startswith("n.prototxt:3:") and t.endswith(said) for t in texts)


@pytest.mark.parametrize(("inner", "made"), [
    ('name: "x" type: "innerproduct" num_output: 3 bias_filler { value: 1 }',
     'name: "x" type: "InnerProduct" inner_product_param { num_output: 3 bias_filler { value: 1 } }'),
    ('name: "x" type: "dropout" dropout_ratio: 0.3',
     'name: "x" type: "Dropout" dropout_param { dropout_ratio: 0.3 }'),
    ('name: "x" type: "lrn" local_size: 3 alpha: 2 beta: 0.5 k: 4',
     'name: "x" type: "LRN" lrn_param { local_size: 3 alpha: 2 beta: 0.5 k: 4 }'),
    ('name: "x" type: "data" source: "s" batchsize: 7 scale: 2 meanfile: "m" cropsize: 5 mirror: true rand_skip: 1',
     'name: "x" type: "Data" transform_param { scale: 2 mirror: true crop_size: 5 mean_file: "m" } '
     'data_param { source: "s" batch_size: 7 rand_skip: 1 }'),
    ('name: "x" type: "data" source: "s" scale: 2 subtraction: 114',  # before the first release
     'name: "x" type: "Data" transform_param { scale: 2 mean_value: 114 } data_param { source: "s" }'),
    ('name: "x" type: "images" source: "s" batchsize: 7 new_height: 2 new_width: 3 shuffle_images: true rand_skip: 4',
     'name: "x" type: "ImageData" image_data_param { source: "s" batch_size: 7 rand_skip: 4 shuffle: true '
     'new_height: 2 new_width: 3 }'),
    ('name: "x" type: "window_data" source: "s" det_fg_threshold: 0.1 det_bg_threshold: 0.2 det_fg_fraction: 0.3 '
     'det_context_pad: 4 det_crop_mode: "square"',
     'name: "x" type: "WindowData" window_data_param { source: "s" fg_threshold: 0.1 bg_threshold: 0.2 '
     'fg_fraction: 0.3 context_pad: 4 crop_mode: "square" }'),
    ('name: "x" type: "infogain_loss" source: "s"', 'name: "x" type: "InfogainLoss" infogain_loss_param { source: "s" }'),
    ('name: "x" type: "hdf5_data" source: "s" batchsize: 1',
     'name: "x" type: "HDF5Data" hdf5_data_param { source: "s" batch_size: 1 }'),
    ('name: "x" type: "hdf5_output" hdf5_output_param { file_name: "f" }',
     'name: "x" type: "HDF5Output" hdf5_output_param { file_name: "f" }'),
    ('name: "x" type: "concat" concat_dim: 2', 'name: "x" type: "Concat" concat_param { concat_dim: 2 }'),
])
def test_options_move_to_the_message_of_the_type(inner, made):
    expected = parse_text_message(made, "x.prototxt", "LayerParameter").message
    got = parse_text_message(one(inner), "x.prototxt", "LayerParameter").message
    assert got == expected


def test_every_type_has_a_current_one():
    assert set(TYPES.values()) <= set(schema.enum_values("V1LayerParameter.LayerType"))
    for name in TYPES:
        assert "type:" in one(f'name: "x" type: "{name}"')


def test_what_means_nothing_is_dropped_and_said():
    report = Report()
    assert one('name: "x" type: "relu" kernelsize: 3', report) == 'name: "x" type: "ReLU"'
    assert [c.text for c in report.changes if c.weight == 2] == [
        "layer 'x' (relu): 'kernelsize' means nothing for this type and is dropped"]


def test_mistakes_are_collected():
    with pytest.raises(ConfigErrors) as caught:
        upgrade_net(net('layers { layer { name: "a" type: "convolution" } }\n'
                        'layers { layer { name: "p" type: "padding" } bottom: "z" top: "p" }\n'
                        'layers { layer { name: "b" type: "relu" } bottom: "p" top: "b" }\n'
                        'layers { layer { name: "q" type: "padding" } bottom: "z" bottom: "b" top: "q" }\n'
                        'layers { layer { name: "d" type: "conv" } bottom: "q" top: "d" }\n'))
    lines = [str(e).splitlines()[0] for e in caught.value.errors]
    assert lines[0].startswith("n.prototxt:3:51: error: layer 'b' (relu): reads the padding layer 'p'")
    assert lines[1].startswith("n.prototxt:4:1: error: layer 'q' (padding): expected 1 bottom and 1 top, got 2 and 1")
    assert lines[2].startswith("n.prototxt:1:34: error: layer 'a' (convolution): no such type of layer in the V0 syntax")


def test_layers_of_2014_between_those_of_2013():
    made = upgrade_net(net('layers { layer { name: "a" type: "relu" } } layers { name: "b" type: TANH }')).message
    assert [m.type for m in made.layer] == ["ReLU", "TanH"]


def test_a_mistake_in_the_text_names_the_layer():
    with pytest.raises(FieldError, match=r"layer 'c' \(conv\): no field 'kernel_size' in layers.layer"):
        net('layers { layer { name: "c" type: "conv" kernel_size: 3 } }')
