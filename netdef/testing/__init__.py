"""Testing: gradient checks, and the battery that every layer passes (public, for layers of your own too).

What lives here: ``check_layer`` (``battery.py``: the list of checks; ``checks.py`` and ``runs.py``: the checks;
``case.py``: the small net they run in), ``gradients.py`` (central differences as pure functions). For a whole net's
gradients there is `netdef check`.
May import: solvers and below; not pytest.

To add a check: a function ``check_x(case) -> None or why it does not apply`` that raises ``case.error``, a row in
``battery.CHECKS``, and a broken layer in ``tests/test_testing.py`` that it catches.

>>> from netdef.testing import check_layer
>>> import numpy as np
>>> report = check_layer('type: "TanH"', [(2, 3)], np.tanh)
>>> "gradients" in report.passed
True
"""
from netdef.testing.battery import CheckReport, check_layer
from netdef.testing.case import LayerCheckError, spread
from netdef.testing.gradients import GradientReport, Kink, Mismatch, compare_gradients, numeric_gradient

__all__ = ["CheckReport", "GradientReport", "Kink", "LayerCheckError", "Mismatch", "check_layer", "compare_gradients",
           "numeric_gradient", "spread"]
