"""AnnotatedData: a net of SSD's can be looked at without its database, and says plainly that it cannot be read."""
import pytest

import netdef
from netdef.config.load import load_net
from netdef.errors import FieldError
from netdef.graph.build import build
from netdef.graph.standin import Assumptions

NET = """
layer { name: "data" type: "AnnotatedData" top: "data" top: "label" transform_param { mean_value: 127.5
        resize_param { prob: 1 resize_mode: WARP height: 30 width: 40 interp_mode: LINEAR interp_mode: AREA }
        emit_constraint { emit_type: CENTER } distort_param { brightness_prob: 0.5 } expand_param { max_expand_ratio: 4 } }
        data_param { source: "%s" batch_size: 6 backend: LMDB }
        annotated_data_param { batch_sampler { sampler { min_scale: 0.3 } sample_constraint { min_jaccard_overlap: 0.1 }
                               max_sample: 1 max_trials: 50 } label_map_file: "labelmap.prototxt" } }
layer { name: "silence" type: "Silence" bottom: "data" bottom: "label" }
"""


@pytest.fixture
def file(tmp_path):
    def write(source):
        path = tmp_path / "net.prototxt"
        path.write_text(NET % source)
        return path
    return write


def shapes(path, **given):
    plan = build(path, "TRAIN", assume=Assumptions(given))
    return [plan.shapes.values[v.id] for v in plan.description.values]


def test_shapes_without_the_database(file):
    assert shapes(file("gone")) == [(6, 3, 30, 40), (1, 1, 1, 8)]
    assert shapes(file("gone"), label=(1, 1, 20, 8)) == [(6, 3, 30, 40), (1, 1, 20, 8)]


def test_running_says_why_not(file, tmp_path):
    with pytest.raises(FieldError, match=r"layer 'data' \(AnnotatedData\): source: no file 'gone': tried"):
        netdef.Net(file("gone"))
    (tmp_path / "lmdb").mkdir()
    with pytest.raises(FieldError, match="source: databases of pictures with boxes cannot be read yet, .*; VOCData reads"):
        netdef.Net(file("lmdb"))
    with pytest.raises(FieldError, match="source: missing; expected a database's path in data_param"):
        netdef.Net(file(""))


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
