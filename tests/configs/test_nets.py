"""The nets of configs/ that others have published: their params to the last one, their shapes, and a step of training."""
from __future__ import annotations

import math
from pathlib import Path

import pytest

import netdef
from netdef.config.load import load_net, load_solver
from netdef.graph.build import build

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

# Params that learn; and those that BatchNorm gathers (mean, variance and one factor a layer), which no solver moves.
PARAMS = {"logreg": 7850, "mlp": 2371, "bcd7seg": 199, "lenet": 431_080, "cifar10_quick": 145_578, "cifar10_full": 89_578,
          "caffenet": 60_965_224, "googlenet": 13_378_280, "vgg16": 138_357_544, "resnet50": 25_557_032,
          "resnet20": 269_722, "squeezenet": 1_235_496, "mobilenet": 4_231_976}
STATISTICS = {"resnet50": 2 * 26_560 + 53, "resnet20": 2 * 688 + 19, "mobilenet": 2 * 10_944 + 27}
MILLION_MACS = {"caffenet": 724, "googlenet": 1591, "vgg16": 15_470, "resnet50": 3858, "resnet20": 40.6,
                "squeezenet": 388, "mobilenet": 569, "cifar10_quick": 12.4, "cifar10_full": 12.3}  # for a picture
BATCH = {"lenet": 64, "cifar10_full": 100, "caffenet": 16, "googlenet": 16, "vgg16": 4, "resnet50": 8, "squeezenet": 16,
         "mobilenet": 8, "cifar10_quick": 100, "resnet20": 128}  # the benchmark's, but for the last two


def count(plan, learns: bool, leave_out: tuple[str, ...] = ()) -> int:
    layers = plan.description.layers
    return sum(math.prod(p.init.shape) for p in plan.params
               if p.owner == p.id and p.init.learns == learns and not layers[p.layer].name.startswith(leave_out))


def param_shapes(net) -> dict[str, list[tuple[int, ...]]]:
    plan = build(net, "TEST")
    return {s.node.name: [tuple(plan.params[p].init.shape) for p in s.params] for s in plan.steps if s.params}


def layers_without_data(path):
    """Layers as messages, data layers and what Caffe does not read left out."""
    layers = [layer for layer in load_net(path).message.layer if layer.type != "Data"]
    for layer in layers:
        for filler in (f for options in (layer.convolution_param, layer.inner_product_param)
                       for f in (options.weight_filler, options.bias_filler)):
            filler.SetInParent()  # constant 0, written or not
            for name in ("type", "value", "mean"):
                if getattr(filler, name) == getattr(type(filler)(), name):
                    filler.ClearField(name)
        if list(layer.convolution_param.stride) == [1]:
            layer.convolution_param.ClearField("stride")
    return layers


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
@pytest.mark.parametrize("model", PARAMS)
def test_params(model, phase):
    plan = build(CONFIGS / model / "net.yaml", phase)
    assert count(plan, learns=True) == PARAMS[model]
    assert count(plan, learns=False) == STATISTICS.get(model, 0)
    said = (CONFIGS / model / "README.md").read_text(encoding="utf-8")
    listed = (CONFIGS / "README.md").read_text(encoding="utf-8")
    assert f"]({model}/README.md) | " in listed and f" | {PARAMS[model]:,} | " in listed
    if model in MILLION_MACS:
        assert f"{PARAMS[model]:,}" in said and f"{MILLION_MACS[model]:,} million" in said


def test_googlenet_without_its_auxiliary_classifiers():
    assert count(build(CONFIGS / "googlenet" / "net.yaml", "TEST"), True, ("loss1/", "loss2/")) == 6_998_552


@pytest.mark.parametrize("model", BATCH)
def test_batch_and_arithmetic(model):
    plan = build(CONFIGS / model / "net.yaml", "TRAIN")
    assert plan.shapes.values[plan.description.layers[0].tops[0]][0] == BATCH[model]
    macs = sum(step.inferred.macs for step in plan.steps) / BATCH[model] / 1e6
    assert model not in MILLION_MACS or macs == pytest.approx(MILLION_MACS[model], rel=0.005)


