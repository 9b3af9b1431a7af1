"""Thirty traps on the way to Caffe's numbers: one short test each, with numbers worked out by hand or known from Caffe.

The deep checks stand beside each part (tests/layers, tests/solvers, ...); here every trap has its name and its number.
"""
from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import netdef
from netdef import weights
from netdef.config import schema
from netdef.config.load import parse_text_message
from netdef.data import Transformer
from netdef.errors import ConfigError, WeightsError
from netdef.runtime.watch import statistics
from netdef.solvers import events
from netdef.solvers.policies import find_policy


def net_of(text, phase="TEST", dtype="float64", **options):
    force = "" if "force_backward" in text else "force_backward: true"
    located = parse_text_message(f"{force} {text}", "trap.prototxt", "NetParameter")
    return netdef.Net(located, phase=phase, dtype=dtype, seed=1, **options)


def run(text, *bottoms, phase="TEST", tops="y", dtype="float64", params=()):
    """The net of one layer with bottoms a, b, ... and tops y, ..., after a forward pass."""
    names = "abcde"[: len(bottoms)]
    sizes = " ".join(f"shape {{ dim: {list(b.shape)} }}" for b in bottoms)
    net = net_of(f"""layer {{ name: "in" type: "Input" top: {list(names)} input_param {{ {sizes} }} }}
                     layer {{ name: "it" {text} bottom: {list(names)} top: {list(tops)} }}""", phase, dtype)
    for blob, value in zip(net.params.get("it", ()), params, strict=False):
        blob.data[...] = value
    net.forward(**dict(zip(names, bottoms, strict=True)))
    return net


def top(text, *bottoms, **options):
    """The value of the layer's one top."""
    return run(text, *bottoms, **options).blobs["y"].data


def diffs(net):
    """The gradients of all bottoms where that of y is 1 everywhere."""
    net.backward(y=1)
    return [net.blobs[name].diff.tolist() for name in net.inputs]


def solver_of(settings, gradients=(3,), net=""):
    """A solver whose net has weights of 1 with the given gradients, which are the blob x."""
    settings += ("" if "base_lr" in settings else " base_lr: 1") + ("" if "lr_policy" in settings else ' lr_policy: "fixed"')
    text = f"""{settings} random_seed: 1 net_param {{ {net}
        layer {{ name: "x" type: "DummyData" top: "x" dummy_data_param {{ shape {{ dim: 1 dim: {len(gradients)} }}
                 data_filler {{ type: "values" values: {list(gradients)} }} }} }}
        layer {{ name: "w" type: "InnerProduct" bottom: "x" top: "y" loss_weight: 1
                 inner_product_param {{ num_output: 1 bias_term: false weight_filler {{ value: 1 }} }} }} }}"""
    return netdef.Solver(parse_text_message(text, "trap.prototxt", "SolverParameter"), dtype="float64")


def steps(settings, *gradients, size=1):
    """How far the first weight moves in each step, for these gradients one after another."""
    with solver_of(settings, [gradients[0]] * size) as solver:
        places = [1.0]
        for gradient in gradients:
            if solver.iter:
                solver.net.blobs["x"].data[...] = gradient  # a constant DummyData fills once
            solver.step(1)
            places.append(float(solver.net.params["w"][0].data[0, 0]))
        return (-np.diff(places)).tolist()


def test_trap_01_pooling_size():
    x = np.zeros((2, 3, 6, 5))
    sizes = {"kernel_size: 3 stride: 2": (3, 2), "kernel_size: 3 stride: 2 pad: 1": (4, 3),
             "kernel_size: 3 stride: 2 round_mode: FLOOR": (2, 2), "global_pooling: true": (1, 1)}
    for options, size in sizes.items():
        assert top(f'type: "Pooling" pooling_param {{ {options} }}', x).shape[2:] == size
    # (3 + 2 - 2) / 2 rounds up to 2, so there would be 3 windows; the third would start at 4 >= 3 + 1
    assert top('type: "Pooling" pooling_param { kernel_size: 2 stride: 2 pad: 1 }', np.zeros((1, 1, 3, 3))).shape[2:] == (2, 2)
    with pytest.raises(ConfigError, match="pad"):
        top('type: "Pooling" pooling_param { kernel_size: 2 pad: 2 }', x)


