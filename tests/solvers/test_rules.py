"""The table of rules, and what each refuses."""
from __future__ import annotations

import pytest

from netdef.solvers.rules import rules


def test_the_rules_of_caffe_and_one_more():
    assert set(rules()) == {"SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW"}


@pytest.mark.parametrize(("text", "expected"), [
    ('type: "Adagrad"', "unknown solver type 'Adagrad'; did you mean 'AdaGrad'?"),
    ('type: "Newton"', "unknown solver type 'Newton'; one of SGD"),
    ('type: "AdaGrad" momentum: 0.9', "momentum: AdaGrad has no momentum, got 0.9; drop it"),
    ('type: "RMSProp" momentum: 0.9', "momentum: RMSProp has no momentum"),
    ('type: "RMSProp" rms_decay: 1', "rms_decay: expected a number in [0, 1), got 1"),
    ('type: "Adam" momentum: 1', "momentum: expected a number in [0, 1), got 1"),
    ('type: "Adam" momentum2: 1.5', "momentum2: expected a number in [0, 1), got 1.5"),
    ('type: "AdaDelta" delta: -1', "delta: expected a number of at least 0, got -1"),
])
def test_what_a_rule_refuses(bad_solver, text, expected):
    assert expected in bad_solver(text)


@pytest.mark.parametrize(("kind", "number"), [("SGD", 2), ("Adam", 4), ("AdaDelta", 4), ("RMSProp", 2)])
def test_histories_are_one_or_two_a_param(squares, kind, number):
    rule = squares(f'type: "{kind}"').update.rule
    assert [h.shape for h in rule.history] == [(2, 3), (2,)] * (number // 2)
    assert rule.history_name(1) == ("ip[1]" if number == 2 else "ip[1] (1st)")
    assert rule.history_name(number - 1) == ("ip[1]" if number == 2 else "ip[1] (2nd)")


def test_the_old_enum_still_names_a_rule(squares):
    assert squares("solver_type: ADAM").update.rule.type == "Adam"
