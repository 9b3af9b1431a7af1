"""Sources as users name them: bare paths, options, and what comes out."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.datasets.annotated import annotated, is_annotated, parse
from netdef.datasets.reading import guess, open_records, voc_classes, with_options
from netdef.datasets.records import Box, Record, array, encode, read, to_gray
from netdef.errors import DataError

VOC = """<annotation><size><width>20</width><height>10</height></size>
<object><name>dog</name><bndbox><xmin>2</xmin><ymin>1</ymin><xmax>10</xmax><ymax>5</ymax></bndbox></object>
<object><name>cat</name><difficult>1</difficult><bndbox><xmin>0</xmin><ymin>0</ymin><xmax>20</xmax><ymax>10</ymax></bndbox></object>
<object><name>dog</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>6</xmax><ymax>6</ymax></bndbox></object></annotation>"""


@pytest.fixture
def voc(here, pixels):
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (here / "voc" / name).mkdir(parents=True)
    (here / "voc/Annotations/a.xml").write_text(VOC)
    (here / "voc/JPEGImages/a.png").write_bytes(encode(pixels(0, 3, 10, 20), "png"))
    (here / "voc/ImageSets/Main/train.txt").write_text("a\n")
    return "voc"


def test_guess(pictures, voc):
    (pictures / "b").mkdir()
    (pictures / "b" / "data_batch_1.bin").write_bytes(b"")
    (pictures / "rows.txt").write_text("rows.h5\n")
    for name in ("x-images-idx3-ubyte", "x-labels-idx1-ubyte"):
        (pictures / name).write_bytes(b"\0\0\x08\x01\0\0\0\0")
    (pictures / "pets2" / "1").mkdir(parents=True)
    (pictures / "pets2" / "labels.txt").write_text("1\n")
    found = {name: guess(name) for name in ("pets", "pets2", "list.txt", "voc", "b", "rows.txt", "x-images-idx3-ubyte",
                                            "builtin:spiral/train", "csv:a.csv", "a.csv")}
    assert found == {"pets": "folder:pets", "pets2": "folder:pets2,classes=pets2/labels.txt", "list.txt": "list:list.txt",
                     "voc": "voc:voc", "b": "cifar10:b", "rows.txt": "hdf5:rows.txt",
                     "x-images-idx3-ubyte": "idx:x-images-idx3-ubyte,x-labels-idx1-ubyte",
                     "builtin:spiral/train": "builtin:spiral/train", "csv:a.csv": "csv:a.csv", "a.csv": "a.csv"}
    with pytest.raises(DataError, match="did you mean 'pets'"):
        guess("petz")


def test_options(pictures, voc):
    assert with_options("list.txt", {"root": "pets", "label": None}) == "list:list.txt,root=pets"
    assert with_options("csv:a.csv,label=b", {"label": "c"}) == "csv:a.csv,label=c"
    assert with_options("a.csv", {"label": "c"}) == "csv:a.csv,label=c"
    assert with_options("voc", {"split": "train"}) == "voc:voc,split=train"
    for source in ("list.txt", "builtin:spiral/train"):
        with pytest.raises(DataError, match="--part is not for this source"):
            with_options(source, {"split": "train"})


def test_an_empty_folder_is_no_source(here):
    (here / "e").mkdir()
    with pytest.raises(DataError, match="expected a database"):
        open_records("e")


def test_pictures_keep_their_bytes_until_they_are_wanted(pictures, pixels):
    records = open_records("pets")
    assert (len(records), records.classes, records.labels().tolist()) == (6, ["cat", "dog"], [0, 0, 0, 1, 1, 1])
    record = read(records, 4)
    assert record.encoded == (pictures / "pets/dog/1.png").read_bytes() and record.label == 1 and record.pixels is None
    assert (record.array() == pixels(11)).all() and record.array(gray=True).shape == (1, 4, 5)
    (pictures / "pets/dog/1.png").unlink()
    assert records.missing() == [4]
    with pytest.raises(DataError) as caught:
        array(records, 4)
    assert str(caught.value.where).endswith("dog/1.png") and caught.value.item == 4


def test_signatures_tell_sources_apart(pictures):
    first = open_records("pets").signature()
    assert first == open_records("pets").signature()
    (pictures / "pets/cat/7.png").write_bytes((pictures / "pets/cat/1.png").read_bytes())
    assert first != open_records("pets").signature()


def test_voc(voc):
    with pytest.raises(DataError, match="trainval"):
        open_records(voc)
    records = open_records("voc:voc,split=train")
    assert records.classes == ["background", "cat", "dog"] and voc_classes("voc") == ["cat", "dog"]
    record = read(records, 0)
    assert record.name == "JPEGImages/a.png" and record.label == -1
    assert record.boxes == (Box(2, 0.1, 0.1, 0.5, 0.5), Box(1, 0, 0, 1, 1, True), Box(2, 0.25, 0.5, 0.3, 0.6))
    with pytest.raises(DataError, match="unknown option 'part'"):
        open_records("voc:voc,part=train")


def test_annotated_datum():
    """Bytes by hand, after SSD's caffe.proto: the two dogs share a group and are numbered in it."""
    boxes = (Box(2, 0.5, 0.25, 1, 1), Box(1, 0, 0, 1, 1, True), Box(2, 0, 0, 0.5, 0.5))
    raw = annotated(b"\x08\x03", boxes)
    box = b"\x0d\0\0\0\x3f\x15\0\0\x80\x3e\x1d\0\0\x80\x3f\x25\0\0\x80\x3f\x30\0"
    first = b"\x12" + bytes([len(box) + 4]) + b"\x08\0\x12" + bytes([len(box)]) + box
    assert raw.startswith(b"\x0a\x02\x08\x03\x10\0\x1a") and b"\x08\x02" + first in raw
    assert is_annotated(raw) and not is_annotated(b"\x08\x03")
    assert parse(raw) == (b"\x08\x03", (boxes[0], boxes[2], boxes[1]))
    with pytest.raises(ValueError, match="byte"):
        parse(raw[:-3])


def test_grey():
    white = np.full((3, 1, 1), 255, np.uint8)
    assert to_gray(white).tolist() == [[[255]]]
    assert to_gray(np.array([[[0.0]], [[0.0]], [[1.0]]])).ravel()[0] == pytest.approx(0.299)
    with pytest.raises(ValueError, match="got 2"):
        to_gray(np.zeros((2, 1, 1)))
    with pytest.raises(ValueError, match="expected bytes"):
        encode(np.zeros((1, 2, 2), np.float32), "png")
    with pytest.raises(ValueError, match="empty"):
        Record(0).array()