def test_trap_02_average_divisor():
    ones = np.ones((1, 1, 4, 4))
    padded = top('type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }', ones)
    assert_allclose(padded[0, 0], [[4 / 9, 2 / 3, 1 / 3], [2 / 3, 1, 1 / 2], [1 / 3, 1 / 2, 1 / 4]])
    assert (top('type: "Pooling" pooling_param { pool: AVE kernel_size: 3 stride: 2 }', ones) == 1).all()  # hanging over


def test_trap_03_maximum():
    plane = np.array([[[[1, 2, 5, 2, 3], [9, 4, 1, 4, 8], [1, 2, 5, 2, 3]]]])
    net = run('type: "Pooling" pooling_param { kernel_size: 2 }', plane, tops="yz")
    assert net.blobs["y"].data[0, 0].tolist() == [[9, 5, 5, 8], [9, 5, 5, 8]]
    assert net.blobs["z"].data[0, 0].tolist() == [[5, 2, 2, 9], [5, 12, 12, 9]]
    pool = 'type: "Pooling" pooling_param { kernel_size: 2 }'
    assert diffs(run(pool, np.ones((1, 1, 2, 2)))) == [[[[[1, 0], [0, 0]]]]]  # the first of equal values
    for values, most in (([np.nan, 1, np.nan, -1], 1), ([np.nan] * 4, -np.finfo(np.float32).max)):  # NaN is never chosen
        assert top(pool, np.reshape(values, (1, 1, 2, 2)), dtype="float32").item() == most


def test_trap_04_ties_and_nan(caplog):
    assert top('type: "ArgMax"', np.ones((1, 3))).ravel().tolist() == [2]
    tie = run('type: "Eltwise" eltwise_param { operation: MAX }', np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1)))
    assert diffs(tie) == [[[0]], [[1]], [[0]]]
    assert float(top('type: "Accuracy"', np.ones((2, 3)), np.zeros(2))) == 0
    nan = float(top('type: "Accuracy"', np.full((2, 3), np.nan), np.zeros(2)))
    assert nan == 0 and "NaN" in caplog.text  # Caffe: 1.0, and silence; no trained net depends on it


def test_trap_05_batch_norm(caplog):
    net = run('type: "BatchNorm"', np.array([[1.0], [3.0]]), phase="TRAIN")
    assert_allclose(net.blobs["y"].data.ravel(), np.array([-1, 1]) / math.sqrt(1 + 1e-5))  # the biased variance, 1
    assert [blob.data.tolist() for blob in net.params["it"]] == [[2], [2], [1]]  # sums; the variance times 2 / (2 - 1)
    assert all(p.lr_mult == 0 or not p.init.learns for p in net.plan.params)
    assert_allclose(top('type: "BatchNorm"', np.ones((1, 1))), 316.2278, rtol=1e-6)  # factor 0: mean and variance count as 0
    assert "layer 'it' (BatchNorm)" in caplog.text


def test_trap_06_use_global_stats():
    x = np.array([[1.0], [3.0]])
    by_batch, stored = np.array([[-1], [1]]) / math.sqrt(1 + 1e-5), x / math.sqrt(1e-5)
    for phase, option, wanted in (("TRAIN", "", by_batch), ("TEST", "", stored), ("TEST", "use_global_stats: false", by_batch),
                                  ("TRAIN", "use_global_stats: true", stored)):
        assert_allclose(top(f'type: "BatchNorm" batch_norm_param {{ {option} }}', x, phase=phase), wanted)


def test_trap_07_default_fillers():
    x = np.ones((1, 2, 1, 1))
    fillers = {'type: "Convolution" convolution_param { num_output: 2 kernel_size: 1 }': 0,
               'type: "InnerProduct" inner_product_param { num_output: 2 }': 0,
               'type: "Scale"': 1, 'type: "Scale" scale_param { filler {} }': 0,
               'type: "PReLU"': 0.25, 'type: "PReLU" prelu_param { filler {} }': 0}
    for text, value in fillers.items():
        assert (run(text, x).params["it"][0].data == value).all(), text


def test_trap_08_deconvolution_and_correlation():
    net = run('type: "Deconvolution" convolution_param { num_output: 6 group: 2 kernel_size: 3 dilation: 2 stride: 2 pad: 1 }',
              np.zeros((1, 4, 2, 2)))
    assert net.params["it"][0].shape == (4, 3, 3, 3) and net.blobs["y"].shape == (1, 6, 5, 5)
    text = 'type: "Convolution" convolution_param { num_output: 1 kernel_h: 1 kernel_w: 2 }'
    assert top(text, np.array([[[[1, 2]]]]), params=[[[[[1, 10]]]]]).item() == 21  # not flipped, which would give 12


