"""The checks that compare whole runs: in place, float32, batch sizes, other shapes, seeds."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netdef.testing.case import Array, Bench, Case
from netdef.testing.checks import compare_to_reference, same

Run = list[tuple[str, Array]]


def whole_run(bench: Bench, bottoms: Sequence[Array] | None = None, pass_number: int = 0) -> Run:
    """One forward and, where there is a gradient, one backward: every array that came out, named."""
    out = [(f"top {i}", t) for i, t in enumerate(bench.forward(bottoms, pass_number))]
    if bench.differentiable:
        by_bottoms, by_params = bench.backward(bench.weights_of_tops())
        out += [(f"the diff of bottom {i}", d) for i, d in enumerate(by_bottoms) if bench.need.bottoms[i]]
        out += [(f"the diff of param {i}", d) for i, d in enumerate(by_params) if bench.need.params[i]]
    return out


def compare_runs(case: Case, check: str, got: Run, want: Run, tolerance: float, of: str) -> None:
    """Raise at the first array that differs."""
    for (name, a), (_, b) in zip(got, want, strict=True):
        same(case, check, name, a, b, tolerance, of)


def check_in_place(case: Case) -> str | None:
    """A layer that says it may work in place gives the same values and gradients there."""
    bench = Bench(case)
    kind = bench.layer.in_place
    if kind == "no":
        return "the layer does not work in place"
    if bench.run.bottoms[0].shape != bench.run.tops[0].shape:
        raise case.error("in place", f"in_place is '{kind}', but top 0 has shape {bench.run.tops[0].shape} and bottom "
                                     f"0 {bench.run.bottoms[0].shape}")
    learns = kind == "yes"
    here = Bench(case, in_place=True, force_backward=learns)
    want = whole_run(bench)
    if not learns:
        made = here.forward()
        compare_runs(case, "in place", [(f"top {i}", t) for i, t in enumerate(made)], want[: len(made)], case.tolerance,
                     "out of place")
        return None
    compare_runs(case, "in place", whole_run(here), want, case.tolerance, "out of place")
    return None


def check_claims(case: Case) -> str | None:
    """``identity`` layers change nothing; ``keeps_sign`` layers change no sign where a gradient passes."""
    bench = Bench(case)
    if not (bench.layer.identity or bench.layer.keeps_sign):
        return "the layer claims neither identity nor keeps_sign"
    top = bench.forward()[0]
    if bench.layer.identity:
        same(case, "claims", "the top of an identity layer", top, case.bottoms[0], 0, "the bottom")
    by_bottom = bench.backward(bench.weights_of_tops())[0][0]
    if ((np.sign(top) != np.sign(case.bottoms[0])) & (by_bottom != 0)).any():
        raise case.error("claims", "keeps_sign is set, but a value changes its sign where a gradient passes")
    return None


def check_float32(case: Case) -> str | None:
    """A float32 net is near the float64 one, in values and gradients."""
    want = whole_run(Bench(case))
    got = whole_run(Bench(case, "float32"))
    for (name, a), (_, b) in zip(got, want, strict=True):
        scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0)))
        same(case, "float32", f"{name} (over its largest magnitude)", a / scale, b / scale, case.float32_tolerance,
             "float64")
    return None


def check_repeatable(case: Case) -> str | None:
    """The same seed gives the same bits, in this net and in a new one; only a random layer differs in the next pass."""
    bench = Bench(case)
    want = whole_run(bench)
    compare_runs(case, "repeatable", whole_run(bench), want, 0, "the first run of the same net")
    compare_runs(case, "repeatable", whole_run(Bench(case)), want, 0, "another net of the same seed")
    after = whole_run(bench, pass_number=1)
    if case.random:
        if all(np.array_equal(a, b) for (_, a), (_, b) in zip(after, want, strict=True)):
            raise case.error("repeatable", "random=True, but the next pass gives the same values")
    else:
        compare_runs(case, "repeatable", after, want, 0, "the pass before (random=True if that is meant)")
    return None


def check_batches(case: Case) -> str | None:
    """Batches of 1 and 0 run; that of 1 agrees with the reference, that of 0 adds nothing to the params."""
    if not case.batch:
        return "no bottom has a batch axis"
    for n in (1, 0) if case.empty_batch else (1,):
        bottoms = [a[:n] if i in case.batch else a for i, a in enumerate(case.bottoms)]
        bench = Bench(case, bottoms=bottoms)
        run = whole_run(bench, bottoms)
        for name, array in run:
            if not np.isfinite(array).all():
                raise case.error("batches", f"a batch of {n}: {name} is not finite")
            if n == 0 and "param" in name and array.any():
                raise case.error("batches", f"a batch of 0: {name} is not zero")
        if n == 1 and case.reference is not None:
            compare_to_reference(case, bench, bottoms, [a for name, a in run if name.startswith("top")], "batches")
    return None


def check_other_shape(case: Case) -> str | None:
    """A second run with another shape on the same net is that of a new net, and so is a third with the first shape."""
    if case.other is None:
        return "no other shape was given, and no bottom has a batch axis"
    bench = Bench(case)
    first = whole_run(bench)
    fresh = Bench(case, bottoms=case.other)
    compare_runs(case, "other shape", whole_run(bench, case.other), whole_run(fresh, case.other), 0,
                 f"a new net of shapes {[a.shape for a in case.other]}")
    compare_runs(case, "other shape", whole_run(bench), first, 0, "the same shape before another")
    return None
