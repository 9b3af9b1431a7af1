"""Reshape: 0, -1, parts of the shape, empty batches, and the errors."""
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import FieldError, GraphError, ShapeError
from netdef.testing import check_layer


def options(dims, rest=""):
    return f'type: "Reshape" reshape_param {{ shape {{ {" ".join(f"dim: {n}" for n in dims)} }} {rest} }}'


@pytest.mark.parametrize(("dims", "rest", "shape", "top"), [
    ((0, -1), "", (2, 3, 4, 5), (2, 60)),
    ((0, 0, -1), "", (2, 3, 4, 5), (2, 3, 20)),
    ((0, -1, 2), "", (2, 3, 4), (2, 6, 2)),
    ((-1, 6), "", (2, 3, 4), (4, 6)),
    ((-1, 0), "", (2, 3, 4), (8, 3)),
    ((0, 4, 3), "", (2, 3, 4), (2, 4, 3)),
    ((3, 2), "axis: 1 num_axes: 1", (2, 6, 5), (2, 3, 2, 5)),
    ((-1,), "axis: 1 num_axes: 2", (2, 3, 4, 5), (2, 12, 5)),
    ((0, -1), "axis: 1", (2, 3, 4, 5), (2, 3, 20)),
    ((0, -1), "axis: 2 num_axes: 2", (2, 3, 4, 6, 1), (2, 3, 4, 6, 1)),
    ((1,), "axis: -1 num_axes: 0", (2, 8), (2, 8, 1)),
    ((1, 1), "axis: -1", (2, 8), (2, 8, 1, 1)),
    ((1,), "axis: 1 num_axes: 0", (2, 8), (2, 1, 8)),
    ((), "axis: 1 num_axes: 1", (2, 1, 8), (2, 8)),
    ((-1,), "axis: -3", (2, 3), (6,)),
])
def test_trap_28_zero_copies_minus_one_is_worked_out_axis_restricts(dims, rest, shape, top):
    """Trap 28, with the rules of Caffe's reshape_layer."""
    report = check_layer(options(dims, rest), [shape], lambda x: x.reshape(top), batch=False)
    assert {"gradients", "backward_reads"} <= set(report.passed)


@pytest.mark.parametrize(("dims", "rest", "items"), [
    ((0, -1), "", (12,)),
    ((0, -1, 2), "", (6, 2)),
    ((4, 3), "axis: 1", (4, 3)),
    ((0, -1, 1), "axis: 1", (3, 4, 1)),
])
def test_other_batches_and_none(dims, rest, items):
    report = check_layer(options(dims, rest), [(2, 3, 4)], lambda x: x.reshape(len(x), *items))
    assert {"batches", "other shape"} <= set(report.passed)


def test_without_a_shape_a_single_value_becomes_a_scalar():
    check_layer('type: "Reshape"', [(1, 1)], lambda x: x.reshape(()), batch=False)


@pytest.mark.parametrize(("dims", "rest", "error", "message"), [
    ((-1, -1), "", FieldError, "shape: expected -1 once at most, got it 2 times"),
    ((-2,), "", FieldError, "shape: expected sizes of at least 0, or -1 for one to work out, got -2"),
    ((0,), "num_axes: -2", FieldError, "num_axes: expected a number of at least -1"),
    ((0, 5), "", ShapeError, r"as many values as the bottom's 12 \(shape \(2, 6\)\), got 10 \(shape \(2, 5\)\)"),
    ((0, 0, 0), "", ShapeError, "a 0 takes over the bottom's axis 2, which does not exist"),
    ((5, -1), "", ShapeError, "that the other sizes divide evenly, got 12 values for 5"),
    ((1,), "axis: 3", ShapeError, "axis 3 does not exist in a bottom of 2 axes"),
    ((1,), "axis: -4", ShapeError, "axis -4 does not exist"),
    ((1,), "axis: 1 num_axes: 2", ShapeError, "at most 1 axes from axis 1 on, got num_axes 2"),
])
def test_errors(dims, rest, error, message):
    with pytest.raises(error, match=message):
        check_layer(options(dims, rest), [(2, 6)])


def test_in_place_is_refused():
    text = '''layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 } } }
        layer { name: "r" type: "Reshape" bottom: "x" top: "x" reshape_param { shape { dim: 0 } } }'''
    with pytest.raises(GraphError, match="Reshape cannot work in place on 'x'"):
        netdef.Net(parse_text_message(text, "net.prototxt", "NetParameter"))
