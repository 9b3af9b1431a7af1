"""LMDB and LevelDB: order, going round, sharing, damage; and what Caffe's Data layer makes of real ones."""
from __future__ import annotations

import builtins
import os
import shutil

import numpy as np
import pytest

from netdef import data
from netdef.config import schema
from netdef.data import Transformer, lmdb_source, read_mean
from netdef.errors import DataError


def datum(i, height=2):
    made = schema.new("Datum")
    made.channels, made.height, made.width, made.label = 1, height, 3, i
    made.data = bytes([i] * 3 * height)
    return made.SerializeToString()


def make_lmdb(path, records):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(path), map_size=1 << 24) as env, env.begin(write=True) as transaction:
        for i, raw in enumerate(records):
            transaction.put(b"%08d" % i, raw)
    return str(path)


def make_leveldb(path, records):
    plyvel = pytest.importorskip("plyvel")
    with plyvel.DB(str(path), create_if_missing=True) as db:
        for i, raw in enumerate(records):
            db.put(b"%08d" % i, raw)
    return str(path)


@pytest.fixture(params=[make_lmdb, make_leveldb], ids=["lmdb", "leveldb"])
def make(request):
    return request.param


@pytest.fixture
def seven(make, tmp_path):
    with_close = data.open(make(tmp_path / "db", [datum(i) for i in range(7)]))
    yield with_close
    with_close.close()


def test_protocol(seven):
    assert isinstance(seven, data.Source)
    assert seven.shape == (1, 2, 3) and seven.label_shape == () and len(seven) == 7


@pytest.mark.parametrize("start, count", [(0, 3), (5, 4), (3, 20), (16, 2), (6, 1), (700, 3), (2, 0)])
def test_batches_go_round(seven, start, count):
    images, labels = seven.batch(start, count)
    wanted = [(start + i) % 7 for i in range(count)]
    assert labels.tolist() == wanted and images.shape == (count, 1, 2, 3)
    assert images[:, 0, 0, 0].tolist() == wanted and images.dtype == np.uint8


def test_any_order_of_calls(seven):
    rng = np.random.default_rng(1)
    place = 0
    for _ in range(200):
        if rng.random() < 0.5:
            count = int(rng.integers(1, 6))
            assert seven.batch(place, count)[1].tolist() == [(place + i) % 7 for i in range(count)]
            place += count
        else:
            index = int(rng.integers(0, 7))
            assert seven.record(index)[1] == index
        if rng.random() < 0.1:
            place = int(rng.integers(0, 50))


def test_records_by_number(seven):
    assert seven.take([6, 0, 9, 3, 3])[1].tolist() == [6, 0, 2, 3, 3]
    assert seven.batch(5, 3)[1].tolist() == [5, 6, 0], "and the place of reading on is not lost"
    assert seven.labels().tolist() == list(range(7)) == [label for _, label in seven]
    assert seven.where(3) == "record 3 (key b'00000003')"


def test_labels_of_a_bad_record(make, tmp_path):
    source = data.open(make(tmp_path / "db", [datum(0), b"\xff\xff"]))
    with pytest.raises(DataError, match=r"db: error: record 1 \(key b'00000001'\): expected a Datum"):
        source.labels()
    source.close()


def test_no_such_record(seven):
    for index in (-1, 7, 100):
        with pytest.raises(IndexError):
            seven.record(index)
    assert seven.record(6)[1] == 6


def test_peek(make, tmp_path):
    found = data.peek(make(tmp_path / "db", [datum(i) for i in range(3)]))
    assert found.shape == (1, 2, 3) and found.label and found.kind == make.__name__.removeprefix("make_")
    assert found.count == (3 if found.kind == "lmdb" else None), "LevelDB cannot count without reading all"


def test_closing_twice(seven):
    seven.close()
    seven.close()
    with pytest.raises(DataError, match="closed"):
        seven.batch(0, 1)


def test_a_bad_record_is_named(make, tmp_path):
    source = data.open(make(tmp_path / "db", [datum(0), datum(1), b"\xff\xff"]))
    assert source.batch(0, 2)[1].tolist() == [0, 1]
    with pytest.raises(DataError, match=r"db: error: record 2 \(key b'00000002'\): expected a Datum"):
        source.batch(2, 1)
    source.close()


def test_sizes_that_differ(make, tmp_path):
    source = data.open(make(tmp_path / "db", [datum(0), datum(1, height=4)]))
    with pytest.raises(DataError, match=r"record 1 .*1x2x3, got 1x4x3"):
        source.batch(0, 2)
    images, labels = source.batch(0, 2, ragged=True)
    assert [a.shape for a in images] == [(1, 2, 3), (1, 4, 3)] and labels.tolist() == [0, 1]
    assert isinstance(source.batch(1, 1, ragged=True)[0], np.ndarray)
    source.close()


