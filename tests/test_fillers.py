"""Fillers: statistics, fan rules, errors."""
from __future__ import annotations

import math

import numpy as np
import pytest

from netdef import fillers
from netdef.config import schema
from netdef.errors import FieldError, ShapeError, Span
from netdef.rng import Stream


def filler(**options):
    message = schema.new("FillerParameter")
    for name, value in options.items():
        if name == "variance_norm":
            value = message.DESCRIPTOR.fields_by_name[name].enum_type.values_by_name[value].number
        if name == "values":
            message.values.extend(value)
        else:
            setattr(message, name, value)
    return message


def filled(shape, dtype="float32", seed=1, **options):
    array = np.full(shape, np.nan, dtype)
    fillers.fill(array, filler(**options), Stream(seed, "filler"))
    assert np.isfinite(array).all()
    return array


def test_the_list_is_caffes():
    assert fillers.names()[:7] == [
        "constant", "uniform", "gaussian", "positive_unitball", "xavier", "msra", "bilinear",
    ]  # fmt: skip


def test_default_is_zero():
    assert not filled((2, 3)).any()


def test_constant():
    assert (filled((2, 3), value=0.25) == 0.25).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform(dtype):
    a = filled((100, 500), dtype, type="uniform", min=-1, max=3)
    assert a.min() >= -1 and a.max() <= 3 and a.dtype == dtype
    assert a.mean() == pytest.approx(1, abs=0.03) and a.std() == pytest.approx(4 / math.sqrt(12), rel=0.03)


def test_gaussian():
    a = filled((100, 500), type="gaussian", mean=0.5, std=0.01)
    assert a.mean() == pytest.approx(0.5, abs=1e-3) and a.std() == pytest.approx(0.01, rel=0.03)


def test_sparse_gaussian_keeps_some_of_each_column():
    a = filled((50, 4000), type="gaussian", std=2, sparse=5)
    assert (a != 0).mean() == pytest.approx(0.1, rel=0.03)
    assert a[a != 0].std() == pytest.approx(2, rel=0.03)


def test_sparse_of_more_than_there_are_keeps_all():
    assert filled((5, 40), type="gaussian", sparse=9).all()


def test_sparse_of_zero_keeps_nothing():
    assert not filled((5, 40), type="gaussian", sparse=0).any()


def test_positive_unitball():
    a = filled((20, 3, 5), type="positive_unitball")
    assert (a > 0).all()
    np.testing.assert_allclose(a.reshape(20, -1).sum(1), 1, rtol=1e-5)


