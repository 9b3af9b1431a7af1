"""AnnotatedDatum: bytes written by hand after SSD's caffe.proto, and databases of them."""
import numpy as np
import pytest

from netdef.config import schema
from netdef.data.annotated import Row, is_annotated, open_annotated, parse
from netdef.data.datum import Decoding
from netdef.errors import DataError

BOX = b"\x0d\0\0\0\x3f\x15\0\0\x80\x3e\x1d\0\0\x80\x3f\x25\0\0\x80\x3f"  # 0.5 0.25 1 1


def part(number, raw):
    return bytes([number << 3 | 2, len(raw)]) + raw


def record(datum=b"\x18\x05", kind=b"\x10\0", annotation=None, label=b"\x08\x07"):
    """A record with one box: class 7, number 3, difficult."""
    annotation = part(2, b"\x08\x03" + part(2, BOX + b"\x30\x01")) if annotation is None else annotation
    return part(1, datum) + kind + part(3, label + annotation)


def datum(value, size=2):
    made = schema.new("Datum")
    made.channels, made.height, made.width, made.label, made.data = 3, size, size, 4, bytes([value]) * (3 * size * size)
    return made.SerializeToString()


def test_parse():
    found = parse(record())
    assert found == (b"\x18\x05", 0, [Row(7, 3, 0.5, 0.25, 1, 1, True)])
    assert parse(record(label=b"", annotation=part(2, b"")))[2] == [Row(0, 0, 0, 0, 0, 0, False)], "defaults"
    assert parse(record(label=b"", annotation=part(2, part(2, BOX)) + b"\x08\x02")).rows[0].label == 2, "the label comes last"
    assert parse(part(1, b""))[1:] == (None, [])
    assert is_annotated(record()) and not is_annotated(datum(1))


@pytest.mark.parametrize("raw", [record()[:-3], part(1, b"") + b"\x18\x01", record(annotation=b"\x10\x01"), b"\x08\x01", b""])
def test_what_is_no_record(raw):
    with pytest.raises(ValueError, match="expected|byte|needs"):
        parse(raw)


@pytest.fixture
def database(tmp_path):
    lmdb = pytest.importorskip("lmdb")

    def make(*records):
        with lmdb.open(str(tmp_path / "db"), map_size=1 << 20) as env, env.begin(write=True) as transaction:
            for i, raw in enumerate(records):
                transaction.put(b"%03d" % i, raw)
        return open_annotated(str(tmp_path / "db"), None, Decoding())
    return make


def test_source(database):
    source = database(record(datum(1)), part(1, datum(2)), record(datum(3), annotation=b""))
    try:
        assert len(source) == 3 and source.shape == (3, 2, 2)
        items = list(source.items(source.fetch(range(2, 5))))
        assert [i.picture[0, 0, 0] for i in items] == [3, 1, 2] and items[0].label == 4
        assert items[0].boxes.label.tolist() == [] and items[2].boxes is None
        assert items[1].boxes.corners.tolist() == [[0.5, 0.25, 1, 1]] and items[1].boxes.number.tolist() == [3]
        assert np.array_equal(source.first().picture, items[1].picture)
        assert source.labels().tolist() == [4, 4, 4]
    finally:
        source.close()


def test_bad_records_are_named(database, tmp_path):
    nan = BOX[:1] + b"\0\0\xc0\x7f" + BOX[5:]
    source = database(record(datum(1)), record(datum(1), annotation=part(2, part(2, nan))), datum(5))
    try:
        with pytest.raises(DataError, match=r"record 1 \(key b'001'\): a box has a corner that is no finite number"):
            list(source.items(source.fetch(range(1, 2))))
        with pytest.raises(DataError, match=r"record 2 \(key b'002'\): expected an AnnotatedDatum .*; records without boxes are "
                                            "read by the type Data"):
            list(source.items(source.fetch(range(2, 3))))
    finally:
        source.close()
    from netdef import data
    with pytest.raises(DataError, match="a picture with boxes; the type AnnotatedData reads such databases"):
        data.open(tmp_path / "db")
