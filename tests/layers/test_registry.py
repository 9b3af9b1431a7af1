"""Every registered layer type: its docstring, its example as a net that runs, its options' comments, the battery."""
import inspect
import textwrap

import numpy as np
import pytest

import netdef
from netdef.config import schema
from netdef.config.load import parse_text_message
from netdef.config.write import to_prototxt
from netdef.errors import UnknownLayerType
from netdef.layers import registry
from netdef.layers.base import Layer
from netdef.testing import check_layer, spread

TYPES = {name: cls for name, cls in registry.layer_types().items() if cls.__module__.startswith("netdef.layers.")}
SECTIONS = ("Formula", "Shapes", "Numerical care", "Source")


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """What the examples of data layers name lies in the working directory."""
    h5py = pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    with h5py.File("train.h5", "w") as file:
        file["data"], file["label"] = np.zeros((5, 3)), np.zeros(5)
    (tmp_path / "train.txt").write_text("train.h5\n")
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "images").mkdir(exist_ok=True)
    image.new("RGB", (40, 30), (10, 20, 30)).save("images/cat.png")
    (tmp_path / "pets.txt").write_text("cat.png 1\n")
    (tmp_path / "camvid.txt").write_text("cat.png cat.png\n")
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / "VOC2007" / part).mkdir(parents=True)
    (tmp_path / "VOC2007/ImageSets/Main/train.txt").write_text("cat\n")
    (tmp_path / "VOC2007/Annotations/cat.xml").write_text(
        "<annotation><size><width>40</width><height>30</height></size></annotation>")
    image.new("RGB", (40, 30)).save("VOC2007/JPEGImages/cat.jpg")
    (tmp_path / "windows.txt").write_text("# 0\nimages/cat.png\n3\n30\n40\n2\n5 0.9 4 5 20 25\n5 0.1 0 0 9 9\n")


def example(cls):
    """The text of the docstring's ``Example::`` block, which is its last section."""
    return textwrap.dedent(inspect.getdoc(cls).split("Example::\n", 1)[1])


def build(cls, **kwargs):
    located = parse_text_message(example(cls), f"{cls.type}.prototxt", "NetParameter")
    located.message.force_backward = True
    net = netdef.Net(located, phase="TRAIN", seed=1, **kwargs)
    for step in net.steps:
        if step.type == "MemoryData":  # its data come from the program, not from the config
            step.layer.reset(np.zeros(step.tops[0].shape), np.zeros(step.tops[1].shape))
    return net


def filled(net):
    """Values for the Input blobs: distinct ones, or zeros (a class, a target) where a layer takes them as constant."""
    generator = np.random.default_rng(0)
    values = {}
    for value in net.plan.description.values:
        if value.blob in net.inputs and value.replaces is None:
            constant = any(not net.plan.steps[layer].edges[bottom].flows for layer, bottom in value.readers)
            shape = net.blobs[value.blob].shape
            values[value.blob] = np.zeros(shape) if constant else spread(shape, generator, 0.1, 0.9)
    return values


def own_step(net, cls):
    """The last layer of the type that the example is about."""
    steps = [s for s in net.steps if s.type == cls.type]
    assert steps, f"the example of {cls.type} has no layer of that type"
    return steps[-1]


@pytest.mark.parametrize("name", TYPES)
def test_docstring_has_all_sections(name):
    doc = inspect.getdoc(TYPES[name])
    assert doc and doc != inspect.getdoc(Layer), "a layer type has a docstring of its own"
    wanted = SECTIONS if TYPES[name].bottoms.most != 0 else ("Shapes", "Source")  # a data layer has no formula
    missing = [s for s in wanted if f"\n{s}:" not in doc and f"\n{s}, " not in doc]
    assert not missing
    assert doc.count("Example::\n") == 1
    first = doc.split("\n\n")[0]
    assert first.endswith("."), "the first paragraph is one or two sentences: the catalogue shows it"