def test_trap_09_lrn(caplog):
    within = 'type: "LRN" lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 alpha: 1 beta: 1 k: 5 }'
    plane = top(within, np.ones((1, 1, 3, 3)))[0, 0]
    assert_allclose([plane[0, 0], plane[1, 1]], [1 / (1 + 4 / 9), 0.5])  # k is ignored, the divisor is always 9
    assert "k" in caplog.text
    across = 'type: "LRN" lrn_param { local_size: 5 alpha: 5 beta: 1 k: 2 }'
    assert_allclose(top(across, np.ones((1, 1, 1, 1))), 1 / (2 + 5 / 5))  # alpha over local_size, though 1 channel is there


def test_trap_10_mvn():
    assert_allclose(top('type: "MVN" mvn_param { eps: 1 }', np.array([[[[0, 2]]]])).ravel(), [-0.5, 0.5])
    two = np.array([[[[0, 2]], [[10, 14]]]])
    assert_allclose(top('type: "MVN"', two).ravel(), [-1, 1, -1, 1])  # each channel by itself
    assert top('type: "MVN" mvn_param { across_channels: true }', two).ravel()[0] != -1


def test_trap_11_loss_normalization():
    scores, labels = np.zeros((2, 2, 1, 2)), np.zeros((2, 1, 1, 2))
    losses = {"": 1, "normalization: FULL": 1, "normalization: BATCH_SIZE": 2, "normalization: NONE": 4, "normalize: true": 1,
              "normalize: false": 2, "normalize: false normalization: VALID": 1}
    for options, times in losses.items():
        text = f'type: "SoftmaxWithLoss" loss_param {{ {options} }}'
        assert float(top(text, scores, labels)) == pytest.approx(times * math.log(2)), options
    logits = np.zeros((2, 3))
    assert float(top('type: "SigmoidCrossEntropyLoss"', logits, logits)) == pytest.approx(3 * math.log(2))  # BATCH_SIZE
    assert float(top('type: "SoftmaxWithLoss" loss_param { ignore_label: 0 }', scores, labels)) == 0  # 0 / max(1, 0)


def test_trap_12_clamps():
    assert float(top('type: "SoftmaxWithLoss"', np.array([[0, 1000]]), np.zeros(1))) == pytest.approx(87.33655, abs=2e-5)
    twenty = 46.051702  # -log(1e-20)
    assert float(top('type: "InfogainLoss"', np.array([[0, 1000]]), np.zeros(1), np.eye(2)[None, None])) == pytest.approx(twenty)
    assert float(top('type: "MultinomialLogisticLoss"', np.array([[0, 1]]), np.zeros(1))) == pytest.approx(twenty)
    assert float(top('type: "SigmoidCrossEntropyLoss"', np.array([[-1000]]), np.ones((1, 1)))) == 1000


def test_trap_13_halves_and_batch():
    assert float(top('type: "EuclideanLoss"', np.ones((2, 3)), np.zeros((2, 3)))) == 6 / (2 * 2)
    pair = np.array([[0.5]]), np.array([[0.0]]), np.zeros(1)
    for legacy, loss in (("false", (1 - 0.5) ** 2 / 2), ("true", (1 - 0.5**2) / 2)):
        text = f'type: "ContrastiveLoss" contrastive_loss_param {{ legacy_version: {legacy} }}'
        assert float(top(text, *pair)) == pytest.approx(loss)


def test_trap_14_update_order():
    assert steps("clip_gradients: 1 iter_size: 2", 3, size=4) == [pytest.approx(0.25)]  # the sum is clipped, then halved
    assert steps("clip_gradients: 0.001 weight_decay: 0.5", 3, size=4) == [pytest.approx(0.5005)]  # decay is not clipped
    with solver_of("weight_decay: 0.5", net="""layer { name: "ones" type: "DummyData" top: "ones"
            dummy_data_param { shape { dim: 1 dim: 1 } } }
            layer { name: "b" type: "Bias" bottom: "ones" top: "b" loss_weight: 1 bias_param { num_axes: 1 filler { value: 2 } } }
            """) as solver:
        solver.step(1)
        assert solver.net.params["b"][0].data.tolist() == [2 - (1 + 0.5 * 2)]  # a bias decays too


