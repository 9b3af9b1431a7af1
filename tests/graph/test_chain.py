"""The chain rule, written out: whole answers for small nets."""
from __future__ import annotations

import time

from netdef.graph.answers import chain_text

DATA = '''layer { name: "data" type: "Input" top: "data" top: "label" input_param { shape { dim: 2 dim: 3 } shape { dim: 2 } } }
'''


def ip(name, bottom, extra="", n=4):
    return (f'layer {{ name: "{name}" type: "InnerProduct" bottom: "{bottom}" top: "{name}" '
            f'inner_product_param {{ num_output: {n} }} {extra} }}\n')


def loss(bottom, name="loss", extra=""):
    return f'layer {{ name: "{name}" type: "SoftmaxWithLoss" bottom: "{bottom}" bottom: "label" top: "{name}" {extra} }}\n'


RELU = 'layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }\n'
FORK = (DATA + ip("a", "data") + RELU + ip("b", "a") + ip("c", "a")
        + 'layer { name: "sum" type: "Eltwise" bottom: "b" bottom: "c" top: "sum" }\n' + loss("sum"))


def test_lenet():
    assert chain_text("builtin:lenet", "conv1", "TRAIN") == """\
d loss / d loss (scalar) = 1
    its loss_weight
d loss / d ip2 (64x10) = d loss / d loss (scalar) . d loss / d ip2
    loss (SoftmaxWithLoss): dx_c = w / Z (p_c - [c = label]) with the loss weight w
d loss / d ip1@relu1 (64x500) = d loss / d ip2 (64x10) . d ip2 / d ip1@relu1
    ip2 (InnerProduct): dx = dy W
d loss / d ip1 (64x500) = d loss / d ip1@relu1 (64x500) . d ip1@relu1 / d ip1
    relu1 (ReLU): dx = dy where x > 0, else negative_slope * dy
d loss / d pool2 (64x50x4x4) = d loss / d ip1 (64x500) . d ip1 / d pool2
    ip1 (InnerProduct): dx = dy W
d loss / d conv2 (64x50x8x8) = d loss / d pool2 (64x50x4x4) . d pool2 / d conv2
    pool2 (Pooling): dx = dy for the first such x in scan order, else 0
d loss / d pool1 (64x20x12x12) = d loss / d conv2 (64x50x8x8) . d conv2 / d pool1
    conv2 (Convolution): dx[n, c, i] = sum over f and all o, k that read place i of W[f, c, k] * dy[n, f, o]
d loss / d conv1 (64x20x24x24) = d loss / d pool1 (64x20x12x12) . d pool1 / d conv1
    pool1 (Pooling): dx = dy for the first such x in scan order, else 0
d loss / d conv1.weights (20x1x5x5) = d loss / d conv1 (64x20x24x24) . d conv1 / d conv1.weights
    conv1 (Convolution): dW[f, c, k] += sum over n, o of dy[n, f, o] * x[n, c, o * stride - pad + k * dilation]
d loss / d conv1.bias (20) = d loss / d conv1 (64x20x24x24) . d conv1 / d conv1.bias
    conv1 (Convolution): db[f] += sum of dy[n, f, o] over n and o

ip1@relu1 is ip1 as relu1 leaves it, in place"""


def test_sums_where_paths_meet(answer):
    text = answer("backward", FORK, "a")
    assert """
d loss / d a@relu (2x4) = d loss / d b (2x4) . d b / d a@relu + d loss / d c (2x4) . d c / d a@relu
    b (InnerProduct): dx = dy W
    c (InnerProduct): dx = dy W
""" in text


def test_one_param_of_one_branch(answer):
    assert answer("backward", FORK, "b/weights") == """\
d loss / d loss (scalar) = 1
    its loss_weight
d loss / d sum (2x4) = d loss / d loss (scalar) . d loss / d sum
    loss (SoftmaxWithLoss): dx_c = w / Z (p_c - [c = label]) with the loss weight w
d loss / d b (2x4) = d loss / d sum (2x4) . d sum / d b
    sum (Eltwise): dx_i = c_i dy
d loss / d b.weights (4x4) = d loss / d b (2x4) . d b / d b.weights
    b (InnerProduct): dW += dy^T x"""


def test_several_losses_are_one_sum(answer):
    net = DATA + ip("a", "data", "param { lr_mult: 0 }") + loss("a") + loss("a", "aux", "loss_weight: 0.3")
    assert answer("backward", net, "a") == """\
L = loss + 0.3 aux
d L / d aux (scalar) = 0.3
    its loss_weight
d L / d loss (scalar) = 1
    its loss_weight
d L / d a (2x4) = d L / d loss (scalar) . d loss / d a + d L / d aux (scalar) . d aux / d a
    loss (SoftmaxWithLoss): dx_c = w / Z (p_c - [c = label]) with the loss weight w
    aux (SoftmaxWithLoss): dx_c = w / Z (p_c - [c = label]) with the loss weight w
d L / d a.weights (4x3) = d L / d a (2x4) . d a / d a.weights
    a (InnerProduct): dW += dy^T x
    not computed: lr_mult is 0 [net.prototxt:2:119]
d L / d a.bias (4) = d L / d a (2x4) . d a / d a.bias
    a (InnerProduct): db += sum of dy over the items"""


