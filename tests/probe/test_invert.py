"""Inversion by gradient."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.preprocessing import Preprocessing
from netdef.errors import NetdefError
from netdef.probe.goals import ClassGoal, UnitGoal, ValuesGoal
from netdef.probe.invert import Settings, invert, start_units
from netdef.probe.priors import total_variation
from netdef.probe.space import Space
from netdef.probe.subject import Probe

WAY = Preprocessing(scale=(0.00390625,))


@pytest.fixture
def probe(small):
    return Probe(*small)


@pytest.fixture
def space(probe):
    return Space.of(WAY, probe.shape)


@pytest.mark.parametrize("wanted", [0, 1, 2])
def test_every_class(probe, space, wanted):
    made = invert(probe, space, ClassGoal((wanted,)), settings=Settings(iterations=400, tolerance=0.1, rate=0.1))
    assert made.reached and made.residual <= 0.1, made.residual
    assert probe.probabilities(probe.forward(made.values[None]))[0, wanted] >= 0.9
    assert made.units.min() >= 0 and made.units.max() <= 1
    assert len(made.losses) == made.best + 1 == len(made.residuals)


def test_a_blob_that_a_picture_has(small, space):
    probe = Probe(*small, blob="conv1", dtype="float64")
    truth = np.random.default_rng(0).random((1, 1, 8, 8))
    goal = ValuesGoal(probe.forward(space.to_values(truth))[0])
    made = invert(probe, space, goal, settings=Settings(iterations=500, rate=0.1, tolerance=1e-3))
    assert goal.residual(made.outputs[None]) == pytest.approx(made.residual) and made.residual < 0.03
    assert made.residuals[0] > 0.1


def test_a_unit_grows(probe, space):
    made = invert(probe, space, UnitGoal((1,)), settings=Settings(iterations=30))
    assert -made.losses[made.best] > -made.losses[0] + 0.1 and not made.reached


@pytest.mark.parametrize("rule", ["adam", "normalized"])
def test_the_same_seed_gives_the_same(probe, space, rule):
    settings = Settings(rule=rule, iterations=15, tolerance=0, jitter=1, blur=1, tv=1, l2=1, blur_every=4)
    a, b = (invert(probe, space, ClassGoal((0,)), settings=settings, seed=4) for _ in range(2))
    assert (a.values == b.values).all() and a.losses == b.losses
    other = invert(probe, space, ClassGoal((0,)), settings=settings, seed=5)
    assert (a.values != other.values).any()
    assert probe.forward(a.values[None])[0] == pytest.approx(a.outputs)


def test_priors_do_what_they_are_for(probe, space):
    rough, smooth = (invert(probe, space, ClassGoal((2,)), settings=Settings(iterations=100, tolerance=0, tv=tv))
                     for tv in (0, 30))
    assert total_variation(smooth.units[None])[0] < 0.5 * total_variation(rough.units[None])[0]


def test_the_box_and_without(probe, space):
    far = Settings(iterations=40, rate=1, tolerance=0)
    assert invert(probe, space, UnitGoal((0,)), settings=far).units.max() <= 1
    free = invert(probe, space, UnitGoal((0,)), settings=Settings(iterations=40, rate=1, tolerance=0, box=False))
    assert free.units.max() > 1


def test_starts(space):
    assert (start_units(space, "zeros") == 0).all() and (start_units(space, "gray") == 0.5).all()
    noise = start_units(space, "noise", 1)
    assert (noise == start_units(space, "noise", 1)).all() and 0.05 < noise.std() < 0.15
    mean = Space.of(Preprocessing(mean_value=(102,)), (1, 2, 2))
    assert start_units(mean, "zeros") == pytest.approx(np.full((1, 1, 2, 2), 0.4))
    with pytest.raises(NetdefError, match="start: expected noise, zeros, gray, got 'nois'; did you mean 'noise'"):
        start_units(space, "nois")


def test_what_is_told_and_kept(probe, space):
    told = []
    made = invert(probe, space, ClassGoal((1,)), settings=Settings(iterations=100, tolerance=0),
                  told=lambda *a: told.append(a), frames=True)
    assert [t[0] for t in told] == list(range(101)) and [t[1] for t in told] == made.losses
    assert 20 < len(made.frames) <= 41 and made.frames[-1][0] == 100
    still = invert(probe, space, ClassGoal((1,)), settings=Settings(iterations=0))
    assert len(still.losses) == 1 and still.best == 0


@pytest.mark.parametrize("wrong, said", [({"rule": "adm"}, "did you mean 'adam'"), ({"rate": 0}, "rate above 0"),
                                         ({"tv": -1}, "tv: expected a number from 0 up"), ({"l2": float("nan")}, "l2"),
                                         ({"iterations": -1}, "iterations from 0")])
def test_settings_that_cannot_work(wrong, said):
    with pytest.raises(NetdefError, match=said):
        Settings(**wrong)


def test_an_inverting_preprocessing(probe):
    """Where white is the smaller value, a brighter pixel goes the other way."""
    turned = Space.of(Preprocessing(invert=True, scale=(0.00390625,)), probe.shape)
    for wanted in range(3):
        made = invert(probe, turned, ClassGoal((wanted,)), settings=Settings(iterations=60, tolerance=0, rate=0.1))
        assert made.losses[made.best] < 0.5 * made.losses[0]
