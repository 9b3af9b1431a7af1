"""Commands that look at data and change nothing: info, check, mean, and the sheets that are drawn."""
from __future__ import annotations

import lmdb
import numpy as np
import pytest
from PIL import Image

from netdef.config import schema
from netdef.data import read_mean
from netdef.datasets.check import check
from netdef.datasets.info import describe, first_tiles
from netdef.datasets.mean import mean_of, write_mean
from netdef.datasets.reading import open_records
from netdef.datasets.records import Box
from netdef.datasets.sheet import Tile, colours, draw_sheet, range_of
from netdef.errors import DataError


@pytest.fixture
def database(here):
    """``database(rows)``: an LMDB ``db`` of (label, channels, bytes) or of raw bytes."""

    def make(rows, name="db"):
        with lmdb.open(name, map_size=1 << 22) as env, env.begin(write=True) as transaction:
            for i, row in enumerate(rows):
                if not isinstance(row, bytes):
                    label, channels, values = row
                    message = schema.new("Datum")
                    message.channels, message.height, message.width = channels, 1, len(values) // channels
                    message.data, message.label = values, label
                    row = message.SerializeToString()
                transaction.put(b"%08d" % i, row)
        return open_records(name)

    return make


def kinds(report):
    return [(f.kind, f.where.rpartition("key ")[2].rstrip(")")) for f in report.findings]


def test_nothing_wrong(database):
    report = check([database([(0, 1, b"ab"), (1, 1, b"cd")])])
    assert not report.wrong and str(report) == "db: 2 records; nothing wrong"


def test_everything_wrong(database):
    report = check([database([(0, 1, b"ab"), (0, 1, b"ab"), (1, 1, b"ab"), b"garbage", (3, 3, b"abc"), (-1, 1, b"xy")])])
    assert kinds(report) == [("copies", "00000001"), ("copies with two labels", "00000002"), ("unreadable", "00000003"),
                             ("shape", "00000004"), ("label", "00000005"), ("gap", "db")]
    assert report.wrong == 5 and "which has another label (0, here 1)" in str(report)
    assert "no record has the label 2" in str(report) and report.as_dict()["wrong"] == 5


def test_the_same_pixels_in_another_shape_are_no_copy(database):
    report = check([database([(0, 1, b"abc"), (0, 3, b"abc")])])
    assert [f.kind for f in report.findings] == ["shape"]


def test_train_and_test(database):
    train = database([(0, 1, b"ab"), (1, 1, b"cd")])
    test = database([(0, 1, b"cd"), (2, 1, b"ef"), (1, 1, b"gh")], "test")
    report = check([train, test])
    assert [(f.kind, f.wrong) for f in report.findings] == [("in both sets", True), ("label", True)]
    assert "test: record 0 (key 00000000): error: the same pixels as db: record 1 (key 00000001) of the other set" in str(report)


def test_a_set_with_itself(database):
    records = database([(0, 1, b"ab"), (1, 1, b"cd")])
    assert [f.kind for f in check([records, records]).findings] == ["in both sets"] * 2


def test_balance_and_names(here, database):
    records = database([(0, 1, b"%02d" % i) for i in range(21)] + [(1, 1, b"zz"), (1, 1, b"yy")])
    records.classes = ["only"]
    report = check([records])
    assert [(f.kind, f.wrong) for f in report.findings] == [("label", True), ("balance", False)]


def test_floats_that_are_not_finite(here):
    np.savez("x.npz", data=np.array([[1, 2], [np.nan, 0]], np.float32), label=np.array([0, 1]))
    assert [f.kind for f in check([open_records("x.npz")]).findings] == ["value"]


def test_many_findings_are_cut(database):
    text = str(check([database([(0, 1, b"ab")] * 30)]))
    assert "and 19 more: copies" in text and len(text.splitlines()) == 12


