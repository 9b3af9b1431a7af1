"""CTCLoss and WarpCTCLoss against the sum over all readings, with each kind of bottoms; what they refuse."""
import itertools

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, ShapeError
from netdef.testing import check_layer

T, N, C = 4, 3, 3


def cost(x, label, blank):
    """-log of the probability of all readings of x (frames, classes) that spell the label; inf where there is none."""
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    total = sum(np.prod(p[range(len(x)), reading]) for reading in itertools.product(range(x.shape[1]), repeat=len(x))
                if [s for s, _ in itertools.groupby(reading) if s != blank] == list(label))
    return -np.log(total) if total else np.inf


def reference(frames, labels, blank, divisor=None, first=0):
    def loss(x, *others):
        x = x.reshape(x.shape[:3])
        costs = [cost(x[first:n, i], label, blank) if n > first or label else 0.0
                 for i, (n, label) in enumerate(zip(frames, labels, strict=True))]
        fit = [c for c in costs if np.isfinite(c)]
        return np.array(sum(fit) / max(1, len(fit) if divisor is None else divisor))
    return loss


FRAMES, LABELS = [4, 3, 2], [[0, 1], [1, 1], [0]]
LENGTHS = [np.array(FRAMES, float), np.array([2.0, 2, 1]), np.array([[0.0, 1, 0], [1, 1, 2]])]  # the last 2 does not count
CONTINUES = np.array([[0.0, 0, 0], [1, 1, 1], [1, 1, 0], [1, 0, 1]])
COLUMNS = np.array([[0.0, 1, 0], [1, 1, -1], [-1, -1, 7]])
ROWS = np.array([[0.0, 2, 1, 2], [2, 1, 2, 1], [0, 2, 2, 2]])


@pytest.mark.parametrize(("type_name", "divisor"), [("CTCLoss", N), ("WarpCTCLoss", None)])
@pytest.mark.parametrize(("others", "frames"), [(LENGTHS, FRAMES), ([CONTINUES, COLUMNS], FRAMES), ([ROWS], [4, 4, 4])],
                         ids=["lengths", "indicators", "rows"])
def test_battery(type_name, divisor, others, frames):
    report = check_layer(f'type: "{type_name}" ctc_loss_param {{ blank_index: 2 }}', [(T, N, C), *others],
                         reference(frames, LABELS, 2, divisor), batch=False)
    assert {"values", "gradients", "repeatable"} <= set(report.passed)


@pytest.mark.parametrize(("mode", "divisor"), [("NONE", 1), ("BATCH_SIZE", 3), ("FULL", 3), ("VALID", 2), ("PRE_FIXED", 5)])
@pytest.mark.parametrize("type_name", ["CTCLoss", "WarpCTCLoss"])
def test_normalization_and_a_label_that_does_not_fit(type_name, mode, divisor, caplog):
    """The second label needs three frames, and has two."""
    others = [np.array([4.0, 2, 2]), LENGTHS[1], LENGTHS[2]]
    check_layer(f'type: "{type_name}" ctc_loss_param {{ blank_index: 2 }} loss_param {{ normalization: {mode} '
                'pre_fixed_normalizer: 5 }', [(T, N, C), *others], reference([4, 2, 2], LABELS, 2, divisor), batch=False)
    assert "a label cannot be spelt in the frames of its sequence; it counts 0" in caplog.text


def test_the_default_blanks():
    """CTCLoss: the last class. WarpCTCLoss: the first, and labels behind indicators count from 0 without it."""
    check_layer('type: "CTCLoss"', [(T, N, C), *LENGTHS], reference(FRAMES, LABELS, 2, N), batch=False)
    shifted = [[k + 1 for k in label] for label in LABELS]
    check_layer('type: "WarpCTCLoss"', [(T, N, C), CONTINUES, COLUMNS], reference(FRAMES, shifted, 0), batch=False)
    check_layer('type: "WarpCTCLoss"', [(T, N, C), *LENGTHS[:2], LENGTHS[2] % 2 + 1],
                reference(FRAMES, [[k % 2 + 1 for k in label] for label in LABELS], 0), batch=False)


def test_four_axes_a_delay_and_collapsed_labels():
    check_layer('type: "CTCLoss" ctc_loss_param { output_delay: 1 preprocess_collapse_repeated: true }',
                [(T, N, C, 1), CONTINUES.reshape(T, N, 1), COLUMNS.reshape(3, N, 1, 1)],
                reference(FRAMES, [[0, 1], [1], [0]], 2, N, first=1), batch=False)


