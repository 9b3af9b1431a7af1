"""Solver: learning rates that never come, tests that test something else, files that go nowhere."""
from __future__ import annotations

from collections.abc import Iterator

from netdef.lint.feeds import records
from netdef.lint.rules import Hit, rule
from netdef.lint.subject import SolverCase, is_source, option

LARGE_FOR_ADAM = 0.02


@rule("rate-never-drops", "warning", "solver")
def rate_never_drops(solver: SolverCase) -> Iterator[Hit]:
    """A drop of the learning rate at or behind max_iter is never reached: the training ends before it."""
    m = solver.message
    if not m.max_iter:
        return
    if m.lr_policy == "multistep":
        for i, value in enumerate(m.stepvalue):
            if value >= m.max_iter:
                yield Hit(solver.span("stepvalue", i), f"solver: stepvalue {value} lies at or behind max_iter {m.max_iter}",
                          "a smaller stepvalue, or a larger max_iter")
    elif m.lr_policy == "step" and m.stepsize >= m.max_iter and m.gamma != 1:
        yield Hit(solver.span("stepsize"), f"solver: stepsize {m.stepsize} is not below max_iter {m.max_iter}: the rate stays "
                  "at base_lr", "a smaller stepsize, or lr_policy: \"fixed\"")
    if m.warmup_iter >= m.max_iter > 0:
        yield Hit(solver.span("warmup_iter"), f"solver: warmup_iter {m.warmup_iter} is not below max_iter {m.max_iter}: the rate "
                  "never comes to base_lr", "a smaller warmup_iter")


@rule("step-order", "error", "solver")
def step_order(solver: SolverCase) -> Iterator[Hit]:
    """The multistep policy goes through its stepvalues in order, one an iteration at most. One that is not above the
    one before it drops the rate twice in a row."""
    values = list(solver.message.stepvalue)
    for i in range(1, len(values)):
        if values[i] <= values[i - 1]:
            yield Hit(solver.span("stepvalue", i), f"solver: stepvalue {values[i]} comes behind {values[i - 1]}",
                      "rising stepvalues")


@rule("rate-grows", "warning", "solver")
def rate_grows(solver: SolverCase) -> Iterator[Hit]:
    """gamma is the factor by which step, multistep and exp change the learning rate. Above 1 the rate grows at every
    drop, at 1 nothing changes, at 0 the training stops."""
    m = solver.message
    if m.lr_policy in ("step", "multistep", "exp") and solver.has("gamma") and (m.gamma >= 1 or m.gamma == 0):
        says = "grows" if m.gamma > 1 else "stays as it is" if m.gamma == 1 else "becomes 0"
        yield Hit(solver.span("gamma"), f"solver: with gamma {m.gamma:g} the rate {says}", "a gamma between 0 and 1, often 0.1")


@rule("nothing-moves", "error", "solver")
def nothing_moves(solver: SolverCase) -> Iterator[Hit]:
    """A base_lr of 0, or clip_gradients of 0, makes every update 0."""
    m = solver.message
    if solver.has("base_lr") and m.base_lr == 0:
        yield Hit(solver.span("base_lr"), "solver: base_lr is 0", "a rate above 0, such as 0.01")
    if m.clip_gradients == 0:
        yield Hit(solver.span("clip_gradients"), "solver: clip_gradients is 0", "-1 turns clipping off")


@rule("momentum-too-large", "error", "solver")
def momentum_too_large(solver: SolverCase) -> Iterator[Hit]:
    """A momentum of 1 or more forgets no step: the updates add up without end."""
    if solver.message.type in ("SGD", "Nesterov") and solver.message.momentum >= 1:
        yield Hit(solver.span("momentum"), f"solver: momentum is {solver.message.momentum:g}", "0.9, or 0.99 at most")


@rule("adam-momentum", "warning", "solver")
def adam_momentum(solver: SolverCase) -> Iterator[Hit]:
    """Adam's beta1 is the field `momentum`, and its default is 0, as in Caffe, not the 0.9 of other frameworks: without
    it Adam takes no average of gradients."""
    m = solver.message
    if m.type in ("Adam", "AdamW") and m.momentum == 0 and not solver.has("momentum"):
        yield Hit(solver.span("type"), f"solver: {m.type} without momentum has beta1 0", "momentum: 0.9")


