"""What data layers share: reading ahead in a net, its threads, the time spent waiting, and exact resumes from every source."""
import builtins
import gzip
import pickle
import struct
import threading
import time

import numpy as np
import pytest

import netdef
from netdef.config import schema
from netdef.config.load import parse_text_message
from netdef.data.pictures import PictureSource
from netdef.errors import DataError, FieldError
from netdef.runtime.waiting import Waiting, waited
from netdef.solvers.prove import prove_resume
from netdef.solvers.solver import Solver

PIXELS = np.random.default_rng(1).integers(0, 256, (11, 3, 32, 32), dtype=np.uint8)
LABELS = np.arange(11) % 3


def threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("netdef ")]


def datum(i):
    made = schema.new("Datum")
    made.channels, made.height, made.width, made.label = 3, 32, 32, int(LABELS[i])
    made.data = PIXELS[i].tobytes()
    return made.SerializeToString()


def make_lmdb(folder):
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(folder / "db"), map_size=1 << 24) as env, env.begin(write=True) as transaction:
        for i in range(11):
            transaction.put(b"%08d" % i, datum(i))
    return "db"


def make_leveldb(folder):
    plyvel = pytest.importorskip("plyvel")
    with plyvel.DB(str(folder / "level"), create_if_missing=True) as db:
        for i in range(11):
            db.put(b"%08d" % i, datum(i))
    return "leveldb:level"


def make_idx(folder):
    for name, array in (("i", PIXELS), ("l", LABELS.astype(np.uint8))):
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        (folder / name).write_bytes(gzip.compress(head + array.tobytes()))
    return "idx:i,l"


def make_npz(folder):
    np.savez(folder / "a.npz", data=PIXELS, label=LABELS)
    return "a.npz"


def make_npy(folder):
    np.save(folder / "x.npy", PIXELS)
    np.save(folder / "y.npy", LABELS)
    return "npy:x.npy,y.npy"


def make_csv(folder):
    rows = np.column_stack([PIXELS.reshape(11, -1)[:, :48], LABELS])
    np.savetxt(folder / "t.csv", rows, "%d", delimiter=",")
    return "csv:t.csv,shape=3x4x4"


def make_cifar(folder):
    (folder / "c").write_bytes(pickle.dumps({b"data": PIXELS.reshape(11, -1), b"labels": LABELS.tolist()}))
    return "cifar10:c"