def test_info(database):
    records = database([(0, 3, b"\x01\x02\x03"), (2, 3, b"\x03\x02\x07"), (2, 3, b"\x02\x02\x05"), b"garbage"])
    records.classes = ["cat", "dog", "n01440764 tench, fish"]
    info = describe(records)
    assert info.classes == {"0 cat": 1, "2 tench": 2} and info.shapes == {"3x1x1": 3} and info.channel_means == [2, 2, 5]
    assert (info.minimum, info.maximum, info.storage) == (1, 7, {"uint8": 3}) and "blue, green, red" in info.order
    assert len(info.unreadable) == 1 and "key 00000003" in info.unreadable[0]
    assert "dog" not in str(info) and "66.7 %" in str(info)
    assert describe(records, limit=1).records == 4 and describe(records, limit=1).looked_at == 1


def test_info_of_nothing_that_can_be_read(database):
    with pytest.raises(DataError, match="no record can be read"):
        describe(database([b"garbage"]))


def test_order_of_channels(database, pictures):
    assert "red, green, blue" in describe(database([(0, 3, b"\x90\x40\x10")])).order
    assert "cannot be told" in describe(database([(0, 3, b"\x90\x40\x90")], "b")).order
    assert "decoded here" in describe(open_records("pets")).order


def test_mean(database, here):
    records = database([(0, 2, b"\0\x04\x02\x08"), (1, 2, b"\x02\x05\x04\x09")])
    mean = mean_of(records)
    assert mean.tolist() == [[[1, 4.5]], [[3, 8.5]]] and mean.dtype == np.float32
    write_mean(mean, "m.binaryproto")
    write_mean(mean, "m.npy")
    assert (read_mean("m.binaryproto") == mean).all() and (np.load("m.npy") == mean).all()
    blob = schema.new("BlobProto")
    blob.ParseFromString((here / "m.binaryproto").read_bytes())
    assert (blob.num, blob.channels, blob.height, blob.width, len(blob.data)) == (1, 2, 1, 2, 4) and not blob.HasField("shape")
    with pytest.raises(DataError, match="ends in .binaryproto"):
        write_mean(mean, "m.png")
    with pytest.raises(DataError, match="shape of the first record, 1x1x2, got 1x1x3"):
        mean_of(database([(0, 1, b"ab"), (0, 1, b"abc")], "other"))


def test_mean_is_that_of_caffes_tool(shared):
    folder = shared / "conformance" / "data"
    assert mean_of(open_records(folder / "raw_lmdb")) == pytest.approx(read_mean(folder / "mean.binaryproto"), abs=1e-4)


def test_ranges_and_colours():
    assert range_of([np.array([0, 255], np.uint8)]) == (0, 255)
    assert range_of([np.array([0, 0.5])]) == (0, 1)
    assert range_of([np.array([-3.0, np.inf, 2])]) == (-3, 2)
    assert range_of([np.array([0, 1], np.uint8)]) == (0, 255)
    blue = np.array([255, 0, 10]).reshape(3, 1, 1)
    assert colours(blue, 0, 255, rgb=False).tolist() == [[[10, 0, 255]]]
    assert colours(blue, 0, 255, rgb=True).tolist() == [[[255, 0, 10]]]
    assert colours(np.array([7.0, 9]).reshape(2, 1, 1), 7, 9, rgb=False).tolist() == [[[0, 0, 0]]]


def test_sheet(here):
    tiles = [Tile(np.full((1, 2, 2), 250 * i, np.uint8), f"tile {i}", (Box(1, 0, 0, 0.5, 0.5),) * (i == 1)) for i in range(2)]
    draw_sheet(tiles, "s.png", "title")
    with Image.open("s.png") as image:
        assert image.mode == "RGB" and image.size[0] > 2 * 64 and image.size[1] > 64
        colours_there = {c for _, c in image.getcolors(10**6)}
    assert {(0, 0, 0), (250, 250, 250), (255, 220, 0)} <= colours_there
    with pytest.raises(DataError, match="ends in .png"):
        draw_sheet(tiles, "s.jpg")
    with pytest.raises(DataError, match="no pictures"):
        draw_sheet([], "s.png")


def test_first_tiles(pictures):
    (pictures / "pets/cat/0.png").write_bytes((pictures / "pets/cat/0.png").read_bytes())
    (pictures / "pets/cat/1.png").write_bytes(b"no picture")
    assert [t.text for t in first_tiles(open_records("pets"), 3)] == ["0 cat", "0 cat", "1 dog"]
