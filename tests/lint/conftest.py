"""Small nets and solvers to break, and what lint says of them."""
from __future__ import annotations

import pytest

from netdef.lint.run import lint

NET = '''
name: "small"
{head}
layer {{ name: "train" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }} {train}
  data_param {{ source: "builtin:spiral/train" batch_size: 90 }} }}
layer {{ name: "test" type: "Data" top: "data" top: "label" include {{ phase: TEST }} {test}
  data_param {{ source: "builtin:spiral/test" batch_size: 100 }} }}
layer {{ name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" {ip1}
  inner_product_param {{ num_output: 16 {filler1} }} }}
{act}
layer {{ name: "score" type: "InnerProduct" bottom: "ip1" top: "score" {ip2}
  inner_product_param {{ num_output: {classes} {filler2} }} }}
{more}
{loss}
'''
XAVIER = 'weight_filler { type: "xavier" }'
USUAL = {"head": "", "train": "", "test": "", "ip1": "", "ip2": "", "filler1": XAVIER, "filler2": XAVIER, "classes": 3,
         "more": "",
         "act": 'layer { name: "relu" type: "ReLU" bottom: "ip1" top: "ip1" }',
         "loss": 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }'}
SOLVER = {"net": '"net.prototxt"', "base_lr": "0.05", "momentum": "0.9", "lr_policy": '"fixed"', "max_iter": "1000",
          "test_iter": "3", "test_interval": "100"}


@pytest.fixture
def net(tmp_path):
    """``net(act="")``: the path of the small net with some of its parts replaced."""

    def write(text=None, name="net.prototxt", **parts):
        path = tmp_path / name
        path.write_text(NET.format(**{**USUAL, **parts}) if text is None else text)
        return path

    return write


@pytest.fixture
def solver(net, tmp_path):
    """``solver({"base_lr": "0"}, act="")``: a solver for such a net; None leaves a field out."""

    def write(fields=None, text=None, **parts):
        net(text, **parts)
        lines = [f"{k}: {v}" for k, v in {**SOLVER, **(fields or {})}.items() if v is not None]
        (tmp_path / "solver.prototxt").write_text("\n".join(lines) + "\n")
        return tmp_path / "solver.prototxt"

    return write


@pytest.fixture
def rules_of():
    """``rules_of(path)``: the names of the rules that fire, sorted, each with its number."""

    def call(*paths, **options):
        return sorted(f.rule for f in lint([str(p) for p in paths], **options).findings)

    return call
