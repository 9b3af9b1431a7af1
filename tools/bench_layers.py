"""Layer by layer: netdef's layers against PyTorch's operators on the same shapes, in turns in one process.

Each distinct layer (type, options, shapes) of a net's training plan is timed alone, forward and backward. Convolutions and
inner products also show GFLOP/s and the share of the largest rate that a matrix product reached on this machine just before.
A BatchNorm counts with the Scale behind it on both sides.
"""
from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench_nets import BATCHES, plan_of  # noqa: E402
from bench_report import Report  # noqa: E402
from bench_timing import Quiet, geometric_mean, take_turns  # noqa: E402

Call = Callable[[], object]


class Race(NamedTuple):
    """One layer: what it is, how often it stands in the net, and by direction its multiply-adds times two and its calls."""

    what: str
    times: int
    flops: dict[str, float]
    calls: dict[str, dict[str, Call]]


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("net", choices=sorted(BATCHES))
    parser.add_argument("--threads", type=int, default=2, help="threads of each contender (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each layer and direction (%(default)s)")
    args = parser.parse_args(argv)
    return 0 if run(args.net, args.threads, args.seconds, Report(sys.argv)) else 1


def run(net: str, threads: int, seconds: float, report: Report) -> bool:
    """Time the layers of one net and print them; False where PyTorch is not installed."""
    os.environ.pop("NETDEF_KERNELS", None)
    try:
        torch = importlib.import_module("torch")  # first: it must not take over the environment that Numba's threads get
    except ImportError:
        report.text("--layers compares with PyTorch's operators: not installed (no module torch). `netdef time NET --kernels` "
                    "prints time, rate and kernel of netdef's layers alone.")
        return False
    torch.set_num_threads(threads)
    from netdef.kernels import blas
    from netdef.kernels.threads import limited

    quiet = Quiet()
    rows: list[list[str]] = []
    kept: list[dict[str, Any]] = []
    ratios: dict[str, list[float]] = {"forward": [], "backward": []}
    with limited(threads), blas.one_thread():
        peak = _peak(torch, seconds)
        for race in _races(torch, net):
            for way, calls in race.calls.items():
                times = take_turns(calls, seconds)
                best = {name: min(taken) for name, taken in times.items()}
                kept.append({"layer": race.what, "way": way, "count": race.times, "operations": race.flops[way],
                             "seconds": times})
                ratios[way].append(best["torch"] / best["netdef"])
                rates = {name: race.flops[way] / time for name, time in best.items()}
                rows.append([f"{race.what}, {way}", str(race.times), *(f"{best[n] * 1e3:.3f}" for n in ("netdef", "torch")),
                             f"{ratios[way][-1]:.2f}", *_rates([rates[n] for n in ("netdef", "torch")], peak)])
    report.title(f"{net} (batch {BATCHES[net]}) layer by layer, {threads} thread{'s' * (threads > 1)}")
    report.table(rows, ("layer", "times", "netdef ms", "torch ms", "torch / netdef", "netdef GFLOP/s", "torch GFLOP/s",
                        "netdef of peak", "torch of peak"))
    report.text(f"geometric means: forward {geometric_mean(ratios['forward']):.2f}, backward "
                f"{geometric_mean(ratios['backward']):.2f}; peak {peak / 1e9:.0f} GFLOP/s (a product of matrices of 1024 x 1024)")
    report.raw.setdefault("layers", {}).setdefault(net, {})[str(threads)] = {"peak": peak, "layers": kept}
    report.quiet(quiet)
    return True


def _rates(rates: Sequence[float], peak: float) -> list[str]:
    """GFLOP/s and shares of the peak; empty for layers whose operations are not counted."""
    return [f"{rate / 1e9:.0f}" if rate else "" for rate in rates] + [f"{rate / peak:.0%}" if rate else "" for rate in rates]


