"""The checks of the battery. Each takes a Case, raises LayerCheckError, or returns why it did not apply."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netdef.errors import ConfigError
from netdef.layers.base import Need
from netdef.testing.case import Array, Bench, Case
from netdef.testing.gradients import GradientReport, compare_gradients, numeric_gradient

MARK = 7.25  # what params' diffs hold before a backward that must add to them


def check_shapes(case: Case) -> str | None:
    """infer is pure, gives one shape a top, and forward keeps to it (dynamic layers: keeps below it)."""
    bench = Bench(case)
    shapes = tuple(b.shape for b in bench.run.bottoms)
    first, second = bench.layer.infer(shapes), bench.layer.infer(shapes)
    if _sizes(first) != _sizes(second):
        raise case.error("shapes", f"infer is not pure: first {_sizes(first)}, then {_sizes(second)}")
    _check_param_names(case, bench, first)
    inferred = [tuple(s) for s in first.tops]
    if len(inferred) != case.tops:
        raise case.error("shapes", f"infer gives {len(inferred)} top shapes for {case.tops} tops")
    tops = bench.forward()
    for i, (top, shape) in enumerate(zip(tops, inferred, strict=True)):
        fits = len(top.shape) == len(shape) and all(n <= m for n, m in zip(top.shape, shape, strict=True))
        if top.shape != shape and not (case.layer_class.dynamic and fits):
            raise case.error("shapes", f"top {i} is inferred as {shape}, but forward made it {top.shape}")
    return None


def _check_param_names(case: Case, bench: Bench, inferred: Any) -> None:
    """What the layer says of its params without shapes is what infer gives."""
    for attribute, want in (("param_names", tuple(p.name for p in inferred.params)),
                            ("statistics", tuple(p.name for p in inferred.params if not p.learns))):
        said = getattr(bench.layer, attribute)
        if said != want:
            raise case.error("shapes", f"{attribute} is {said}, but by infer it is {want}")


def _sizes(inferred: Any) -> tuple[Any, ...]:
    return ([tuple(s) for s in inferred.tops], [tuple(p.shape) for p in inferred.params],
            {k: tuple(a.shape) for k, a in inferred.workspace.items()},
            {k: tuple(a.shape) for k, a in inferred.scratch.items()}, inferred.macs)


def check_values(case: Case) -> str | None:
    """The tops equal the reference's in float64."""
    if case.reference is None:
        return "no reference was given"
    bench = Bench(case)
    compare_to_reference(case, bench, case.bottoms, bench.forward(), "values")
    return None


def compare_to_reference(case: Case, bench: Bench, bottoms: Sequence[Array], tops: Sequence[Array], check: str) -> None:
    """Raise unless the tops are what the reference makes of bottoms and params."""
    assert case.reference is not None
    want = case.reference(*[np.array(a) for a in bottoms], *[np.array(a) for a in bench.params])
    wanted = list(want) if isinstance(want, (list, tuple)) else [want]
    if len(wanted) != len(tops):
        raise case.error(check, f"the reference gives {len(wanted)} arrays for {len(tops)} tops")
    for i, (got, expected) in enumerate(zip(tops, wanted, strict=True)):
        same(case, check, f"top {i}", got, np.asarray(expected, np.float64), case.tolerance, "the reference")


def same(case: Case, check: str, what: str, got: Array, want: Array, tolerance: float, of: str) -> None:
    """Raise unless |got - want| <= tolerance * max(1, |want|) everywhere (tolerance 0: equal; NaN equals NaN)."""
    if got.shape != want.shape:
        raise case.error(check, f"{what} has shape {got.shape}, but {of} has {want.shape}")
    with np.errstate(invalid="ignore"):  # values that are not finite compare by themselves
        allowed = tolerance * np.maximum(1, np.abs(want))
        wrong = ~((np.abs(got - want) <= allowed) | (got == want) | (np.isnan(got) & np.isnan(want)))
    if wrong.any():
        place = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise case.error(check, f"{what} differs from {of} in {int(wrong.sum())} of {got.size} values, first at "
                                f"{place}: {got[place]:.9g} instead of {want[place]:.9g}")


