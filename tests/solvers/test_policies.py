"""Learning rates against tables worked out by hand."""
from __future__ import annotations

import math

import pytest

from netdef.config import schema
from netdef.config.located import Located
from netdef.errors import FieldError
from netdef.solvers.policies import Schedule, find_policy, policy_names


def solver(**fields):
    message = schema.new("SolverParameter")
    for name, value in {"base_lr": 0.5, **fields}.items():
        if isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return Located.bare(message)


TABLE = [
    (dict(lr_policy="fixed"), {0: 0.5, 1000: 0.5}),
    (dict(lr_policy="step", gamma=0.5, stepsize=10), {0: 0.5, 9: 0.5, 10: 0.25, 19: 0.25, 20: 0.125, 35: 0.0625}),
    (dict(lr_policy="exp", gamma=0.5), {0: 0.5, 1: 0.25, 3: 0.0625}),
    (dict(lr_policy="inv", gamma=1, power=2), {0: 0.5, 1: 0.125, 3: 0.03125}),
    (dict(lr_policy="inv", gamma=0, power=0.75), {0: 0.5, 7: 0.5}),
    (dict(lr_policy="multistep", gamma=0.5, stepvalue=[2, 5]), {0: 0.5, 1: 0.5, 2: 0.25, 4: 0.25, 5: 0.125, 99: 0.125}),
    (dict(lr_policy="poly", power=2, max_iter=4), {0: 0.5, 1: 0.28125, 2: 0.125, 4: 0, 5: 0}),
    (dict(lr_policy="poly", power=0.5, max_iter=4), {3: 0.25, 4: 0, 6: 0}),
    (dict(lr_policy="sigmoid", gamma=1, stepsize=3), {3: 0.25, 0: 0.5 / (1 + math.exp(3)), 40: 0.5}),
    (dict(lr_policy="cosine", max_iter=8), {0: 0.5, 2: 0.25 + 0.125 * math.sqrt(2), 4: 0.25, 8: 0, 9: 0}),
    (dict(lr_policy="cosine", max_iter=4, min_lr=0.1), {0: 0.5, 2: 0.3, 4: 0.1, 7: 0.1}),
    (dict(lr_policy="plateau", gamma=0.5, monitor="loss"), {0: 0.5, 1000: 0.5}),
]


@pytest.mark.parametrize(("fields", "rates"), TABLE)
def test_rates(fields, rates):
    written = solver(**fields)
    policy = find_policy(written)
    for t, rate in rates.items():
        assert policy.rate(written.message, t) == pytest.approx(rate, rel=1e-6, abs=1e-12), t


def test_every_policy_is_in_the_table():
    assert {fields["lr_policy"] for fields, _ in TABLE} == set(policy_names())


@pytest.mark.parametrize(("fields", "steps"), [
    (dict(lr_policy="fixed"), {0: 0, 10: 0}),
    (dict(lr_policy="step", gamma=0.5, stepsize=4), {0: 0, 1: 0, 4: 0, 5: 1, 10: 2}),  # 10: as in Caffe's own snapshot
    (dict(lr_policy="multistep", gamma=0.5, stepvalue=[2, 5]), {0: 0, 2: 0, 3: 1, 5: 1, 6: 2, 50: 2}),
])
def test_current_step_is_that_of_the_last_update(fields, steps):
    written = solver(**fields)
    policy = find_policy(written)
    assert {t: policy.current_step(written.message, t) for t in steps} == steps


def test_multistep_counts_as_a_counter_that_moves_once_an_iteration():
    """Step values that do not rise take effect one iteration later each, as Caffe's counter makes them."""
    written = solver(lr_policy="multistep", gamma=0.5, stepvalue=[5, 5, 2])
    policy = find_policy(written)
    assert [policy.count(written.message, t) for t in (4, 5, 6, 7, 8)] == [0, 1, 2, 3, 3]


def test_rates_too_large_or_too_small_for_a_double():
    grows = solver(lr_policy="exp", gamma=10)
    assert find_policy(grows).rate(grows.message, 1000) == math.inf
    late = solver(lr_policy="sigmoid", gamma=100, stepsize=100)
    assert find_policy(late).rate(late.message, 0) == 0


