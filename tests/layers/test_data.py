"""Data: built-in sources and databases, transforms, the cursor, and where errors point."""
import logging
import shutil

import numpy as np
import pytest

import netdef
from netdef import data as sources
from netdef.config import blobproto, schema
from netdef.config.load import parse_text_message
from netdef.data.images import resize
from netdef.errors import ConfigErrors, DataError, FieldError, ShapeError

DIGITS = 'source: "builtin:mnist10k/train" batch_size: 4'

NETS = []


@pytest.fixture(autouse=True)
def closed():
    """Nets that a test made are closed behind it: their threads and databases are no other test's business."""
    yield
    while NETS:
        NETS.pop().close()


def net_of(options, transform="", tops='top: "data" top: "label"', file="net.prototxt", more="", **kwargs):
    text = f'''layer {{ name: "d" type: "Data" {tops} {more}
        transform_param {{ {transform} }}
        data_param {{ {options} }} }}'''
    NETS.append(netdef.Net(parse_text_message(text, str(file), "NetParameter"), **{"seed": 1, **kwargs}))
    return NETS[-1]


def batches(net, n):
    """Copies of data and labels of n passes."""
    out = []
    for _ in range(n):
        net.forward()
        out.append(tuple(net.blobs[name].data.copy() for name in ("data", "label")))
    return out


