from __future__ import annotations

import pytest

from netdef.config.load import load_net, load_solver, parse_text_message
from netdef.config.located import Located
from netdef.errors import ConfigError, ConfigErrors


@pytest.fixture
def net() -> Located:
    return parse_text_message("""
        name: "n" state { stage: "a" stage: "b" }
        layer { name: "c" type: "Convolution" param { lr_mult: 1 } param { lr_mult: 2 }
                convolution_param { num_output: 2 kernel_size: [3, 5] } }
        layer { name: "d.e" type: "ReLU" } layer { name: "twin" } layer { name: "twin" }
    """, "f", "NetParameter")


def changed(net: Located, *options: str) -> Located:
    return load_net(net, overrides=options)


def test_plain_fields(net):
    made = changed(net, "name=x y", "force_backward=yes", "state.phase=TRAIN", "state.level = 3")
    assert made.message.name == "x y" and made.message.force_backward
    assert made.message.state.phase == 0 and made.message.state.level == 3
    assert net.message.name == "n"  # what was given is left alone
    assert str(made.span_of("name")) == "--set:1:6" and made.span_of("name").text == "name=x y"
    assert str(made.span_of("state", "level")) == "--set:4:15"


def test_layers_by_name_and_index(net):
    made = changed(net, "layer.c.convolution_param.num_output=30", "layer[1].name=r", "layers[-1].name=last",
                   "layer.r.relu_param.negative_slope=.5").message
    assert made.layer[0].convolution_param.num_output == 30
    assert [m.name for m in made.layer] == ["c", "r", "twin", "last"]
    assert made.layer[1].relu_param.negative_slope == 0.5
    for path in ('layer["d.e"].name', 'layer."d.e".name'):
        assert changed(net, f"{path}=q").message.layer[1].name == "q"


def test_lists(net):
    made = changed(net, "layer.c.convolution_param.kernel_size=[7, 9]", "state.stage=z", "layer.c.param[1].lr_mult=5",
                   "layer.c.param[0]={decay_mult: 0}", "layer.c.bottom=[]").message
    layer = made.layer[0]
    assert list(layer.convolution_param.kernel_size) == [7, 9] and list(made.state.stage) == ["z"]
    assert layer.param[1].lr_mult == 5
    assert not layer.param[0].HasField("lr_mult") and layer.param[0].decay_mult == 0
    made = changed(net, "layer.c.convolution_param.kernel_size[1]=11")
    assert list(made.message.layer[0].convolution_param.kernel_size) == [3, 11]
    assert str(made.span_of("layer", 0, "convolution_param", "kernel_size", 1)) == "--set:1:42"
    assert str(made.span_of("layer", 0, "convolution_param", "kernel_size", 0)).startswith("f:")


def test_blocks(net):
    made = changed(net, "layer.c.convolution_param={num_output: 1, weight_filler: {type: xavier}}").message
    assert list(made.layer[0].convolution_param.kernel_size) == []
    assert made.layer[0].convolution_param.weight_filler.type == "xavier"


def test_solvers():
    made = load_solver(parse_text_message("max_iter: 1 net_param { layer { name: 'a' } }", "s", "SolverParameter"),
                       overrides=["max_iter=100", "net_param.layer[0].name=x", "stepvalue=[1,2]", "base_lr=1e-4"])
    assert made.message.max_iter == 100 and made.message.net_param.layer[0].name == "x"
    assert list(made.message.stepvalue) == [1, 2]


@pytest.mark.parametrize(("option", "message"), [
    ("nme=x", """--set:1:1: error: no field 'nme' in NetParameter; did you mean 'name'?
  nme=x
  ^~~"""),
    ("layer.q.name=x", """--set:1:7: error: no element of 'layer' is called 'q'
  layer.q.name=x
        ^"""),
    ("layer.twn.name=x", """--set:1:7: error: no element of 'layer' is called 'twn'; did you mean 'twin'?
  layer.twn.name=x
        ^~~"""),
    ("layer.twin.name=x", """--set:1:7: error: 2 elements of 'layer' are called 'twin'; say layer[2] or layer[3]
  layer.twin.name=x
        ^~~~"""),
    ("layer[4].name=x", """--set:1:6: error: 'layer' has 4 elements, there is no layer[4]
  layer[4].name=x
       ^~~"""),
    ("name[0]=x", """--set:1:5: error: 'name' is one value, not a list
  name[0]=x
      ^~~"""),
    ("name.x=3", """--set:1:6: error: 'name' is a value and has no fields
  name.x=3
       ^"""),
    ("layer.c.param.lr_mult=3", """--set:1:15: error: 'param' is a list; write param[0]
  layer.c.param.lr_mult=3
                ^~~~~~~"""),
    ("layer.c.blobs.data=3", """--set:1:15: error: 'blobs' is a list; write blobs[0]
  layer.c.blobs.data=3
                ^~~~"""),
    ("layer.c.convolution_param.num_output=few", """--set:1:38: error: layer 'c' (Convolution): \
convolution_param.num_output: expected an integer, got few
  layer.c.convolution_param.num_output=few
                                       ^~~"""),
    ("layer.c.convolution_param.nm=3", """--set:1:27: error: layer 'c' (Convolution): no field 'nm' in \
convolution_param
  layer.c.convolution_param.nm=3
                            ^~"""),
    ("layer.c.param[1].lr_mult=q", """--set:1:26: error: layer 'c' (Convolution): param.lr_mult: \
expected a number, got q
  layer.c.param[1].lr_mult=q
                           ^"""),
    ("layer.c.convolution_param.kernel_size[1]=q", """--set:1:42: error: layer 'c' (Convolution): \
convolution_param.kernel_size: expected an integer, got q
  layer.c.convolution_param.kernel_size[1]=q
                                           ^"""),
    ("name", """--set:1:1: error: expected path=value, as in max_iter=100 or layer.conv1.name=x
  name
  ^~~~"""),
    ("[0]=1", """--set:1:4: error: expected path=value, as in max_iter=100 or layer.conv1.name=x
  [0]=1
     ^"""),
    ("", "--set:1:1: error: expected path=value, as in max_iter=100 or layer.conv1.name=x"),
    ("a..b=1", """--set:1:2: error: expected path=value, as in max_iter=100 or layer.conv1.name=x
  a..b=1
   ^"""),
    ("name=[a", """--set:1:8: error: expected ',' or ']', but got '<stream end>'
  name=[a
         ^"""),
])
def test_mistakes(net, option, message):
    with pytest.raises(ConfigError) as caught:
        changed(net, option)
    assert str(caught.value) == message


def test_several_mistakes_come_together(net):
    with pytest.raises(ConfigErrors) as caught:
        changed(net, "nme=1", "name=y", "layer.q.name=1")
    assert [str(e.where) for e in caught.value.errors] == ["--set:1:1", "--set:3:7"]
