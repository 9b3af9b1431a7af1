"""Healthy trainings: neither blame nor the watch has anything to say of them."""
from __future__ import annotations

from pathlib import Path

import pytest

import netdef
from netdef.debug.rerun import blame
from netdef.debug.watch import Watch

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
XAVIER = 'weight_filler { type: "xavier" }'
MSRA = 'weight_filler { type: "msra" }'
FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"
MONITOR = 'layer { name: "monitor" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "monitor" loss_weight: 0 }'
SIDE = ('layer { name: "side" type: "InnerProduct" bottom: "ip1" top: "side" inner_product_param { num_output: 3 '
        'weight_filler { type: "xavier" } } } layer { name: "side_loss" type: "SoftmaxWithLoss" bottom: "side" bottom: '
        '"label" top: "side_loss" loss_weight: 0.3 }')


def silent(path, iterations=60, **options):
    """Blame finds nothing in a replay, and the watch said nothing in a training that it looked at often."""
    report = blame(path, iterations=iterations, **options)
    assert report.ok, str(report)
    assert "looks healthy" in str(report) and report.iterations == iterations
    said = []
    with netdef.Solver(path, seed=1, overrides=["display=20", "test_interval=1000000", "test_initialization=false",
                                                "snapshot=0", "snapshot_after_train=false"],
                       weights=options.get("weights")) as made:
        watch = Watch(made, said.append, loaded="weights" in options)
        made.listen(watch)
        made.step(iterations + 1)
        assert [f.line() for f in said] == [] == watch.findings
        assert len(watch.history.iterations) == iterations // 20 + 1
        assert not made.net.hooks.any


@pytest.mark.parametrize("model, iterations", [("mlp", 500), ("bcd7seg", 500), ("logreg", 200)])
def test_shipped(model, iterations):
    silent(CONFIGS / model / "solver.yaml", iterations)


@pytest.mark.slow
@pytest.mark.compiled
def test_lenet():
    silent(CONFIGS / "lenet" / "solver.yaml", 20)


@pytest.mark.parametrize("fields", [
    {"type": '"Adam"', "base_lr": "0.01", "momentum2": "0.999"}, {"type": '"AdaGrad"', "momentum": None},
    {"type": '"RMSProp"', "base_lr": "0.005", "momentum": None, "rms_decay": "0.98"}, {"type": '"Nesterov"'},
    {"iter_size": "2"}, {"weight_decay": "0.001", "clip_gradients": "1"}], ids=str)
def test_rules(mlp, fields):
    silent(mlp(fields))


@pytest.mark.parametrize("parts", [
    {"act": "Sigmoid"}, {"act": "TanH"}, {"filler1": MSRA, "filler2": MSRA}, {"filler3": ""},
    {"more": MONITOR}, {"more": SIDE},
    {"loss": "loss_weight: 3"}, {"transform": "transform_param { scale: 2 }"}], ids=str)
def test_small_variants(mlp, parts):
    silent(mlp(**parts))


def test_dropout(mlp):
    path = Path(mlp())
    net = path.parent / "net.prototxt"
    net.write_text(net.read_text().replace('layer { name: "score"', 'layer { name: "drop" type: "Dropout" bottom: "ip2" '
                                           'top: "ip2" }\nlayer { name: "score"'))
    silent(str(path))


def test_shared_params(solver):
    """Two uses of one matrix; each layer's own part of the gradient counts in one sum."""
    share = 'param { name: "w" } param { name: "b" } inner_product_param { num_output: 4 ' + XAVIER + " }"
    silent(solver(f'''
name: "shared"
layer {{ name: "digits" type: "Data" top: "data" top: "y" data_param {{ source: "builtin:bcd7seg" batch_size: 10 }} }}
layer {{ name: "once" type: "InnerProduct" bottom: "data" top: "once" {share} }}
layer {{ name: "squash" type: "TanH" bottom: "once" top: "squash" }}
layer {{ name: "twice" type: "InnerProduct" bottom: "squash" top: "twice" {share} }}
layer {{ name: "score" type: "InnerProduct" bottom: "twice" top: "score"
  inner_product_param {{ num_output: 7 {XAVIER} }} }}
layer {{ name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "score" bottom: "y" }}
'''))


def test_fine_tuning(mlp, tmp_path):
    """A frozen layer is right where its weights were loaded."""
    path = mlp(ip1=FROZEN)
    with netdef.Solver(path) as made:
        made.net.save(tmp_path / "w.npz")
    silent(path, weights=[str(tmp_path / "w.npz")])


def test_regression(solver):
    silent(solver('''
name: "regression"
layer { name: "segments" type: "Data" top: "data" top: "y" data_param { source: "builtin:bcd7seg" batch_size: 10 } }
layer { name: "hidden" type: "InnerProduct" bottom: "data" top: "hidden"
  inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "squash" type: "TanH" bottom: "hidden" top: "squash" }
layer { name: "score" type: "InnerProduct" bottom: "squash" top: "score"
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "score" bottom: "y" }
'''))


def test_a_metric_may_be_no_number(solver, user_layers, mlp):
    """What no loss depends on spoils nothing."""
    more = ('layer { name: "metric" type: "Reciprocal" bottom: "label" top: "metric" } '
            'layer { name: "hush" type: "Silence" bottom: "metric" }')
    silent(mlp(more=more))


def test_nothing_left_to_learn(solver):
    """A hinge loss of exactly 0 sends gradients of exactly 0."""
    silent(solver('''
name: "done"
layer { name: "x" type: "DummyData" top: "x" top: "label" dummy_data_param { shape { dim: 6 dim: 2 } shape { dim: 6 }
  data_filler { type: "uniform" min: 5 max: 6 } data_filler { value: 0 } } }
layer { name: "score" type: "InnerProduct" bottom: "x" top: "score" inner_product_param { num_output: 2
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "HingeLoss" bottom: "score" bottom: "label" }
'''))


def test_a_rate_that_has_run_out(mlp):
    """A policy that ends near 0 is meant so."""
    silent(mlp({"lr_policy": '"step"', "gamma": "0.00001", "stepsize": "10"}))


def test_normalised(mlp):
    """BatchNorm's statistics are params that no gradient reaches."""
    path = Path(mlp())
    net = path.parent / "net.prototxt"
    norm = 'layer { name: "norm" type: "BatchNorm" bottom: "ip1" top: "norm" }\nlayer { name: "act1" type: "ReLU"'
    net.write_text(net.read_text().replace('layer { name: "act1" type: "ReLU" bottom: "ip1" top: "ip1" }',
                                           norm + ' bottom: "norm" top: "act1" }').replace('bottom: "ip1" top: "ip2"',
                                                                                             'bottom: "act1" top: "ip2"'))
    silent(str(path))