def test_trap_15_rate_inside_momentum():
    falls = 'base_lr: 0.1 lr_policy: "multistep" gamma: 0.1 stepvalue: 1 momentum: 0.5'
    assert steps(falls, 3, 1.8) == pytest.approx([0.3, 0.168])  # the old velocity keeps the old rate
    assert steps('base_lr: 0.1 momentum: 0.5 type: "Nesterov"', 3) == pytest.approx([1.5 * 0.3])


def test_trap_16_adaptive_rules():
    assert steps('base_lr: 0.1 type: "Adam"', 3, 2.6) == pytest.approx([0.1, 0.0926], abs=5e-5)  # momentum unset: beta1 is 0
    assert steps('momentum: 0.5 delta: 0.01 type: "AdaDelta"', 3) == pytest.approx([3 * math.sqrt(0.01 / (0.01 + 4.5))])
    assert steps('base_lr: 0.01 type: "RMSProp"', 3) == pytest.approx([0.1])  # rms_decay 0.99
    with pytest.raises(ConfigError, match="AdaGrad has no momentum"):
        solver_of('type: "AdaGrad" momentum: 0.9')


def test_trap_17_policies():
    def rates(text):
        p = parse_text_message(f"base_lr: 1 {text}", "trap.prototxt", "SolverParameter")
        return [find_policy(p).rate(p.message, t) for t in range(4)]

    assert rates('lr_policy: "step" gamma: 0.5 stepsize: 2') == [1, 1, 0.5, 0.5]
    assert rates('lr_policy: "multistep" gamma: 0.5 stepvalue: 1 stepvalue: 3') == [1, 0.5, 0.5, 0.25]
    assert rates('lr_policy: "poly" power: 2 max_iter: 4') == pytest.approx([1, 9 / 16, 1 / 4, 1 / 16])
    assert rates('lr_policy: "inv" gamma: 1 power: 1') == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])
    rising = rates('lr_policy: "sigmoid" gamma: 1 stepsize: 2')
    assert rising == sorted(rising) and rising[2] == 0.5
    with pytest.raises(ConfigError, match="max_iter"):  # Caffe: NaN weights after the first update, no message
        solver_of('lr_policy: "poly" power: 1')


def test_trap_18_solver_defaults():
    p = schema.new("SolverParameter")
    assert (p.solver_mode, p.random_seed, p.test_initialization, p.average_loss) == (1, -1, True, 1)  # 1 is GPU
    found = []
    with solver_of("base_lr: 0 average_loss: 2 test_iter: 1 test_interval: 5") as solver:
        assert solver.iter == 0
        solver.listen(found.append)
        solver.step(1)
        assert events.Testing(0, 0) in found
        solver.net.blobs["x"].data[...] = 9
        solver.step(1)
        assert solver.smoothed_loss == 9  # the mean is of this call's losses, not of 3 and 9


def test_trap_19_net_state():
    def names(rules, **state):
        made = net_of(f'state {{ stage: "a" level: 1 }} layer {{ name: "x" type: "DummyData" top: "x" {rules} '
                      "dummy_data_param { shape {} } }", **state)
        return [step.name for step in made.steps]

    assert names('include { stage: "a" stage: "b" }') == []
    assert names('include { stage: "a" stage: "b" }', stages=("b",)) == ["x"]  # stages add up
    assert names("include { min_level: 2 }", level=2) == ["x"]  # the level is replaced
    assert names("include { max_level: 0 } include { stage: \"a\" }") == ["x"]  # rules are alternatives
    assert names('include { stage: "a" not_stage: "a" }') == []  # and all of one rule's conditions hold
    assert names('exclude { stage: "a" } exclude { phase: TRAIN }') == []
    with pytest.raises(ConfigError, match="include and exclude"):
        names("include { phase: TEST } exclude { phase: TRAIN }")


def test_trap_20_phase_of_a_layer():
    x = np.ones((1, 100))
    kept = net_of('layer { name: "x" type: "Input" top: "x" phase: TRAIN input_param { shape { dim: 1 } } }')
    assert [step.name for step in kept.steps] == ["x"]  # it is no include rule
    assert set(top('type: "Dropout" phase: TRAIN', x).ravel()) == {0, 2}
    assert set(top('type: "Dropout"', x).ravel()) == {1}


def test_trap_21_splits():
    users = " ".join(f'layer {{ name: "u{k}" type: "Power" bottom: "x" top: "u{k}" loss_weight: 1 power_param {{ scale: {k} }} }}'
                     for k in (1, 2, 4))
    net = net_of(f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 1 }} }} }} {users}')
    net.forward(x=[1])
    net.backward()
    found = net.plan.description
    (value,) = (v.id for v in found.values if v.blob == "x")
    assert [found.split_name(value, k) for k in range(3)] == ["x_x_0_split_0", "x_x_0_split_1", "x_x_0_split_2"]
    assert [net.executor.edges[edge].diff.item() for edge in net.plan.sums[value]] == [1, 2, 4]


