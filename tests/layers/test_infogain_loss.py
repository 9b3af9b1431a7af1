"""InfogainLoss: the battery, the clamp (trap 12), H from a bottom or a file."""
import numpy as np
import pytest

import netdef
from netdef.config import blobproto
from netdef.config.load import load_net, parse_text_message
from netdef.errors import DataError, FieldError, GraphError, ShapeError
from netdef.testing import check_layer

PRICES = np.array([[1, 0, 0.5], [0.25, 2, 0], [0, -0.5, 1]])
VECTOR = np.array([2.0, 0, 1])
MAP = np.array([[[0, 1], [2, 1]], [[1, 1], [0, 2]], [[2, 2], [2, 0]]], float)  # (3, 2, 2)


def reference(mode="VALID", axis=1, ignore=None):
    def loss(x, label, prices):
        x = np.moveaxis(x, axis, -1)
        prices = prices.reshape(x.shape[-1], x.shape[-1])
        label = label.reshape(x.shape[:-1])
        total, valid = 0.0, 0
        for place in np.ndindex(*label.shape):
            if label[place] != ignore:
                p = np.exp(x[place]) / np.exp(x[place]).sum()
                total -= np.dot(prices[int(label[place])], np.log(p))
                valid += 1
        outer = int(np.prod(x.shape[:axis]))
        return np.array(total / max(1, {"VALID": valid, "FULL": label.size, "BATCH_SIZE": outer, "NONE": 1}[mode]))

    return loss


@pytest.mark.parametrize(("options", "shape", "labels", "kwargs"), [
    ("", (3, 3), VECTOR, {}),
    ("", (3, 3, 2, 2), MAP.reshape(3, 1, 2, 2), {}),
    *((f"loss_param {{ normalization: {mode} ignore_label: 1 }}", (3, 3, 2, 2), MAP, {"mode": mode, "ignore": 1})
      for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")),
    ("infogain_loss_param { axis: 2 }", (3, 2, 3, 2), MAP, {"axis": 2}),
    ("infogain_loss_param { axis: -1 }", (3, 2, 2, 3), MAP, {"axis": 3}),
])
@pytest.mark.parametrize("prices", [PRICES, PRICES.reshape(1, 1, 3, 3)], ids=["2-D", "4-D"])
def test_battery(options, shape, labels, kwargs, prices):
    report = check_layer(f'type: "InfogainLoss" {options}', [shape, labels, prices], reference(**kwargs), batch=(0, 1))
    assert len(report.gradients) == 2  # by the scores alone


def net_of(score, label, prices=None, options="", kind="InfogainLoss", file="net.prototxt", tops='top: "loss"',
           dtype="float64"):
    shapes = [np.shape(score), np.shape(label), *([] if prices is None else [np.shape(prices)])]
    names = ["score", "label", "H"][: len(shapes)]
    dims = " ".join("shape {" + "".join(f" dim: {n}" for n in s) + " }" for s in shapes)
    text = f'''force_backward: true
        layer {{ name: "in" type: "Input" {" ".join(f'top: "{n}"' for n in names)} input_param {{ {dims} }} }}
        layer {{ name: "loss" type: "{kind}" {" ".join(f'bottom: "{n}"' for n in names)} {tops} {options} }}'''
    net = netdef.Net(parse_text_message(text, str(file), "NetParameter"), dtype=dtype)
    net.forward(**dict(zip(names, (score, label, prices), strict=False)))
    net.backward()
    return net


def test_the_identity_gives_softmax_with_loss():
    score = np.random.default_rng(0).normal(size=(4, 3))
    with_prices, plain = net_of(score, [0, 2, 1, 1], np.eye(3)), net_of(score, [0, 2, 1, 1], kind="SoftmaxWithLoss")
    assert with_prices.loss == pytest.approx(plain.loss)
    assert with_prices.blobs["score"].diff == pytest.approx(plain.blobs["score"].diff)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_trap_12_the_largest_loss(dtype):
    """-log(1e-20) here, not -log(FLT_MIN); the gradient goes on, though p is 0."""
    net = net_of([[0, 1000]], [0], np.eye(2), dtype=dtype)
    assert float(net.blobs["loss"].data) == pytest.approx(46.0517, abs=1e-4)
    assert net.blobs["score"].diff.tolist() == [[-1, 1]]


def test_the_second_top_holds_the_probabilities():
    net = net_of([[0, 0]], [0], np.eye(2), tops='top: "loss" top: "prob"')
    assert net.blobs["prob"].data.tolist() == [[0.5, 0.5]]


def test_prices_from_a_file(tmp_path):
    """A binaryproto beside the config; the shape is Caffe's (1, 1, C, C)."""
    message = blobproto.from_array(PRICES.astype(np.float32).reshape(1, 1, 3, 3))
    (tmp_path / "H.binaryproto").write_bytes(message.SerializeToString())
    score = np.random.default_rng(0).normal(size=(4, 3))
    file = net_of(score, [0, 2, 1, 1], None, 'infogain_loss_param { source: "H.binaryproto" }', file=tmp_path / "n.prototxt")
    bottom = net_of(score, [0, 2, 1, 1], PRICES)
    assert file.loss == pytest.approx(bottom.loss)
    assert file.blobs["score"].diff == pytest.approx(bottom.blobs["score"].diff)
    with pytest.raises(ShapeError, match=r"H of shape \(2, 2\) for 2 classes, got 'H.binaryproto' of shape \(1, 1, 3, 3\)"):
        net_of([[0, 0]], [0], None, 'infogain_loss_param { source: "H.binaryproto" }', file=tmp_path / "n.prototxt")


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "bad.binaryproto").write_bytes(b"\x29\xff")
    where = {"file": tmp_path / "n.prototxt"}
    with pytest.raises(FieldError, match="'bad.binaryproto' is no binaryproto file with one blob") as caught:
        net_of([[0, 0]], [0], None, 'infogain_loss_param { source: "bad.binaryproto" }', **where)
    assert caught.value.span.text[caught.value.span.column - 1:].startswith('"bad')
    with pytest.raises(FieldError, match="source: no file 'none': tried"):
        net_of([[0, 0]], [0], None, 'infogain_loss_param { source: "none" }', **where)
    with pytest.raises(FieldError, match="source: missing; expected a binaryproto file with H, or H as the third bottom"):
        net_of([[0, 0]], [0])


