"""Fields are checked, or noticed with a reason; none is dropped in silence."""
from __future__ import annotations

import logging
from pathlib import Path

import pytest

import netdef.solvers
from netdef.config import schema
from netdef.config.load import load_solver
from netdef.errors import Collector
from netdef.solvers import nets
from netdef.solvers.policies import find_policy
from netdef.solvers.rules import find_rule
from netdef.solvers.settings import check_settings


@pytest.mark.parametrize(("text", "expected"), [
    ("average_loss: 0", "average_loss: expected a number of at least 1, got 0"),
    ("iter_size: 0", "iter_size: expected a number of at least 1"),
    ("display: -1", "display: expected a number of at least 0"),
    ("snapshot: -5", "snapshot: expected a number of at least 0"),
    ("ema_decay: 1", "ema_decay: expected a number in [0, 1), got 1"),
    ("snapshot_keep: -1", "snapshot_keep: expected a number of at least 0"),
    ("weight_decay: nan", "weight_decay: expected a finite number, got nan"),
    ('regularization_type: "l2"', "regularization_type: expected L2 or L1, got 'l2'; did you mean 'L2'?"),
])
def test_values_out_of_range(bad_solver, text, expected):
    assert expected in bad_solver(text)


@pytest.mark.parametrize(("text", "expected"), [
    ("solver_mode: GPU", "netdef trains on the CPU"),
    ("device_id: 1", "netdef trains on the CPU"),
    ("layer_wise_reduce: false", "several GPUs"),
    ("clip_gradients: 0", "sets every gradient to zero"),
    ("debug_info: true", "display is 0"),
])
def test_fields_without_effect_are_noticed_once_with_a_reason(squares, caplog, text, expected):
    with caplog.at_level(logging.WARNING, "netdef"):
        squares(text)
    found = [r.getMessage() for r in caplog.records]
    assert len(found) == 1 and expected in found[0] and "solver.prototxt:1:" in found[0]


def test_a_gpu_with_a_number_is_one_notice(squares, caplog):
    squares("solver_mode: GPU device_id: 3")
    assert len(caplog.records) == 1


def test_a_plain_solver_is_not_remarked_upon(squares, caplog):
    squares("solver_mode: CPU snapshot_format: BINARYPROTO")
    assert not caplog.records


def test_every_field_of_the_schema_is_used_or_noticed():
    """A field that nobody here reads would be ignored in silence."""
    text = "".join(p.read_text() for p in Path(netdef.solvers.__file__).parent.glob("*.py"))
    elsewhere = {"solver_type"}  # upgraded to `type` as the file is read
    missing = [f for f in schema.fields("SolverParameter") if f not in text and f not in elsewhere]
    assert not missing


def test_solvers_of_the_wild_are_understood(shared):
    """All but those that use a field of a fork, and one of 2013 that names no net."""
    index = (shared / "prototxt" / "INDEX.tsv").read_text().splitlines()
    names = [line.split("\t")[0] for line in index if line.split("\t")[1] == "solver"]
    assert len(names) > 80
    refused = {name: text for name in names if (text := complaint(str(shared / "prototxt" / name)))}
    explained = ("no field 'eval_type'", "no field 'stepearly'", "no net to train")
    assert {name: text for name, text in refused.items() if not any(e in text for e in explained)} == {}
    assert len(refused) <= 5


def complaint(path):
    """What is wrong with a solver file, its nets not read; empty where nothing is."""
    errors = Collector()
    with errors:
        solver = load_solver(path)
        check_settings(solver, errors)
        for check in (find_policy, find_rule, nets.train_source, nets.test_sources):
            with errors:
                check(solver)
    return "\n".join(str(e) for e in errors.found)
