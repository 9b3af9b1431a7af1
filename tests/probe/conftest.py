"""Nets that are made from text, with weights that are random and the same each time."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.runtime.net import Net

DIGITS = """
name: small
layers:
  - data: {Input: {shape: {dim: [1, 1, 8, 8]}}}
  - conv1: {Convolution: {num_output: 4, kernel_size: 3, weight_filler: {type: gaussian, std: 0.4}}}
  - relu1: {ReLU: {}, top: conv1}
  - pool1: {Pooling: {pool: MAX, kernel_size: 2, stride: 2}, bottom: conv1}
  - score: {InnerProduct: {num_output: 3, weight_filler: {type: gaussian, std: 0.4}}}
  - prob: {Softmax: {}}
"""


@pytest.fixture
def net_of(tmp_path):
    """``net_of(text)``: a YAML net and weights of it, random but the same each time: two paths."""

    def make(text, seed=5, name="net"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        net = Net(path, seed=seed)
        rng = np.random.default_rng(seed)
        for blobs in net.params.values():
            for blob in blobs:
                if blob.data.ndim == 1 and not blob.data.any():
                    blob.data[...] = rng.uniform(-0.3, 0.3, blob.shape)
        net.save(tmp_path / f"{name}.npz")
        return path, tmp_path / f"{name}.npz"

    return make


@pytest.fixture
def small(net_of):
    """A small classifier of pictures: paths of net and weights."""
    return net_of(DIGITS)
