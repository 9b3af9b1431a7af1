"""AnnotatedData: rows and pictures from a database, the same for any number of threads, resumed exactly; SSD's own nets."""
import io
import threading

import numpy as np
import pytest

import netdef
from netdef.config.load import load_net
from netdef.datasets.annotated import annotated
from netdef.datasets.records import Box, Record
from netdef.datasets.write_lmdb import datum
from netdef.errors import ConfigError, DataError, FieldError
from netdef.graph.build import build
from netdef.graph.standin import Assumptions
from netdef.solvers.solver import Solver

image = pytest.importorskip("PIL.Image")
lmdb = pytest.importorskip("lmdb")

SIZES = [(40, 60), (60, 40), (50, 50), (40, 60), (40, 60)]
BOXES = [(Box(2, 0.25, 0.25, 0.5, 0.75), Box(1, 0.5, 0, 1, 0.5, True)), (Box(1, 0.1, 0.2, 0.9, 0.8),), (), (Box(3, 0, 0, 1, 1),),
         (Box(1, 0.5, 0.5, 0.75, 1),)]
ALL = """mirror: true mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 resize_param { height: 30 width: 32
    interp_mode: LINEAR interp_mode: AREA interp_mode: CUBIC } emit_constraint { emit_type: CENTER } distort_param {
    brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5 contrast_upper: 1.5 hue_prob: 0.5
    hue_delta: 18
    saturation_prob: 0.5 saturation_lower: 0.5 saturation_upper: 1.5 } expand_param { prob: 0.5 max_expand_ratio: 4 }
    noise_param { jpeg: 80 }"""
SAMPLERS = """batch_sampler { max_sample: 1 max_trials: 1 } batch_sampler { sampler { min_scale: 0.3 min_aspect_ratio: 0.5
    max_aspect_ratio: 2 } sample_constraint { min_jaccard_overlap: 0.3 } max_sample: 1 max_trials: 50 }"""
SIZE = "resize_param { height: 20 width: 30 }"


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def records():
    for i, (size, boxes) in enumerate(zip(SIZES, BOXES, strict=True)):
        pixels = np.full((*size, 3), (10 * i, 20, 30), np.uint8)
        for box in boxes:
            h, w = size
            pixels[round(box.ymin * h): round(box.ymax * h), round(box.xmin * w): round(box.xmax * w)] = 40 * box.label + 100
        yield annotated(datum(Record(-1, encoded=encoded(pixels))), boxes)


def put(folder, raws):
    with lmdb.open(str(folder / "db"), map_size=1 << 22) as env, env.begin(write=True) as transaction:
        for i, raw in enumerate(raws):
            transaction.put(b"%08d" % i, raw)


@pytest.fixture
def folder(tmp_path):
    put(tmp_path, records())
    return tmp_path


def net(folder, transform=SIZE, more="", data="", phase="TRAIN", source="db", top='top: "truth"', batch=2):
    (folder / "net.prototxt").write_text(
        f'layer {{ name: "ssd" type: "AnnotatedData" top: "data" {top} transform_param {{ {transform} }} data_param {{ source: '
        f'"{source}" batch_size: {batch} backend: LMDB {data} }} annotated_data_param {{ {more} }} }}')
    return netdef.Net(folder / "net.prototxt", phase=phase, seed=1)


def test_pictures_and_rows(folder):
    with net(folder, f"{SIZE} mean_value: 10 scale: 0.5") as a:
        assert (a.blobs["data"].shape, a.blobs["truth"].shape) == ((2, 3, 20, 30), (1, 1, 4, 8))
        a.forward()
        assert a.blobs["truth"].data[0, 0] == pytest.approx(np.array([
            [0, 2, 0, 0.25, 0.25, 0.5, 0.75, 0], [0, 1, 0, 0.5, 0, 1, 0.5, 1], [1, 1, 0, 0.1, 0.2, 0.9, 0.8, 0]]))
        x = a.blobs["data"].data
        assert x[0, :, -1, 0].tolist() == [10, 5, -5], "blue, green, red"
        assert (x[0, :, 10, 10] == 85).all() and (x[0, :, 2, 20] == 65).all()
        a.forward()
        assert a.blobs["truth"].data[0, 0].tolist() == [[1, 3, 0, 0, 0, 1, 1, 0]], "picture 2 has no box"
        assert [a.steps[0].layer.record_at(i) for i in range(2)] == [2, 3]
        a.forward()
        assert [a.steps[0].layer.record_at(i) for i in range(2)] == [4, 0]


def test_a_batch_without_boxes(tmp_path):
    put(tmp_path, [list(records())[2]])
    with net(tmp_path) as a:
        assert a.forward()["truth"].tolist() == [[[[-1] * 8]]]


def test_records_with_only_a_label(tmp_path):
    raw = datum(Record(7, pixels=np.full((3, 20, 30), 5, np.uint8)))
    put(tmp_path, [b"\x0a" + bytes([len(raw) & 127 | 128, len(raw) >> 7]) + raw])
    with net(tmp_path, "") as a:
        assert a.forward()["truth"].tolist() == [7, 7]
    with net(tmp_path, "", "anno_type: BBOX") as a:
        assert a.forward()["truth"].tolist() == [[[[-1] * 8]]]