def make_hdf5(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.h5", "w") as file:
        file["data"], file["label"] = PIXELS, LABELS
    return "hdf5:a.h5"


def make_folder(folder):
    image = pytest.importorskip("PIL.Image")
    for i, (pixels, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        (folder / "pics" / "abc"[label]).mkdir(parents=True, exist_ok=True)
        image.fromarray(pixels.transpose(1, 2, 0)).save(folder / "pics" / "abc"[label] / f"{i}.png")
    return "folder:pics"


def make_list(folder):
    make_folder(folder)
    (folder / "l.txt").write_text("".join(f"pics/{'abc'[k]}/{i}.png {k}\n" for i, k in enumerate(LABELS)))
    return "list:l.txt"


MAKERS = [make_lmdb, make_leveldb, make_idx, make_npz, make_npy, make_csv, make_cifar, make_hdf5, make_folder, make_list]


def data_layer(source, more="shuffle: true prefetch: 3 workers: 2"):
    return f'''layer {{ name: "d" type: "Data" top: "data" top: "label"
        transform_param {{ scale: 0.01 mirror: true augment {{ cutout {{ size: 0.3 }} }} }}
        data_param {{ source: "{source}" batch_size: 4 {more} }} }}'''


def image_layer(folder):
    make_list(folder)
    return '''layer { name: "d" type: "ImageData" top: "data" top: "label"
        transform_param { scale: 0.01 crop_size: 7 mirror: true } sampling_param { balance: true }
        image_data_param { source: "l.txt" batch_size: 4 new_height: 9 new_width: 9 shuffle: true } }'''


def hdf5_layer(folder):
    make_hdf5(folder)
    (folder / "list.txt").write_text("a.h5\n")
    return '''layer { name: "d" type: "HDF5Data" top: "data" top: "label"
        hdf5_data_param { source: "list.txt" batch_size: 4 shuffle: true } }'''


def window_layer(folder):
    make_folder(folder)
    windows = "".join(f"{k + 1} {0.1 + 0.8 * (i % 2)} {i} 3 {i + 9} 20\n" for i, k in enumerate([0, 1, 1, 0]))
    (folder / "w.txt").write_text(f"# 0\npics/a/0.png\n3\n32\n32\n4\n{windows}")
    return '''layer { name: "d" type: "WindowData" top: "data" top: "label" transform_param { crop_size: 8 mirror: true }
        window_data_param { source: "w.txt" batch_size: 4 scale: 0.01 fg_fraction: 0.5 context_pad: 1 } }'''


LAYERS = {m.__name__.removeprefix("make_"): (lambda folder, m=m: data_layer(m(folder))) for m in MAKERS}
LAYERS |= {"weights": lambda folder: data_layer(make_lmdb(folder), "rand_skip: 5"),
           "image": image_layer, "hdf5_rows": hdf5_layer, "window": window_layer}


@pytest.mark.parametrize("name", LAYERS)
def test_a_resume_is_exact(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(LAYERS[name](tmp_path) + '''
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
                inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" loss_param { ignore_label: 3 } }''')
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 20')

    def make(overrides, seed):
        return Solver(str(tmp_path / "solver.prototxt"), overrides=overrides, seed=3 if seed is None else seed)

    proof = prove_resume(make, 4, tmp_path)
    assert proof.holds, str(proof)
    assert not threads(), "close has ended them"


@pytest.mark.parametrize("name", ["lmdb", "leveldb", "csv", "folder", "hdf5"])
def test_any_number_of_workers_gives_the_same(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    source = {m.__name__.removeprefix("make_"): m for m in MAKERS}[name](tmp_path)
    found = []
    for more in ("prefetch: 0", "prefetch: 1", "prefetch: 4 workers: 4", "prefetch: 2 workers: 9"):
        for order in ("", "shuffle: true"):
            with netdef.Net(parse_text_message(data_layer(source, f"{more} {order}"), "n", "NetParameter"), phase="TRAIN",
                            seed=1) as net:
                found.append([[net.forward() and net.blobs[n].data.copy() for n in ("data", "label")] for _ in range(8)])
    for k, passes in enumerate(found[2:]):
        for mine, first in zip(passes, found[k % 2], strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(mine, first, strict=True))


def net_of(text, **options):
    return netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"), **{"seed": 1, "phase": "TRAIN", **options})


def test_threads_end_with_the_net(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = net_of(data_layer(make_lmdb(tmp_path)))
    net.forward()
    assert not threads(), "a net that runs once needs none"
    net.forward()
    assert threads()
    net.close()
    assert not threads()
    net.forward()
    net.forward()
    net.close()
    assert not threads()


def test_a_net_that_is_forgotten_takes_its_threads_along(tmp_path, monkeypatch):
    import gc

    monkeypatch.chdir(tmp_path)
    net = net_of(data_layer(make_npz(tmp_path)))
    net.forward()
    net.forward()
    assert threads()
    del net
    for _ in range(100):
        gc.collect()  # a thread may have been at work, and held the net, the last time
        if not threads():
            return
        time.sleep(0.02)
    raise AssertionError(threads())


def test_data_in_memory_are_not_read_ahead():
    text = 'layer {{ name: "d" type: "Data" top: "data" data_param {{ source: "builtin:xor" batch_size: 2 {} }} }}'
    for more, ahead in (("", False), ("prefetch: 4", True)):
        with net_of(text.format(more)) as net:
            for _ in range(3):
                net.forward()
            assert bool(threads()) == ahead


def test_waiting_is_measured(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = make_folder(tmp_path)
    real = PictureSource._read
    monkeypatch.setattr(PictureSource, "_read", lambda self, index: (time.sleep(0.01), real(self, index))[1])
    for prefetch, busy, least, most in (("prefetch: 0", 0.0, 0.7, 1.0), ("prefetch: 2 workers: 2", 0.06, 0.0, 0.6)):
        with net_of(data_layer(source, prefetch)) as net:
            net.forward()
            net.forward()
            waiting = Waiting(net)
            for _ in range(8):
                time.sleep(busy)
                net.forward()
            assert least < waiting.share() < most, prefetch
            assert not waiting.text() or waiting.text().startswith("waiting for data: ")
            total = waited(net)
        assert waited(net) == pytest.approx(total), "close keeps the account"


def test_a_corrupt_record_is_named_in_its_turn(tmp_path, monkeypatch):
    lmdb = pytest.importorskip("lmdb")
    monkeypatch.chdir(tmp_path)
    make_lmdb(tmp_path)
    with lmdb.open("db", map_size=1 << 24) as env, env.begin(write=True) as transaction:
        transaction.put(b"%08d" % 9, b"\xff\xff")
    with net_of(data_layer("db", "")) as net:
        net.forward()
        net.forward()
        with pytest.raises(DataError) as caught:
            net.forward()
        assert str(caught.value).splitlines() == [
            f"{tmp_path}/db: error: record 9 (key b'00000009'): expected a Datum, the 2 bytes do not parse; netdef "
            "data check finds all such records",
            "    read ahead by worker 0", "    for layer 'd' (Data), pass 2"]
        with pytest.raises(DataError, match="record 9"):
            net.forward()
    assert not threads()


def test_a_wrong_channel_count_is_named(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    lmdb = pytest.importorskip("lmdb")
    import io

    monkeypatch.chdir(tmp_path)
    with lmdb.open("db", map_size=1 << 24) as env, env.begin(write=True) as transaction:
        for i, mode in enumerate(("RGB", "L")):
            buffer = io.BytesIO()
            image.new(mode, (5, 5)).save(buffer, "PNG")
            made = schema.new("Datum")
            made.data, made.encoded = buffer.getvalue(), True
            transaction.put(b"%d" % i, made.SerializeToString())
    text = '''layer {{ name: "d" type: "Data" top: "data" transform_param {{ crop_size: 4 {} }}
              data_param {{ source: "db" batch_size: 2 }} }}'''
    with net_of(text.format("")) as net, pytest.raises(DataError, match=r"record 1 \(key b'1'\): expected 3 channels, as in the "
                                                                        "first record, got 1; force_color or force_gray"):
        net.forward()
    for force, channels in (("force_color", 3), ("force_gray", 1)):
        with net_of(text.format(f"{force}: true")) as net:
            net.forward()
            assert net.blobs["data"].shape == (2, channels, 4, 4)


@pytest.mark.parametrize("maker, package, line", [
    (make_lmdb, "lmdb", r"pip install netdef\[data\]"), (make_leveldb, "plyvel", r"pip install netdef\[leveldb\]"),
    (make_hdf5, "h5py", r"pip install netdef\[data\]"), (make_folder, "PIL", r"pip install netdef\[images\]")])
def test_missing_packages_are_named(tmp_path, monkeypatch, maker, package, line):
    monkeypatch.chdir(tmp_path)
    source, real = maker(tmp_path), builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in (package, "cv2"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FieldError, match=rf"layer 'd' \(Data\): source: .*needs? .*installed.*{line}"):
        net_of(data_layer(source))


def test_labels_out_of_range_of_the_net_name_the_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = data_layer(make_npz(tmp_path), "") + '''
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }'''
    with net_of(text) as net, pytest.raises(DataError, match="label") as caught:
        net.forward()
    assert caught.value.item == 2 and net.steps[0].layer.record_at(2) == 2


def test_batches_are_written_into_arrays_that_were_used_before(tmp_path, monkeypatch):
    """Without changing one that anybody still looks at: what comes out is what comes without reading ahead."""
    monkeypatch.chdir(tmp_path)
    source = make_lmdb(tmp_path)
    with net_of(data_layer(source, "prefetch: 2 workers: 2")) as net, net_of(data_layer(source, "prefetch: 0")) as plain:
        layer, arrays = net.steps[0].layer, []
        monkeypatch.setattr(plain.steps[0].layer, "reuses", False)
        for _ in range(12):
            net.forward()
            plain.forward()
            assert np.array_equal(net.blobs["data"].data, plain.blobs["data"].data)
            arrays += layer._spare
            assert not any(np.shares_memory(a, net.blobs["data"].data) for a in layer._spare)
        assert len(arrays) > len({id(a) for a in arrays}) > 0, "none came back"
        assert not plain.steps[0].layer._spare
    assert not layer._spare, "closing lets go of them"
