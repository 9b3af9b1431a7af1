"""Goals and priors: their gradients by differences, their words, their mistakes."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.preprocessing import Preprocessing
from netdef.errors import NetdefError
from netdef.probe.goals import ClassGoal, UnitGoal, ValuesGoal, class_of, residuals, unit_of
from netdef.probe.priors import blurred, l2, total_variation
from netdef.probe.space import Space

RNG = np.random.default_rng(2)
SPACE = Space.of(Preprocessing(mean_value=(60,), scale=(0.1,)), (2, 4, 5))


def check_gradient(function, x, step=1e-6):
    """Of N values by their own items."""
    values, gradient = function(x)
    direction = RNG.standard_normal(x.shape)
    slopes = (function(x + step * direction)[0] - function(x - step * direction)[0]) / (2 * step)
    assert (gradient * direction).reshape(len(x), -1).sum(axis=1) == pytest.approx(slopes, rel=1e-5, abs=1e-8)
    assert gradient.shape == x.shape and values.shape == (len(x),)


@pytest.mark.parametrize("goal", [ClassGoal((1,)), ClassGoal((1,), ""), ClassGoal((0,), "sigmoid"),
                                  ClassGoal((2, 0, 1), away=True), ValuesGoal(np.arange(4.0)), ValuesGoal(np.zeros(4)),
                                  UnitGoal((3,))], ids=str)
def test_gradients(goal):
    check_gradient(goal.loss, RNG.standard_normal((3, 4)))


def test_unit_of_an_image():
    x = RNG.standard_normal((2, 4, 3, 3))
    check_gradient(UnitGoal((1,)).loss, x)
    check_gradient(UnitGoal((1, 2, 0)).loss, x)
    assert -UnitGoal((1,)).loss(x)[0] == pytest.approx(x[:, 1].mean(axis=(1, 2)))
    assert "value" in UnitGoal((1,)).report(x) and UnitGoal((1,)).residual(x) == np.inf


@pytest.mark.parametrize("prior", [lambda x: l2(x, SPACE), total_variation])
def test_priors(prior):
    check_gradient(prior, RNG.random((2, 2, 4, 5)))


def test_priors_are_0_where_they_should_be():
    assert l2(SPACE.to_units(np.zeros((1, 2, 4, 5))), SPACE)[0] == pytest.approx([0], abs=1e-20)
    assert total_variation(np.full((1, 2, 4, 5), 0.3))[0] == pytest.approx([0], abs=1e-9)
    assert total_variation(np.ones((3, 7)))[0].tolist() == [0, 0, 0]


def test_total_variation_by_hand():
    step = np.zeros((1, 1, 2, 2))
    step[0, 0, 1] = 1  # two steps of 1 downwards
    assert total_variation(step)[0] == pytest.approx([2 / 4], abs=1e-2)


def test_blur():
    point = np.zeros((1, 1, 9, 9))
    point[0, 0, 4, 4] = 1
    made = blurred(point, 1.0)
    assert made.sum() == pytest.approx(1, abs=1e-3) and made[0, 0, 4, 4] == pytest.approx(0.16, abs=0.01)
    assert made[0, 0] == pytest.approx(made[0, 0].T) and (blurred(point, 0) is point)


def test_class_goals_are_reached():
    outputs = np.array([[0.0, 9, 0]])
    assert ClassGoal((1,)).residual(outputs) == pytest.approx(2 * np.exp(-9), rel=1e-2)
    assert ClassGoal((1,)).report(outputs).startswith("class 1: probability 0.9997")
    assert ClassGoal((1,)).loss(outputs.reshape(1, 3, 1, 1))[1].shape == (1, 3, 1, 1)
    with pytest.raises(NetdefError, match="no class 3: the outputs have 3"):
        ClassGoal((3,)).loss(outputs)
    with pytest.raises(NetdefError, match="expected one score a class"):
        ClassGoal((1,)).loss(np.zeros((1, 3, 2, 2)))


def test_values_goals():
    goal = ValuesGoal(np.array([3.0, 4]))
    assert goal.residual(np.array([[3.0, 4.5]])) == pytest.approx(0.1)
    assert goal.report(np.array([[3.0, 4.5]])) == "residual |f(x) - wanted|: largest 0.5, relative 0.1"
    with pytest.raises(NetdefError, match="expected 3 wanted values"):
        goal.loss(np.zeros((1, 3)))
    assert residuals(np.array([1.0]), np.array([0.0])) == (1, 1)


def test_reading():
    assert unit_of("3") == (3,) and unit_of("3, 4,5") == (3, 4, 5)
    pets = ["n02123045 cat, puss", "n02 dog"]
    assert class_of("1", pets, 2) == 1 and class_of("cat", pets, 2) == 0
    for call, said in ((lambda: unit_of("x"), "expected a unit"), (lambda: class_of("5", None, 3), "knows 3, from 0 to 2"),
                       (lambda: class_of("tabbi", ["tabby"], 1), "did you mean 'tabby'"),
                       (lambda: class_of("cat", None, 3), "--labels"),
                       (lambda: UnitGoal((4,)).pick(np.zeros((1, 4))), "no unit 4"),
                       (lambda: UnitGoal((0, 0)).pick(np.zeros((1, 4))), "no unit 0,0")):
        with pytest.raises(NetdefError, match=said):
            call()
