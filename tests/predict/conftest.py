"""Small nets with weights that are known, and pictures."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.runtime.net import Net

DEPLOY = """
name: tiny
layers:
  - data: {Input: {shape: {dim: [2, 3, 4, 4]}}}
  - mean: {Pooling: {pool: AVE, global_pooling: true}}
  - score: {InnerProduct: {num_output: 3}}
  - prob: {Softmax: {}}
"""
TRAIN = """
name: small
layers:
  - points: {Data: {source: "builtin:spiral/test", batch_size: 100}, top: [data, label]}
  - ip1: {InnerProduct: {num_output: 4, weight_filler: {type: xavier}}, bottom: data}
  - relu1: {ReLU: {}, top: ip1}
  - score: {InnerProduct: {num_output: 3, weight_filler: {type: xavier}}}
  - loss: {SoftmaxWithLoss: {}, bottom: [score, label]}
"""


@pytest.fixture
def tiny(tmp_path):
    """A classifier of pictures by their strongest channel: paths of net and weights."""
    net = tmp_path / "deploy.yaml"
    net.write_text(DEPLOY)
    made = Net(net)
    made.params["score"][0].data[...] = np.eye(3) * 0.01
    made.params["score"][1].data[...] = 0
    made.save(tmp_path / "tiny.npz")
    return net, tmp_path / "tiny.npz"


@pytest.fixture
def small(tmp_path):
    """A train net with a data layer, and weights for it."""
    net = tmp_path / "train.yaml"
    net.write_text(TRAIN)
    Net(net, seed=3).save(tmp_path / "small.npz")
    return net, tmp_path / "small.npz"


@pytest.fixture
def pictures(tmp_path):
    """A folder of three pictures, blue, green and red, each of another size."""
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, name in enumerate(("blue", "green", "red")):
        pixels = np.zeros((6 + i, 8, 3), np.uint8)
        pixels[:, :, 2 - i] = 200
        image.fromarray(pixels).save(folder / f"{i}_{name}.png")
    return folder
