"""Files that people have: every config is silent; of the published files what is found is known, rule by rule."""
from __future__ import annotations

from pathlib import Path

import pytest

from netdef.lint.run import lint

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
FILES = sorted(p for p in CONFIGS.rglob("*") if p.suffix in (".prototxt", ".yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(CONFIGS).as_posix())
def test_configs_are_silent(path):
    found = lint([str(path)]).findings
    if [f.what for f in found] == ["solver: no net to train"]:
        pytest.skip("a part of solvers, none itself")
    assert found == [], "\n".join(map(str, found))


REAL = [  # a published file, the rule, how often it fires, and words of the first finding
    ("BVLC+caffe__models__bvlc_googlenet__deploy", "filler-field-ignored", 57, "std has no effect on a filler of type xavier"),
    ("BVLC+caffe__examples__cifar10__cifar10_quick_train_test", "linear-pair", 1, "'ip2' (InnerProduct): reads 'ip1'"),
    ("BVLC+caffe__examples__siamese__mnist_siamese_train_test", "linear-pair", 2, "'feat' (InnerProduct): reads 'ip2'"),
    ("BVLC+caffe__examples__cifar10__cifar10_full_sigmoid_solver", "rate-grows", 1, "gamma 1 the rate stays"),
    ("BVLC+caffe__examples__cifar10__cifar10_full_sigmoid_train_test_bn", "batch-norm-without-scale", 3, "'Sigmoid1'"),
    ("BVLC+caffe__examples__finetune_pascal_detection__pascal_finetune_trainval_test", "mirror-in-test", 1, "phase TEST"),
    ("BVLC+caffe__models__finetune_flickr_style__train_val", "unshuffled", 1, "train.txt"),
    ("TimoSaemann+ENet__prototxts__enet_solver_encoder", "never-tested", 1, "test_interval 10000000"),
    ("shelhamer+fcn.berkeleyvision.org__voc-fcn8s__solver", "never-tested", 1, "test_interval 999999999"),
    ("shelhamer+fcn.berkeleyvision.org__voc-fcn8s__train", "needs-weights", 1, "no weight_filler"),
    ("huangzehao+caffe-vdsr__Train__VDSR_solver", "adam-momentum", 1, "beta1 0"),
    ("happynear+caffe-windows__src__caffe__test__general_constrastive_layer", "options-of-another-type", 1,
     "contrastive_loss_param"),
]


@pytest.mark.parametrize("name, rule, times, words", REAL, ids=[f"{r}-{n[:20]}" for n, r, _, _ in REAL])
def test_published(shared, name, rule, times, words):
    found = [f for f in lint([str(shared / "prototxt" / f"{name}.prototxt")]).findings if f.rule != "config"]
    assert {f.rule for f in found} == {rule}
    assert len(found) == times and words in found[0].what


@pytest.mark.slow
def test_all_published(shared):
    """No rule fires there that was not looked at by hand, and none fails."""
    rules = {f.rule for p in sorted((shared / "prototxt").glob("*.prototxt")) for f in lint([str(p)]).findings}
    assert rules - {"config"} <= {rule for _, rule, _, _ in REAL}


PAIRS = [("BVLC+caffe__examples__mnist__lenet_train_test", "BVLC+caffe__examples__mnist__lenet"),
         ("BVLC+caffe__models__bvlc_alexnet__train_val", "BVLC+caffe__models__bvlc_alexnet__deploy"),
         ("chuanqi305+MobileNet-SSD__voc__MobileNetSSD_train", "chuanqi305+MobileNet-SSD__voc__MobileNetSSD_deploy"),
         ("BVLC+caffe__examples__siamese__mnist_siamese_train_test", "BVLC+caffe__examples__siamese__mnist_siamese")]


@pytest.mark.parametrize("train, deploy", PAIRS)
def test_published_pairs_agree(shared, train, deploy):
    """BatchNorm folded into weights, sliced inputs and other ways of writing a deploy net are no drift."""
    found = lint([str(shared / "prototxt" / f"{name}.prototxt") for name in (train, deploy)]).findings
    assert [f for f in found if f.rule.startswith("deploy-")] == []
