"""Where the preprocessing is found."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.config import blobproto
from netdef.errors import ConfigError, NetdefError
from netdef.predict.choose import NOTHING, find_preprocessing

DEPLOY = "layers:\n  - data: {Input: {shape: {dim: [1, 1, 28, 28]}}}\n"
TRAIN = """
layers:
  - train:
      Data: {source: "builtin:mnist10k/train", batch_size: 1}
      top: data
      transform_param: {scale: 0.5}
      include: {phase: TRAIN}
  - test:
      Data: {source: "builtin:mnist10k/test", batch_size: 1}
      top: data
      transform_param: {scale: 0.25, crop_size: 20, mirror: true, mean_value: 33}
      include: {phase: TEST}
"""
IMAGES = """
layer { name: "d" type: "ImageData" top: "data" top: "label"
        image_data_param { source: "list.txt" new_height: 30 new_width: 40 is_color: false }
        transform_param { crop_size: 20 mean_file: "m.binaryproto" } }
"""


@pytest.fixture
def nets(tmp_path):
    for name, text in (("deploy.yaml", DEPLOY), ("train.yaml", TRAIN), ("images.prototxt", IMAGES)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_nothing_said(nets):
    found = find_preprocessing(nets / "deploy.yaml")
    assert found.origin == (NOTHING,) and found.scale == ()


def test_the_nets_own_data_layer_of_phase_test(nets):
    found = find_preprocessing(nets / "train.yaml")
    assert (found.scale, found.crop_size, found.mean_value) == ((0.25,), 20, (33.0,))
    assert found.resize == (28, 28)  # as large as the records, before they are cropped
    assert "layer 'test' (Data)" in found.origin[0]


def test_like_another_net(nets):
    (nets / "m.binaryproto").write_bytes(blobproto.from_array(np.zeros((1, 30, 40), "f4")).SerializeToString())
    found = find_preprocessing(nets / "deploy.yaml", like=nets / "images.prototxt")
    assert (found.resize, found.crop_size, found.gray) == ((30, 40), 20, True)
    assert found.mean_image.shape == (1, 30, 40)
    with pytest.raises(NetdefError, match="expected a net with a data layer"):
        find_preprocessing(nets / "deploy.yaml", like=nets / "deploy.yaml")


def test_a_missing_mean_file_can_be_replaced(nets):
    with pytest.raises(ConfigError, match="no file 'm.binaryproto'"):
        find_preprocessing(nets / "deploy.yaml", like=nets / "images.prototxt")
    assert find_preprocessing(like=nets / "images.prototxt", mean_value=(7,)).mean_value == (7,)


def test_the_file_beside_the_weights_comes_first(nets):
    other = nets / "weights"
    other.mkdir()
    (nets / "preprocessing.yaml").write_text("scale: 2")
    assert find_preprocessing(nets / "train.yaml", [other / "a.caffemodel"]).scale == (2,)
    (other / "preprocessing.yaml").write_text("scale: 3")
    assert find_preprocessing(nets / "train.yaml", [other / "a.caffemodel"]).scale == (3,)
    assert find_preprocessing(nets / "deploy.yaml", like=nets / "train.yaml").scale == (0.25,)
    assert find_preprocessing(nets / "train.yaml", file=other / "preprocessing.yaml").scale == (3,)


def test_options_change_what_was_found(nets):
    found = find_preprocessing(nets / "train.yaml", scale=(9,), channel_order="RGB")
    assert (found.scale, found.channel_order, found.crop_size) == ((9,), "RGB", 20)
    assert found.origin[-1] == "changed: scale, channel_order"
    with pytest.raises(NetdefError, match="exclude each other"):
        find_preprocessing(nets / "train.yaml", file="a", like="b")