def test_errors():
    with pytest.raises(ShapeError, match=r"H of shape \(2, 2\) for 2 classes, got 'H' of shape \(2, 3\)"):
        net_of([[0, 0]], [0], np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"H of shape \(2, 2\) for 2 classes, got 'H' of shape \(2, 2, 2\)"):
        net_of([[0, 0]], [0], np.zeros((2, 2, 2)))
    with pytest.raises(DataError, match="expected a whole number from 0 to 1, got 2"):
        net_of([[0, 0]], [2], np.eye(2))
    with pytest.raises(GraphError, match="gradient by bottom 2"):
        net_of([[0, 0]], [0], np.eye(2), "propagate_down: true propagate_down: false propagate_down: true")


@pytest.mark.parametrize("name", ["infogain_full_norm", "infogain_spatial_ignore"])
def test_caffes_values_without_its_scale_layer(shared, name, tmp_path):
    """The conformance cases put a Scale before the loss; here its product and its gradient are taken by hand."""
    with np.load(shared / "conformance" / "layers" / f"{name}.npz") as case:
        lines = [line for line in str(case["prototxt"]).splitlines() if '"sc"' not in line]
        (tmp_path / "net.prototxt").write_text("force_backward: true\n" + "\n".join(lines).replace('"s"', '"x"'))
        net = netdef.Net(load_net(tmp_path / "net.prototxt"), phase="TRAIN")
        x = case["in/x"].astype(np.float64)
        net.forward(x=x * case["param/sc/0"].reshape(1, -1, 1, 1), label=case["in/label"], label_H=case["in/label_H"])
        net.backward()
        assert float(net.blobs["loss"].data) == pytest.approx(float(case["top/loss"]), rel=1e-5)
        by_scale = (net.blobs["x"].diff * x).sum((0, 2, 3))
        np.testing.assert_allclose(by_scale, case["paramdiff/sc/0"], rtol=1e-4, atol=1e-5)