def same(a, b):
    return all(np.array_equal(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


@pytest.fixture(scope="module")
def digits():
    return sources.open("builtin:mnist10k/train")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_records_come_in_order_and_are_scaled(digits, dtype):
    net = net_of(DIGITS, "scale: 0.00390625", dtype=dtype)
    assert net.blobs["data"].shape == (4, 1, 28, 28)
    assert net.blobs["label"].shape == (4,)
    for k, (data, label) in enumerate(batches(net, 3)):
        images, labels = digits.batch(4 * k, 4)
        assert np.array_equal(data, images / 256.0)
        assert np.array_equal(label, labels)
        assert data.dtype == label.dtype == dtype


def test_they_go_round():
    net = net_of('source: "builtin:xor" batch_size: 3')
    assert [label.tolist() for _, label in batches(net, 4)] == [[0, 1, 1], [0, 0, 1], [1, 0, 0], [1, 1, 0]]


def test_without_labels():
    net = net_of(DIGITS, tops='top: "data"')
    net.forward()
    assert net.outputs == ["data"]


def test_targets_that_are_vectors():
    net = net_of('source: "builtin:bcd7seg" batch_size: 2')
    net.forward()
    assert net.blobs["label"].data.tolist() == [[1, 1, 1, 1, 1, 1, 0], [0, 1, 1, 0, 0, 0, 0]]


def test_a_crop_is_from_the_centre_in_test_and_random_in_train(digits):
    """Trap 25."""
    image = digits.batch(0, 4)[0]
    fixed = net_of(DIGITS, "crop_size: 20", phase="TEST")
    assert np.array_equal(batches(fixed, 1)[0][0], image[:, :, 4:24, 4:24])
    first, second = (net_of(DIGITS, "crop_size: 20", phase="TRAIN") for _ in range(2))
    drawn = batches(first, 3)
    assert same(drawn, batches(second, 3))
    assert not same(drawn, batches(net_of(DIGITS, "crop_size: 20", phase="TRAIN", seed=2), 3))


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_mirroring_is_random_in_both_phases(digits, phase):
    """Trap 25."""
    options = DIGITS.replace("4", "64")
    data = batches(net_of(options, "mirror: true", phase=phase), 1)[0][0]
    plain = digits.batch(0, 64)[0]
    flipped = [np.array_equal(y, x[..., ::-1]) for x, y in zip(plain, data, strict=True)]
    assert all(f or np.array_equal(x, y) for f, x, y in zip(flipped, plain, data, strict=True))
    assert 15 < sum(flipped) < 50


def test_options_in_the_wrong_place_have_no_effect(digits, caplog):
    """Trap 25: scale belongs to transform_param."""
    with caplog.at_level(logging.WARNING, "netdef"):
        net = net_of(DIGITS + " scale: 2 mirror: true crop_size: 5")
    assert np.array_equal(batches(net, 1)[0][0], digits.batch(0, 4)[0])
    assert len([r for r in caplog.records if "data_param" in r.getMessage()]) == 3


def test_the_cursor_and_the_draws_can_be_restored():
    options, transform = DIGITS + " rand_skip: 100", "crop_size: 20 mirror: true"
    net = net_of(options, transform, phase="TRAIN")
    batches(net, 2)
    state = net.state()
    after = batches(net, 3)
    other = net_of(options, transform, phase="TRAIN")
    other.set_state(state)
    assert same(batches(other, 3), after)


def test_rand_skip_leaves_out_fewer_records_than_it_says(digits):
    labels = digits.batch(0, 60)[1].tolist()
    starts = set()
    for seed in range(8):
        label = batches(net_of(DIGITS.replace("4", "30") + " rand_skip: 10", seed=seed), 1)[0][1].tolist()
        starts.add(next(k for k in range(30) if labels[k: k + 30] == label))
    assert len(starts) > 2
    assert max(starts) < 10


def test_closing_and_reading_on():
    net = net_of(DIGITS)
    want = batches(net_of(DIGITS), 2)
    first = batches(net, 1)
    net.close()
    assert same(first + batches(net, 1), want)


@pytest.mark.parametrize(("options", "message", "at"), [
    ("batch_size: 4", "source: missing; expected a database's path or builtin:<name>", "data_param"),
    ('source: "builtin:mnist10k"', "batch_size: missing; expected a number of at least 1", "data_param"),
    ('source: "builtin:mnist10k" batch_size: 0', "batch_size: expected a number of at least 1, got 0", "0"),
    ('source: "builtin:mnist10" batch_size: 4', "no built-in data 'mnist10'.*did you mean 'mnist10k'", '"builtin'),
    ('source: "no/such/db" batch_size: 4', "no file 'no/such/db': tried", '"no/such'),
])
def test_bad_options(options, message, at):
    with pytest.raises(FieldError, match=rf"layer 'd' \(Data\): .*{message}") as caught:
        net_of(options)
    span = caught.value.span
    assert span.text[span.column - 1:].startswith(at)


@pytest.mark.parametrize(("transform", "message"), [
    ("crop_size: 29", "expected crop_size of at most 28"),
    ("mean_value: 1 mean_value: 2", "expected 1 or 1 mean_value"),
    ('mean_file: "no.binaryproto"', "mean_file: no file 'no.binaryproto'"),
    ('mean_file: "m" mean_value: 2', "expected mean_file or mean_value, got both"),
])
def test_bad_transforms(transform, message):
    with pytest.raises(FieldError, match=rf"layer 'd' \(Data\): .*{message}") as caught:
        net_of(DIGITS, transform)
    assert caught.value.span.line == 2


def test_all_mistakes_in_one_report(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "a" type: "Data" top: "a" data_param { batch_size: 0 source: "x" } }\n'
                    'layer { name: "b" type: "Data" top: "b" data_param { batch_size: 1 source: "x" } }')
    with pytest.raises(ConfigErrors) as caught:
        netdef.Net(str(path))
    assert len(caught.value.errors) == 2


def make_lmdb(path, heights):
    """Records of width 3, filled with their number, which is their label too."""
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(path), map_size=1 << 24) as env, env.begin(write=True) as transaction:
        for i, height in enumerate(heights):
            made = schema.new("Datum")
            made.channels, made.height, made.width, made.label = 1, height, 3, i
            made.data = bytes([i] * 3 * height)
            transaction.put(b"%08d" % i, made.SerializeToString())


