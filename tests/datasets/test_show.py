"""What a net sees, as tiles."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import data
from netdef.data import Transformer
from netdef.datasets import copying
from netdef.datasets.reading import open_records
from netdef.datasets.records import Box
from netdef.datasets.show import open_net, seen_by, undone
from netdef.datasets.target import Target
from netdef.errors import NetdefError

NET = """name: n
layers:
  - points: {Data: {source: "builtin:spiral/train", batch_size: 4}, top: [x, y], include: {phase: TRAIN}}
  - digits:
      Data: {source: "builtin:mnist10k/train", batch_size: 5}
      top: [data, label]
      transform_param: {scale: 0.5, mean_value: 10, crop_size: 20}
      include: {phase: TEST}
  - ip: {InnerProduct: {num_output: 2}, bottom: data, include: {phase: TEST}}
"""


@pytest.fixture
def net(here):
    (here / "net.yaml").write_text(NET)
    (here / "solver.yaml").write_text("net: net.yaml\nbase_lr: 0.1\n")
    return "net.yaml"


def test_tiles_are_the_batches(net):
    images, labels = data.open("builtin:mnist10k/train").batch(0, 12)
    with open_net("solver.yaml", "TEST") as opened:
        seen = seen_by(opened, 12, names=["null", "eins", "zwei", "drei", "vier", "5", "6", "7", "8", "9"])
        assert len(seen.tiles) == 12 and seen.layer == "digits" and "TEST: 1x20x20" in seen.text
        for tile, image, label in zip(seen.tiles, images, labels, strict=True):
            assert (tile.pixels == (image[:, 4:24, 4:24] - 10.0) * 0.5).all() and tile.text.split()[0] == str(label)
        named = dict(enumerate(["0 null", "1 eins", "2 zwei", "3 drei", "4 vier", "5", "6", "7", "8", "9"]))
        assert [tile.text for tile in seen.tiles] == [named[label] for label in labels.tolist()]
        again = seen_by(opened, 5, add_mean=True)
    later = data.open("builtin:mnist10k/train").batch(15, 5)[0]
    assert (np.stack([t.pixels for t in again.tiles]) == later[:, :, 4:24, 4:24]).all()


def test_names_beside_the_database(net, here):
    from netdef.datasets.copying import Prepare, copy
    from netdef.datasets.making import open_job

    job = open_job("builtin:mnist10k/test", {}, "db", None, Prepare(), limit=5)
    job.records.classes = ["ten"] * 10
    copy(job.records, [job.target], job.prepare)
    with open_net(net, "TEST", overrides=["layer.digits.data_param.source=db"]) as opened:
        assert all(tile.text.endswith(" ten") for tile in seen_by(opened, 5).tiles)


def test_vectors_become_strips(net):
    with open_net(net, "TRAIN") as opened:
        tile = seen_by(opened, 1).tiles[0]
        assert tile.pixels.shape == (2, 1, 1)
        with pytest.raises(NetdefError, match="no data layer 'pints'; did you mean 'points'"):
            seen_by(opened, 1, "pints")


def test_mean_image_is_taken_back_where_it_was_cut():
    mean = np.arange(36, dtype=np.float32).reshape(1, 6, 6)
    image = np.full((1, 1, 6, 6), 50, np.uint8)
    transformer = Transformer(mean=mean, crop_size=2, scale=0.5)
    assert (undone(transformer(image)[0], transformer) == 50).all()
    assert undone(mean, None) is mean


def test_a_net_without_data(here):
    (here / "n.yaml").write_text("name: n\nlayers:\n  - data: {Input: {shape: {dim: [1, 2]}}}\n  - r: {ReLU: {}}\n")
    with open_net("n.yaml", "TEST") as opened, pytest.raises(NetdefError, match="no data layer in the phase TEST"):
        seen_by(opened, 1)
    (here / "s.yaml").write_text("base_lr: 1\n")
    with pytest.raises(NetdefError, match="names no net"):
        open_net("s.yaml", "TEST")


def test_a_python_layer(here):
    (here / "feed.py").write_text("""
import caffe
class Feed(caffe.Layer):
    def setup(self, bottom, top):
        pass
    def reshape(self, bottom, top):
        top[0].reshape(2, 3, 4, 5)
        top[1].reshape(2)
    def forward(self, bottom, top):
        top[0].data[...] = 7
        top[1].data[...] = 0, 1
""")
    (here / "python.prototxt").write_text(
        'layer { name: "feed" type: "Python" top: "data" top: "label" python_param { module: "feed" layer: "Feed" } }')
    with open_net("python.prototxt", "TRAIN") as opened:
        seen = seen_by(opened, 3, names=["no", "yes"])
    assert [t.text for t in seen.tiles] == ["0 no", "1 yes", "0 no"] and (seen.tiles[2].pixels == 7).all()


def test_pictures_with_boxes(here):
    image = pytest.importorskip("PIL.Image")
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (here / "voc" / part).mkdir(parents=True)
    (here / "voc/ImageSets/Main/trainval.txt").write_text("a\n")
    (here / "voc/Annotations/a.xml").write_text(
        "<annotation><size><width>8</width><height>4</height></size><object><name>cat</name><bndbox><xmin>2</xmin><ymin>1</ymin>"
        "<xmax>4</xmax><ymax>4</ymax></bndbox></object></annotation>")
    image.new("RGB", (8, 4), (1, 2, 3)).save(here / "voc/JPEGImages/a.png")
    (here / "map.prototxt").write_text('item { label: 1 name: "cat" display_name: "Cat" }')
    records = open_records("voc:voc")
    copying.copy(records, [Target("db", "lmdb", {})], copying.Prepare(encoded="same"))
    for name, layer in (("Annotated", 'type: "AnnotatedData" data_param { source: "db" batch_size: 1 } annotated_data_param '
                                      '{ label_map_file: "map.prototxt" } transform_param { mean_value: 2 scale: 0.5 }'),
                        ("VOC", 'type: "VOCData" transform_param { mean_value: 2 scale: 0.5 } voc_data_param { source: "voc" '
                                'split: "trainval" batch_size: 1 new_height: 4 new_width: 8 class_name: "cat" }')):
        (here / "boxes.prototxt").write_text(f'layer {{ name: "d" top: "data" top: "truth" {layer} }}')
        with open_net("boxes.prototxt", "TEST") as opened:
            tile, = seen_by(opened, 1, add_mean=True).tiles
        assert tile.text == ("1 Cat" if name == "Annotated" else "1 cat")
        assert tile.boxes == [Box(1, 0.25, 0.25, 0.5, 1)] and tile.pixels[:, 0, 0].tolist() == [3, 2, 1]