def test_a_sequence_without_a_label():
    """Behind indicators it counts nothing; with lengths it is all blanks."""
    columns = COLUMNS.copy()
    columns[0, 2] = -1
    check_layer('type: "CTCLoss"', [(T, N, C), CONTINUES, columns], reference([4, 3, 0], [[0, 1], [1, 1], []], 2, N), batch=False)
    check_layer('type: "CTCLoss"', [(T, N, C), LENGTHS[0], np.array([2.0, 2, 0]), LENGTHS[2]],
                reference(FRAMES, [[0, 1], [1, 1], []], 2, N), batch=False)


def test_a_label_without_frames_does_not_fit():
    check_layer('type: "WarpCTCLoss" ctc_loss_param { blank_index: 2 }', [(T, N, C), np.array([0.0, 3, 2]), *LENGTHS[1:]],
                reference([0, 3, 2], LABELS, 2), batch=False)


def test_the_blank_ends_a_label_behind_indicators():
    check_layer('type: "CTCLoss"', [(T, N, C), CONTINUES, np.where(COLUMNS < 0, 2, COLUMNS)],
                reference(FRAMES, LABELS, 2, N), batch=False)


def run(*others, text='type: "CTCLoss"'):
    shapes = [(T, N, C), *(np.shape(o) for o in others)]
    names = [f"b{i}" for i in range(len(shapes))]
    dims = " ".join("shape {" + "".join(f" dim: {n}" for n in s) + " }" for s in shapes)
    net = netdef.Net(parse_text_message(f'''layer {{ name: "in" type: "Input" {" ".join(f'top: "{n}"' for n in names)}
        input_param {{ {dims} }} }} layer {{ name: "loss" {text} {" ".join(f'bottom: "{n}"' for n in names)} top: "loss" }}''',
                                        "n.prototxt", "NetParameter"))
    return net.forward(**dict(zip(names, [np.zeros((T, N, C)), *others], strict=True)))


@pytest.mark.parametrize(("others", "message"), [
    ([np.array([5.0, 3, 2]), *LENGTHS[1:]], "blob 'b1', sequence 0: expected 0 to 4 frames, got 5"),
    ([LENGTHS[0], np.array([2.0, 3, 1]), LENGTHS[2]], "blob 'b2', sequence 1: expected 0 to 2 symbols, got 3"),
    ([*LENGTHS[:2], LENGTHS[2] + 2], "sequence 0: expected labels that are classes, 0 to 2, without the blank, got 2"),
    ([CONTINUES, COLUMNS + 0.5], "got 0.5"),
])
def test_values_that_cannot_be(others, message):
    with pytest.raises(DataError, match=message):
        run(*others)


@pytest.mark.parametrize(("text", "others", "error", "message"), [
    ('type: "CTCLoss" ctc_loss_param { blank_label: 1 }', [ROWS], FieldError,
     "blank_label: is an option of CtcLoss, not of this type; blank_index names the blank"),
    ('type: "CTCLoss" ctc_loss_param { ctc_merge_repeated: false }', [ROWS], FieldError, "ctc_merge_repeated: expected true"),
    ('type: "WarpCTCLoss" ctc_loss_param { blank_index: 3 }', [ROWS], FieldError,
     "blank_index: expected one of the 3 classes, 0 to 2, got 3"),
    ('type: "CtcLoss" ctc_loss_param { alphabet_size: 3 time_step: 4 blank_index: 1 }', [ROWS], FieldError,
     "blank_index: is an option of CTCLoss and WarpCTCLoss, not of this type"),
    ('type: "CTCLoss"', [ROWS[:2]], ShapeError, r"expected labels of shape \(3, L\), a row for each sequence, got \(2, 4\)"),
    ('type: "CTCLoss"', [CONTINUES[:3], COLUMNS], ShapeError, r"expected indicators of shape \(4, 3\), 0 in the first frame"),
    ('type: "CTCLoss"', [CONTINUES, COLUMNS.T[:, :2]], ShapeError, r"expected labels of shape \(L, 3\), a column for each"),
    ('type: "CTCLoss"', [np.zeros(2), *LENGTHS[1:]], ShapeError, r"expected one number of frames for each of the 3 sequences"),
])
def test_refused(text, others, error, message):
    with pytest.raises(error, match=message):
        run(*others, text=text)


def test_options_without_effect_say_so(caplog):
    run(ROWS, text='type: "WarpCTCLoss" ctc_loss_param { output_delay: 1 blank_index: 2 }')
    assert "output_delay: has no effect in this type" in caplog.text
