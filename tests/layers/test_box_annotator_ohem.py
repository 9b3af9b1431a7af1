"""BoxAnnotatorOHEM against a plain loop."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


def naive(count, ignore=-1):
    def reference(rois, loss, labels, weights):
        out_labels, out_weights = np.full(labels.shape, float(ignore)), np.zeros(weights.shape)
        left = {}
        for r in sorted(range(len(loss)), key=lambda r: -loss.ravel()[r]):
            image = rois.reshape(len(rois), 5)[r, 0]
            if left.setdefault(image, count) > 0:
                left[image] -= 1
                out_labels[r], out_weights[r] = labels[r], weights[r]
        return [out_labels, out_weights]
    return reference


ROIS = np.zeros((7, 5))
ROIS[:, 0] = [0, 1, 0, 0, 1, 0, 0]
LOSS = np.array([0.5, 2, 3, 0.25, 1, 3, 4])
LABELS = np.arange(7.0)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_battery(count):
    report = check_layer(f'type: "BoxAnnotatorOHEM" box_annotator_ohem_param {{ roi_per_img: {count} }}',
                         [ROIS, LOSS, LABELS, (7, 8)], naive(count), tops=2)
    assert {"values", "batches", "constraints"} <= set(report.passed)


def test_four_axes_and_another_label():
    check_layer('type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 2 ignore_label: 255 }',
                [ROIS.reshape(7, 5, 1, 1), LOSS.reshape(7, 1, 1, 1), LABELS.reshape(7, 1, 1, 1), (7, 8, 1, 1)],
                naive(2, 255), tops=2)


def test_refused():
    with pytest.raises(ShapeError, match="expected one loss for each of the 7 regions, got .6,."):
        check_layer('type: "BoxAnnotatorOHEM" box_annotator_ohem_param { roi_per_img: 2 }',
                    [ROIS, LOSS[:6], LABELS, (7, 8)], tops=2)