# Shapes as stored: convolution 64 outputs of 32 inputs (group 1), the same with group 4, inner product (N, K),
# deconvolution (C_in, C_out/g, k, k), a bias. fan_in = count/shape[0], fan_out = count/shape[1].
SHAPES = {
    "conv": ((64, 32, 3, 3), 288, 576),
    "grouped conv": ((64, 8, 3, 3), 72, 576),
    "inner product": ((300, 200), 200, 300),
    "transposed inner product": ((200, 300), 300, 200),
    "deconv 32 to 64": ((32, 64, 4, 4), 1024, 512),
    "one axis": ((20000,), 1, 20000),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_fans(kind):
    shape, fan_in, fan_out = SHAPES[kind]
    assert fillers.fans(shape) == (fan_in, fan_out)


@pytest.mark.parametrize("norm", ["FAN_IN", "FAN_OUT", "AVERAGE"])
@pytest.mark.parametrize("kind", SHAPES)
def test_xavier_and_msra(kind, norm):
    shape, fan_in, fan_out = SHAPES[kind]
    n = {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}[norm]
    a = filled(shape, type="xavier", variance_norm=norm)
    limit = math.sqrt(3 / n)
    assert abs(a).max() <= limit * (1 + 1e-6) and abs(a).max() > 0.99 * limit
    assert a.std() == pytest.approx(1 / math.sqrt(n), rel=0.03)
    b = filled(shape, type="msra", variance_norm=norm)
    assert b.std() == pytest.approx(math.sqrt(2 / n), rel=0.03) and abs(b.mean()) < 0.05 * b.std()


def test_bilinear_kernel():
    a = filled((2, 1, 4, 4), type="bilinear")
    line = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(a, np.broadcast_to(np.outer(line, line), (2, 1, 4, 4)))
    odd = filled((1, 1, 3, 3), type="bilinear")[0, 0]
    np.testing.assert_allclose(odd[1], [0.5, 1, 0.5])


@pytest.mark.parametrize(
    "shape, words", [((2, 2), "4 axes"), ((1, 2, 2, 2, 2), "4 axes"), ((1, 1, 3, 4), "square"), ((4, 3), "4 axes")]
)
def test_bilinear_shapes(shape, words):
    with pytest.raises(ShapeError, match=words):
        filled(shape, type="bilinear")


@pytest.mark.parametrize("type_name", ["xavier", "msra", "positive_unitball"])
def test_a_scalar_has_no_fan(type_name):
    with pytest.raises(ShapeError, match="at least 1 axis"):
        filled((), type=type_name)


def test_unknown_type_is_named_with_a_suggestion():
    span = Span("net.prototxt", 3, 5)
    with pytest.raises(FieldError, match="net.prototxt:3:5.*'xaver'.*did you mean 'xavier'"):
        fillers.check(filler(type="xaver"), span)


@pytest.mark.parametrize("name", ["constant", "uniform", "positive_unitball", "xavier", "msra", "bilinear"])
def test_sparse_elsewhere_is_an_error(name):
    with pytest.raises(FieldError, match="sparse"):
        filled((2, 1, 3, 3), type=name, sparse=2)


@pytest.mark.parametrize(
    "options, words",
    [({"type": "uniform", "min": 2, "max": 1}, "min"), ({"type": "gaussian", "std": 0}, "std"),
     ({"type": "gaussian", "std": -1}, "std"), ({"type": "gaussian", "sparse": -2}, "sparse")],
)  # fmt: skip
def test_bad_options(options, words):
    with pytest.raises(FieldError, match=words):
        filled((2, 2), **options)


def test_same_stream_same_values():
    a, b = (filled((30, 20), type="msra", seed=seed) for seed in (1, 1))
    assert (a == b).all() and (a != filled((30, 20), type="msra", seed=2)).any()


def test_empty_arrays_are_left_alone():
    filled((0, 3), type="xavier")


def test_register_adds_a_type_once():
    @fillers.register("test_ones")
    def ones(array, param, stream, where):
        array[...] = 1

    try:
        assert (filled((2,), type="test_ones") == 1).all()
        with pytest.raises(ValueError, match="already"):
            fillers.register("test_ones")(ones)
    finally:
        del fillers._FILLERS["test_ones"]


LAPLACIAN = [0, 1, 0, 1, -4, 1, 0, 1, 0]


def test_values_one_for_each_element():
    a = filled((2, 2, 3), type="values", values=range(12))
    assert a.tolist() == np.arange(12.0).reshape(2, 2, 3).tolist()
    assert filled((), type="values", values=[3]).tolist() == 3
    assert filled((1, 1), type="values", values=[3]).tolist() == [[3]]


def test_values_are_repeated_along_the_first_axes():
    a = filled((2, 5, 3, 3), type="values", values=LAPLACIAN)
    assert (a == np.reshape(LAPLACIAN, (3, 3))).all()
    assert filled((3, 2), "float64", type="values", values=[1, 0.5]).tolist() == [[1, 0.5]] * 3


@pytest.mark.parametrize("saved", [np.arange(12.0).reshape(2, 2, 3), np.arange(12), np.arange(6).reshape(2, 3),
                                   np.array([True, False, True])], ids=["whole", "flat", "tail", "bool"])
def test_values_from_a_file(saved, tmp_path):
    np.save(tmp_path / "w.npy", saved)
    array = np.empty((2, 2, 3), np.float32)
    fillers.fill(array, filler(type="values", file="w.npy"), Stream(1, "x"), Span(str(tmp_path / "net.prototxt"), 3))
    wanted = saved if saved.size < 12 else saved.reshape(2, 2, 3)
    assert (array == wanted).all()


@pytest.mark.parametrize(("options", "words"), [
    ({"values": [1, 2]}, r"net.prototxt:3:5: .* expected 24 or 12 or 4 numbers for the shape \(2, 3, 4\) or its last "
                         "axes, got 2 values"),
    ({"values": [1]}, "got 1 values"),
    ({"file": "turned.npy"}, r"net.prototxt:3:5: .* got 'turned.npy' of shape \(4, 3\)"),
])
def test_values_of_another_size(options, words, tmp_path):
    np.save(tmp_path / "turned.npy", np.zeros((4, 3)))
    with pytest.raises(ShapeError, match=words):
        fillers.fill(np.empty((2, 3, 4)), filler(type="values", **options), Stream(1, "x"),
                     Span(str(tmp_path / "net.prototxt"), 3, 5))


@pytest.mark.parametrize(("options", "words"), [
    ({"type": "values"}, "either values or file, got neither"),
    ({"type": "values", "values": [1], "file": "w.npy"}, "either values or file, got both"),
    ({"values": [1]}, "values belongs to the filler values, got it with 'constant'; write type: \"values\""),
    ({"type": "xavier", "file": "w.npy"}, "file belongs to the filler values, got it with 'xavier'"),
    ({"type": "values", "file": "gone.npy"}, "filler values: no file 'gone.npy': tried"),
    ({"type": "values", "file": "text.npy"}, "'text.npy' cannot be read as .npy"),
    ({"type": "values", "file": "words.npy"}, "'words.npy' cannot be read as .npy: it does not hold one array of real"),
    ({"type": "values", "file": "objects.npy"}, "'objects.npy' cannot be read as .npy"),
])
def test_bad_values(options, words, tmp_path):
    (tmp_path / "text.npy").write_text("1 2 3")
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(FieldError, match=words):
        fillers.fill(np.empty(1), filler(**options), Stream(1, "x"), Span(str(tmp_path / "net.prototxt"), 3, 5))


def test_a_laplacian_written_down(tmp_path):
    """In a net's text, as an inline list in prototxt and as a file; a mistake is located at the filler."""
    import netdef
    from netdef.config.load import parse_text_message

    np.save(tmp_path / "laplacian.npy", np.reshape(LAPLACIAN, (3, 3)))
    text = '''layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
        layer { name: "edges" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 2 kernel_size: 3
                group: 2 bias_term: false weight_filler { type: "values" %s } } }'''
    x = np.arange(18.0).reshape(1, 2, 3, 3) ** 2
    for given in ("values: [0, 1, 0, 1, -4, 1, 0, 1, 0]", 'file: "laplacian.npy"'):
        net = netdef.Net(parse_text_message(text % given, str(tmp_path / "net.prototxt"), "NetParameter"))
        net.forward(x=x)
        assert net.blobs["y"].data.reshape(-1).tolist() == [20, 20]  # the Laplacian of (3r + c)^2 is 2 * 9 + 2
    with pytest.raises(ShapeError, match=r"net.prototxt:3:\d+: error: filler values: expected 18 or 9 or 3 numbers .* got 2"):
        netdef.Net(parse_text_message(text % "values: [1, 2]", str(tmp_path / "net.prototxt"), "NetParameter"))


@pytest.mark.parametrize("options", [{"type": "gaussian", "std": 0.1}, {"type": "uniform", "min": -1}, {"type": "xavier"},
                                     {"type": "msra"}], ids=lambda o: o["type"])
def test_large_arrays_are_drawn_in_parts_of_the_same_values(options, monkeypatch):
    whole, parts = np.empty((7, 9), np.float32), np.empty((7, 9), np.float32)
    fillers.fill(whole, filler(**options), Stream(1, "x"))
    monkeypatch.setattr(fillers, "PART", 10)
    fillers.fill(parts, filler(**options), Stream(1, "x"))
    np.testing.assert_array_equal(parts, whole)
