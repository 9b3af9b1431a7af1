"""Two LeNets that others trained, one with BVLC Caffe in 2014 and one with NVIDIA's DIGITS, on real MNIST.

Over all 10,000 digits netdef's run of them gives 0.9905 and 0.9921, the figures recorded beside the models (RESULT.txt).
Here the first 500; how many of these are right was counted in that same run of netdef, not by another program.
"""
from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

import netdef
from netdef.config import blobproto

COUNT = 500
RIGHT = {"lenet_v1": 497, "nvcaffe_digits_mnist": 496}


@pytest.fixture(scope="module")
def digits(shared):
    """Pictures (n, 1, 28, 28), uint8, and labels (n) of the test set's beginning."""
    folder = shared / "data" / "mnist_idx"

    def raw(name: str, head: int, size: int) -> np.ndarray:
        with gzip.open(folder / name) as file:
            return np.frombuffer(file.read(head + size), np.uint8, size, head)

    return (raw("t10k-images-idx3-ubyte.gz", 16, COUNT * 784).reshape(-1, 1, 28, 28),
            raw("t10k-labels-idx1-ubyte.gz", 8, COUNT))


def right(folder: Path, pictures: np.ndarray, labels: np.ndarray) -> int:
    net = netdef.Net(str(folder / "deploy.prototxt"), weights=str(next(folder.glob("*.caffemodel"))))
    net.forward(data=pictures)
    (output,) = net.plan.description.outputs
    return int((net.blobs[output].data.reshape(len(labels), -1).argmax(1) == labels).sum())


def test_the_lenet_of_2014(shared, digits):
    pictures, labels = digits
    assert right(shared / "models" / "lenet_v1", pictures * np.float32(1 / 256), labels) == RIGHT["lenet_v1"]


def test_the_lenet_of_digits(shared, digits):
    """Trained on black digits on white, less the mean picture."""
    pictures, labels = digits
    folder = shared / "models" / "nvcaffe_digits_mnist"
    stored = memoryview((folder / "mean.binaryproto").read_bytes())
    mean = blobproto.decode(stored, 0, len(stored)).array
    values = 255 - pictures.astype(np.float32) - mean
    assert right(folder, values, labels) == RIGHT["nvcaffe_digits_mnist"]


def test_the_weights_fit_their_nets(shared):
    from netdef.debug.filefit import fits

    for folder in sorted((shared / "models").glob("*/deploy.prototxt")):
        (weights,) = folder.parent.glob("*.caffemodel")
        found = fits(str(folder), str(weights))
        assert found.ok, found.lines
