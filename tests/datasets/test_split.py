"""Parts of a data set: sizes, classes, seeds; nothing twice and nothing lost."""
from __future__ import annotations

import json

import numpy as np
import pytest

from netdef import data
from netdef.datasets import copying
from netdef.datasets.copying import Prepare, copy
from netdef.datasets.making import open_split
from netdef.datasets.split import Part, assign, read_parts
from netdef.datasets.target import Target
from netdef.errors import DataError


def test_read_parts():
    assert read_parts("train=0.8, val=0.2") == [Part("train", 0.8), Part("val", 0.2)]
    assert read_parts("a=b/c=50") == [Part("a=b/c", 50)]
    for text, message in (("train", "expected NAME"), ("a=0", "expected NAME"), ("a=1.5", "expected NAME"), ("=0.5", "expected"),
                          ("a=0.9,b=0.2", "add up to 1.1"), ("a=0.5,a=0.5", "twice"), ("a=0.5,b=20", "both"),
                          ("a=nan", "expected")):
        with pytest.raises(DataError, match=message):
            read_parts(text)


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize(("text", "sizes"), [("a=0.8,b=0.2", [81, 20]), ("a=0.333,b=0.333", [34, 33]), ("a=70,b=31", [70, 31])])
def test_sizes(text, sizes, stratify):
    labels = np.repeat(np.arange(10), [11, 10, 10, 10, 10, 10, 10, 10, 10, 10])
    which = assign(101, read_parts(text), labels if stratify else None, seed=1)
    found = [(which == k).sum() for k in range(len(sizes))]
    assert np.abs(np.array(found) - sizes).max() <= ("0." in text) and len(found) + (-1 in which) == len(np.unique(which))
    if stratify:
        shares = np.array([p.size for p in read_parts(text)]) / (1 if "0." in text else 101)
        for k in range(10):
            counts = [(which[labels == k] == part).sum() for part in range(len(shares))]
            assert np.abs(np.array(counts) - shares * (labels == k).sum()).max() < 1.5


def test_many_small_classes_do_not_spoil_the_totals():
    labels = np.repeat(np.arange(100), 3)  # a fifth of 3 rounds to 1 in each class
    which = assign(300, read_parts("a=0.8,b=0.2"), labels, 0)
    assert (which == 1).sum() == 60


def test_seeds():
    parts = read_parts("a=0.5,b=0.5")
    one, again, other = (assign(50, parts, None, seed) for seed in (1, 1, 2))
    assert (one == again).all() and (one != other).any()
    with pytest.raises(DataError, match="at most 50"):
        assign(50, read_parts("a=40,b=11"), None)


def test_parts_are_the_whole(here):
    records, targets, which, prepare = open_split("builtin:mnist10k/test", "a_lmdb=0.7,b.npz=0.3", None, Prepare(), stratify=True)
    made = copy(records, targets, prepare, which=which)
    assert made.counts == [1400, 600]
    images, labels = data.open("builtin:mnist10k/test").batch(0, 2000)
    for part, (name, count) in enumerate(zip(("a_lmdb", "b.npz"), made.counts, strict=True)):
        found, numbers = data.open(name).batch(0, count)
        assert (found == images[which == part]).all() and (numbers == labels[which == part]).all()


def test_one_part_that_is_there_already_stops_all(here):
    np.savez("b.npz", data=np.zeros(1))
    with pytest.raises(DataError, match="something already"):
        open_split("builtin:mnist10k/test", "a_lmdb=0.7,b.npz=0.3", None, Prepare())
    assert [p.name for p in here.iterdir()] == ["b.npz"]


def test_resumed_where_the_parts_are_not_equally_far(here, monkeypatch):
    """A kill after one part was committed and before the other was."""
    monkeypatch.setattr(copying, "COMMIT", 10)
    real, calls = Target.commit, []

    def commit(self):
        calls.append(self)
        if len(calls) > 3:
            raise KeyboardInterrupt
        real(self)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Target, "commit", commit)
        split("a.npz=0.5,b.npz=0.5")
    for name, wanted in (("a", 20), ("b", 10)):
        assert json.loads((here / f".{name}.npz.partial/progress.json").read_text())["progress"]["next"] == wanted
    split("a.npz=0.5,b.npz=0.5", resume=True)
    split("c.npz=0.5,d.npz=0.5")
    for one, other in (("a", "c"), ("b", "d")):
        assert (np.load(f"{one}.npz")["data"] == np.load(f"{other}.npz")["data"]).all()


def split(into, **how):
    records, targets, which, prepare = open_split("builtin:mnist10k/test", into, None, Prepare(), **how)
    return copy(records, targets, prepare, which=which)
