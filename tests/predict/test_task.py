"""What a net's outputs are taken for."""
from __future__ import annotations

import pytest

from netdef.errors import NetdefError
from netdef.graph.build import build
from netdef.predict.task import Task, find_task

HEAD = "layers:\n  - x: {Input: {shape: {dim: [1, 4]}}}\n"
IP = "  - ip: {InnerProduct: {num_output: 3}}\n"


@pytest.fixture
def plan_of(tmp_path):
    def make(text):
        (tmp_path / "net.yaml").write_text(HEAD + text)
        return build(str(tmp_path / "net.yaml"), "TEST")

    return make


def test_by_the_last_layer(plan_of):
    assert find_task(plan_of(IP + "  - p: {Softmax: {}}\n")) == Task("classify", ("p",), 3)
    assert find_task(plan_of(IP + "  - p: {Softmax: {}}\n  - q: {Reshape: {shape: {dim: [0, 3, 1, 1]}}}\n")).kind == "classify"
    assert find_task(plan_of(IP + "  - p: {Sigmoid: {}}\n")) == Task("classify", ("p",), 3, several=True)
    assert find_task(plan_of(IP)) == Task("regress", ("ip",))
    assert find_task(plan_of("  - y: {InnerProduct: {num_output: 1}}\n  - p: {Sigmoid: {}}\n")) == Task("regress", ("p",))
    assert find_task(plan_of(IP), labels=3) == Task("classify", ("ip",), 3)
    assert find_task(plan_of(IP), labels=4).kind == "regress"
    assert find_task(plan_of(IP + "  - b: {InnerProduct: {num_output: 2}, bottom: x}\n")) == Task("raw", ("b", "ip"))
    assert find_task(plan_of("  - r: {Reshape: {shape: {dim: [1, 1, 2, 2]}}}\n")).kind == "raw"


def test_overruled(plan_of):
    plan = plan_of(IP + "  - p: {Softmax: {}}\n")
    assert find_task(plan, kind="raw") == Task("raw", ("p",))
    assert find_task(plan, kind="regress") == Task("regress", ("p",))
    assert find_task(plan, output="ip") == Task("regress", ("ip",))
    assert find_task(plan, output="ip", kind="classify") == Task("classify", ("ip",), 3)
    assert find_task(plan, output="ip,p").kind == "raw"


def test_boxes(plan_of):
    plan = plan_of("  - r: {DummyData: {shape: {dim: [1, 1, 5, 7]}}, bottom: []}\n")
    assert find_task(plan, kind="detect", output="r") == Task("detect", ("r",))
    with pytest.raises(NetdefError, match="expected an output of 1x1xNx7, 'x' has the shape"):
        find_task(plan, kind="detect", output="x")


def test_what_does_not_go(plan_of):
    plan = plan_of(IP)
    with pytest.raises(NetdefError, match="did you mean 'ip'"):
        find_task(plan, output="ipp")
    with pytest.raises(NetdefError, match="did you mean 'classify'"):
        find_task(plan, kind="clasify")
    two = plan_of(IP + "  - b: {InnerProduct: {num_output: 2}, bottom: x}\n")
    with pytest.raises(NetdefError, match="expected one output, the net has 2: b, ip"):
        find_task(two, kind="classify")
    with pytest.raises(NetdefError, match="one score a class"):
        find_task(plan_of("  - r: {Reshape: {shape: {dim: [1, 1, 2, 2]}}}\n"), kind="classify")