def test_a_blob_that_is_a_loss_and_read_on(answer):
    text = answer("backward", DATA + ip("a", "data", "loss_weight: 0.5") + loss("a"), "a")
    assert "L = 0.5 a + loss\n" in text
    assert "\nd L / d a (2x4) = 0.5 + d L / d loss (scalar) . d loss / d a\n    its loss_weight\n    loss (" in text


def test_shared_params_are_added_up(answer):
    net = (DATA + ip("a", "data", 'param { name: "w" }', 3) + ip("b", "a", 'param { name: "w" }', 3) + loss("b"))
    assert answer("backward", net, "w").endswith("""
d loss / d a.weights (3x3) = d loss / d a (2x3) . d a / d a.weights
    a (InnerProduct): dW += dy^T x
d loss / d b.weights (3x3) = d loss / d b (2x3) . d b / d b.weights
    b (InnerProduct): dW += dy^T x
    added to that of a.weights, whose memory it shares""")


def test_what_stops_is_said_at_the_sum(answer):
    net = DATA + ip("a", "data") + ip("b", "a", "propagate_down: false") + loss("b") + loss("a", "near")
    text = answer("backward", net, "a")
    assert "\n    nothing from b: propagate_down: false [net.prototxt:3:115]\n" in text
    assert "d b" not in text


def test_no_path_at_all(answer):
    assert answer("backward", FORK, "label") == (
        "no gradient reaches 'label'; `netdef explain NET --why label` shows where it is stopped")


def test_what_the_net_does_not_compute_is_said(answer):
    assert answer("backward", FORK, "data").endswith(
        "\n\nnot computed in this net: nothing at or below 'data' learns; force_backward: true asks for it")


def test_unknown_shapes_say_what_is_missing(answer):
    net = ('layer { name: "mine" type: "Python" top: "data" top: "label" python_param { module: "gone" layer: "M" } }\n'
           + ip("a/1", "data") + loss("a/1", "loss/1"))
    assert answer("backward", net, "a/1[1]") == """\
L = loss/1
d L / d loss/1 (?) = 1
    its loss_weight
d L / d a/1 (?) = d L / d loss/1 (?) . d loss/1 / d a/1
    loss/1 (SoftmaxWithLoss): dx_c = w / Z (p_c - [c = label]) with the loss weight w
d L / d a/1.bias (?) = d L / d a/1 (?) . d a/1 / d a/1.bias
    a/1 (InnerProduct): db += sum of dy over the items

? is a shape that is not known here:
  mine (Python): gone.M is Python code that is not read; whether its backward passes a gradient, only it knows"""


def test_python_code_and_unknown_types_in_the_chain(answer):
    net = (DATA + ip("a", "data") + 'layer { name: "m" type: "Python" bottom: "a" top: "m" propagate_down: true '
           'python_param { module: "gone" layer: "M" } }\nlayer { name: "u" type: "Odd" bottom: "m" top: "u" }\n' + loss("u"))
    text = answer("backward", net, "a")
    assert "\n    m (Python): whatever its backward computes\n" in text
    assert "\n    u (Odd): the type Odd is not known here: it is taken to pass gradients to all its bottoms\n" in text


def test_long_sums_have_a_line_for_each_term(answer):
    readers = [f"reader_with_a_long_name_{i}" for i in range(3)]
    net = DATA + ip("a", "data") + "".join(ip(r, "a") + loss(r, f"loss{i}") for i, r in enumerate(readers))
    assert """
d L / d a (2x4)
    = d L / d reader_with_a_long_name_0 (2x4) . d reader_with_a_long_name_0 / d a
    + d L / d reader_with_a_long_name_1 (2x4) . d reader_with_a_long_name_1 / d a
    + d L / d reader_with_a_long_name_2 (2x4) . d reader_with_a_long_name_2 / d a
""" in answer("backward", net, "a")


def test_a_net_of_many_paths_has_few_equations(answer):
    text, last = DATA + ip("x0", "data"), "x0"
    for i in range(60):
        text += ip(f"f{i}", last)
        text += f'layer {{ name: "x{i + 1}" type: "Eltwise" bottom: "{last}" bottom: "f{i}" top: "x{i + 1}" }}\n'
        last = f"x{i + 1}"
    start = time.perf_counter()
    chain = answer("backward", text + loss(last), "x0")
    assert time.perf_counter() - start < 3
    assert sum(line.startswith("d loss / d ") for line in chain.splitlines()) == 2 * 60 + 2 + 2