@rule("adam-rate", "warning", "solver")
def adam_rate(solver: SolverCase) -> Iterator[Hit]:
    """Adam moves each param by about base_lr in each iteration, however small the gradient. Rates that are usual with
    SGD are too large for it."""
    m = solver.message
    if m.type in ("Adam", "AdamW") and m.base_lr > LARGE_FOR_ADAM:
        yield Hit(solver.span("base_lr"), f"solver: base_lr {m.base_lr:g} with {m.type}", "0.001, or 0.01 at most")


@rule("never-tested", "warning", "solver")
def never_tested(solver: SolverCase) -> Iterator[Hit]:
    """The net has layers for phase TEST, and this solver never runs them: it has no test_iter, or a test_interval
    beyond max_iter."""
    m = solver.message
    named = m.test_net or m.test_net_param
    if not m.test_iter and not named and solver.net is not None:
        first = next((x for x in solver.net.layers if any(r.HasField("phase") and r.phase == 1 for r in x.message.include)
                      and not x.message.bottom), None)
        if first is not None:
            yield Hit(solver.span("net"), f"solver: '{first.message.name}' at {first.span} is data for TEST, and there is no "
                      "test_iter", "test_iter (batches in a test) and test_interval")
    elif m.test_iter and m.max_iter and m.test_interval > m.max_iter:
        start = " but once at the start" if m.test_initialization else ""
        yield Hit(solver.span("test_interval"), f"solver: test_interval {m.test_interval} is beyond max_iter "
                  f"{m.max_iter}: nothing is tested{start}", "a smaller test_interval, or no test_iter", "note")


@rule("test-coverage", "warning", "solver")
def test_coverage(solver: SolverCase) -> Iterator[Hit]:
    """test_iter times the batch size of TEST should be the number of test records. With less some are never looked at;
    with more that is no multiple some count twice. Looked at only where the data are here."""
    for i, view in solver.test_views():
        for node in view.d.layers:
            batch = int(option(node, "batch_size") or 0) if is_source(node) else 0
            total = records(node) if batch else 0
            if not total or i >= len(solver.message.test_iter):
                continue
            seen = solver.message.test_iter[i] * batch
            if seen < total or seen % total:
                says = f"only the first {seen:,} of {total:,} are tested" if seen < total else (
                    f"the first {seen % total:,} of {total:,} count once more than the others")
                fits = f"test_iter: {-(-total // batch)}" if total % batch == 0 else (
                    f"a batch_size that divides {total:,}, such as {_divisor(total, batch)}")
                yield Hit(solver.span("test_iter", i), f"solver: test_iter {solver.message.test_iter[i]} batches of {batch} "
                          f"('{node.name}' at {node.located.span}): {says}", fits)


def _divisor(total: int, near: int) -> int:
    """The divisor of ``total`` that is nearest below ``near``."""
    return next(n for n in range(near, 0, -1) if total % n == 0)


@rule("batch-norm-and-iter-size", "note", "solver")
def batch_norm_and_iter_size(solver: SolverCase) -> Iterator[Hit]:
    """iter_size adds up the gradients of several batches, but BatchNorm takes its statistics from each one alone: with
    small batches they are noise."""
    views = solver.net.training if solver.net is not None and solver.message.iter_size > 1 else []
    for view in views:
        norms = [n for n in view.d.layers if n.type == "BatchNorm" and not getattr(n.layer, "stored", False)]
        batch = [int(option(n, "batch_size") or 0) for n in view.d.layers if is_source(n)]
        if norms and batch and 0 < max(batch) < 16:
            yield Hit(solver.span("iter_size"), f"solver: iter_size {solver.message.iter_size} with batches of {max(batch)}, and "
                      f"{len(norms)} BatchNorm layers", "a batch_size of 16 or more, and a smaller iter_size")


@rule("snapshot-prefix", "error", "solver")
def snapshot_prefix(solver: SolverCase) -> Iterator[Hit]:
    """Snapshots are written to snapshot_prefix; its folder is made where it is missing. Here that cannot be done, so
    that a training would stop before its first iteration (in Caffe: at its first snapshot)."""
    import os
    from pathlib import Path

    prefix = solver.message.snapshot_prefix
    if not prefix:
        return
    folder = Path(prefix) if Path(prefix).is_dir() else Path(prefix).parent
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        yield Hit(solver.span("snapshot_prefix"), f"solver: cannot write to '{there}'"
                  + ("" if there.is_dir() else ", which is a file"), "a folder of your own")
