"""debug_info beyond the real log in test_trajectories: splits, shared params, switching."""
from __future__ import annotations

import math

import numpy as np
import pytest

from netdef.solvers import events as e
from netdef.solvers.debuginfo import mean_abs
from netdef.solvers.log import lines

SPLIT = """
name: "split" force_backward: FORCE
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } inner_product_param { num_output: 2
  bias_term: false weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "tanh" type: "TanH" bottom: "a" top: "a" }
layer { name: "b" type: "InnerProduct" bottom: "x" top: "b" param { name: "w" } inner_product_param { num_output: 2
  bias_term: false weight_filler { type: "gaussian" std: 0.5 } } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
layer { name: "loss" type: "HalfSquares" bottom: "sum" bottom: "y" top: "loss" }
layer { name: "more" type: "HalfSquares" bottom: "a" bottom: "y" top: "more" loss_weight: 0.5 }
"""


def shown(solver):
    """The lines of debug_info from now on, and the arrays' names without the values."""
    found = []
    solver.listen(lambda event: found.extend(lines(event)) if isinstance(event, (e.LayerShown, e.ParamsShown)) else None)
    return found


@pytest.fixture
def split(solver_file):
    import netdef

    def make(text, force="false"):
        return netdef.Solver(solver_file(SPLIT.replace("FORCE", force), text), seed=3)

    return make


def named(found):
    return [line.strip().rpartition(": ")[0] for line in found if "All net params" not in line]


def test_blobs_with_several_users_are_shown_as_caffes_splits(split):
    solver = split("display: 1 debug_info: true")
    found = shown(solver)
    solver.step(1)
    assert named(found) == [
        "[Forward] Layer rows, top blob x data",
        "[Forward] Layer rows, top blob y data",
        "[Forward] Layer x_rows_0_split, top blob x_rows_0_split_0 data",
        "[Forward] Layer x_rows_0_split, top blob x_rows_0_split_1 data",
        "[Forward] Layer y_rows_1_split, top blob y_rows_1_split_0 data",
        "[Forward] Layer y_rows_1_split, top blob y_rows_1_split_1 data",
        "[Forward] Layer a, top blob a data",
        "[Forward] Layer a, param blob w data",
        "[Forward] Layer tanh, top blob a data",
        "[Forward] Layer a_tanh_0_split, top blob a_tanh_0_split_0 data",
        "[Forward] Layer a_tanh_0_split, top blob a_tanh_0_split_1 data",
        "[Forward] Layer b, top blob b data",
        "[Forward] Layer b, param blob w data",
        "[Forward] Layer sum, top blob sum data",
        "[Forward] Layer loss, top blob loss data",
        "[Forward] Layer more, top blob more data",
        "[Backward] Layer more, bottom blob a_tanh_0_split_1 diff",
        "[Backward] Layer loss, bottom blob sum diff",
        "[Backward] Layer sum, bottom blob a_tanh_0_split_0 diff",
        "[Backward] Layer sum, bottom blob b diff",
        "[Backward] Layer b, param blob 0 diff",
        "[Backward] Layer a_tanh_0_split, bottom blob a diff",
        "[Backward] Layer tanh, bottom blob a diff",
        "[Backward] Layer a, param blob 0 diff",
    ]


def test_the_values_are_those_of_the_arrays(split):
    solver = split("display: 1 debug_info: true base_lr: 0")
    found = shown(solver)
    solver.step(1)
    w = solver.net.params["a"][0]
    last = found[-1]
    assert last == (f"    [Backward] All net params (data, diff): L1 norm = ({np.abs(w.data).sum():g}, "
                    f"{np.abs(w.diff).sum():g}); L2 norm = ({np.linalg.norm(w.data):g}, {np.linalg.norm(w.diff):g})")
    values = dict(zip(named(found), (float(line.rpartition(": ")[2]) for line in found), strict=False))
    assert values["[Forward] Layer b, param blob w data"] == pytest.approx(np.abs(w.data).mean(), rel=1e-5)
    assert values["[Backward] Layer a, param blob 0 diff"] == pytest.approx(np.abs(w.diff).mean(), rel=1e-5)


def test_splits_of_data_get_a_gradient_where_it_is_forced(split):
    solver = split("display: 1 debug_info: true", "true")
    found = shown(solver)
    solver.step(1)
    assert named(found)[-2:] == ["[Backward] Layer a, param blob 0 diff",
                                 "[Backward] Layer x_rows_0_split, bottom blob x diff"]


def test_the_train_net_is_shown_where_display_shows_and_test_nets_always(split):
    solver = split("display: 2 debug_info: true test_iter: 3 test_interval: 1 test_initialization: false")
    found = []
    solver.listen(lambda event: found.append((type(event).__name__, event.iter)))
    solver.step(3)
    kinds = [f for f in found if f[0] in ("ParamsShown", "Tested", "Displayed")]
    assert kinds == [("ParamsShown", 0), ("Displayed", 0), ("Tested", 1), ("Tested", 2), ("ParamsShown", 2),
                     ("Displayed", 2)]
    tests = [f for f in found if f == ("LayerShown", 1)]
    assert len(tests) == 3 * 16


def test_it_can_be_switched_between_steps_and_leaves_no_hooks(squares):
    solver = squares("display: 1")
    found = shown(solver)
    solver.step(1)
    assert found == [] and not solver.net.hooks.any
    solver.param.debug_info = True
    solver.step(1)
    assert len(found) == 3 + 2 + 1 + 1 + 2 + 1 and solver.net.hooks.any
    solver.param.debug_info = False
    solver.step(1)
    assert len(found) == 10 and not solver.net.hooks.any


def test_each_pass_of_iter_size_is_shown(squares):
    solver = squares("display: 1 debug_info: true iter_size: 3")
    found = shown(solver)
    solver.step(1)
    assert sum("All net params" in line for line in found) == 3


def test_the_mean_of_nothing_is_nan():
    assert math.isnan(mean_abs(np.zeros((0, 3), np.float32)))


def test_gradient_norms_of_layers(squares):
    solver = squares("display: 2 gradient_norms: true iter_size: 2 clip_gradients: 0.01 weight_decay: 1")
    found = []
    solver.listen(found.append)
    seen = []

    def look(event):
        if isinstance(event, e.GradientsReady):
            seen.append(math.sqrt(sum(float((p.diff**2).sum()) for p in solver.net.params["ip"])) / 2)

    solver.listen(look)
    solver.step(3)
    norms = [event for event in found if isinstance(event, e.GradientNorms)]
    assert [n.iter for n in norms] == [0, 2]
    assert [n.total for n in norms] == pytest.approx([seen[0], seen[2]], rel=1e-5)
    assert norms[0].layers == {"ip": pytest.approx(norms[0].total)}
    assert lines(norms[0])[1].startswith("    Gradient norm of layer ip: ")
