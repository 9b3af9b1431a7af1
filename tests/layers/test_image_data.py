"""ImageData: Caffe's batches, lists and their roots, sizes, several labels, and where errors point."""
import shutil

import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import DataError, FieldError, GraphError, ShapeError
from netdef.testing import check_layer

Image = pytest.importorskip("PIL.Image")

NETS = []


@pytest.fixture(autouse=True)
def closed():
    """Nets that a test made are closed behind it: their threads and databases are no other test's business."""
    yield
    while NETS:
        NETS.pop().close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five pictures of one colour, their number, below img/, a list, and a working directory elsewhere."""
    (tmp_path / "net" / "img").mkdir(parents=True)
    (tmp_path / "there").mkdir()
    for i in range(5):
        Image.new("RGB", (6, 4 + 2 * (i == 4)), (i, 10 + i, 20 + i)).save(tmp_path / "net" / "img" / f"{i}.png")
    (tmp_path / "net" / "list.txt").write_text("".join(f"{i}.png {i}\n" for i in range(4)))
    monkeypatch.chdir(tmp_path / "there")
    return tmp_path / "net"


def net_of(folder, options="batch_size: 3", transform="", tops='top: "data" top: "label"', more="", root='"img/"', **kwargs):
    text = f'''layer {{ name: "d" type: "ImageData" {tops}
        transform_param {{ {transform} }} {more}
        image_data_param {{ source: "list.txt" root_folder: {root} {options} }} }}'''
    NETS.append(netdef.Net(parse_text_message(text, str(folder / "net.prototxt"), "NetParameter"), **{"seed": 1, **kwargs}))
    return NETS[-1]


def labels(net, passes):
    with net:
        return [net.forward()["label"].astype(int).tolist() for _ in range(passes)]


@pytest.mark.parametrize("case", ["imagedata_gray", "imagedata_resize"])
def test_caffe_agrees(shared, tmp_path, case):
    folder = shared / "conformance" / "data"
    with np.load(folder / f"{case}.npz") as file:
        located = parse_text_message(str(file["prototxt"]), str(folder / "net.prototxt"), "NetParameter")
        scale = located.message.layer[0].transform_param.scale
        with netdef.Net(located, phase="TEST") as net:
            for k in range(7):
                net.forward()
                data, wanted = net.blobs["data"].data, file[f"batch{k}/data"]
                assert data.shape == wanted.shape
                assert np.abs(data - wanted).max() <= (scale if "resize" in case else 0), "one grey level"
                assert np.abs(data - wanted).mean() < 0.1 * scale
                assert net.blobs["label"].data.tolist() == file[f"batch{k}/label"].tolist()


def test_order_colours_and_going_round(folder):
    with net_of(folder) as net:
        net.forward()
        assert net.blobs["data"].data[:, :, 0, 0].tolist() == [[20 + i, 10 + i, i] for i in range(3)]
        assert net.blobs["data"].shape == (3, 3, 4, 6)
        net.forward()
        assert [net.steps[0].layer.record_at(i) for i in range(3)] == [3, 0, 1]
    assert labels(net_of(folder), 3) == [[0, 1, 2], [3, 0, 1], [2, 3, 0]]


def test_grey_and_crop_and_mean(folder):
    with net_of(folder, "batch_size: 2 is_color: false new_height: 8 new_width: 8", "crop_size: 6 mean_value: 1 scale: 2") as net:
        net.forward()
        assert net.blobs["data"].shape == (2, 1, 6, 6)
        assert net.blobs["data"].data[:, 0, 0, 0].tolist() == [2 * (int(0.587 * 10 + 0.114 * 20 + i) - 1) for i in range(2)]


def test_shuffle_by_the_seed(folder):
    first, second, other = (sum(labels(net_of(folder, "batch_size: 3 shuffle: true", seed=seed), 8), []) for seed in (1, 1, 2))
    assert first == second != other
    assert all(sorted(first[k: k + 4]) == [0, 1, 2, 3] for k in range(0, 24, 4))


def test_rand_skip(folder):
    found = {labels(net_of(folder, "batch_size: 1 rand_skip: 3", seed=seed), 1)[0][0] for seed in range(12)}
    assert found == {0, 1, 2}


def test_sampling(folder):
    got = np.array(sum(labels(net_of(folder, "batch_size: 50", more="sampling_param { class_weight: [0, 1, 0, 3] }"), 4), []))
    assert set(got) == {1, 3} and 0.6 < (got == 3).mean() < 0.9
    got = sum(labels(net_of(folder, "batch_size: 4", more="sampling_param { balance: true }"), 3), [])
    assert all(sorted(got[k: k + 4]) == [0, 1, 2, 3] for k in range(0, 12, 4))


def test_several_labels(folder):
    (folder / "list.txt").write_text("0.png 1 0.5\n1.png 2 3\n")
    options = "batch_size: 2 num_labels: 2"
    with net_of(folder, options) as net:
        net.forward()
        assert net.blobs["label"].data.tolist() == [[1, 0.5], [2, 3]]
    with net_of(folder, options, tops='top: "data" top: "class" top: "angle"') as net:
        net.forward()
        assert (net.blobs["class"].data.tolist(), net.blobs["angle"].data.tolist()) == ([1, 2], [0.5, 3])
    with pytest.raises(ShapeError, match="one for data and one for each of the 2 labels of a record, got 4"):
        net_of(folder, options, tops='top: "a" top: "b" top: "c" top: "d"')


def test_roots(folder, monkeypatch):
    assert labels(net_of(folder, root=f'"{folder}/img/"'), 1) == [[0, 1, 2]]
    (folder / "list.txt").write_text("img/0.png 5\n")
    assert labels(net_of(folder, "batch_size: 1", root='""'), 1) == [[5]], "beside the list"
    (folder / "list.txt").write_text(".png 5\n")
    assert labels(net_of(folder, "batch_size: 1", root='"img/3"'), 1) == [[5]], "put before the name as it is"


def test_pictures_of_changing_size(folder):
    (folder / "list.txt").write_text("0.png 0\n4.png 1\n")
    with net_of(folder, "batch_size: 1") as net:
        shapes = [net.forward() and net.blobs["data"].shape for _ in range(3)]
    assert shapes == [(1, 3, 4, 6), (1, 3, 6, 6), (1, 3, 4, 6)]
    with pytest.raises(DataError, match=r"record 1 \(line 2, '4.png'\): expected the size of the batch's first record"):
        net_of(folder, "batch_size: 2").forward()


def test_a_missing_picture(folder):
    (folder / "list.txt").write_text("0.png 0\n1.png 1\ngone.png 2\n2.png 1\n")
    with net_of(folder, "batch_size: 1") as net:
        net.forward()
        net.forward()
        with pytest.raises(DataError) as caught:
            net.forward()
    text = str(caught.value)
    assert text.startswith(f"{folder}/list.txt:3: error: record 2: cannot read the picture: No such file or directory "
                           f"'{folder}/img/gone.png'")
    assert text.endswith("    read ahead by worker 0\n    for layer 'd' (ImageData), pass 2")


def test_resume(folder):
    options = {"options": "batch_size: 3 shuffle: true rand_skip: 4", "transform": "crop_size: 3 mirror: true", "phase": "TRAIN",
               "more": "data_param { workers: 2 }"}
    with net_of(folder, **options) as a, net_of(folder, **options) as b:
        for _ in range(4):
            a.forward()
        b.set_state(a.state())
        for _ in range(4):
            a.forward()
            b.forward()
            assert all(np.array_equal(a.blobs[n].data, b.blobs[n].data) for n in ("data", "label"))


def test_battery(folder, monkeypatch):
    monkeypatch.chdir(folder)
    report = check_layer('type: "ImageData" image_data_param { source: "list.txt" root_folder: "img/" batch_size: 3 }', [],
                         tops=2, batch=False)
    assert {"shapes", "repeatable", "float32", "constraints"} <= set(report.passed)


@pytest.mark.parametrize("options, message", [
    ({"options": "new_height: 4"}, r"new_height: expected new_height and new_width, both or none"),
    ({"more": "sampling_param { balance: true weight_file: 'w' }"}, "sampling_param: balance and weight_file exclude each other"),
    ({"more": "sampling_param { weight_file: 'w.txt' }"}, "weight_file: no file 'w.txt'"),
    ({"root": '"pics/"'}, "root_folder: no file 'pics'"),
    ({"transform": "crop_size: 7"}, "transform_param: expected crop_size of at most 4 .records of 4x6., got 7"),
    ({"transform": "augment { flip { vertical: 2 } }"}, "augment: flip: vertical: expected a number in .0, 1., got 2"),
])
def test_mistakes_are_located(folder, options, message):
    with pytest.raises(FieldError, match=message) as caught:
        net_of(folder, **options)
    assert caught.value.span is not None and "layer 'd' (ImageData)" in str(caught.value)


def test_bad_lists(folder):
    (folder / "list.txt").write_text("0.png 0\n1.png one\n")
    with pytest.raises(FieldError, match=r"source: expected a number as label, got 'one' \(.*list.txt:2\)"):
        net_of(folder)
    (folder / "list.txt").write_text("0.png 7\n")
    with net_of(folder, more="sampling_param { class_weight: [1, 1] }") as net, pytest.raises(
            DataError, match="record 0 .line 1, '0.png'.: the label 7 is out of range, class_weight has 2 numbers"):
        net.forward()
    with pytest.raises(GraphError, match="expected at least 1 tops, got 0"):
        net_of(folder, tops="")
    (folder / "list.txt").unlink()
    with pytest.raises(FieldError, match="source: no file 'list.txt': tried"):
        net_of(folder)


def test_another_place_of_the_files(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    assert labels(net_of(tmp_path / "copy"), 1) == [[0, 1, 2]]
