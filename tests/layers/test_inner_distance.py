"""InnerDistance against a plain loop, and the battery."""
import numpy as np
import pytest

from netdef.errors import FieldError
from netdef.testing import check_layer


def reference(kind):
    def distances(x, centers, bias=None):
        flat = x.reshape(len(x), -1)
        out = np.array([[sum((a - b) ** 2 if kind == "L2" else abs(a - b) for a, b in zip(row, center, strict=True))
                         for center in centers] for row in flat]).reshape(len(x), len(centers))
        return out + (0 if bias is None else bias)
    return distances


@pytest.mark.parametrize("kind", ["L2", "L1"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 1, 2)])
def test_battery(kind, bias, shape):
    report = check_layer(f'type: "InnerDistance" inner_distance_param {{ num_output: 3 distance_type: "{kind}" '
                         f'bias_term: {str(bias).lower()} }}', [shape], reference(kind))
    assert {"values", "gradients", "constraints"} <= set(report.passed)


def test_near_points_keep_their_digits():
    x, centers = np.full((1, 2), 1000.0), np.array([[1000.0, 1000.0009765625]])
    check_layer('type: "InnerDistance" inner_distance_param { num_output: 1 bias_term: false }', [x], reference("L2"),
                params=[centers], skip=["gradients"])


@pytest.mark.parametrize(("options", "message"), [
    ('distance_type: "cosine"', "distance_type: expected L2 or L1, got 'cosine'"),
    ("transpose: true", "transpose: expected false, which is all that is known here"),
    ("normalize: true", "normalize: expected false"), ("update_center_only: true", "update_center_only: expected false")])
def test_refused(options, message):
    with pytest.raises(FieldError, match=message):
        check_layer(f'type: "InnerDistance" inner_distance_param {{ num_output: 3 {options} }}', [(2, 3)])
