"""Embed: the vectors, their gradient with repeats, and bad indices."""
import numpy as np
import pytest

from netdef.testing import LayerCheckError, check_layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("words", [[[0, 3, 3], [4, 0, 3]], [[2]], [1, 1, 1, 0]])
def test_battery(bias, words):
    report = check_layer(f'type: "Embed" embed_param {{ input_dim: 5 num_output: 3 bias_term: {str(bias).lower()} }}',
                         [np.array(words, float)], lambda x, w, b=0: w[x.astype(int)] + b)
    assert {"gradients", "backward_reads", "constraints", "need"} <= set(report.passed)


def test_it_is_a_product_with_one_hot_vectors():
    words = np.array([2.0, 0, 2])
    check_layer('type: "Embed" embed_param { input_dim: 4 num_output: 2 }', [words],
                lambda x, w, b: np.eye(4)[x.astype(int)] @ w + b)


@pytest.mark.parametrize("bad", [5, -1, 0.5, np.nan])
def test_bad_indices_are_located(bad):
    with pytest.raises(LayerCheckError, match=r"blob 'b0', place \(0, 1\): expected a whole number from 0 to 4, got"):
        check_layer('type: "Embed" embed_param { input_dim: 5 num_output: 3 }', [np.array([[0, bad]])])
