from __future__ import annotations

import logging

import pytest

from netdef.config.load import load_net, parse_text_message
from netdef.config.located import Located
from netdef.config.upgrade import Report, upgrade_net, upgrade_solver
from netdef.errors import FieldError


def net(text: str) -> Located:
    return parse_text_message(text, "n.prototxt", "NetParameter")


def solver(text: str) -> Located:
    return parse_text_message(text, "s.prototxt", "SolverParameter")


@pytest.fixture
def warnings(caplog):
    caplog.set_level(logging.WARNING, "netdef")
    return lambda: [r.getMessage() for r in caplog.records]


def test_caffes_own_upgrade_is_the_same_net(shared):
    files = sorted((shared / "conformance/upgrade").glob("*.prototxt"))
    assert files
    for path in files:
        report = Report()
        ours = load_net(shared / "prototxt" / path.name, report=report)
        assert ours.message == load_net(path).message, path.name
        lines = {layer.span.line for layer in ours.children("layer")}
        assert len(lines) == len(ours.message.layer), "every layer kept its own line"
        assert len(report.changes) > 30 and all(c.span.line > 0 for c in report.changes)


def test_one_warning_for_all_spellings(warnings):
    upgrade_net(net('name: "x"\nlayers { name: "c" type: RELU blobs_lr: 1 }'))
    assert warnings() == [
        "n.prototxt:2:1: warning: this net is in the V1 syntax of 2014 and is read as current with 2 changes; "
        "`netdef convert --upgrade` writes and lists them\n  layers { name: \"c\" type: RELU blobs_lr: 1 }\n  ^~~~~~"]


def test_both_spellings_at_once():
    with pytest.raises(FieldError) as caught:
        upgrade_net(net('layer { name: "a" }\nlayers { name: "c" }'))
    assert str(caught.value) == (
        "n.prototxt:2:1: error: the net has both layer and layers, which is the same list in two spellings; Caffe "
        "refuses this net too\n  layers { name: \"c\" }\n  ^~~~~~")


def test_a_current_net_is_left_alone(warnings):
    current = net('layer { name: "a" type: "ReLU" }')
    assert upgrade_net(current) is current and not warnings()


@pytest.mark.parametrize(("old", "new"), [
    ("SGD", "SGD"), ("NESTEROV", "Nesterov"), ("ADAGRAD", "AdaGrad"), ("RMSPROP", "RMSProp"), ("ADADELTA", "AdaDelta"),
    ("ADAM", "Adam"), ("5", "Adam"),
])
def test_solver_type(old, new, warnings):
    made = upgrade_solver(solver(f"base_lr: 1\nsolver_type: {old}"))
    assert made.message.type == new and not made.message.HasField("solver_type")
    assert str(made.span_of("type")) == "s.prototxt:2:14"
    assert len(warnings()) == 1


def test_solver_type_and_type():
    assert upgrade_solver(solver('solver_type: ADAM type: "Adam"')).message.type == "Adam"
    with pytest.raises(FieldError, match="solver_type says Adam, type says SGD"):
        upgrade_solver(solver('solver_type: ADAM type: "SGD"'))
    current = solver('type: "Adam"')
    assert upgrade_solver(current) is current