def test_trap_22_outputs_are_sorted():
    layers = " ".join(f'layer {{ name: "l{n}" type: "Input" top: "{n}" input_param {{ shape {{ dim: 1 }} }} }}' for n in "zbm")
    net = net_of(layers)
    assert net.outputs == ["b", "m", "z"] and net.inputs == ["z", "b", "m"]


def test_trap_23_propagate_down():
    two = np.ones((1, 2))
    assert diffs(run('type: "Eltwise"', two, two)) == [[[1, 1]], [[1, 1]]]
    param = 'type: "Parameter" parameter_param { shape { dim: 1 } }'
    chosen = net_of(f"""force_backward: false layer {{ name: "p" {param} top: "p" }} layer {{ name: "q" {param} top: "q" }}
        layer {{ name: "s" type: "Eltwise" bottom: "p" bottom: "q" top: "s" loss_weight: 1 propagate_down: [true, false] }}""")
    assert chosen.steps[-1].need.bottoms == (True, False) and [bool(s.step.backward) for s in chosen.steps] == [True, False, True]
    loss = run('type: "SoftmaxWithLoss"', two, np.zeros(1))
    assert loss.steps[-1].need.bottoms == (True, False)  # force_backward does not reach the label
    for text in ("SoftmaxWithLoss", "Accuracy"):
        with pytest.raises(ConfigError, match="gradient"):
            run(f'type: "{text}" propagate_down: true propagate_down: true', two, np.zeros(1))
    both = run('type: "EuclideanLoss" propagate_down: true propagate_down: true', two, two)
    assert both.steps[-1].need.bottoms == (True, True)


def test_trap_24_weights_by_name(tmp_path):
    def net(name, outputs):
        return net_of(f"""layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: 2 }} }} }}
            layer {{ name: "{name}" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {{ num_output: {outputs}
                     weight_filler {{ value: {outputs} }} }} }}""")

    net("old", 3).save(tmp_path / "old.caffemodel")
    for name, afterwards in (("new", 7), ("old", 3)):
        loading = net(name, 3)
        loading.params[name][0].data[...] = 7
        loading.load(tmp_path / "old.caffemodel")
        assert (loading.params[name][0].data == afterwards).all()
    with pytest.raises(WeightsError, match=r"shape \(3, 2\) in the file and \(4, 2\) in the net"):
        net("old", 4).load(tmp_path / "old.caffemodel")
    assert weights.shapes_match((1, 1, 1, 3), (3,), True) and weights.shapes_match((1, 1, 3, 2), (3, 2), True)
    assert not weights.shapes_match((3, 2, 1, 1), (3, 2), True)  # aligned at the right


def test_trap_25_data_and_its_transform():
    text = """layer {{ name: "d" type: "Data" top: "x" top: "label" transform_param {{ {} }}
                       data_param {{ source: "builtin:mnist10k/test" batch_size: 1000 scale: 0.5 }} }}"""
    with net_of(text.format("")) as net:
        first, _, third = (net.forward()["x"].copy() for _ in range(3))
    assert (first == third).all()  # 2,000 records, never shuffled
    assert first.max() == 255  # scale in data_param of a `layer` is not read
    with net_of(text.format("mirror: true")) as net:  # the TEST phase
        assert 0.4 < (net.forward()["x"] != first).any(axis=(1, 2, 3)).mean() < 0.6
    picture = np.arange(25, dtype=np.uint8).reshape(1, 1, 5, 5)
    centred = Transformer(scale=0.5, crop_size=2, mean=np.ones((1, 5, 5), np.float32) * picture[0], train=False)(picture)
    assert not centred.any()  # the mean is cut at the same place; places begin at (5 - 2) // 2
    assert Transformer(scale=0.5, crop_size=2, train=False)(picture).ravel().tolist() == [3, 3.5, 5.5, 6]


