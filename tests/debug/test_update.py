"""Updates taken apart: the parts add up to what the solver subtracted."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.debug.update import UpdateWatch
from netdef.errors import NetdefError
from netdef.solvers.solver import Solver

NET = '''
layer { name: "d" type: "DummyData" top: "x" top: "t" dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 }
  data_filler { type: "gaussian" } data_filler { type: "gaussian" } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" param { lr_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "t" top: "loss" }
'''


@pytest.fixture
def solver(tmp_path):
    def make(extra):
        (tmp_path / "net.prototxt").write_text(NET)
        path = tmp_path / "solver.prototxt"
        path.write_text(f'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" random_seed: 1 {extra}')
        return Solver(str(path))

    return make


@pytest.mark.parametrize("extra", [
    "momentum: 0.9 weight_decay: 0.01", "momentum: 0.9 clip_gradients: 0.1", "iter_size: 3",
    'type: "Nesterov" momentum: 0.8 weight_decay: 0.01', 'weight_decay: 0.02 regularization_type: "L1"'])
def test_parts_add_up(solver, extra):
    made = solver(extra)
    watch = UpdateWatch(made, "ip")
    made.listen(watch)
    made.step(4)
    assert len(watch.found) == 8
    for found in watch.found:
        np.testing.assert_allclose(sum(found.parts.values()), found.update, rtol=1e-4, atol=1e-7)
        assert "= update" in str(found)


def test_other_rules_show_what_went_in(solver):
    made = solver('type: "Adam" momentum: 0.9')
    watch = UpdateWatch(made, "ip")
    made.listen(watch)
    made.step(1)
    assert "in: gradient" in str(watch.found[0]) and "out: update" in str(watch.found[0])


def test_a_layer_without_params(solver):
    with pytest.raises(NetdefError, match="no layer 'loss' with params"):
        UpdateWatch(solver(""), "loss")
