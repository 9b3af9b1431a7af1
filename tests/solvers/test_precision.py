"""Average precision by its three rules, and gathered over the passes of a test."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ConfigError
from netdef.solvers.evaluate import evaluate
from netdef.solvers.precision import average_precision

RIGHT = np.array([True, True, False, True, False, False, True])  # of 5 true boxes: precision 1, 1, 2/3, 3/4, 3/5, 1/2, 4/7


@pytest.mark.parametrize(("version", "expected"), [
    ("Integral", 0.2 * (1 + 1 + 3 / 4 + 4 / 7)),
    ("MaxIntegral", 0.2 * (1 + 1 + 3 / 4 + 4 / 7)),
    ("11point", (5 * 1 + 2 * 3 / 4 + 2 * 4 / 7) / 11),  # recalls 0 .. 0.4, 0.5 and 0.6, 0.7 and 0.8
])
def test_average_precision(version, expected):
    assert average_precision(RIGHT, 5, version) == pytest.approx(expected)


def test_the_rules_differ_where_precision_rises():
    right = np.array([False, True, True])
    assert average_precision(right, 2, "Integral") == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert average_precision(right, 2, "MaxIntegral") == pytest.approx(2 / 3)


@pytest.mark.parametrize("version", ["Integral", "MaxIntegral", "11point"])
def test_perfect_and_empty(version):
    assert average_precision(np.ones(4, bool), 4, version) == pytest.approx(1)
    assert average_precision(np.ones(0, bool), 4, version) == average_precision(np.zeros(3, bool), 0, version) == 0


A, B = [0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]
BATCHES = [  # found, truth
    ([[0, 1, 0.9, *A], [0, 1, 0.3, *B]], [[0, 1, 0, *A, 0], [0, 2, 0, *B, 0]]),
    ([[0, 1, 0.6, *B], [0, 2, 0.5, *B]], [[0, 1, 0, *B, 0], [0, 2, 0, *A, 0]]),
]


@pytest.fixture
def net():
    """Its passes have the detections of BATCHES in turn."""
    text = """layer { name: "in" type: "Input" top: "found" top: "truth" input_param {
  shape { dim: 1 dim: 1 dim: 2 dim: 7 } shape { dim: 1 dim: 1 dim: 2 dim: 8 } } }
layer { name: "eval" type: "DetectionEvaluate" bottom: "found" bottom: "truth" top: "mAP"
        detection_evaluate_param { num_classes: 4 } }
layer { name: "other" type: "Reduction" bottom: "truth" top: "sum" }"""
    made = netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase="TEST")
    batches = iter(BATCHES * 9)
    made.hooks.add("before_forward", lambda step: fill(step, *next(batches)) if step.name == "eval" else None)
    return made


def fill(step, found, truth):
    step.bottoms[0].data[0, 0], step.bottoms[1].data[0, 0] = found, truth


def test_rows_are_gathered_over_all_passes(net):
    """Class 1 has 0.9 and 0.6 right and 0.3 wrong, of two true boxes; class 2 only 0.5 wrong; class 3 has none."""
    seen = []
    scores = evaluate(net, 2, lambda: True, lambda number, outputs: seen.append([o.name for o in outputs]), by_class=True)
    found = {o.name: o.value for o in scores.outputs}
    assert found.pop("sum") != 0
    assert found == pytest.approx({"mAP": 1 / 3, "mAP_class1": 1, "mAP_class2": 0, "mAP_class3": 0})
    assert seen == [["sum"], ["sum"]], "rows are no outputs of a batch"
    assert scores.precision.text("mAP", ["-", "cat", "dog", "cow"]).splitlines() == [
        "layer 'eval', average precision by class (Integral)",
        "class  label  true boxes  found  average precision",
        "    1  cat             2      3             1.0000",
        "    2  dog             2      1             0.0000",
        "    3  cow             0      0             0.0000"]


def test_the_solver_checks_its_words(tmp_path):
    (tmp_path / "s.prototxt").write_text('net_param { layer { name: "d" type: "DummyData" top: "d" dummy_data_param { '
                                         'shape { dim: 1 } } } } base_lr: 1 lr_policy: "fixed" max_iter: 1 '
                                         'eval_type: "detections" ap_version: "12point"')
    with pytest.raises(ConfigError) as caught:
        netdef.Solver(tmp_path / "s.prototxt")
    said = str(caught.value)
    assert "solver: eval_type: expected classification or detection, got 'detections'; did you mean 'detection'?" in said
    assert "solver: ap_version: expected Integral, 11point or MaxIntegral, got '12point'" in said