@pytest.mark.parametrize(("fields", "text"), [
    (dict(), "solver: lr_policy: missing; one of fixed, step, exp, inv, multistep, poly, sigmoid, cosine, "
     "plateau"),
    (dict(lr_policy="multi_step"), "unknown policy 'multi_step'; did you mean 'multistep'?"),
    (dict(lr_policy="zigzag"), "unknown policy 'zigzag'; one of fixed"),
    (dict(lr_policy="step", gamma=0.1), 'solver: stepsize: missing; lr_policy "step" needs it'),
    (dict(lr_policy="step", stepsize=10), 'solver: gamma: missing; lr_policy "step" needs it'),
    (dict(lr_policy="step", gamma=0.1, stepsize=0), "solver: stepsize: expected a number of at least 1, got 0"),
    (dict(lr_policy="exp"), "solver: gamma: missing"),
    (dict(lr_policy="inv", gamma=0.1), "solver: power: missing"),
    (dict(lr_policy="multistep", gamma=0.1), "solver: stepvalue: missing"),
    (dict(lr_policy="poly", power=1), 'solver: max_iter: missing; lr_policy "poly" needs it'),
    (dict(lr_policy="poly", power=1, max_iter=0), "solver: max_iter: expected a number of at least 1, got 0"),
    (dict(lr_policy="plateau", gamma=0.5), 'solver: monitor: missing; lr_policy "plateau" needs it'),
    (dict(lr_policy="cosine"), "solver: max_iter: missing"),
    (dict(lr_policy="fixed", warmup_iter=-1), "solver: warmup_iter: expected a number of at least 0, got -1"),
    (dict(lr_policy="plateau", gamma=0.5, monitor="loss", plateau_patience=0), "plateau_patience: expected a number"),
    (dict(lr_policy="sigmoid", gamma=-1, stepsize=1), "solver: gamma: expected a number of at least 0, got -1"),
])
def test_what_a_policy_lacks_is_named(fields, text):
    with pytest.raises(FieldError) as caught:
        find_policy(solver(**fields))
    assert text in str(caught.value)


def test_base_lr_is_needed():
    message = solver(lr_policy="fixed")
    message.message.ClearField("base_lr")
    with pytest.raises(FieldError, match="base_lr: missing"):
        find_policy(message)


def test_the_error_stands_at_the_field(bad_solver):
    text = bad_solver('lr_policy: "stepp"\ngamma: 0.1')
    assert "solver.prototxt:1:" in text and "did you mean 'step'?" in text and "^~~~" in text


@pytest.mark.parametrize(("fields", "rates"), [
    (dict(lr_policy="fixed", warmup_iter=4), {0: 0, 1: 0.125, 3: 0.375, 4: 0.5, 9: 0.5}),
    (dict(lr_policy="fixed", warmup_iter=4, warmup_start=0.1), {0: 0.1, 2: 0.3, 4: 0.5}),
    (dict(lr_policy="step", gamma=0.5, stepsize=2, warmup_iter=4), {1: 0.125, 2: 0.125, 3: 0.1875, 4: 0.125}),
    (dict(lr_policy="cosine", max_iter=8, warmup_iter=4), {2: 0.125 + 0.0625 * math.sqrt(2), 4: 0.25, 8: 0}),
])
def test_warm_up_rises_to_what_the_policy_says(fields, rates):
    written = solver(**fields)
    schedule = Schedule(find_policy(written))
    assert {t: schedule.rate(written.message, t) for t in rates} == pytest.approx(rates, abs=1e-7)


def test_plateaus_lower_the_rate_down_to_min_lr():
    written = solver(lr_policy="plateau", gamma=0.1, monitor="loss", min_lr=0.01, warmup_iter=2)
    schedule = Schedule(find_policy(written))
    found = []
    for schedule.lowered in range(4):
        found.append(schedule.rate(written.message, 5))
    assert found == pytest.approx([0.5, 0.05, 0.01, 0.01])
    assert schedule.rate(written.message, 1) == pytest.approx(0.005)