def test_a_database_beside_the_config(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    make_lmdb(tmp_path / "there" / "db", [2] * 5)
    net = net_of('source: "db" batch_size: 2', file=tmp_path / "there" / "net.prototxt")
    assert net.blobs["data"].shape == (2, 1, 2, 3)
    assert [label.tolist() for _, label in batches(net, 3)] == [[0, 1], [2, 3], [4, 0]]
    make_lmdb(tmp_path / "db", [4])  # and from the working directory where none is beside the config
    assert net_of('source: "db" batch_size: 1', file=tmp_path / "net.prototxt").blobs["data"].shape == (1, 1, 4, 3)


def test_a_backend_that_is_not_there(tmp_path):
    make_lmdb(tmp_path / "db", [2])
    with pytest.raises(FieldError, match="(?s)expected LEVELDB, the source is LMDB.*write backend: LMDB"):
        net_of('source: "db" backend: LEVELDB batch_size: 1', file=tmp_path / "net.prototxt")


def test_images_of_changing_size(tmp_path):
    make_lmdb(tmp_path / "db", [2, 5, 4])
    file = tmp_path / "net.prototxt"
    file.write_text('layer { name: "d" type: "Data" top: "data" data_param { source: "db" batch_size: 1 } }\n'
                    'layer { name: "relu" type: "ReLU" bottom: "data" top: "out" }')
    with netdef.Net(str(file)) as net:
        for i, height in enumerate([2, 5, 4, 2]):
            net.forward()
            assert net.blobs["out"].data.shape == (1, 1, height, 3)
            assert (net.blobs["out"].data == i % 3).all()
    with pytest.raises(DataError, match="expected the size of the batch's first record, 1x2x3, got 1x5x3"):
        net_of('source: "db" batch_size: 2', file=file).forward()


def test_a_crop_brings_images_to_one_size(tmp_path):
    make_lmdb(tmp_path / "db", [3, 5, 4])
    net = net_of('source: "db" batch_size: 3', "crop_size: 2", file=tmp_path / "net.prototxt")
    net.forward()
    assert net.blobs["data"].data[:, 0].tolist() == [[[i, i], [i, i]] for i in range(3)]


def test_shuffle_gives_every_record_once_in_each_round(tmp_path):
    make_lmdb(tmp_path / "db", [2] * 9)
    first, second = ([label for _, labels in batches(net_of('source: "db" batch_size: 4 shuffle: true', seed=seed,
                                                            file=tmp_path / "net.prototxt"), 9) for label in labels.tolist()]
                     for seed in (1, 2))
    assert first != second
    assert all(sorted(first[k: k + 9]) == list(range(9)) for k in range(0, 36, 9)) and first[:9] != first[9:18]


def test_sampling(digits):
    net = net_of(DIGITS.replace("4", "50"), more="sampling_param { balance: true }")
    labels = np.concatenate([label for _, label in batches(net, 4)]).astype(int)
    assert np.bincount(labels).tolist() == [20] * 10
    (data, label), = batches(net, 1)
    for item in range(50):
        image, number = digits.record(net.steps[0].layer.record_at(item))
        assert np.array_equal(data[item], image) and label[item] == number


def test_a_label_each(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n1,0.5,7\n2,1.5,8\n")
    net = net_of('source: "csv:t.csv,label=c,label=b" batch_size: 2', tops='top: "data" top: "c" top: "b"',
                 file=tmp_path / "net.prototxt")
    net.forward()
    assert [net.blobs[n].data.tolist() for n in ("c", "b")] == [[7, 8], [0.5, 1.5]]
    with pytest.raises(ShapeError, match="one for data and one for each of the 2 labels of a record, got 4"):
        net_of('source: "csv:t.csv,label=c,label=b" batch_size: 2', tops='top: "d" top: "c" top: "b" top: "a"',
               file=tmp_path / "net.prototxt")


def test_without_labels_in_the_source(tmp_path):
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    where = tmp_path / "net.prototxt"
    net = net_of('source: "csv:t.csv,label=none" batch_size: 1', tops='top: "data"', file=where)
    net.forward()
    with pytest.raises(FieldError, match="the source has no labels, and a second top is written; say where the labels are"):
        net_of('source: "csv:t.csv,label=none" batch_size: 1', file=where)


def test_resizing(digits):
    net = net_of(DIGITS + " new_height: 14 new_width: 21", "crop_size: 14")
    data = batches(net, 1)[0][0]
    assert data.shape == (4, 1, 14, 14)
    assert np.array_equal(data[0], resize(digits.record(0)[0].transpose(1, 2, 0), 14, 21).transpose(2, 0, 1)[:, :, 3:17])
    with pytest.raises(FieldError, match="new_width: expected new_height and new_width, both or none"):
        net_of(DIGITS + " new_width: 21")


def test_augmentation_is_for_training(digits):
    augment = "crop_size: 20 augment { affine { rotate: 30 } resized_crop {} cutout {} flip { vertical: 1 } }"
    plain = batches(net_of(DIGITS, "crop_size: 20", phase="TEST"), 2)
    assert same(batches(net_of(DIGITS, augment, phase="TEST"), 2), plain)
    drawn = batches(net_of(DIGITS, augment, phase="TRAIN"), 3)
    assert drawn[0][0].shape == (4, 1, 20, 20) and not same(drawn, batches(net_of(DIGITS, "crop_size: 20", phase="TRAIN"), 3))
    assert same(drawn, batches(net_of(DIGITS + " prefetch: 0", augment, phase="TRAIN"), 3))
    assert same(drawn, batches(net_of(DIGITS + " workers: 3", augment, phase="TRAIN"), 3))


def test_a_mean_image_of_another_size_than_the_crop(tmp_path):
    (tmp_path / "m").write_bytes(blobproto.from_array(np.zeros((1, 1, 28, 28))).SerializeToString())
    with pytest.raises(FieldError, match="augment: resized_crop takes pictures to another size than mean_file's; write mean"):
        net_of(DIGITS, 'mean_file: "m" augment { resized_crop { height: 9 width: 9 } }', file=tmp_path / "net.prototxt",
               phase="TRAIN")


@pytest.mark.parametrize("case, source", [("lmdb_raw", "raw_lmdb"), ("lmdb_encoded", "enc_lmdb"), ("lmdb_encoded", "enc_leveldb"),
                                          ("lmdb_meanfile_crop", "raw_lmdb"), ("leveldb_raw_scaled", "raw_leveldb")])
@pytest.mark.parametrize("prefetch", ["", "prefetch: 0", "prefetch: 3 workers: 3"])
def test_caffe_agrees(shared, tmp_path, case, source, prefetch):
    folder = shared / "conformance" / "data"
    pytest.importorskip("plyvel" if "leveldb" in source else "lmdb")
    shutil.copytree(folder / source, tmp_path / source, copy_function=shutil.copyfile)  # LevelDB writes into it
    (tmp_path / source).chmod(0o755)
    shutil.copyfile(folder / "mean.binaryproto", tmp_path / "mean.binaryproto")
    with np.load(folder / f"{case}.npz") as file:
        text = str(file["prototxt"]).replace("enc_lmdb", source).replace("data_param {", f"data_param {{ {prefetch} ")
        text = text.replace("backend: LMDB", f"backend: {source.partition('_')[2].upper()}")
        with netdef.Net(parse_text_message(text, str(tmp_path / "net.prototxt"), "NetParameter"), phase="TEST") as net:
            for k, (data, label) in enumerate(batches(net, 7)):
                np.testing.assert_allclose(data, file[f"batch{k}/data"], rtol=1e-6, atol=1e-6)
                assert label.tolist() == file[f"batch{k}/label"].tolist()


def test_two_nets_of_one_leveldb(tmp_path):
    plyvel = pytest.importorskip("plyvel")
    with plyvel.DB(str(tmp_path / "db"), create_if_missing=True) as db:
        for i in range(3):
            made = schema.new("Datum")
            made.channels = made.height = made.width = 1
            made.label, made.data = i, bytes([i])
            db.put(b"%d" % i, made.SerializeToString())
    options = 'source: "db" batch_size: 2'
    with net_of(options, file=tmp_path / "n") as one, net_of(options + " shuffle: true", file=tmp_path / "n") as two:
        first, second = batches(one, 3), batches(two, 3)
    assert [label.tolist() for _, label in first] == [[0, 1], [2, 0], [1, 2]]
    assert sorted(np.concatenate([label for _, label in second])) == [0, 0, 1, 1, 2, 2]
