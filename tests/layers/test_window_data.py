"""WindowData: which windows come, what is cut, the mean at its place, and where errors point."""
import numpy as np
import pytest

import netdef
from netdef.config import blobproto
from netdef.config.load import parse_text_message
from netdef.data.images import resize
from netdef.data.windows import cut_out, place
from netdef.errors import DataError, FieldError
from netdef.testing import check_layer

Image = pytest.importorskip("PIL.Image")
PICTURE = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)  # red, green, blue
BOXES = [(7, 0.9, 1, 2, 10, 12), (3, 0.6, 20, 5, 39, 29), (1, 0.1, 0, 0, 39, 29), (2, 0.2, 5, 6, 9, 20), (2, 0.4, 3, 3, 9, 9)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, boxes=BOXES, name="a.png"):
    text = f"# 0\n{name}\n3\n30\n40\n{len(boxes)}\n" + "".join(" ".join(map(str, box)) + "\n" for box in boxes)
    (folder / "w.txt").write_text(text)


def net_of(folder, options="", transform="crop_size: 9", **kwargs):
    text = f'''layer {{ name: "w" type: "WindowData" top: "data" top: "label" transform_param {{ {transform} }}
        window_data_param {{ source: "w.txt" batch_size: 8 bg_threshold: 0.3 {options} }} }}'''
    return netdef.Net(parse_text_message(text, str(folder / "net.prototxt"), "NetParameter"), **{"seed": 1, **kwargs})


def windows(net, passes=1):
    """What came: the box of each item, by the line that record_at gives."""
    found = []
    for _ in range(passes):
        net.forward()
        found += [BOXES[net.steps[0].layer.record_at(i) - 7] for i in range(8)]
    return found


def test_background_first(folder):
    with net_of(folder, "fg_fraction: 0.4") as net:
        got = windows(net)
        labels = net.blobs["label"].data.tolist()
    assert net.blobs["data"].shape == (8, 3, 9, 9)
    assert labels[:5] == [0] * 5 and labels[5:] == [box[0] for box in got[5:]]
    assert all(box[1] < 0.3 for box in got[:5]) and all(box[1] >= 0.5 for box in got[5:])


def test_all_windows_come(folder):
    with net_of(folder, "fg_fraction: 0.5") as net:
        got = windows(net, 20)
    assert {box[1] for box in got} == {0.9, 0.6, 0.1, 0.2}


@pytest.mark.parametrize("options, pad, square", [("", 0, False), ("context_pad: 2", 2, False),
                                                  ('crop_mode: "square"', 0, True),
                                                  ('context_pad: 3 crop_mode: "square"', 3, True)])
@pytest.mark.parametrize("cached", [False, True])
def test_what_is_cut(folder, options, pad, square, cached):
    image = PICTURE[:, :, ::-1]
    with net_of(folder, f"{options} scale: 0.5 cache_images: {str(cached).lower()}", "crop_size: 9 mean_value: 3") as net:
        for item, box in enumerate(windows(net)):
            cut = place(box[2:], 30, 40, 9, pad, square, False)
            wanted = np.zeros((3, 9, 9), np.float32)
            wanted[:, cut.down: cut.down + cut.height, cut.right: cut.right + cut.width] = (cut_out(image, cut, False) - 3.0) / 2
            assert np.array_equal(net.blobs["data"].data[item], wanted), "and 0 beyond the picture, not minus the mean"
            if not pad and not square:
                _, _, x1, y1, x2, y2 = box
                part = resize(image[y1: y2 + 1, x1: x2 + 1], 9, 9).transpose(2, 0, 1)
                assert np.array_equal(wanted, (part - 3.0) / 2)


