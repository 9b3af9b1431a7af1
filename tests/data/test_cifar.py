"""CIFAR's two formats, and pickles that are not loaded."""
from __future__ import annotations

import pickle

import numpy as np
import pytest

from netdef import data
from netdef.errors import DataError

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 3072), dtype=np.uint8)
LABELS = [3, 0, 9, 1, 1, 8]


def binary(labels):
    return b"".join(bytes([*np.atleast_1d(label)]) + row.tobytes() for label, row in zip(labels, PIXELS, strict=True))


def python(**labels):
    return pickle.dumps({b"data": PIXELS, **{k.encode(): v for k, v in labels.items()}}, protocol=2)


@pytest.mark.parametrize("raw, ending", [(binary(LABELS), ".bin"), (python(labels=LABELS), "")])
def test_cifar10(tmp_path, raw, ending):
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        (tmp_path / (name + ending)).write_bytes(raw)
    source = data.open(f"cifar10:{tmp_path}")
    assert len(source) == 30 and source.shape == (3, 32, 32) and source.labels().tolist() == 5 * LABELS
    assert source.record(7)[0].tobytes() == PIXELS[1].tobytes()
    assert len(data.open(f"cifar10:{tmp_path},split=test")) == 6
    assert len(data.open(f"cifar10:{tmp_path}/test_batch{ending},{tmp_path}/data_batch_1{ending}")) == 12


def test_cifar100(tmp_path):
    both = [(label, 10 * label + 9) for label in LABELS]
    (tmp_path / "train.bin").write_bytes(binary(both))
    (tmp_path / "p").write_bytes(python(fine_labels=[f for _, f in both], coarse_labels=LABELS))
    for path in ("train.bin", "p"):
        assert data.open(f"cifar100:{tmp_path}/{path}").labels().tolist() == [f for _, f in both]
        assert data.open(f"cifar100:{tmp_path}/{path},label=coarse").labels().tolist() == LABELS


class Evil:
    def __reduce__(self):
        return print, ("gotcha",)


@pytest.mark.parametrize("raw, message", [
    (binary(LABELS)[:-1], "expected a cifar10 file: rows of 3072 pixels and their labels, or a pickle of them; "),
    (b"", "expected a cifar10 file"),
    (pickle.dumps(Evil()), "the pickle names builtins.print, which is not loaded"),
    (binary([3, 0, 10, 1, 1, 8]), "record 2: expected a label from 0 to 9, got 10; is it a cifar10 file?"),
    (python(labels=[1]), "expected as many labels as pictures, got 1 and 6"),
    (python(fine_labels=[1]), "b'labels'"),
])
def test_bad_files(tmp_path, capsys, raw, message):
    (tmp_path / "f").write_bytes(raw)
    with pytest.raises(DataError) as caught:
        data.open(f"cifar10:{tmp_path}/f")
    assert message in str(caught.value) and not capsys.readouterr().out


def test_folders_without_them(tmp_path):
    with pytest.raises(DataError, match="the folder has no data_batch_1 and no data_batch_1.bin"):
        data.open(f"cifar10:{tmp_path}")
    with pytest.raises(DataError, match="split: expected train or test, got 'val'"):
        data.open(f"cifar10:{tmp_path},split=val")