def check_untouched(case: Case) -> str | None:
    """Forward writes neither bottoms (data or diff) nor params (but for statistics); backward writes no data at all."""
    bench = Bench(case)
    for bottom in bench.run.bottoms:
        bottom.diff[...] = np.nan
    bench.forward()
    _unwritten(case, bench, "forward")
    for i, bottom in enumerate(bench.run.bottoms):
        if not np.isnan(bottom.diff).all():
            raise case.error("untouched", f"forward writes the diff of bottom {i}")
    if bench.differentiable:
        tops, params = [np.array(t.data) for t in bench.run.tops], [np.array(p.data) for p in bench.run.params]
        bench.backward(bench.weights_of_tops())
        _unwritten(case, bench, "backward")
        for i, (blob, old) in enumerate(zip(bench.run.tops, tops, strict=True)):
            same(case, "untouched", f"backward writes the data of top {i}: it", blob.data, old, 0, "before")
        for i, (blob, old) in enumerate(zip(bench.run.params, params, strict=True)):
            same(case, "untouched", f"backward writes the data of param {i}: it", blob.data, old, 0, "before")
    return None


def _unwritten(case: Case, bench: Bench, when: str) -> None:
    for i, (blob, value) in enumerate(zip(bench.run.bottoms, case.bottoms, strict=True)):
        same(case, "untouched", f"{when} writes the data of bottom {i}: it", blob.data, value, 0, "before")
    for i, (blob, value) in enumerate(zip(bench.run.params, bench.params, strict=True)):
        if i not in case.statistics:
            same(case, "untouched", f"{when} writes the data of param {i}: it", blob.data, value, 0, "before")


def check_gradients(case: Case, reports: list[GradientReport]) -> str | None:
    """Analytic against numeric gradients of two objectives, sum(top^2) / 2 and sum(weight * top)."""
    bench = Bench(case)
    if not bench.differentiable:
        return "nothing is differentiable"
    tops = bench.forward()
    weights = bench.weights_of_tops()
    squares = bench.backward(tops)
    linear = bench.backward(weights)
    bottoms = [np.array(a) for a in case.bottoms]

    def objectives() -> Array:
        made = bench.forward(bottoms)
        picked = [(made[i], weights[i]) for i in case.gradient_tops]
        return np.array([sum(0.5 * np.sum(t * t) for t, _ in picked), sum(np.sum(w * t) for t, w in picked)], float)

    for k, (kind, arrays) in enumerate((("bottom", bottoms), ("param", bench.params))):
        for i, needed in enumerate(bench.need[k]):
            if not needed:
                continue
            kink = case.kink if kind == "bottom" else None
            numeric = numeric_gradient(objectives, arrays[i], case.step, kink)
            for objective, analytic in enumerate((squares[k][i], linear[k][i])):
                name = f"{('sum(top^2)/2', 'sum(weight*top)')[objective]} by {kind} {i}"
                reports.append(compare_gradients(name, analytic, numeric[objective], case.threshold))
                _accept(case, reports[-1])
    return None


def _accept(case: Case, report: GradientReport) -> None:
    if not report.ok:
        raise case.error("gradients", str(report))
    if report.checked == 0 and report.skipped:
        raise case.error("gradients", f"{report.name}: all elements lie near the kink; move the test point")


def check_need(case: Case) -> str | None:
    """Only what is needed is written; bottoms' diffs are overwritten, params' diffs added to."""
    bench = Bench(case)
    if not bench.differentiable:
        return "nothing is differentiable"
    bench.forward()
    diffs = bench.weights_of_tops()
    whole = bench.backward(diffs)
    for need in _combinations(bench.need):
        bottoms, params = bench.backward(diffs, need, MARK)
        for i, needed in enumerate(need.bottoms):
            if needed:
                same(case, "need", f"the diff of bottom {i}, asked for with {need}, (it must be overwritten)",
                     bottoms[i], whole[0][i], case.tolerance, "that of a whole backward")
            elif not np.isnan(bottoms[i]).all():
                raise case.error("need", f"backward writes the diff of bottom {i}, which is not needed")
        for i, needed in enumerate(need.params):
            _check_param_diff(case, i, needed, params[i], whole[1][i])
    return None