def test_a_leveldb(tmp_path):
    plyvel = pytest.importorskip("plyvel")
    with plyvel.DB(str(tmp_path / "db"), create_if_missing=True) as db:
        for i, raw in enumerate(records()):
            db.put(b"%08d" % i, raw)
    path = tmp_path / "level.prototxt"
    path.write_text(f'layer {{ name: "ssd" type: "AnnotatedData" top: "data" top: "truth" transform_param {{ {SIZE} }} '
                    'data_param { source: "db" batch_size: 2 } }')
    with netdef.Net(path, phase="TEST", seed=1) as a:
        assert a.forward()["truth"].shape == (1, 1, 3, 8)


def passes(made, count):
    found = []
    for _ in range(count):
        out = made.forward()
        found.append((out["data"].copy(), out["truth"].copy()))
    return found


def same(one, two):
    return all(np.array_equal(a, c) and np.array_equal(b, d) for (a, b), (c, d) in zip(one, two, strict=True))


def test_threads_change_nothing_and_end(folder):
    made = []
    for how in ("prefetch: 0", "prefetch: 1 workers: 1", "prefetch: 6 workers: 3"):
        with net(folder, ALL, SAMPLERS, f"{how} shuffle: true") as a:
            made.append(passes(a, 9))
    assert same(made[0], made[1]) and same(made[0], made[2])
    assert not same(made[0][:1], made[0][5:6])
    assert not [t for t in threading.enumerate() if "ssd" in t.name]


def test_every_choice_is_resumed(folder):
    with net(folder, ALL, SAMPLERS, "shuffle: true") as a, net(folder, ALL, SAMPLERS, "shuffle: true") as b:
        passes(a, 4)
        b.set_state(a.state())
        assert same(passes(a, 3), passes(b, 3))


def test_boxes_are_inside_and_batches_of_one_size_when_all_is_on(folder):
    with net(folder, ALL, SAMPLERS) as a:
        for x, rows in passes(a, 20):
            assert x.shape == (2, 3, 30, 32) and np.isfinite(x).all()
            boxes = rows[0, 0]
            inside = (boxes[:, 3:7] >= 0).all() and (boxes[:, 3:7] <= 1).all()
            assert (boxes == -1).all() or (inside and (boxes[:, 5] > boxes[:, 3]).all())


def test_sizes_that_change_come_one_a_batch(folder):
    fit = "resize_param { height: 20 width: 20 resize_mode: FIT_SMALL_SIZE }"
    with net(folder, fit, batch=1) as a:
        assert [a.forward()["data"].shape[2:] for _ in range(3)] == [(20, 30), (30, 20), (20, 20)]
    with pytest.raises(FieldError, match="FIT_SMALL_SIZE gives pictures of several sizes, .* is 2.*; write batch_size: 1"):
        net(folder, fit)
    with net(folder, "") as a, pytest.raises(DataError, match="record 1: expected the size of the batch's first picture, 40x60, "
                                             "got 60x40; resize_param"):
        a.forward()


@pytest.mark.parametrize(("options", "message"), [
    ({"source": "gone"}, "source: no file 'gone': tried"),
    ({"source": ""}, "source: missing; expected a database's path in data_param"),
    ({"batch": 0}, "batch_size: missing; expected at least 1"),
    ({"transform": "resize_param { height: 3 }"}, "transform_param: resize_param: expected a height and a width"),
    ({"transform": "distort_param { hue_prob: 2 }"}, "transform_param: distort_param: hue_prob: expected"),
    ({"transform": f"{SIZE} augment {{ flip {{ }} }}"}, "augment: not for pictures with boxes"),
    ({"transform": f"{SIZE} mean_value: 1 mean_value: 2"}, "expected 1 or 3 mean_value"),
    ({"data": "new_height: 3 new_width: 3"}, "new_height has no effect on this type; write .* resize_param"),
    ({"more": "batch_sampler { max_trials: 0 }"}, "batch_sampler: expected max_trials of at least 1, got 0"),
])
def test_options_that_cannot_be(folder, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        net(folder, **options)
    assert "/net.prototxt:1:" in str(caught.value) and "layer 'ssd' (AnnotatedData)" in str(caught.value)


def test_what_has_no_effect_is_said(folder, caplog):
    with net(folder, "resize_param { prob: 0.5 height: 9 width: 9 }", 'label_map_file: "gone.prototxt"'):
        assert "resize_param: prob has no effect, every picture is changed" in caplog.text
        assert "label_map_file: the names of the classes cannot be read: no file 'gone.prototxt'" in caplog.text


@pytest.mark.parametrize(("bad", "message"), [
    (annotated(datum(Record(-1, encoded=b"no picture")), BOXES[0]), "record 3 .key b'00000003'.: encoded, but the 10 bytes are "
     "no picture"),
    (annotated(datum(Record(-1, encoded=encoded(np.zeros((9, 9), np.uint8)))), ()), "record 3: expected 3 channels, as "
     "in the first record, got 1; force_color"),
    (datum(Record(3, pixels=np.zeros((3, 2, 2), np.uint8))), "expected an AnnotatedDatum .*; records without boxes are read by"),
    (list(records())[0][:-9], "record 3 .key b'00000003'.: byte")])
def test_a_bad_record_read_ahead(tmp_path, bad, message):
    """The error comes in the pass whose batch it is, and names record and worker."""
    put(tmp_path, [*list(records())[:3], bad])
    with net(tmp_path, data="prefetch: 4 workers: 2", batch=1) as a:
        passes(a, 3)
        with pytest.raises(DataError, match=message) as caught:
            a.forward()
        assert str(caught.value).startswith(f"{tmp_path}/db: error: ")
        assert any("read ahead by worker" in n for n in caught.value.notes), "names the worker"
        assert "for layer 'ssd' (AnnotatedData), pass 3" in caught.value.notes
    assert not [t for t in threading.enumerate() if "ssd" in t.name]


LOSS = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 8 kernel_size: 5 stride: 5
        weight_filler { type: "xavier" } } }
