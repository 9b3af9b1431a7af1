"""DetectionEvaluate by hand, and the battery."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, ShapeError
from netdef.testing import check_layer

A, B, C = [0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9], [0.0, 0.6, 0.2, 0.9]
NEAR_A = [0.1, 0.1, 0.4, 0.35]
TRUTH = np.array([[0, 1, 0, *A, 0], [0, 1, 1, *B, 1], [0, 2, 2, *C, 0], [1, 2, 0, *A, 0], [-1] * 8], float)
FOUND = np.array([[0, 1, 0.6, *NEAR_A], [0, 1, 0.9, *A], [0, 1, 0.5, *B], [0, 2, 0.8, *A], [1, 1, 0.7, *A],
                  [1, 2, 0.4, *A]], float)


def rows(array):
    return np.array(array, float).reshape(1, 1, -1, len(array[0]))


def expected(difficult=True):
    b = (1, 0) if difficult else (0, 0)
    return rows([[-1, 1, 2 if difficult else 1, -1, -1], [-1, 2, 2, -1, -1],
                 [0, 1, 0.9, 1, 0], [0, 1, 0.6, 0, 1], [0, 1, 0.5, *b], [0, 2, 0.8, 0, 1],
                 [1, 1, 0.7, 0, 1], [1, 2, 0.4, 1, 0]])


@pytest.mark.parametrize("difficult", [True, False])
def test_battery(difficult):
    report = check_layer('type: "DetectionEvaluate" detection_evaluate_param { num_classes: 3 evaluate_difficult_gt: '
                         f'{str(difficult).lower()} }}', [rows(FOUND), rows(TRUTH)], lambda f, t: expected(difficult),
                         other=[rows(FOUND[:1]), rows(TRUTH[:2])], batch=False, tolerance=1e-7)
    assert {"values", "shapes", "constraints", "other shape"} <= set(report.passed)


def build(options="num_classes: 3", found=1, truth=1):
    text = f"""layer {{ name: "in" type: "Input" top: "found" top: "truth" input_param {{
  shape {{ dim: 1 dim: 1 dim: {found} dim: 7 }} shape {{ dim: 1 dim: 1 dim: {truth} dim: 8 }} }} }}
layer {{ name: "eval" type: "DetectionEvaluate" bottom: "found" bottom: "truth" top: "eval"
         detection_evaluate_param {{ {options} }} }}"""
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), phase="TEST", dtype="float64")


def judged(net, found, truth):
    made = net.forward(found=rows(found), truth=rows(truth))["eval"][0, 0]
    return made[made[:, 0] >= 0][:, 3:].tolist()


def test_nothing_found():
    net = build(found=2)
    made = net.forward(found=rows([[0] + [-1] * 6, [1] + [-1] * 6]), truth=rows([[0, 2, 0, *A, 0]]))["eval"]
    assert made[0, 0].tolist() == [[-1, 1, 0, -1, -1], [-1, 2, 1, -1, -1]]


def test_a_box_goes_to_the_true_box_that_it_overlaps_most_even_where_that_is_taken():
    truth = [[0, 1, 0, *A, 0], [0, 1, 0, 0.1, 0.1, 0.4, 0.3, 0]]
    assert judged(build(found=2, truth=2), [[0, 1, 0.9, *A], [0, 1, 0.8, *NEAR_A]], truth) == [[1, 0], [0, 1]]


def test_overlap_in_whole_pixels(tmp_path):
    """Of 2 x 2 pixels that begin at pixel 0 and end at pixel 1 a box of 1 x 2 has half; in shares it has nothing."""
    (tmp_path / "sizes.txt").write_text("a 4 4\nb 40 40\n")
    found, truth = [[0, 1, 0.9, 0, 0, 0, 0.25]], [[0, 1, 0, 0, 0, 0.25, 0.25, 0]]
    net = build(f'num_classes: 3 name_size_file: "{tmp_path / "sizes.txt"}"')
    assert judged(net, found, truth) == [[1, 0]]
    assert judged(net, found, truth) == [[0, 1]], "the next picture is larger"
    assert judged(net, found, truth) == [[1, 0]], "and then from the beginning"
    assert judged(build(), found, truth) == [[0, 1]]


def test_errors(tmp_path):
    with pytest.raises(DataError, match="detections 'found': expected classes from 0 to 2 other than the background 0, got 5"):
        judged(build(), [[0, 5, 0.9, *A]], [[0, 1, 0, *A, 0]])
    with pytest.raises(DataError, match="true boxes 'truth': .* got picture 0 and class 7"):
        judged(build(), [[0, 1, 0.9, *A]], [[0, 7, 0, *A, 0]])
    with pytest.raises(FieldError, match="num_classes: missing"):
        build("")
    with pytest.raises(FieldError, match="name_size_file: no file 'gone.txt'"):
        build('num_classes: 3 name_size_file: "gone.txt"')
    (tmp_path / "bad.txt").write_text("picture 3\n")
    with pytest.raises(FieldError, match="name_size_file: expected a text file with lines 'name height width'"):
        build(f'num_classes: 3 name_size_file: "{tmp_path / "bad.txt"}"')
    with pytest.raises(ShapeError, match=r"expected detections as \(1, 1, R, 7\), got 'b0' of shape \(3, 5\)"):
        check_layer('type: "DetectionEvaluate" detection_evaluate_param { num_classes: 3 }', [(3, 5), (3, 8)], batch=False)
