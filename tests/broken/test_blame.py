"""Broken trainings: each is blamed on the right layer, with the right cause and config line."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netdef
from netdef.config import schema
from netdef.debug.rerun import blame

XAVIER = 'weight_filler { type: "xavier" }'
FROZEN = "param { lr_mult: 0 } param { lr_mult: 0 }"


def only(report):
    """The one finding."""
    assert len(report.findings) == 1, str(report)
    assert not report.ok
    finding = report.findings[0]
    assert str(finding) and finding.line() and finding.as_plain()["cause"] == finding.cause
    assert finding.suggestion and finding.span is not None
    return finding


def netdef_path(solver_path):
    """The net of a solver made by the fixtures."""
    return Path(solver_path).parent / "net.prototxt"


# data ---------------------------------------------------------------------------------------------------------


def lmdb_of(path, rows, labels):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(path), map_size=1 << 24) as env, env.begin(write=True) as transaction:
        for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
            datum = schema.new("Datum")
            datum.channels, datum.height, datum.width, datum.label = len(row), 1, 1, int(label)
            datum.float_data.extend(row.tolist())
            transaction.put(b"%08d" % i, datum.SerializeToString())


DATABASE = '''
name: "db"
layer { name: "rows" type: "Data" top: "data" top: "label" data_param { source: "db" backend: LMDB batch_size: 8 } }
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" }
'''


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_record(solver, tmp_path, value):
    rows, labels = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 3
    rows[13, 2] = value
    lmdb_of(tmp_path / "db", rows, labels)
    found = only(blame(solver(DATABASE)))
    assert (found.cause, found.layer, found.blob) == ("bad record", "rows", "data")
    assert (found.iteration, found.item, found.record) == (1, 5, 13)
    assert 'source: "db"' in found.span.text


def test_a_bad_record_after_going_round(solver, tmp_path):
    """The source has 20 records, so pass 2 reads 16 to 19 and 0 to 3."""
    rows, labels = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 3
    lmdb_of(tmp_path / "db", rows, labels)
    labels[2] = 7
    lmdb_of(tmp_path / "other", rows, labels)
    found = only(blame(solver(DATABASE.replace('"db" backend', '"other" backend')), iterations=9))
    assert (found.cause, found.layer, found.blob) == ("label out of range", "loss", "label")
    assert (found.iteration, found.item, found.record) == (0, 2, 2)


def test_arrays_in_memory(solver):
    net = DATABASE.replace('type: "Data"', 'type: "MemoryData"').replace(
        'data_param { source: "db" backend: LMDB batch_size: 8 }',
        "memory_data_param { batch_size: 8 channels: 4 height: 1 width: 1 }")
    rows = np.random.default_rng(0).normal(size=(24, 4, 1, 1))
    rows[17, 3] = np.nan
    found = only(blame(solver(net), prepare=lambda s: s.net.set_input_arrays(rows, np.arange(24) % 3)))
    assert (found.cause, found.iteration, found.item, found.record) == ("bad record", 2, 1, 17)


def test_too_few_classes(mlp):
    found = only(blame(mlp(classes="2")))
    assert (found.cause, found.layer, found.blob) == ("label out of range", "loss", "label")
    assert found.item is not None and found.record is not None
    assert "made by layer 'points' (Data)" in str(found)


def test_every_label_is_ignored(solver):
    net = '''
name: "ignored"
layer { name: "x" type: "DummyData" top: "x" top: "label" dummy_data_param { shape { dim: 6 dim: 3 } shape { dim: 6 }
  data_filler { type: "gaussian" } data_filler { value: 2 } } }
layer { name: "score" type: "InnerProduct" bottom: "x" top: "score"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" loss_param { ignore_label: 2 } }
'''
    found = only(blame(solver(net), iterations=3))
    assert (found.cause, found.layer, found.blob) == ("labels ignored", "loss", "label")
    assert "ignore_label: 2" in found.span.text


def test_data_far_too_large(mlp):
    found = only(blame(mlp(transform="transform_param { scale: 1000000 }")))
    assert (found.cause, found.layer) == ("data scale", "points")
    assert (found.iteration, found.blob) == (0, "data")


def test_data_are_zero(mlp):
    found = only(blame(mlp(transform="transform_param { scale: 0 }"), iterations=12))
    assert (found.cause, found.layer) == ("zero data", "points")


# learning rates -----------------------------------------------------------------------------------------------


def test_learning_rate_until_nan(mlp):
    found = only(blame(mlp({"base_lr": "1000"})))
    assert found.cause == "learning rate"
    assert "base_lr: 1000" in found.span.text and found.span.file.endswith("solver.prototxt")
    assert found.iteration > 0


def test_learning_rate_of_a_regression(solver):
    net = '''
name: "regression"
layer { name: "segments" type: "Data" top: "data" top: "y" data_param { source: "builtin:bcd7seg" batch_size: 10 } }
layer { name: "score" type: "InnerProduct" bottom: "data" top: "score"
  inner_product_param { num_output: 7 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "score" bottom: "y" }
'''
    found = only(blame(solver(net, base_lr="5", momentum=None)))
    assert (found.cause, found.layer) == ("learning rate", "score")
    early = only(blame(solver(net, base_lr="5", momentum=None), iterations=12))  # before anything overflows
    assert "the loss grew from" in early.what


def test_momentum_above_one(mlp):
    found = only(blame(mlp({"momentum": "1.5"})))
    assert found.cause == "learning rate"
    assert "momentum" in found.span.text


def test_one_lr_mult(mlp):
    found = only(blame(mlp(ip2="param { lr_mult: 100000 }")))
    assert (found.cause, found.blob) == ("learning rate", "ip2[0]")
    assert "lr_mult: 100000" in found.span.text


def test_learning_rate_zero(mlp):
    found = only(blame(mlp({"base_lr": "0"}), iterations=5))
    assert found.cause == "learning rate" and "base_lr" in found.span.text


def test_learning_rate_lost_in_rounding(mlp):
    found = only(blame(mlp({"base_lr": "1e-12"}), iterations=12))
    assert (found.cause, found.blob) == ("learning rate", "ip1[0]")
    assert "below float32's rounding" in found.what
    assert "'ip2[0]'" in str(found) and "'score[0]'" in str(found)


def test_clipped_to_nothing(mlp):
    report = blame(mlp({"clip_gradients": "0"}), iterations=5)
    assert report.findings[0].cause == "clipping" and "clip_gradients" in report.findings[0].span.text


def test_a_rule_divides_by_zero(mlp):
    found = only(blame(mlp({"type": '"AdaGrad"', "delta": "0", "momentum": None})))
    assert (found.cause, found.iteration) == ("division by zero", 0)
    assert "delta" in found.span.text and "update" in found.what


# weights and fillers ------------------------------------------------------------------------------------------


def test_weights_far_too_large(mlp):
    found = only(blame(mlp(filler2='weight_filler { type: "gaussian" std: 10000 }')))
    assert (found.cause, found.layer, found.iteration) == ("filler", "ip2", 0)
    assert "87.3365" in found.what and "weight_filler" in found.span.text


def test_no_weight_fillers(mlp):
    report = blame(mlp(filler1="", filler2="", filler3=""), iterations=12)
    assert {f.cause for f in report.findings} == {"zero filler"}, str(report)
    assert {f.layer for f in report.findings} >= {"ip1"}


def test_one_weight_filler_is_missing(mlp):
    report = blame(mlp(filler2=""), iterations=12)
    assert {(f.cause, f.layer) for f in report.findings} == {("zero filler", "ip2")}, str(report)


def test_constant_fillers(mlp):
    same = 'weight_filler { type: "constant" value: 0.1 }'
    report = blame(mlp(filler1=same, filler2=same), iterations=30)
    assert ("constant filler", "ip1") in {(f.cause, f.layer) for f in report.findings}, str(report)


def test_dead_from_the_start(mlp):
    dead = XAVIER + ' bias_filler { type: "constant" value: -100 }'
    found = only(blame(mlp(filler1=dead), iterations=12))
    assert (found.cause, found.layer) == ("dead ReLU", "act1")
    assert "value: -100" in found.span.text


def test_weights_file_with_nan(mlp, tmp_path):
    path = mlp()
    with netdef.Solver(path) as made:
        made.net.params["ip2"][0].data[3, 1] = np.nan
        made.net.save(tmp_path / "w.npz")
    found = only(blame(path, weights=[str(tmp_path / "w.npz")]))
    assert (found.cause, found.layer, found.blob) == ("weights file", "ip2", "ip2[0]")
    assert "[3, 1]" in found.what


# activations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["Sigmoid", "TanH"])
def test_saturated(mlp, act):
    report = blame(mlp(act=act, filler1='weight_filler { type: "gaussian" std: 1000 }'), iterations=12)
    assert ("saturated", "act1") in {(f.cause, f.layer) for f in report.findings}, str(report)
    assert {f.cause for f in report.findings} == {"saturated"}


NUMBERS = '''
name: "numbers"
layer {{ name: "x" type: "DummyData" top: "x" top: "y" dummy_data_param {{ shape {{ dim: 6 dim: 3 }} shape {{ dim: 6 dim: 2 }}
  data_filler {{ {filler} }} data_filler {{ value: 1 }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
  inner_product_param {{ num_output: 2 weight_filler {{ {weights} }} }} }}
layer {{ name: "f" type: "{kind}" bottom: "ip" top: "f" }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "f" bottom: "y" }}
'''


@pytest.mark.parametrize("kind, filler, weights, cause, event", [
    ("Reciprocal", "value: 0", 'type: "xavier"', "division by zero", "forward"),
    ("Logarithm", "value: 1", "value: -1", "domain", "forward"),
    ("Root", "value: 0", 'type: "xavier"', "division by zero", "backward"),
    ("Exponential", "value: 100", "value: 1", "overflow", "forward")])
def test_arithmetic_of_a_users_layer(solver, user_layers, kind, filler, weights, cause, event):
    found = only(blame(solver(NUMBERS.format(kind=kind, filler=filler, weights=weights))))
    assert (found.cause, found.layer, found.blob) == (cause, "f", "ip")
    assert f"{event}: layer 'f' ({kind})" in found.what and found.item == 0
    assert 'bottom: "ip"' in found.span.text


# what the config stops ----------------------------------------------------------------------------------------


def test_all_frozen(mlp):
    net = mlp(ip1=FROZEN, ip2=FROZEN, more="")
    text = (p := netdef_path(net)).read_text().replace('top: "score"', f'top: "score" {FROZEN}', 1)
    p.write_text(text)
    found = only(blame(net, iterations=3))
    assert found.cause == "frozen" and "lr_mult: 0" in found.span.text


def test_frozen_at_random_values(mlp):
    found = only(blame(mlp(ip1=FROZEN), iterations=12))
    assert (found.cause, found.layer) == ("frozen", "ip1")
    assert "lr_mult: 0" in found.span.text


def test_loss_weight_zero(mlp):
    found = only(blame(mlp(loss="loss_weight: 0"), iterations=3))
    assert (found.cause, found.layer) == ("loss_weight", "loss")
    assert "loss_weight: 0" in found.span.text


def test_disconnected(mlp):
    more = ('layer { name: "side" type: "InnerProduct" bottom: "ip1" top: "side" inner_product_param { num_output: 4 '
            'weight_filler { type: "xavier" } } } layer { name: "hush" type: "Silence" bottom: "side" }')
    report = blame(mlp(more=more), iterations=12)
    assert {(f.cause, f.layer) for f in report.findings} == {("disconnected", "side")}, str(report)


def test_propagate_down(mlp):
    path = mlp()
    net = netdef_path(path)
    net.write_text(net.read_text().replace('bottom: "ip2" top: "score"', 'bottom: "ip2" top: "score" '
                                           "propagate_down: false"))
    report = blame(path, iterations=12)
    assert {(f.cause, f.layer) for f in report.findings} == {("stopped", "score")}, str(report)
    assert "propagate_down: false" in report.findings[0].span.text


# replaying ----------------------------------------------------------------------------------------------------


def test_from_a_snapshot(mlp, tmp_path):
    """The record is bad at iteration 0 of the file, yet the finding has the iteration of the run."""
    path = mlp({"base_lr": "0.01", "snapshot_prefix": f'"{tmp_path}/s"'})
    with netdef.Solver(path) as made:
        made.step(7)
        made.snapshot()
    found = only(blame(path, snapshot=str(tmp_path / "s_iter_7.solverstate"), overrides=["base_lr=1000"]))
    assert found.cause == "learning rate" and found.iteration >= 7


def test_replays_are_equal(mlp):
    path = mlp({"base_lr": "1000", "random_seed": None})
    assert str(blame(path, seed=5)) == str(blame(path, seed=5))