def _check_param_diff(case: Case, i: int, needed: bool, got: Array, gradient: Array) -> None:
    if not needed:
        if not (got == MARK).all():
            raise case.error("need", f"backward writes the diff of param {i}, which is not needed")
    elif gradient.size and not np.allclose(gradient, 0) and np.allclose(got, gradient):
        raise case.error("need", f"backward overwrites the diff of param {i} instead of adding to it")
    else:
        same(case, "need", f"the diff of param {i} (it must be added to)", got - MARK, gradient, case.tolerance,
             "a whole backward")


def _combinations(need: Need) -> list[Need]:
    """All, none, each alone, and all but each."""
    flags = [*need.bottoms, *need.params]
    possible = [i for i, f in enumerate(flags) if f]
    chosen = {tuple(flags), tuple(False for _ in flags)}
    for k in possible:
        chosen.add(tuple(i == k for i in range(len(flags))))
        chosen.add(tuple(f and i != k for i, f in enumerate(flags)))
    n = len(need.bottoms)
    return [Need(c[:n], c[n:]) for c in sorted(chosen)]


def check_reads(case: Case) -> str | None:
    """Backward looks at no more data than ``backward_reads`` says: what it may not read is spoiled before it."""
    bench = Bench(case)
    if not bench.differentiable:
        return "nothing is differentiable"
    bench.forward()
    diffs = bench.weights_of_tops()
    whole = bench.backward(diffs)
    reads = bench.layer.backward_reads
    for blob in bench.run.bottoms if "bottoms" not in reads else []:
        blob.data[...] = np.nan
    for blob in bench.run.tops if "tops" not in reads else []:
        blob.data[...] = np.sign(blob.data) * 3.5 if "top signs" in reads else np.nan
    spoiled = bench.backward(diffs)
    for kind, got, want in zip(("bottom", "param"), spoiled, whole, strict=True):
        for i, (a, b) in enumerate(zip(got, want, strict=True)):
            same(case, "backward_reads", f"with data that backward_reads {sorted(reads)} leaves out spoiled, the diff "
                 f"of {kind} {i}", a, b, case.tolerance, "before")
    return None


def check_constraints(case: Case) -> str | None:
    """Every constraint rejects the values just outside it, and the message says what was expected."""
    constraints = case.layer_class.constraints
    if not constraints:
        return "no option has a constraint"
    for option, constraint in constraints.items():
        for value in constraint.bad_values():
            _rejects(case, option, value, f"{option}: expected {constraint}, got {value:g}")
        if constraint.required:
            _rejects(case, option, None, f"{option}: missing; expected {constraint}")
    return None


def _rejects(case: Case, option: str, value: float | None, message: str) -> None:
    """A value that the option's type cannot hold at all is the schema's to reject."""
    def change(layer: Any) -> None:
        options = getattr(layer, str(case.layer_class.options_field))
        if value is None:
            options.ClearField(option)
        elif not _set(options, option, value):
            raise _Impossible

    shown = "no value" if value is None else f"{value:g}"
    try:
        case.make(change)
    except _Impossible:
        return
    except ConfigError as e:
        if message not in str(e):
            raise case.error("constraints", f"{option} with {shown}: expected the message '{message}', got "
                                            f"'{e}'") from e
        return
    raise case.error("constraints", f"{option} with {shown} is accepted; expected the message '{message}'")


class _Impossible(Exception):
    """The option's type cannot hold the value."""


def _set(options: Any, option: str, value: float) -> bool:
    """Give an option a value, as a whole number where it takes no other; False where its type cannot hold it."""
    for candidate in (value, int(value)):
        try:
            if hasattr(getattr(options, option), "append"):
                options.ClearField(option)
                getattr(options, option).append(candidate)
            else:
                setattr(options, option, candidate)
            return True
        except (TypeError, ValueError):
            continue
    return False