@pytest.mark.parametrize(("model", "file"), [
    ("cifar10_quick", "BVLC+caffe__examples__cifar10__cifar10_quick_train_test"),
    ("cifar10_full", "BVLC+caffe__examples__cifar10__cifar10_full_train_test"),
    ("caffenet", "BVLC+caffe__models__bvlc_reference_caffenet__train_val"),
    ("googlenet", "BVLC+caffe__models__bvlc_googlenet__train_val"),
    ("squeezenet", "forresti+SqueezeNet__SqueezeNet_v1.1__train_val")])
def test_is_the_published_net(model, file, shared):
    """Layer by layer and field by field; in ours, accuracy is only counted in the TEST phase."""
    theirs = layers_without_data(shared / "prototxt" / f"{file}.prototxt")
    ours = layers_without_data(CONFIGS / model / "net.yaml")
    wanted = {layer.name: layer for layer in theirs if layer.type != "Accuracy"}
    found = {layer.name: layer for layer in ours if layer.type != "Accuracy"}
    assert found == wanted


@pytest.mark.parametrize(("model", "file"), [
    ("mobilenet", "shicai+MobileNet-Caffe__mobilenet_deploy"),
    ("resnet50", "KaimingHe+deep-residual-networks__prototxt__ResNet-50-deploy")])
def test_weights_of_the_published_net_fit(model, file, shared):
    theirs = param_shapes(shared / "prototxt" / f"{file}.prototxt")
    if model == "resnet50":
        assert theirs["conv1"].pop() == (64,)  # a bias, which the BatchNorm behind it takes off again
    assert param_shapes(CONFIGS / model / "net.yaml") == theirs


def test_vgg_names():
    """The names and shapes of the authors' release, which has V1 layers: thirteen convolutions and three inner products."""
    shapes = param_shapes(CONFIGS / "vgg16" / "net.yaml")
    convolutions = [f"conv{stage}_{i}" for stage, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)]
    assert list(shapes) == [*convolutions, "fc6", "fc7", "fc8"]
    assert shapes["conv5_3"] == [(512, 512, 3, 3), (512,)] and shapes["fc6"] == [(4096, 25088), (4096,)]


def test_the_shortcut_of_resnet20_adds_zeros():
    plan = build(CONFIGS / "resnet20" / "net.yaml", "TRAIN")
    shapes = {s.node.name: plan.shapes.values[s.node.tops[0]] for s in plan.steps}
    assert [shapes[name] for name in ("block1_3", "block2_1/half", "block2_1/wide", "block2_1")] == [
        (128, 16, 32, 32), (128, 16, 16, 16), (128, 32, 16, 16), (128, 32, 16, 16)]


@pytest.mark.parametrize("model", ["googlenet", "mobilenet", "resnet20", "resnet50", "squeezenet",
                                   *(pytest.param(m, marks=pytest.mark.slow) for m in ("caffenet", "vgg16"))])
def test_one_step(model):
    """Two pictures a pass and the pictures' real size: the loss is a number, every param that learns has a gradient."""
    net = load_net(CONFIGS / model / "net.yaml", overrides=[f"layer[{i}].data_param.batch_size=2" for i in (0, 1)])
    settings = load_solver(CONFIGS / model / "solver.yaml", overrides=["iter_size=1", "display=0", "random_seed=1"]).message
    for field in ("net", "test_iter", "test_interval", "test_initialization", "snapshot"):
        settings.ClearField(field)
    settings.net_param.CopyFrom(net.message)
    with netdef.Solver(settings) as solver:
        solver.step(1)
        classes = 10 if model == "resnet20" else 1000
        assert math.isfinite(solver.net.loss) and 0.3 * math.log(classes) < solver.net.loss < 4 * math.log(classes)
        plan = solver.net.plan
        for p in plan.params:
            if p.owner == p.id and p.init.learns:
                diff = solver.net.param_blobs[p.id].diff
                assert diff.any(), (plan.description.layers[p.layer].name, p.init.name)
