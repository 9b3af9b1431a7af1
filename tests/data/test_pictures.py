"""Folders of class folders and lists of pictures."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import data
from netdef.errors import DataError

Image = pytest.importorskip("PIL.Image")


def picture(path, value, size=(3, 2), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


@pytest.fixture
def pets(tmp_path):
    for i, (name, value) in enumerate({"cat/b.png": (1, 2, 3), "cat/a.png": (4, 5, 6), "ant/deep/x.png": (7, 8, 9)}.items()):
        picture(tmp_path / "pets" / name, value, (3 + i, 2))
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "pets" / ".hidden").mkdir()
    return tmp_path / "pets"


def test_folder(pets):
    source = data.open(f"folder:{pets}")
    assert isinstance(source, data.Source) and list(source.class_names) == ["ant", "cat"]
    assert source.peek() == data.Peek((3, 2, 5), 3, True, "folder")
    assert [(array[:, 0, 0].tolist(), label) for array, label in source] == [([9, 8, 7], 0), ([6, 5, 4], 1), ([3, 2, 1], 1)]
    assert source.where(1) == "record 1 ('cat/a.png')"
    gray = data.open(f"folder:{pets}", force_gray=True)
    assert gray.shape == (1, 2, 5)


def test_classes_by_a_file(pets):
    names = pets.parent / "names.txt"
    names.write_text("cat\ndog\nant\n")
    assert data.open(f"folder:{pets},classes={names}").labels().tolist() == [0, 0, 2]
    names.write_text("cat\n")
    with pytest.raises(DataError, match="the folder 'ant' is no class of"):
        data.open(f"folder:{pets},classes={names}")


def test_sizes_that_differ(pets):
    source = data.open(f"folder:{pets}")
    with pytest.raises(DataError) as caught:
        source.batch(0, 2)
    assert str(caught.value) == (f"folder:{pets}: error: record 1 ('cat/a.png'): expected the size of the batch's first record, "
                                 "3x2x5, got 3x2x4; new_height and new_width, or crop_size, bring pictures to one size")
    assert [a.shape[2] for a in source.batch(0, 4, ragged=True)[0]] == [5, 4, 3, 5]


@pytest.mark.parametrize("make, message", [
    (lambda top: None, "no such folder"),
    (lambda top: (top / "ant").mkdir(parents=True), "expected a folder of pictures for each class, there are no pictures"),
])
def test_no_pictures(tmp_path, make, message):
    make(tmp_path / "t")
    with pytest.raises(DataError, match=message):
        data.open(f"folder:{tmp_path}/t")


def listed(folder, text, name="list.txt"):
    (folder / name).write_text(text)
    return f"list:{folder / name}"


def test_list(pets):
    source = data.open(listed(pets, "cat/a.png 3\n\n  cat/b.png\t1\n"))
    assert source.labels().tolist() == [3, 1] and source.labels().dtype == np.int32
    assert source.record(1)[0][:, 0, 0].tolist() == [3, 2, 1] and source.where(1) == "record 1 (line 3, 'cat/b.png')"
    picture(pets / "with space 2.png", (1, 1, 1))
    assert len(data.open(listed(pets, f"with space 2.png 3\n{pets}/cat/a.png 1"))) == 2


def test_root_and_working_directory(pets, monkeypatch):
    assert data.open(listed(pets, "a.png 0") + f",root={pets}/cat").shape == (3, 2, 4)
    (pets / "lists").mkdir()
    source = listed(pets / "lists", "cat/a.png 0")
    with pytest.raises(DataError, match=r"list.txt:1: error: record 0: cannot read the picture: No such file.*cat/a.png'"):
        data.open(source)
    monkeypatch.chdir(pets)
    assert data.open(source).shape == (3, 2, 4)


def test_several_and_float_labels(pets):
    source = data.open(listed(pets, "cat/a.png 1 0.5\ncat/b.png 2 3\n") + ",labels=2")
    assert source.label_shape == (2,) and source.labels().tolist() == [[1, 0.5], [2, 3]]
    assert data.open(listed(pets, "cat/a.png 0.25")).labels().dtype == np.float32


def test_labels_by_name(pets):
    (pets / "names.txt").write_text("dog\ncat\n")
    source = listed(pets, "cat/a.png cat\ncat/b.png 0\n") + f",classes={pets}/names.txt"
    assert data.open(source).labels().tolist() == [1, 0]
    with pytest.raises(DataError, match=r"list.txt:1: error: the label 2 is out of range, there are 2 classes"):
        data.open(listed(pets, "cat/a.png 2") + f",classes={pets}/names.txt")


@pytest.mark.parametrize("text, options, message", [
    ("\n\n", "", "{0}: error: the list names no picture"),
    ("cat/a.png 1\ncat/b.png\n", "", "{0}:2: error: expected a picture's path and 1 label, got 'cat/b.png'"),
    ("cat/a.png 1\n", ",labels=2", "{0}:1: error: expected a picture's path and 2 labels, got 'cat/a.png 1'"),
    ("cat/a.png x\n", "", "{0}:1: error: expected a number as label, got 'x'; several labels on a line must be announced"),
    ("cat/a.png nan\n", "", "{0}:1: error: expected a finite number as label, got 'nan'"),
    ("cat/a.png 1", ",labels=none", "{0}: error: labels: expected the number of labels on a line, got 'none'"),
])
def test_bad_lists(pets, text, options, message):
    source = listed(pets, text)
    with pytest.raises(DataError) as caught:
        data.open(source + options)
    assert str(caught.value) == message.format(source.removeprefix("list:"))


def test_a_missing_and_a_broken_picture_name_the_line(pets):
    (pets / "broken.png").write_bytes((pets / "cat" / "a.png").read_bytes()[:40])
    source = data.open(listed(pets, "cat/a.png 0\ncat/c.png 1\nbroken.png 1\n"))
    with pytest.raises(DataError) as caught:
        source.record(1)
    assert str(caught.value) == (f"{pets}/list.txt:2: error: record 1: cannot read the picture: No such file or directory "
                                 f"'{pets}/cat/c.png'; did you mean 'b.png'?")
    with pytest.raises(DataError, match=r"list.txt:3: error: record 2: the (40 bytes|picture).*broken.png'"):
        source.record(2)
