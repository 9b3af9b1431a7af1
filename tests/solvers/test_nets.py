"""Which nets a solver trains and tests, and in which state."""
from __future__ import annotations

import pytest

import netdef
from netdef.config import schema

TWO_PHASES = """
layer { name: "rows" type: "Rows" top: "x" top: "y" }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "deep" type: "ReLU" bottom: "ip" top: "deep" include { stage: "deep" } }
layer { name: "high" type: "ReLU" bottom: "ip" top: "high" include { min_level: 2 } }
layer { name: "quiet" type: "ReLU" bottom: "ip" top: "quiet" include { phase: TEST } }
layer { name: "loss" type: "HalfSquares" bottom: "ip" bottom: "y" top: "loss" }
"""
TESTED = "test_iter: 1 test_interval: 5 "


def layers(net):
    return [s.name for s in net.steps]


def test_train_and_test_phase_of_one_file(solver_file):
    solver = netdef.Solver(solver_file(TWO_PHASES, TESTED))
    assert solver.net.phase == "TRAIN" and layers(solver.net) == ["rows", "ip", "loss"]
    assert [n.phase for n in solver.test_nets] == ["TEST"] and layers(solver.test_nets[0]) == ["rows", "ip", "quiet",
                                                                                              "loss"]


def test_states_of_the_solver_add_stages_and_set_levels(solver_file):
    text = ('train_state { stage: "deep" } test_iter: 1 test_iter: 2 test_interval: 5 '
            'test_state { level: 2 } test_state { stage: "deep" }')
    solver = netdef.Solver(solver_file(TWO_PHASES + 'state { stage: "own" }', text))
    assert layers(solver.net) == ["rows", "ip", "deep", "loss"]
    assert solver.net.plan.description.state.stages == ("own", "deep")
    assert [layers(n)[2] for n in solver.test_nets] == ["high", "deep"]
    assert solver.test_iter == (1, 2)


def test_the_phase_of_the_net_wins_over_the_default_and_that_of_the_state_over_it(solver_file):
    assert netdef.Solver(solver_file(TWO_PHASES + "state { phase: TEST }", "")).net.phase == "TEST"
    text = "train_state { phase: TRAIN }"
    assert netdef.Solver(solver_file(TWO_PHASES + "state { phase: TEST }", text)).net.phase == "TRAIN"


def test_level_and_stages_given_by_the_caller_go_to_the_train_net(solver_file):
    solver = netdef.Solver(solver_file(TWO_PHASES, TESTED), level=2, stages=["deep"])
    assert layers(solver.net) == ["rows", "ip", "deep", "high", "loss"]
    assert layers(solver.test_nets[0]) == ["rows", "ip", "quiet", "loss"]


def test_nets_written_inside_the_solver_and_the_order_of_test_nets(solver_file, tmp_path):
    (tmp_path / "b.prototxt").write_text(TWO_PHASES.replace('"quiet"', '"b"'))
    inner = TWO_PHASES.replace('"quiet"', '"a"')
    text = (f'net: "net.prototxt" test_net: "b.prototxt" test_net_param {{ {inner} }} '
            "test_iter: 1 test_iter: 2 test_iter: 3 test_interval: 1")
    solver = netdef.Solver(solver_file(TWO_PHASES, text))
    assert [layers(n)[2] for n in solver.test_nets] == ["a", "b", "quiet"]
    train = netdef.Solver(solver_file(TWO_PHASES, f"net_param {{ {TWO_PHASES} }} {TESTED}"))
    assert layers(train.net) == ["rows", "ip", "loss"] and len(train.test_nets) == 1


def test_a_message_in_place_of_a_file(solver_file, tmp_path):
    solver_file(TWO_PHASES, "")
    message = schema.new("SolverParameter")
    message.net, message.base_lr, message.lr_policy = "net.prototxt", 0.1, "fixed"
    assert layers(netdef.Solver(message).net) == ["rows", "ip", "loss"]


def test_paths_are_looked_for_beside_the_solver_first(solver_file, tmp_path):
    solver_file(TWO_PHASES, "")
    folder = tmp_path / "sub"
    folder.mkdir()
    (folder / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    assert len(netdef.Solver("sub/solver.prototxt").net.steps) == 3  # found in the working directory
    (folder / "net.prototxt").write_text(TWO_PHASES.replace('"ip"', '"beside"'))
    assert "beside" in netdef.Solver("sub/solver.prototxt").net.params


@pytest.mark.parametrize(("text", "expected"), [
    ("net_param { }", "net_param: the net to train is already given by 'net'"),
    ('train_net: "net.prototxt"', "train_net: the net to train is already given by 'net'"),
    ("test_iter: 1", "test_interval: expected a number of at least 1 where there are test nets"),
    ('test_net: "net.prototxt" test_interval: 1', "test_iter: expected one for each test net (1), got 0"),
    ("test_iter: 1 test_interval: 1 test_state { } test_state { }",
     "test_state: expected none, or one for each test net (1), got 2"),
    ("test_iter: -1 test_interval: 1", "test_iter: expected a number of at least 0, got -1"),
])
def test_sources_that_do_not_fit(bad_solver, text, expected):
    assert expected in bad_solver('net: "net.prototxt" ' + text)


def test_no_net_at_all(tmp_path):
    (tmp_path / "s.prototxt").write_text('base_lr: 1 lr_policy: "fixed"')
    with pytest.raises(netdef.NetdefError, match="no net to train"):
        netdef.Solver(str(tmp_path / "s.prototxt"))


def test_a_missing_net_is_named_at_its_field_with_the_places_tried(bad_solver):
    text = bad_solver('\nnet: "nett.prototxt"')
    assert "solver.prototxt:2:" in text and "did you mean 'net.prototxt'?" in text


def test_all_mistakes_come_in_one_report_and_each_once(bad_solver):
    net = TWO_PHASES.replace('bottom: "y"', 'bottom: "z"').replace("num_output: 2", "num_output: -2")
    text = bad_solver(TESTED + 'type: "Sgdd" iter_size: 0', net)
    assert text.count("bottom 'z' is made by no layer") <= 2  # told for each phase it happens in
    for part in ("unknown solver type", "iter_size: expected a number of at least 1, got 0", "num_output"):
        assert part in text
    assert len(set(text.splitlines())) > 5
