"""Short runs of `netdef train` that answer one question: does it run, can it learn at all, does it resume exactly?"""
from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from netdef.solvers import events as e
from netdef.solvers.solver import Solver

Make = Callable[..., Solver]
FAST = 3  # iterations of --fast-dev-run
OVERFIT = 200  # iterations of --overfit-batch, where --set max_iter says nothing
LEARNED = 0.1  # of the first loss: then the batch counts as learned


def fast_dev_run(make: Make, show: Callable[[Solver], None]) -> None:
    """A few iterations with a test of one batch each, the snapshot at the end, and a restore of it."""
    folder = tempfile.TemporaryDirectory(prefix="netdef-")
    with folder as place, make([f"snapshot_prefix={Path(place) / 'dev'}"]) as solver:
        p = solver.param
        p.max_iter = solver.iter + FAST
        p.display, p.test_interval, p.snapshot, p.early_stop = 1, 1 if solver.test_nets else 0, 0, 0
        p.snapshot_after_train = True
        solver.test_iter = (1,) * len(solver.test_nets)
        saved: list[str] = []
        solver.listen(lambda event: saved.append(event.state) if isinstance(event, e.Snapshotted) else None)
        show(solver)
        solver.solve()
        if solver.stopped:
            raise click.Abort
        solver.restore(saved[-1])
        tests = len(solver.test_nets)
    click.echo(f"fast-dev-run: {FAST} iterations, {tests} test {'net' if tests == 1 else 'nets'}, a snapshot and its "
               "restore went through; nothing was kept")


def overfit_batch(make: Make, show: Callable[[Solver], None], overrides: Sequence[str]) -> bool:
    """Train on the first batch alone; whether the loss fell to a tenth."""
    from netdef.solvers.onebatch import OneBatch

    with make([]) as solver:
        p = solver.param
        if not any(text.startswith("max_iter=") for text in overrides):
            p.max_iter = OVERFIT
        p.test_interval, p.snapshot, p.snapshot_after_train, p.early_stop = 0, 0, False, 0
        losses: list[float] = []
        solver.listen(lambda event: losses.append(event.loss) if isinstance(event, e.Updated) else None)
        OneBatch(solver.net)
        show(solver)
        solver.solve()
    if not losses:
        raise click.UsageError("--overfit-batch: max_iter leaves no iteration to train")
    first, last = losses[0], sum(losses[-5:]) / len(losses[-5:])
    learned = abs(last) <= LEARNED * abs(first)
    click.echo(f"overfit-batch: the loss went from {first:.4g} to {last:.4g} in {len(losses)} iterations on one batch: "
               + ("the net can learn it" if learned else "the net does not learn it; `netdef blame` and `netdef grads` "
                  "look for the reason"))
    return learned


def find_rate(make: Make, limits: tuple[float, float], iterations: int) -> bool:
    """Print what a range test of the learning rate saw; whether there is a rate to suggest."""
    from netdef.graph.render import table
    from netdef.solvers.chart import chart
    from netdef.solvers.finder import advice, find_lr

    if limits[0] >= limits[1]:
        raise click.UsageError(f"--lr-range: expected LOW below HIGH, got {limits[0]:g} and {limits[1]:g}")
    with make([]) as solver:
        found = find_lr(solver, *limits, iterations=iterations)
        rows = [(i + 1, f"{found.rates[i]:.3g}", f"{found.losses[i]:.4g}", f"{found.smooth[i]:.4g}")
                for i in range(0, len(found.smooth), max(1, len(found.smooth) // 12))]
        click.echo(table(rows, ("iteration", "lr", "loss", "smoothed"), range(4)) + "\n")
        top = 1.25 * found.smooth[0] - 0.25 * min(found.smooth) if found.smooth else 0.0  # how it explodes tells nothing
        points = [(rate, loss) for rate, loss in zip(found.rates, found.smooth, strict=False) if loss <= top]
        click.echo(chart([("smoothed loss", points)], log_x=True, title="smoothed loss by learning rate") + "\n")
        for line in advice(solver, found):
            click.echo(f"find-lr: {line}")
        if found.suggestion is not None:
            click.echo(f"find-lr: seed {solver.net.seed}, nothing was kept; to use it, type: "
                       f"--set base_lr={found.suggestion:g}")
    return found.suggestion is not None


def prove(make: Make, n: int) -> bool:
    """Print the proof of an exact resume; whether it holds."""
    from netdef.solvers.prove import prove_resume

    with tempfile.TemporaryDirectory(prefix="netdef-") as folder:
        proof = prove_resume(lambda overrides, seed: make(overrides, seed), n, Path(folder),
                             lambda text: click.echo(f"prove-resume: {text}"))
    click.echo(f"prove-resume: {proof}")
    return proof.holds