def _peak(torch: Any, seconds: float) -> float:
    """Floating-point operations a second of a large matrix product, the best of many."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    return 2 * 1024**3 / min(take_turns({"product": lambda: torch.mm(a, b)}, seconds)["product"])


def _races(torch: Any, name: str) -> Iterator[Race]:
    """The distinct layers of a net's training plan, in its order."""
    from bench_torch import PlanModule

    from netdef.runtime.net import Net

    plan = plan_of(name, "TRAIN", BATCHES[name])
    net, module = Net(plan, seed=1), PlanModule(plan)
    net.forward()
    net.backward()
    scales = {read.node.index: scale for read, scale in module.merged}
    groups: dict[tuple[Any, ...], list[tuple[Any, Any]]] = {}
    for step, call in module.calls:
        shapes = tuple(plan.shapes.values[b] for b in step.node.bottoms)
        options = step.node.spec.options.SerializeToString() if step.node.spec.options is not None else b""
        key = (step.node.type, options, shapes, step.node.spec.in_place, step.need.bottoms)
        groups.setdefault(key, []).append((step, call))
    for members in groups.values():
        step, call = members[0]
        runs = [net.steps[s.node.index] for s in (step, scales.get(step.node.index)) if s is not None]
        forward, backward = _tensors(torch, module, step, call, runs)
        calls: dict[str, dict[str, Call]] = {"forward": {"netdef": partial(_forward, runs), "torch": forward}}
        if backward is not None:
            calls["backward"] = {"netdef": partial(_backward, runs), "torch": backward}
        work = _flops(runs[0])
        yield Race(_title(step, runs), len(members), {"forward": work, "backward": work * (1 + step.need.bottoms[0])}, calls)


def _forward(runs: Sequence[Any]) -> None:
    for run in runs:
        run.layer.forward(run.context, run.bottoms, run.params, run.tops)


def _backward(runs: Sequence[Any]) -> None:
    for run in reversed(runs):
        run.layer.backward(run.context, run.tops, run.params, run.bottoms, run.need)


def _tensors(torch: Any, module: Any, step: Any, call: Callable[..., Any], runs: Sequence[Any]) -> tuple[Call, Call | None]:
    """PyTorch's forward and backward for one step, with gradients where netdef makes them."""
    bottoms = [torch.from_numpy(b.data.copy()) for b in runs[0].bottoms]
    if step.node.type == "SoftmaxWithLoss":
        bottoms[1] = bottoms[1].long().flatten()

    def forward() -> Any:
        with torch.no_grad():
            return call(*bottoms)

    prefixes = tuple(f"{run.node.index}_" for run in runs)
    wanted = [weight for key, weight in module.weights.items() if key.startswith(prefixes)]
    leaves = [b.clone().requires_grad_() if need else b for b, need in zip(bottoms, step.need.bottoms, strict=True)]
    wanted += [leaf for leaf in leaves if leaf.requires_grad]
    if not wanted:
        return forward, None
    made = call(*(leaf.clone() if leaf.requires_grad else leaf for leaf in leaves))  # clones: some work in place
    gradient = torch.randn(made.shape)
    return forward, lambda: torch.autograd.grad(made, wanted, gradient, retain_graph=True)


def _flops(run: Any) -> float:
    """Operations of the forward pass of a convolution or inner product; 0 for others."""
    if run.type == "Convolution":
        return 2.0 * math.prod(run.params[0].shape[1:]) * run.tops[0].count
    return 2.0 * run.params[0].count * run.tops[0].shape[0] if run.type == "InnerProduct" else 0.0


def _title(step: Any, runs: Sequence[Any]) -> str:
    shape = "x".join(map(str, runs[0].bottoms[0].shape))
    params = f" by {'x'.join(map(str, runs[0].params[0].shape))}" if _flops(runs[0]) else ""
    sizes = list(step.node.spec.options.stride) if runs[0].type == "Convolution" else []
    stride = f" / {sizes[0]}" if sizes else ""
    return f"{step.node.name} ({'+'.join(run.type for run in runs)}) {shape}{params}{stride}"


if __name__ == "__main__":
    sys.exit(main())