@pytest.mark.parametrize("name", [n for n in TYPES if n != "AnnotatedData"])  # whose databases cannot be read yet
def test_example_runs(name):
    cls = TYPES[name]
    with build(cls) as net:
        out = net.forward(**filled(net))
        assert all(np.isfinite(a).all() for a in out.values())
        step = own_step(net, cls)
        if not step.step.backward:
            return
        for i, top in enumerate(step.node.tops):
            if top not in net.plan.losses and not net.plan.description.values[top].readers:
                step.tops[i].diff[...] = 1
        net.backward()
        for blob, needed in zip(step.bottoms, step.need.bottoms, strict=True):
            assert not needed or np.isfinite(blob.diff).all()


@pytest.mark.parametrize("name", [n for n, cls in TYPES.items() if cls.bottoms.most != 0])
def test_example_passes_the_structural_part_of_the_battery(name):
    """Whatever needs no knowledge of the type; its own test gives the rest of the battery a reference and its cases."""
    cls = TYPES[name]
    with build(cls, dtype="float64") as net:
        values = filled(net)
        net.forward(**values, end=own_step(net, cls).name)
        step = own_step(net, cls)
        before = [np.array(p.data) for p in step.params]
        bottoms = [np.array(values.get(b.name, b.data)) for b in step.bottoms]
        net.forward(**values)
        moved = [i for i, p in enumerate(step.params) if not np.array_equal(p.data, before[i])]
        config = type(step.node.located.message)()
        config.CopyFrom(step.node.located.message)
        for field in ("name", "bottom", "top", "loss_weight"):
            config.ClearField(field)
        report = check_layer(to_prototxt(config), bottoms, tops=len(step.tops), statistics=moved, params=before or None,
                             gradient_tops=[0][: len(step.tops)],
                             skip=["gradients", "repeatable", "float32", "batches", "other shape"])
    assert {"shapes", "untouched"} <= set(report.passed)


@pytest.mark.parametrize("name", [n for n, cls in TYPES.items() if cls.options_field])
def test_options_exist_and_are_documented(name):
    cls = TYPES[name]
    message = schema.field_info("LayerParameter", cls.options_field).type_name
    fields = schema.fields(message)
    assert cls.constraints.keys() <= fields.keys()
    undocumented = [f for f, info in fields.items() if not info.comment]
    assert not undocumented, f"proto/layers: {message}: no comment at {', '.join(undocumented)}"


def test_backward_reads_known_words():
    for cls in TYPES.values():
        assert cls.backward_reads <= {"bottoms", "tops", "top signs"}, cls.type
        assert cls.in_place in ("yes", "values", "no"), cls.type


def test_unknown_type_has_a_hint():
    with pytest.raises(UnknownLayerType, match="unknown layer type 'Convolutoin'; did you mean 'Convolution'?"):
        registry.find("Convolutoin")


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="layer type 'ReLU' is already netdef.layers.relu.ReLU"):
        @registry.register("ReLU")
        class Other(Layer):
            """Not the rectifier."""


@pytest.mark.parametrize("name", TYPES)
def test_backward_reads_what_it_says(name):
    """Data that ``backward_reads`` does not name may be overwritten before backward runs: shared memory relies on it."""
    cls, found = TYPES[name], []
    for spoil in (False, True):
        try:
            net = build(cls)
            net.forward(**filled(net))
        except netdef.errors.NetdefError as error:
            pytest.skip(f"the example needs data of its own: {error.message}")
        step = own_step(net, cls)
        generator = np.random.default_rng(1)
        for top in step.tops:
            top.diff[...] = generator.normal(size=top.shape)
        for blobs, word in ((step.bottoms, {"bottoms"}), (step.tops, {"tops", "top signs"})):
            shared = any(a is b for a in step.bottoms for b in step.tops)
            if spoil and not step.layer.backward_reads & word and not shared:
                for blob in blobs:
                    blob.data[...] = np.nan
        if any(step.need.bottoms) or any(step.need.params):
            step.backward()
        found.append([b.diff.copy() for b, n in zip(step.bottoms, step.need.bottoms, strict=True) if n]
                     + [p.diff.copy() for p in step.params])
    for a, b in zip(*found, strict=True):
        assert np.array_equal(a, b, equal_nan=True)
