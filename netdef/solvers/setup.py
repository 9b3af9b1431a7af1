"""What a solver is made from, checked as a whole: its fields, policy, rule and nets."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdef.config.located import Located
from netdef.errors import Collector, ConfigErrors
from netdef.solvers.nets import Plans, plan_nets
from netdef.solvers.policies import Policy, find_policy
from netdef.solvers.rules import Rule, find_rule
from netdef.solvers.settings import check_settings, notice_settings


@dataclass(frozen=True)
class Setup:
    """The plans of the nets, the learning rate policy and the rule."""

    plans: Plans
    policy: Policy
    rule: type[Rule]


def set_up(solver: Located, level: int | None, stages: Sequence[str], errors: Collector) -> Setup:
    """Check everything that a config can get wrong; raises ConfigErrors with all of it together, and warns about fields
    without effect."""
    policy: Policy | None = None
    rule: type[Rule] | None = None
    check_settings(solver, errors)
    with errors:
        policy = find_policy(solver)
    with errors:
        rule = find_rule(solver)
    plans = plan_nets(solver, level, stages, errors)
    errors.raise_all()
    if plans is None or policy is None or rule is None:
        raise ConfigErrors(errors.found)
    notice_settings(solver)
    return Setup(plans, policy, rule)
