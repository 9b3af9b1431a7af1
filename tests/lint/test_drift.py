"""A train net and its deploy net: what differs in meaning is found, what is only training is not."""
from __future__ import annotations

from pathlib import Path

import pytest

from netdef.config.write import to_prototxt
from netdef.graph.deploy import deploy
from netdef.lint.run import lint

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture
def pair(tmp_path):
    """``pair(old, new)``: LeNet and its deploy net, in which ``old`` was replaced."""
    text = to_prototxt(deploy(str(CONFIGS / "lenet/net.prototxt")).message)

    def write(*changes):
        made = text
        for old, new in changes:
            assert old in made, made
            made = made.replace(old, new, 1)
        (tmp_path / "deploy.prototxt").write_text(made)
        return [str(CONFIGS / "lenet/net.prototxt"), str(tmp_path / "deploy.prototxt")]

    return write


def test_the_same(pair):
    assert lint(pair()).findings == []
    assert lint(pair()[::-1]).findings == []
    assert lint([str(CONFIGS / "lenet/solver.prototxt"), pair()[1]]).findings == []


@pytest.mark.parametrize("changes, rule, what", [
    ([("stride: 2", "stride: 1")], "deploy-options", "and 2 in the train net"),
    ([("pool: MAX", "pool: AVE")], "deploy-options", "pooling_param.pool is AVE"),
    ([("num_output: 500", "num_output: 400")], "deploy-options", "num_output is 400"),
    ([('name: "conv2"', 'name: "conv_2"')], "deploy-weights", "no layer 'conv_2'"),
    ([("dim: 28", "dim: 32"), ("dim: 28", "dim: 32")], "deploy-input", "1x1x32x32"),
])
def test_drift(pair, changes, rule, what):
    found = lint(pair(*changes)).findings
    assert [f.rule for f in found] == [rule] and what in found[0].what
    assert found[0].span.file.endswith("deploy.prototxt")
    assert rule == "deploy-weights" or "lenet/net.prototxt:" in found[0].what


def test_a_missing_activation(pair, tmp_path):
    paths = pair()
    text = Path(paths[1]).read_text()
    begin = text.index('layer {\n  name: "relu1"')
    Path(paths[1]).write_text(text[:begin] + text[text.index("layer {", begin + 1):])
    found, = lint(paths).findings
    assert found.rule == "deploy-order" and "reads 'ip1' (InnerProduct), and 'relu1' (ReLU)" in found.what


def test_not_a_pair(pair):
    """Three files, or two that train, are not compared."""
    train, other = pair(("stride: 2", "stride: 1"))
    assert lint([train, other, train]).findings == []
    assert lint([train, str(CONFIGS / "mlp/net.prototxt")]).findings == []
