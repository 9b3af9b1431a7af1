"""Orders: whole epochs, balance, weights, and that they are functions of seed and place alone."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data import order
from netdef.data.source import ArraySource
from netdef.errors import DataError

LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 2], np.int32)


def source(labels=LABELS):
    return ArraySource("eight", np.zeros((len(labels), 1, 1, 1), np.float32), labels)


def made(**options):
    return order.order_of(source(), "data", **options)


ALL = [{"shuffle": True}, {"balance": True}, {"class_weight": [1, 1, 2]}]


@pytest.mark.parametrize("options", ALL)
def test_any_piece_is_that_of_the_whole(options):
    whole = made(**options).positions(3, 0, 100)
    some = made(**options)
    for start, count in [(0, 5), (5, 30), (90, 10), (35, 1), (7, 9), (0, 0)]:
        assert np.array_equal(some.positions(3, start, count), whole[start: start + count])
    assert not np.array_equal(some.positions(4, 0, 100), whole)
    assert not np.array_equal(order.order_of(source(), "other", **options).positions(3, 0, 100), whole)


def test_in_order():
    assert made().positions(1, 6, 4) == range(6, 10)


def test_each_epoch_has_every_record_once():
    found = made(shuffle=True).positions(1, 0, 80).reshape(10, 8)
    assert (np.sort(found, 1) == np.arange(8)).all() and len({tuple(epoch) for epoch in found}) > 8


def test_balance_is_exact():
    found = made(balance=True).positions(1, 0, 30)
    assert (np.sort(LABELS[found].reshape(10, 3), 1) == [0, 1, 2]).all(), "each round has one of each class"
    assert np.bincount(found).tolist() == [2, 2, 2, 2, 2, 5, 5, 10], "and each class gives its records in turn"


def test_classes_come_as_their_weights_say():
    found = LABELS[made(class_weight=[1, 1, 2]).positions(1, 0, 8000)]
    assert np.bincount(found) / 8000 == pytest.approx([0.25, 0.25, 0.5], abs=0.02)


def test_records_come_as_their_weights_say(tmp_path):
    weights = np.array([0, 1, 0, 0, 0, 0, 3, 0])
    np.savetxt(tmp_path / "w.txt", weights)
    np.save(tmp_path / "w.npy", weights)
    text, array = (made(weight_file=tmp_path / name).positions(1, 0, 8000) for name in ("w.txt", "w.npy"))
    assert np.array_equal(text, array) and np.bincount(text, minlength=8) / 8000 == pytest.approx(weights / 4, abs=0.02)


@pytest.mark.parametrize("options, labels, message", [
    ({"class_weight": [1, 1]}, LABELS, "eight: error: record 7: the label 2 is out of range, class_weight has 2 numbers"),
    ({"class_weight": [1, -1, 1]}, LABELS, "eight: error: record 5: expected a weight of at least 0, got -0.5"),
    ({"class_weight": [0, 0, 0]}, LABELS, "eight: error: all weights are 0"),
    ({"balance": True}, LABELS / np.float32(2), "eight: error: balance and class_weight need one class number a record, the "
     "source has other labels or none"),
])
def test_mistakes(options, labels, message):
    with pytest.raises(DataError) as caught:
        order.order_of(source(labels), "data", **options)
    assert str(caught.value) == message


def test_weight_files_that_cannot_be(tmp_path):
    for text, message in (("1 2 3", r"expected a weight for each of the 8 records, got \(3,\) numbers"), ("x", "cannot read")):
        (tmp_path / "w").write_text(text)
        with pytest.raises(DataError, match=message):
            made(weight_file=tmp_path / "w")
    with pytest.raises(DataError, match="cannot read the weights"):
        made(weight_file=tmp_path / "none")
