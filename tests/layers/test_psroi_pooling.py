"""PSROIPooling against bins taken one by one, and the battery."""
import math

import numpy as np
import pytest

from netdef.errors import FieldError, ShapeError
from netdef.testing import check_layer


def rounded(v):
    return math.copysign(math.floor(abs(v) + 0.5), v)


def naive(x, rois, outputs, group, scale):
    out = np.zeros((len(rois), outputs, group, group))
    for r, roi in enumerate(rois.reshape(-1, 5)):
        x1, y1 = (rounded(v) * scale for v in roi[1:3])
        width, height = (max((rounded(b) + 1) * scale - a, 0.1) / group for a, b in zip((x1, y1), roi[3:], strict=True))
        for d, i, j in np.ndindex(outputs, group, group):
            top, bottom = (min(max(v, 0), x.shape[2]) for v in (math.floor(y1 + i * height), math.ceil(y1 + (i + 1) * height)))
            left, right = (min(max(v, 0), x.shape[3]) for v in (math.floor(x1 + j * width), math.ceil(x1 + (j + 1) * width)))
            part = x[int(roi[0]), (d * group + i) * group + j, top:bottom, left:right]
            out[r, d, i, j] = part.mean() if part.size else 0
    return out


ROIS = np.array([[0, 0, 0, 20, 21], [1, 5, 9, 17.6, 17], [1, 12, 12, 8, 8], [0, -16, -13, 5, 9], [0, 17, 18, 50, 37],
                 [1, 0, 0, 0, 0], [0, 60, 60, 90, 90], [0, 2.5, -2.5, 9, 9]], float)


@pytest.mark.parametrize("outputs, group", [(1, 1), (2, 2), (1, 3)])
def test_battery(outputs, group):
    report = check_layer(f'type: "PSROIPooling" psroi_pooling_param {{ spatial_scale: 0.25 output_dim: {outputs} '
                         f'group_size: {group} }}', [(2, outputs * group * group, 6, 7), ROIS],
                         lambda x, rois: naive(x, rois, outputs, group, 0.25), batch=[1])
    assert {"values", "gradients", "constraints", "other shape"} <= set(report.passed)
    assert len(report.gradients) == 2


def test_corners_are_rounded_before_they_are_scaled():
    x = np.arange(36.0).reshape(1, 1, 6, 6)
    y = check_layer('type: "PSROIPooling" psroi_pooling_param { spatial_scale: 0.5 output_dim: 1 group_size: 1 }',
                    [x, np.array([[0, 1.6, 0, 2.4, 0.4]])], lambda *_: np.array(1.0).reshape(1, 1, 1, 1), batch=False)
    assert "values" in y.passed  # 2 * 0.5 = 1 to (2 + 1) * 0.5 = 1.5: cell 1 of row 0


def test_refused():
    with pytest.raises(ShapeError, match=r"expected 12 channels, output_dim 3 . group_size 2 . 2, got 8"):
        check_layer('type: "PSROIPooling" psroi_pooling_param { spatial_scale: 1 output_dim: 3 group_size: 2 }',
                    [(1, 8, 6, 6), ROIS])
    with pytest.raises(FieldError, match="spatial_scale: missing"):
        check_layer('type: "PSROIPooling" psroi_pooling_param { output_dim: 3 group_size: 2 }', [(1, 12, 6, 6), ROIS])
