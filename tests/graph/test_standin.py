from __future__ import annotations

import pytest

import netdef
from netdef.errors import ConfigError, DataError, NetdefError
from netdef.graph.build import build
from netdef.graph.render import render_summary
from netdef.graph.stages import show
from netdef.graph.standin import Assumptions, BadAssumption, read_shape

IP = 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }\n'
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }\n'


def data(options="", tops=("data", "label"), type="Data", param="data_param", inner='source: "gone" batch_size: 8'):
    made = " ".join(f'top: "{t}"' for t in tops)
    return f'layer {{ name: "d" type: "{type}" {made} {options} {param} {{ {inner} }} }}\n'


def python(name="p", bottom="data", top="p", module="no_such_module"):
    return (f'layer {{ name: "{name}" type: "Python" bottom: "{bottom}" top: "{top}" '
            f'python_param {{ module: "{module}" layer: "L" }} }}\n')


@pytest.fixture
def shapes(built):
    """``shapes(text, data=(1, 2))``: the shapes of the blobs, with what is assumed."""
    def get(text, **given):
        plan = built(text, phase="TRAIN", assume=Assumptions(given))
        return {v.blob: plan.shapes.values[v.id] for v in plan.description.values}
    return get


@pytest.mark.parametrize(("options", "expected"), [
    ("transform_param { crop_size: 5 }", (8, 3, 5, 5)),
    ("transform_param { crop_size: 5 force_gray: true }", (8, 1, 5, 5)),
    ("", None),
])
def test_a_database_that_is_not_here(shapes, options, expected):
    found = shapes(data(options))
    assert found == {"data": expected, "label": (8,)}


def test_rows_of_hdf5_have_any_shape(shapes):
    text = data(type="HDF5Data", param="hdf5_data_param", inner='source: "gone.txt" batch_size: 8')
    assert shapes(text) == {"data": None, "label": None}
    assert shapes(text, data=(4, 7), label=(4,)) == {"data": (4, 7), "label": (4,)}


def test_what_is_given_counts_and_the_labels_follow(shapes):
    text = data("transform_param { crop_size: 5 }") + IP + LOSS
    assert shapes(text, data=(3, 1, 28, 28)) == {"data": (3, 1, 28, 28), "label": (3,), "ip": (3, 2), "loss": ()}


def test_data_that_are_here_are_looked_at(shapes):
    text = data(inner='source: "builtin:digits8x8/train" batch_size: 8').replace("digits8x8", "mnist10k")
    assert shapes(text)["data"] == (8, 1, 28, 28)
    assert shapes(text, data=(2, 3, 4, 5))["data"] == (2, 3, 4, 5), "but what is given counts more"


def test_a_name_that_does_not_exist_is_no_missing_data(built):
    with pytest.raises(ConfigError):
        built(data(inner='source: "builtin:nonsense" batch_size: 8'), assume=Assumptions())


def test_a_python_module_that_is_not_here(built, shapes):
    text = data("transform_param { crop_size: 5 }") + python() + IP.replace('"data"', '"p"') + LOSS
    assert shapes(text)["ip"] is None
    assert shapes(text, p=(8, 6))["ip"] == (8, 2)
    said = render_summary(built(text, assume=Assumptions()))
    assert said.count("no module 'no_such_module'") == 1 and "--assume p=" in said


def test_a_python_layer_in_place_keeps_the_shape(shapes):
    text = data("transform_param { crop_size: 5 }") + python(top="data") + IP + LOSS
    assert shapes(text)["ip"] == (8, 2)


def test_unknown_types_need_all_their_shapes(built, shapes):
    text = data("transform_param { crop_size: 5 }") + 'layer { name: "o" type: "Odd" bottom: "data" top: "o" }\n'
    assert shapes(text, o=(8, 9))["o"] == (8, 9)
    with pytest.raises(NetdefError, match="unknown layer type 'Odd'"):
        built(text, assume=Assumptions())


@pytest.mark.parametrize("text", ["data", "=1,2", "data=", "data=1,,2", "data=0,3", "data=-1,3", "data=1.5", "data=a"])
def test_bad_texts(text):
    with pytest.raises(BadAssumption, match="--assume: error: expected BLOB=SIZE"):
        read_shape(text)


def test_good_texts():
    assert read_shape("a=b=1x2, 3") == ("a=b", (1, 2, 3))
    assert Assumptions.read(["x=1", "y=2,3"]).shapes == {"x": (1,), "y": (2, 3)}
    with pytest.raises(BadAssumption, match="'x' is given twice"):
        Assumptions.read(["x=1", "x=2"])


@pytest.mark.parametrize(("blob", "message"), [
    ("dat", "no blob 'dat' in this net; did you mean 'data'?"),
    ("ip", r"'ip' is made by layer 'ip' \(InnerProduct\) at .*, which infers its shape"),
    ("test_data", "layer 't' makes it, but is left out here: no include rule matches: it is for phase TEST"),
])
def test_blobs_that_are_not_assumed(built, blob, message):
    text = (data("transform_param { crop_size: 5 }") + IP + LOSS
            + 'layer { name: "t" type: "DummyData" top: "test_data" include { phase: TEST } }')
    with pytest.raises(BadAssumption, match=message):
        built(text, phase="TRAIN", assume=Assumptions({blob: (1, 2)}))


def test_everything_that_prints_marks_what_is_assumed(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(data("transform_param { crop_size: 5 }") + IP + LOSS)
    for stage in ("shapes", "plan"):
        text = show(str(path), stage, "TRAIN")
        assert "8x3x5x5 (assumed)" in text and "its data are not here (no file 'gone')" in text
    text = render_summary(build(str(path), "TRAIN", assume=Assumptions()))
    assert "8x3x5x5 (assumed), 8 (assumed)" in text and "from batch_size, 3 channels and transform_param.crop_size" in text
    assert "152" in text, "params behind assumed data are counted: 75 x 2 + 2"


def test_unknown_shapes_are_not_counted(built):
    text = render_summary(built(data() + IP + LOSS, assume=Assumptions()))
    assert "layers         3, 2 of unknown shape, not counted below" in text and "params         0 (0 B)" in text


def test_nets_that_run_assume_nothing(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(data("transform_param { crop_size: 5 }") + IP + LOSS)
    with pytest.raises((ConfigError, DataError), match="no file 'gone'"):
        netdef.Net(str(path), phase="TRAIN")
    with pytest.raises(NetdefError, match=r"layer 'd' \(Data\): cannot run: its data are not here"):
        netdef.Net(build(str(path), "TRAIN", assume=Assumptions()))


def test_mistakes_in_options_stay_mistakes(built):
    with pytest.raises(ConfigError, match="batch_size"):
        built(data(inner='source: "gone"'), assume=Assumptions({"data": (1, 2)}))
