"""ArgMax: with and without axis, ties, NaN, and the shapes."""
import numpy as np
import pytest

from netdef.errors import ShapeError
from netdef.testing import check_layer


def best(x, k):
    """Indices of the k largest of a vector: Caffe sorts pairs (value, index), falling."""
    return sorted(range(len(x)), key=lambda i: (x[i], i), reverse=True)[:k]


def by_item(k, values):
    def f(x):
        rows = [np.ravel(item) for item in x]
        index = np.array([best(r, k) for r in rows], float).reshape(len(x), 1, k)
        scores = np.array([[r[i] for i in best(r, k)] for r in rows]).reshape(len(x), 1, k)
        y = np.concatenate([index, scores], 1) if values else index
        return y.reshape(*y.shape, *(1,) * (x.ndim - 3))
    return f


@pytest.mark.parametrize("shape", [(3, 7), (2, 3, 4), (2, 3, 2, 2), (2, 2, 1, 2, 3)])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("values", [False, True])
def test_over_items(shape, k, values):
    report = check_layer(f'type: "ArgMax" argmax_param {{ top_k: {k} out_max_val: {str(values).lower()} }}', [shape],
                         by_item(k, values))
    assert "constraints" in report.passed


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("values", [False, True])
def test_along_an_axis(axis, k, values):
    def reference(x):
        def one(v):
            return [v[i] for i in best(v, k)] if values else best(v, k)
        return np.apply_along_axis(one, axis, x) if x.size else np.zeros_like(np.take(x, range(k), axis))
    check_layer(f'type: "ArgMax" argmax_param {{ axis: {axis} top_k: {k} out_max_val: {str(values).lower()} }}',
                [(4, 3, 5)], reference, batch=axis != 0)


@pytest.mark.parametrize("k", [1, 3])
def test_trap_4_of_equal_scores_the_higher_index_comes_first(k):
    """Trap 4; Caffe says 2 for (1, 1, 1)."""
    check_layer(f'type: "ArgMax" argmax_param {{ top_k: {k} }}', [np.ones((2, 3))],
                lambda x: np.array([[[2.0, 1, 0][:k]]] * len(x)))


@pytest.mark.parametrize("k", [1, 3])
def test_nan_comes_first(k):
    x = np.array([[1, np.nan, 5, 2]])
    check_layer(f'type: "ArgMax" argmax_param {{ top_k: {k} }}', [x], lambda x: np.array([[[1.0, 2, 3][:k]]] * len(x)))


@pytest.mark.parametrize(("options", "shape", "message"), [
    ("top_k: 7", (2, 2, 3), "top_k of at most the 6 values that are searched, got 7"),
    ("top_k: 4 axis: 2", (2, 2, 3), "top_k of at most the 3 values"),
    ("axis: 3", (2, 2, 3), "axis 3 does not exist in a bottom of 3 axes"),
])
def test_shapes_that_do_not_fit(options, shape, message):
    with pytest.raises(ShapeError, match=message):
        check_layer(f'type: "ArgMax" argmax_param {{ {options} }}', [shape])
