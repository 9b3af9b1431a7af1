"""`netdef explain`: questions about one name."""
from __future__ import annotations


def test_why(run):
    ran = run("explain", "builtin:lenet", "--why", "conv1/weights")
    assert ran.status == 0, ran.err
    assert ran.out == """\
param conv1[0] weights (20x1x5x5) gets a gradient, from loss

params:
  conv1[0] weights (20x1x5x5): lr_mult 1

a gradient arrives:
  from loss (SoftmaxWithLoss), loss_weight 1: 1 path
    loss -> ip2 -> relu1 -> ip1 -> pool2 -> conv2 -> pool1 -> (conv1[0])
"""


def test_backward(run):
    ran = run("explain", "builtin:lenet", "--backward", "conv1")
    assert ran.status == 0, ran.err
    assert "d loss / d conv1 (64x20x24x24) = d loss / d pool1 (64x20x12x12) . d pool1 / d conv1\n" in ran.out
    assert "d loss / d conv1.weights (20x1x5x5) = " in ran.out


def test_set_and_phase_reach_the_question(run):
    ran = run("explain", "builtin:lenet", "--why", "conv1", "--set", "layer.loss.loss_weight=[0]")
    assert ran.status == 0, ran.err
    assert "at loss (SoftmaxWithLoss): its loss_weight is 0 [--set:1:" in ran.out
    assert "from loss" in run("explain", "builtin:lenet", "--why", "conv1", "--phase", "TEST").out


def test_a_name_that_does_not_exist(run):
    ran = run("explain", "builtin:lenet", "--why", "cnov1")
    assert ran.status == 1
    assert "no blob, layer or param is called 'cnov1' (phase TRAIN, level 0); did you mean 'conv1'?" in ran.err


def test_one_question_at_a_time(run):
    ran = run("explain", "builtin:lenet", "--why", "conv1", "--backward", "conv1")
    assert ran.status == 2
    assert "ask one at a time" in ran.err
    assert run("explain", "builtin:lenet", "--why", "conv1", "--stage", "plan").status == 2