def test_trap_26_resume(tmp_path):  # Caffe forgets where the data was, and breaks at a slash in a name
    text = """layer { name: "d" type: "Data" top: "x" data_param { source: "builtin:mnist10k/train" batch_size: 2 } }
              layer { name: "a/b" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 1
                      weight_filler { value: 1 } } } layer { name: "drop" type: "Dropout" bottom: "y" top: "z" }"""
    with net_of(text, phase="TRAIN") as net:
        net.forward()
        state = net.state()
        wanted = net.forward()["z"].copy()
        net.set_state(state)
        assert (net.forward()["z"] == wanted).all()
        for name in ("w.npz", "w.caffemodel"):
            net.params["a/b"][0].data[...] = 5
            net.save(tmp_path / name)
            net.params["a/b"][0].data[...] = 1
            assert "a/b" in net.load(tmp_path / name).loaded and (net.params["a/b"][0].data == 5).all()


def test_trap_27_debug_info(caplog):
    assert statistics(np.array([1.0, -1, 1])).mean_abs == 1  # what Caffe prints: the mean of |x|, not 1.73, the L2 norm
    solver_of("debug_info: true").close()
    assert "debug_info" in caplog.text and "display is 0" in caplog.text  # in Caffe: silence without a word


def test_trap_28_shapes():
    x = np.arange(24.0).reshape(2, 3, 4)
    shapes = {'type: "Reshape" reshape_param { shape { dim: 0 dim: -1 } }': (2, 12),
              'type: "Reshape" reshape_param { shape { dim: 0 dim: 2 dim: 2 } axis: 1 num_axes: 2 }': (2, 3, 2, 2),
              'type: "Reshape" reshape_param { shape { dim: 2 dim: -1 } axis: 2 num_axes: 1 }': (2, 3, 2, 2),
              'type: "Flatten" flatten_param { axis: -3 end_axis: -2 }': (6, 4),
              'type: "InnerProduct" inner_product_param { num_output: 5 }': (2, 5),
              'type: "InnerProduct" inner_product_param { num_output: 5 axis: -1 }': (2, 3, 5)}
    for text, shape in shapes.items():
        assert top(text, x).shape == shape, text
    assert run('type: "InnerProduct" inner_product_param { num_output: 5 transpose: true }', x).params["it"][0].shape == (12, 5)
    crop = 'type: "Crop" crop_param { axis: 1 offset: 1 }'  # one offset for all axes from axis on; 0 by default
    assert (top(crop, x, np.zeros((9, 2, 3))) == x[:, 1:3, 1:4]).all()
    parts = run('type: "Slice" slice_param { axis: 2 slice_point: 1 slice_point: 3 }', x, tops="xyz")
    assert [parts.blobs[name].shape[2] for name in "xyz"] == [1, 2, 1]


def test_trap_29_recurrent():
    tanh, x = math.tanh, np.ones((2, 1, 1))  # T x N x values
    text, params = 'type: "RNN" recurrent_param { num_output: 1 }', [1, 0, 1, 2, 0]  # W_xh, b_h, W_hh, W_ho, b_o
    for cont, second in ((1, tanh(2 * tanh(1 + tanh(1)))), (0, tanh(2 * tanh(1)))):  # a tanh on the output too
        found = top(text, x, np.array([[0.0], [cont]]), params=params).ravel()
        assert_allclose(found, [tanh(2 * tanh(1)), second])
    lstm, bias = 'type: "LSTM" recurrent_param { num_output: 1 }', np.array([100.0, -100, 100, 0.5])  # i f o g
    for o, h in ((1, tanh(tanh(0.5))), (-1, 0)):  # the third block is the output gate
        assert top(lstm, x[:1], np.zeros((1, 1)), params=[0, bias * [1, 1, o, 1], 0]).item() == pytest.approx(h)
    exposed = run('type: "LSTM" recurrent_param { num_output: 1 expose_hidden: true }', x, np.ones((2, 1)),
                  *np.zeros((2, 1, 1, 1)), tops="yzw")
    assert [exposed.blobs[name].shape for name in "yzw"] == [(2, 1, 1), (1, 1, 1), (1, 1, 1)]


def test_trap_30_forks():
    """Numbers of forks collide, so theirs are not in the schema; and what they compute is theirs, rounding and all."""
    assert not [info for info in schema.fields("LayerParameter").values() if 148 < info.number < 50000]
    features = np.arange(16.0).reshape(1, 1, 4, 4)
    pool = 'type: "ROIPooling" roi_pooling_param { pooled_h: 1 pooled_w: 1 spatial_scale: 0.5 }'
    regions = np.array([[0, 1, 1, 3, 3], [0, 3, 3, 1, 1]])  # 0.5 rounds up to 1, 1.5 to 2; both ends count
    assert top(pool, features, regions).ravel().tolist() == [10, 10]