def test_empty_database(make, tmp_path):
    path = make(tmp_path / "db", [])
    for _ in range(2):  # the first failure must let go of the files
        with pytest.raises(DataError, match="no records"):
            data.open(path)


def test_one_environment_for_a_path(tmp_path):
    before = set(lmdb_source._shared)  # what other tests hold
    path = make_lmdb(tmp_path / "db", [datum(i) for i in range(5)])
    one, two = data.open(path), data.open(os.path.join(path, "data.mdb"))
    one.batch(0, 3)
    assert two.batch(0, 1)[1].tolist() == [0] and one.batch(3, 1)[1].tolist() == [3]
    assert len(set(lmdb_source._shared) - before) == 1
    one.close()
    assert two.batch(1, 1)[1].tolist() == [1]
    two.close()
    assert not set(lmdb_source._shared) - before


def test_damaged_files(tmp_path):
    path = make_lmdb(tmp_path / "db", [datum(i % 200, height=100) for i in range(300)])
    file = tmp_path / "db" / "data.mdb"
    raw = file.read_bytes()
    for size in (0, 1, 100, 4096, 8191, 8192, len(raw) // 2, len(raw) - 1):
        file.write_bytes(raw[:size])
        with pytest.raises(DataError, match="cut off|does not begin like one"):
            data.open(path)
    file.write_bytes(b"x" * len(raw))
    with pytest.raises(DataError, match="does not begin like one"):
        data.open(path)
    file.write_bytes(raw)
    data.open(path).close()


def test_damaged_leveldb(tmp_path):
    path = make_leveldb(tmp_path / "db", [datum(0)])
    (tmp_path / "db" / "CURRENT").write_bytes(b"MANIF")
    with pytest.raises(DataError, match="db: error: the LevelDB cannot be read: Corruption: CURRENT file does not end with newl"):
        data.open(path)


@pytest.mark.parametrize("backend", [None, "LMDB", "LEVELDB"])
def test_nothing_there(tmp_path, backend):
    with pytest.raises(DataError, match="no such file or folder"):
        data.open(tmp_path / "none", backend)
    with pytest.raises(DataError, match="neither data.mdb .LMDB. nor CURRENT"):
        data.open(tmp_path, backend)


def test_wrong_backend(tmp_path):
    path = make_lmdb(tmp_path / "db", [datum(0)])
    with pytest.raises(DataError, match="expected LEVELDB, the source is LMDB; write backend: LMDB"):
        data.open(path, "LEVELDB")
    with pytest.raises(DataError, match="did you mean 'LMDB'"):
        data.open(path, "lmdb")
    with pytest.raises(DataError, match="exclude"):
        data.open(path, force_color=True, force_gray=True)


@pytest.mark.parametrize("make, package, extra", [(make_lmdb, "lmdb", "data"), (make_leveldb, "plyvel", "leveldb")])
def test_missing_packages_are_named(make, tmp_path, monkeypatch, package, extra):
    path = make(tmp_path / "db", [datum(0)])
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == package:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=rf"needs the package {package}.*pip install netdef\[{extra}\]"):
        data.open(path)


CASES = [
    ("lmdb_raw", "raw_lmdb", 7, {}), ("lmdb_encoded", "enc_lmdb", 7, {}),
    ("lmdb_meanfile_crop", "raw_lmdb", 9, {"crop_size": 6, "mean": "mean.binaryproto"}),
    ("leveldb_raw_scaled", "raw_leveldb", 16, {"scale": 0.00390625, "mean_values": [104, 117, 123]}),
    ("lmdb_encoded", "enc_leveldb", 7, {}),
]  # fmt: skip


@pytest.mark.parametrize("case, source, size, options", CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_as_caffe_reads_it(shared, tmp_path, case, source, size, options):
    pytest.importorskip("lmdb" if source.endswith("lmdb") else "plyvel")
    folder = shared / "conformance" / "data"
    shutil.copytree(folder / source, tmp_path / source, copy_function=shutil.copyfile)  # LevelDB writes into it
    (tmp_path / source).chmod(0o755)
    if "mean" in options:
        options = {**options, "mean": read_mean(folder / options["mean"])}
    transformer = Transformer(**options)
    opened = data.open(tmp_path / source)
    with np.load(folder / f"{case}.npz") as wanted:
        for i in range(7):
            images, labels = opened.batch(i * size, size)
            np.testing.assert_array_equal(labels, wanted[f"batch{i}/label"])
            np.testing.assert_allclose(transformer(images), wanted[f"batch{i}/data"], rtol=1e-6, atol=1e-6)
    opened.close()
