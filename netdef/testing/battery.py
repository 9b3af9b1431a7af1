"""``check_layer``: everything that can be asked of any layer, in one call."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from netdef.config.load import parse_text_message
from netdef.layers import registry
from netdef.testing import checks, runs
from netdef.testing.case import FILE, Array, Bottom, Case, Reference, spread
from netdef.testing.gradients import GradientReport, Kink

CHECKS: dict[str, Callable[[Case], str | None]] = {
    "shapes": checks.check_shapes,
    "values": checks.check_values,
    "untouched": checks.check_untouched,
    "need": checks.check_need,
    "backward_reads": checks.check_reads,
    "in place": runs.check_in_place,
    "claims": runs.check_claims,
    "repeatable": runs.check_repeatable,
    "float32": runs.check_float32,
    "batches": runs.check_batches,
    "other shape": runs.check_other_shape,
    "constraints": checks.check_constraints,
}


@dataclass
class CheckReport:
    """What the battery did: the checks that passed, those that did not apply and why, and the gradients' figures."""

    layer_type: str
    passed: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    gradients: list[GradientReport] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.layer_type}: {len(self.passed)} checks passed: {', '.join(self.passed)}"]
        lines += [f"    {name}: not checked, {why}" for name, why in self.skipped.items()]
        return "\n".join([*lines, *(f"    {g}" for g in self.gradients)])


def check_layer(config: str, bottoms: Sequence[Bottom], reference: Reference | None = None, *, tops: int | None = None,
                params: Sequence[Array] | None = None, phase: str = "TRAIN", other: Sequence[Bottom] | None = None,
                batch: bool | Sequence[int] = True, empty_batch: bool = True, random: bool = False,
                statistics: Sequence[int] = (), gradient_tops: Sequence[int] | None = None, step: float = 1e-4,
                threshold: float = 1e-5, kink: Kink | float | None = None, tolerance: float = 1e-9,
                float32_tolerance: float = 2e-5, low: float = -2.0, high: float = 2.0, seed: int = 1701,
                skip: Sequence[str] = ()) -> CheckReport:
    """Put one layer through the battery; raises LayerCheckError at the first rule it breaks.

    ``config``      the layer's text without name, bottoms and tops: ``'type: "ELU" elu_param { alpha: 0.5 }'``
    ``bottoms``     one shape (filled with distinct values in ``low`` .. ``high``) or array of values (labels) a bottom
    ``reference``   ``f(*bottoms, *params)`` -> array, or one array a top, in float64 and plain NumPy; None: not checked
    ``tops``        how many (default: as few as the type allows, or as many as bottoms)
    ``params``      values of the params (default: distinct values in -0.9 .. 1.1)
    ``other``       bottoms of another shape for a second run on the same net (default: the batch and one item more)
    ``batch``       whether axis 0 of the bottoms is the batch; or the indices of the bottoms where it is
    ``empty_batch`` whether a batch of 0 must work
    ``random``      the layer draws random numbers: the next pass must differ, and the same pass must not
    ``statistics``  params that forward itself updates and that have no gradient (BatchNorm's)
    ``gradient_tops``  tops whose gradient counts (default: all; a loss: the first); the others' diffs are NaN
    ``step, threshold, kink``  of the numeric gradient, see ``numeric_gradient`` and ``compare_gradients``; a number for
                    ``kink`` means that |x| with a margin of 0.01
    ``tolerance``   between float64 results, relative to max(1, magnitude); ``float32_tolerance`` to the float64 ones
    ``skip``        names of checks to leave out (``CHECKS`` and "gradients")
    """
    generator = np.random.default_rng(seed)
    cls = registry.find(parse_text_message(f"layer {{ {config} }}", FILE, "NetParameter").message.layer[0].type)
    values = _values(bottoms, generator, low, high)
    batched = tuple(range(len(values))) if batch is True else tuple(batch or ())
    count = tops if tops is not None else len(values) if cls.same_number else cls.tops.least
    kept = gradient_tops if gradient_tops is not None else range(min(count, 1) if cls.is_loss else count)
    case = Case(config=config, bottoms=values, params=None if params is None else tuple(params), tops=count,
                reference=reference, phase=phase,
                other=_values(other, generator, low, high) if other is not None else _one_more(values, batched),
                batch=batched, empty_batch=empty_batch, random=random, statistics=tuple(statistics),
                gradient_tops=tuple(kept), step=step, threshold=threshold,
                kink=Kink(kink) if isinstance(kink, (int, float)) else kink, tolerance=tolerance,
                float32_tolerance=float32_tolerance, seed=seed)
    return _run(case, cls.type, skip)


def _run(case: Case, layer_type: str, skip: Sequence[str]) -> CheckReport:
    report = CheckReport(layer_type)
    unknown = set(skip) - {*CHECKS, "gradients"}
    if unknown:
        raise ValueError(f"skip: no check is called {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)} and "
                         "gradients")
    for name, check in CHECKS.items():
        _note(report, name, "left out by the test" if name in skip else check(case))
        if name == "need":  # gradients come before what compares them
            left_out = "left out by the test" if "gradients" in skip else checks.check_gradients(case, report.gradients)
            _note(report, "gradients", left_out)
    return report


def _note(report: CheckReport, name: str, why_not: str | None) -> None:
    if why_not is None:
        report.passed.append(name)
    else:
        report.skipped[name] = why_not


def _values(bottoms: Sequence[Bottom], generator: np.random.Generator, low: float, high: float) -> tuple[Array, ...]:
    """Arrays as they are (rounded to float32), shapes filled."""
    return tuple(np.asarray(b, np.float32).astype(np.float64) if isinstance(b, np.ndarray)
                 else spread(tuple(b), generator, low, high) for b in bottoms)


def _one_more(values: tuple[Array, ...], batched: tuple[int, ...]) -> tuple[Array, ...] | None:
    """The same bottoms with the first item of the batch once more at the end."""
    if not batched:
        return None
    return tuple(np.concatenate([a, a[:1]]) if i in batched else a for i, a in enumerate(values))