layer { name: "prior" type: "PriorBox" bottom: "conv" bottom: "data" top: "prior" prior_box_param { min_size: 12 } }
layer { name: "loc" type: "Convolution" bottom: "conv" top: "loc" convolution_param { num_output: 4 kernel_size: 1
        weight_filler { type: "xavier" } } }
layer { name: "conf" type: "Convolution" bottom: "conv" top: "conf" convolution_param { num_output: 4 kernel_size: 1
        weight_filler { type: "xavier" } } }
layer { name: "locp" type: "Permute" bottom: "loc" top: "locp" permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "confp" type: "Permute" bottom: "conf" top: "confp" permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "locf" type: "Flatten" bottom: "locp" top: "locf" }
layer { name: "conff" type: "Flatten" bottom: "confp" top: "conff" }
layer { name: "loss" type: "MultiBoxLoss" bottom: "locf" bottom: "conff" bottom: "prior" bottom: "truth" top: "loss"
        multibox_loss_param { num_classes: 4 } }
"""


def test_a_detector_trains(folder):
    with net(folder, ALL, SAMPLERS, batch=4):
        pass
    (folder / "net.prototxt").write_text((folder / "net.prototxt").read_text() + LOSS)
    (folder / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 6 random_seed: 1')
    with Solver(folder / "solver.prototxt") as solver:
        solver.step(6)
        assert np.isfinite(solver.net.loss)
    assert not [t for t in threading.enumerate() if "ssd" in t.name]


def shapes(path, **given):
    plan = build(path, "TRAIN", assume=Assumptions(given))
    return [plan.shapes.values[v.id] for v in plan.description.values]


def test_shapes_without_the_database(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "data" type: "AnnotatedData" top: "data" top: "label" transform_param { resize_param { '
                    'height: 30 width: 40 } } data_param { source: "gone" batch_size: 6 } } '
                    'layer { name: "silence" type: "Silence" bottom: "data" bottom: "label" }')
    assert shapes(path) == [(6, 3, 30, 40), (1, 1, 1, 8)]
    assert shapes(path, label=(1, 1, 20, 8)) == [(6, 3, 30, 40), (1, 1, 20, 8)]


def test_an_ordinary_data_layer_refuses_what_is_ssds(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "data" type: "Data" top: "data" transform_param { resize_param { height: 3 width: 3 } } '
                    'data_param { source: "builtin:mnist10k/train" batch_size: 2 } }')
    with pytest.raises(FieldError, match="resize_param has no effect on this type.*; it is for AnnotatedData"):
        build(path, "TRAIN")


@pytest.mark.parametrize(("name", "phase", "found"), [
    ("deploy", "TEST", {"detection_out": (1, 1, 100, 7)}), ("train", "TRAIN", {"mbox_loss": ()}),
    ("voc__MobileNetSSD_test", "TEST", {"detection_eval": (1, 1, 1620, 5)})])
def test_nets_of_mobilenet_ssd(shared, name, phase, found):
    path = shared / "prototxt" / f"chuanqi305+MobileNet-SSD__{name}.prototxt"
    plan = build(load_net(path), phase, assume=Assumptions({}))
    assert {v.blob: plan.shapes.values[v.id] for v in plan.description.values if v.blob in found} == found


@pytest.mark.slow
def test_mobilenet_ssd_runs(shared, folder):
    text = (shared / "prototxt" / "chuanqi305+MobileNet-SSD__voc__MobileNetSSD_train.prototxt").read_text()
    (folder / "train.prototxt").write_text(text.replace("trainval_lmdb/", "db").replace("batch_size: 24", "batch_size: 2"))
    with netdef.Net(folder / "train.prototxt", phase="TRAIN", seed=1) as a:
        a.forward()
        a.backward()
        assert np.isfinite(a.loss)