def test_mirror_and_mean_image(folder):
    mean = np.arange(3 * 13 * 13, dtype=np.float32).reshape(3, 13, 13)
    (folder / "m.binaryproto").write_bytes(blobproto.from_array(mean[None]).SerializeToString())
    with net_of(folder, "", 'crop_size: 9 mirror: true mean_file: "m.binaryproto"') as net:
        flips = []
        for item, box in enumerate(windows(net)):
            cut = place(box[2:], 30, 40, 9, 0, False, False)
            made = [cut_out(PICTURE[:, :, ::-1], cut, flip) - mean[:, 2:11, 2:11] for flip in (False, True)]
            flips.append([np.array_equal(net.blobs["data"].data[item], m) for m in made])
        assert all(sum(f) == 1 for f in flips) and {tuple(f) for f in flips} == {(True, False), (False, True)}


def test_the_mean_image_lies_where_the_window_does(folder):
    mean = np.arange(3 * 13 * 13, dtype=np.float32).reshape(3, 13, 13)
    (folder / "m.binaryproto").write_bytes(blobproto.from_array(mean[None]).SerializeToString())
    with net_of(folder, "context_pad: 3", 'crop_size: 9 mean_file: "m.binaryproto"') as net:
        shifted = 0
        for item, box in enumerate(windows(net, 1)):
            cut = place(box[2:], 30, 40, 9, 3, False, False)
            top, left = 2 + cut.down, 2 + cut.right
            wanted = cut_out(PICTURE[:, :, ::-1], cut, False) - mean[:, top: top + cut.height, left: left + cut.width]
            got = net.blobs["data"].data[item, :, cut.down: cut.down + cut.height, cut.right: cut.right + cut.width]
            assert np.array_equal(got, wanted)
            shifted += cut.right > 0 and cut.down > 0
        assert shifted


def test_seed_and_resume(folder):
    with net_of(folder) as a, net_of(folder) as b, net_of(folder, seed=2) as c:
        assert windows(a, 3) == windows(b, 3) != windows(c, 3)
        b.set_state(a.state())
        for _ in range(3):
            a.forward()
            b.forward()
            assert np.array_equal(a.blobs["data"].data, b.blobs["data"].data)


def test_battery(folder):
    report = check_layer('type: "WindowData" transform_param { crop_size: 5 } window_data_param { source: "w.txt" batch_size: 4 '
                         "bg_threshold: 0.3 }", [], tops=2, batch=False, random=True)
    assert {"shapes", "repeatable", "float32", "constraints"} <= set(report.passed)


@pytest.mark.parametrize("options, transform, message", [
    ("", "", "transform_param: crop_size: missing; expected the side of the windows in pixels"),
    ("context_pad: 5", "crop_size: 9", "context_pad: expected less than half of crop_size .9., got 5"),
    ('crop_mode: "wrap"', "crop_size: 9", "crop_mode: expected warp or square, got 'wrap'"),
    ("fg_threshold: 0.2", "crop_size: 9", "bg_threshold: expected at most fg_threshold .0.2., got 0.3"),
    ("fg_threshold: 0.95", "crop_size: 9", "fg_threshold: a batch has 2 windows of the foreground, and '.*w.txt' has none"),
    ("", "crop_size: 9 mean_value: 1 mean_value: 2", "expected 1 or 3 mean_value"),
])
def test_mistakes_are_located(folder, options, transform, message):
    with pytest.raises(FieldError, match=rf"layer 'w' \(WindowData\): .*{message}") as caught:
        net_of(folder, options, transform)
    assert caught.value.span is not None


def test_bad_records(folder):
    write(folder, name="gone.png")
    with net_of(folder) as net, pytest.raises(DataError, match=r"w.txt:2: error: cannot read the picture: No such.*gone.png"):
        net.forward()
    write(folder, [(7, 0.9, 1, 2, 40, 12), (7, 0.0, 1, 2, 40, 12)])
    with net_of(folder) as net, pytest.raises(DataError, match=r"w.txt:8: error: the window 1 2 40 12 does not lie in the pict"):
        net.forward()
    (folder / "w.txt").write_text("# 0\na.png\n3\n30\n40\n1\n7 0.9 1 2 x 12\n")
    with pytest.raises(FieldError, match=r"source: expected class, overlap, x1, y1, x2, y2, got '7 0.9 1 2 x 12' .*w.txt:7"):
        net_of(folder)
