"""The digits and the toy problems that come with netdef."""
from __future__ import annotations

import hashlib

import numpy as np
import pytest

from netdef import data
from netdef.data import builtin
from netdef.errors import DataError

TRAIN_COUNTS = [797, 891, 787, 821, 786, 700, 810, 864, 754, 790]
TEST_COUNTS = [204, 236, 204, 211, 194, 163, 204, 206, 190, 188]


@pytest.fixture(params=["train", "test"])
def digits(request):
    source = data.open(f"builtin:mnist10k/{request.param}")
    return request.param, *source.batch(0, len(source))


def test_digits_counts_and_types(digits):
    split, images, labels = digits
    assert images.shape == ({"train": 8000, "test": 2000}[split], 1, 28, 28)
    assert images.dtype == np.uint8 and labels.dtype == np.int32 and labels.shape == images.shape[:1]
    assert images.min() == 0 and images.max() == 255


def test_digits_are_balanced_and_not_sorted(digits):
    split, _, labels = digits
    counts = np.bincount(labels)
    assert counts.tolist() == {"train": TRAIN_COUNTS, "test": TEST_COUNTS}[split]
    assert counts.min() > 0.08 * len(labels) and counts.max() < 0.13 * len(labels)
    assert (np.diff(labels) < 0).mean() > 0.4, "a sorted set would never step down"
    for part in np.array_split(labels, 8):
        assert np.bincount(part, minlength=10).min() > 0


def test_digits_are_all_different():
    both = [data.open(f"builtin:mnist10k/{split}") for split in builtin.SPLITS]
    assert len({source.record(i)[0].tobytes() for source in both for i in range(len(source))}) == 10000


def test_digits_checksum():
    digest = hashlib.sha256()
    for split, count in (("train", 8000), ("test", 2000)):
        images, labels = data.open(f"builtin:mnist10k/{split}").batch(0, count)
        digest.update(images.tobytes() + labels.astype(np.uint8).tobytes())
    assert digest.hexdigest() == "a42956c20222c001c8638bc2037ac3beb0e4face0e0755ac895179e84de3f8e2"


def test_digits_fit_the_wheel():
    folder = builtin.resources.files("netdef.data") / "mnist10k"
    files = {entry.name: len(entry.read_bytes()) for entry in folder.iterdir()}
    assert sum(files.values()) < 2_000_000 and {"LICENSE", "README.md"} <= set(files)


def test_digits_are_those_of_mnist(shared):
    from gzip import decompress

    raw = decompress((shared / "data/mnist_idx/train-images-idx3-ubyte.gz").read_bytes())
    real = {raw[16 + 784 * i : 800 + 784 * i] for i in range(10000)}
    images, _ = data.open("builtin:mnist10k/train").batch(0, 8000)
    assert all(image.tobytes() in real for image in images)


@pytest.mark.parametrize("name", builtin.names())
def test_every_name_opens(name):
    source = data.open(f"builtin:{name}")
    assert isinstance(source, data.Source)
    images, labels = source.batch(0, len(source))
    assert images.shape[1:] == source.shape and labels.shape == (len(source), *source.label_shape)
    assert labels.dtype == (np.float32 if source.label_shape else np.int32) and np.isfinite(images).all()
    assert not images.flags.writeable
    found = data.peek(f"builtin:{name}")
    assert found == data.Peek(source.shape, len(source), True, "builtin", source.label_shape)


def test_bare_name_means_train():
    assert len(data.open("builtin:mnist10k")) == 8000


@pytest.mark.parametrize(
    "name, hint",
    [
        ("mnist10", "did you mean 'mnist10k'"), ("circles/tests", "did you mean 'circles/test'"),
        ("xor/train", "there are mnist10k/train"), ("", "there are"),
    ],
)  # fmt: skip
def test_unknown_name(name, hint):
    with pytest.raises(DataError, match=f"builtin:{name}.*{hint}"):
        data.open(f"builtin:{name}")


def test_damaged_installation(monkeypatch, tmp_path):
    (tmp_path / "mnist10k").mkdir()
    (tmp_path / "mnist10k" / "test-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b\x08")
    monkeypatch.setattr(builtin.resources, "files", lambda package: tmp_path)
    builtin.open_builtin.cache_clear()
    for split in builtin.SPLITS:
        with pytest.raises(DataError, match="damaged"):
            data.open(f"builtin:mnist10k/{split}")


def test_the_tool_makes_the_same_order():
    order = np.array(sorted(range(10), key=lambda i: hashlib.sha256(f"mnist10k:1:{i}".encode()).digest()))
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    spec = spec_from_file_location("make_mnist10k", Path(__file__).parents[2] / "tools" / "make_mnist10k.py")
    tool = module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert (tool.shuffled(10) == order).all()
    assert tool.idx(np.zeros((2, 3), np.uint8)) == bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3]) + bytes(6)
