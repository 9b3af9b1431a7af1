"""VOCData: rows of true boxes, flips and crops with their boxes, an order that is resumed, and where errors point."""
import threading

import numpy as np
import pytest

import netdef
from netdef.errors import ConfigError, DataError, FieldError

image = pytest.importorskip("PIL.Image")

CATS, DOGS = [(0, 0, 20, 10)], [(20, 0, 40, 10), (0, 10, 8, 20)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five pictures of 40 x 20 beside a net: left half red, boxes of cats in the left upper quarter."""
    home = tmp_path / "net" / "VOC"
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (home / part).mkdir(parents=True)
    for i in range(5):
        boxes = [("cat", *b) for b in CATS] + [("dog", *b) for b in DOGS] if i != 3 else []
        things = "".join(f"<object><name>{n}</name><difficult>{int(n == 'dog')}</difficult><bndbox><xmin>{a}</xmin>"
                         f"<ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>" for n, a, b, c, d in boxes)
        (home / "Annotations" / f"{i}.xml").write_text(
            f"<annotation><size><width>40</width><height>20</height></size>{things}</annotation>")
        pixels = np.zeros((20, 40, 3), np.uint8)
        pixels[:, :20, 0], pixels[10:, :, 2] = 255, 40 * i + 40
        image.fromarray(pixels).save(home / "JPEGImages" / f"{i}.png")
    (home / "ImageSets/Main/train.txt").write_text("0\n1\n2\n3\n4\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "net"


def net(folder, more="", transform="", phase="TRAIN", source="VOC", split="train", classes=("cat", "dog"), **options):
    names = " ".join(f'class_name: "{c}"' for c in classes)
    (folder / "net.prototxt").write_text(
        f'layer {{ name: "voc" type: "VOCData" top: "data" top: "truth" transform_param {{ {transform} }} voc_data_param {{ '
        f'source: "{source}" split: "{split}" batch_size: 2 new_height: 10 new_width: 20 {names} {more} }} }}')
    return netdef.Net(folder / "net.prototxt", phase=phase, **{"seed": 1, **options})


def test_pictures_and_rows(folder):
    with net(folder, transform="mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.5") as a:
        assert (a.blobs["data"].shape, a.blobs["truth"].shape) == ((2, 3, 10, 20), (1, 1, 6, 8)), "no more than that"
        a.forward()
        assert a.blobs["truth"].data[0, 0] == pytest.approx(np.array([
            [0, 1, 0, 0, 0, 0.5, 0.5, 0], [0, 2, 1, 0.5, 0, 1, 0.5, 1], [0, 2, 2, 0, 0.5, 0.2, 1, 1],
            [1, 1, 0, 0, 0, 0.5, 0.5, 0], [1, 2, 1, 0.5, 0, 1, 0.5, 1], [1, 2, 2, 0, 0.5, 0.2, 1, 1]]))
        x = a.blobs["data"].data[1]
        assert (x[:, 0, 0].tolist(), x[:, -1, -1].tolist()) == ([-5, -10, 112.5], [35, -10, -15]), "blue, green, red"
        a.forward()
        assert a.blobs["truth"].shape == (1, 1, 3, 8) and not a.blobs["truth"].data[0, 0, :, 0].any(), "picture 3 has no box"
        assert [a.steps[0].layer.record_at(i) for i in range(2)] == [2, 3]
        a.forward()
        assert [a.steps[0].layer.record_at(i) for i in range(2)] == [4, 0]


def test_a_batch_without_boxes(folder):
    (folder / "VOC/ImageSets/Main/none.txt").write_text("3\n")
    with net(folder, split="none") as a:
        assert a.forward()["truth"].tolist() == [[[[-1] * 8]]]


@pytest.mark.parametrize(("more", "transform", "axis"), [("", "mirror: true", 0), ("flip_vertical: true", "", 1)])
def test_flips_take_the_boxes_along(folder, more, transform, axis):
    with net(folder, more, transform) as a, net(folder) as plain:
        seen = set()
        for _ in range(12):
            made, was = a.forward(), plain.forward()
            for n in range(2):
                picture, before = made["data"][n], was["data"][n]
                flipped = not np.array_equal(picture, before)
                seen.add(flipped)
                assert np.array_equal(picture, np.flip(before, 2 - axis) if flipped else before)
                rows, truth = (t[0, 0][t[0, 0, :, 0] == n] for t in (made["truth"], was["truth"]))
                if flipped and len(truth):
                    truth = truth.copy()
                    truth[:, [3 + axis, 5 + axis]] = 1 - truth[:, [5 + axis, 3 + axis]]
                assert rows == pytest.approx(truth)
    assert seen == {True, False}


CROPS = "batch_sampler { max_sample: 1 sampler { min_scale: 0.5 max_scale: 0.6 } }"


def test_crops_in_training_only(folder):
    emit = "emit_constraint { emit_type: CENTER }"
    with net(folder, CROPS, emit) as a, net(folder, CROPS, phase="TEST") as b, net(folder) as c:
        made = a.forward()
        assert not np.array_equal(made["data"], c.forward()["data"])
        assert np.array_equal(b.forward()["data"], c.blobs["data"].data)
        boxes = made["truth"][0, 0, :, 3:7]
        assert (boxes >= 0).all() and (boxes <= 1).all() or (boxes == -1).all()


@pytest.mark.parametrize("cache", ["true", "false"])
def test_every_choice_is_resumed(folder, cache):
    options = f"shuffle: true flip_vertical: true cache: {cache} {CROPS}"
    with net(folder, options, "mirror: true") as a, net(folder, options, "mirror: true") as b:
        for _ in range(4):
            a.forward()
        b.set_state(a.state())
        one, two = a.forward(), b.forward()
        assert np.array_equal(one["data"], two["data"]) and np.array_equal(one["truth"], two["truth"])


def test_each_round_has_every_picture_in_another_order(folder):
    with net(folder, "shuffle: true") as a:
        order = []
        for _ in range(10):
            a.forward()
            order += [a.steps[0].layer.record_at(i) for i in range(2)]
        rounds = [order[i: i + 5] for i in range(0, 20, 5)]
        assert all(sorted(r) == list(range(5)) for r in rounds) and len({tuple(r) for r in rounds}) > 1


@pytest.mark.parametrize(("options", "message"), [
    ({"source": ""}, "source: missing; expected the folder with Annotations, JPEGImages and ImageSets"),
    ({"source": "VOX"}, "source: no file 'VOX': tried '.*/net/VOX' and '"),
    ({"split": "trein"}, r"layer 'voc' \(VOCData\): source: cannot read the list of pictures: .* did you mean 'train'?"),
    ({"classes": ["cat"]}, "source: a box has the class 'dog', which is not among class_name .*0.xml.; known are cat"),
    ({"classes": []}, "class_name: missing; expected class names"),
    ({"classes": ["cat", "cat"]}, "class_name: expected each class once, got 'cat' twice"),
    ({"transform": "crop_size: 3"}, "transform_param: crop_size has no effect on this type; it takes scale, mirror"),
    ({"transform": "mean_value: 1 mean_value: 2"}, "transform_param: expected 1 or 3 mean_value, got 2"),
    ({"more": "batch_sampler { max_trials: 0 }"}, "batch_sampler: expected max_trials of at least 1, got 0"),
])
def test_options_that_cannot_be(folder, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        net(folder, **options)
    assert isinstance(caught.value, FieldError) and "/net/net.prototxt:1:" in str(caught.value)


def test_a_picture_that_cannot_be_read(folder):
    (folder / "VOC/JPEGImages/1.png").write_bytes(b"no picture")
    with net(folder) as a, pytest.raises(DataError, match="1.png: error: the 10 bytes are no picture that can be read"):
        a.forward()
    (folder / "VOC/JPEGImages/1.png").unlink()
    with net(folder) as a, pytest.raises(DataError, match="1.jpg: error: cannot read the picture: No such file"):
        a.forward()


def test_boxes_without_area_are_left_out_and_said(folder, caplog):
    file = folder / "VOC/Annotations/0.xml"
    file.write_text(file.read_text().replace("<xmax>20</xmax>", "<xmax>0</xmax>"))
    with net(folder) as a:
        assert len(a.forward()["truth"][0, 0]) == 5
    assert "layer 'voc' (VOCData): source: 1 box of 'train' has no area and is left out" in caplog.text


def test_threads_change_nothing_and_errors_name_them(folder):
    made = []
    for how in ("prefetch: 0", "prefetch: 5 workers: 3"):
        with net(folder, f"shuffle: true flip_vertical: true {CROPS}", "mirror: true") as a:
            text = (folder / "net.prototxt").read_text().replace("voc_data_param", f"data_param {{ {how} }} voc_data_param")
        (folder / "net.prototxt").write_text(text)
        with netdef.Net(folder / "net.prototxt", phase="TRAIN", seed=1) as a:
            made.append([(out["data"].copy(), out["truth"].copy()) for out in (a.forward() for _ in range(8))])
            assert bool([t for t in threading.enumerate() if "voc" in t.name]) == ("workers" in how)
    assert all(np.array_equal(x, y) for one, two in zip(*made, strict=True) for x, y in zip(one, two, strict=True))
    assert not [t for t in threading.enumerate() if "voc" in t.name]
    (folder / "VOC/JPEGImages/4.png").write_bytes(b"no picture")
    with net(folder) as a:
        a.forward()
        a.forward()
        with pytest.raises(DataError, match="4.png: error: the 10 bytes are no picture") as caught:
            a.forward()
    assert caught.value.notes[0] == "record 4 ('4') of the list" and "read ahead by worker" in caught.value.notes[1]
