"""Time the memory-bound kernels against their NumPy twins and PyTorch's operators, in turns in one process.

Prints milliseconds (the least of many calls) and ratios: above 1, the compiled kernel is faster. PyTorch's operators make
their results anew, as a user of it has them; backward is timed by calling the operator's own gradient function.
"""
from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench_report import Report  # noqa: E402
from bench_timing import Quiet, geometric_mean, take_turns  # noqa: E402

Call = Callable[[], object]
LARGE, MIDDLE, SMALL = (32, 64, 56, 56), (32, 256, 14, 14), (32, 512, 7, 7)


class Case(NamedTuple):
    """A kernel with its arguments, and the same in PyTorch (None: it has no such operator)."""

    kernel: str
    what: str
    args: tuple[Any, ...]
    peer: Call | None


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="kernels whose name holds this")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contender (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each case (%(default)s)")
    args = parser.parse_args(argv)
    run(args.only, args.threads, args.seconds, Report(sys.argv))
    return 0


def run(only: str, threads: int, seconds: float, report: Report) -> None:
    """Time the cases and print them."""
    torch = _torch(threads, report)  # first: it must not take over the environment that Numba's threads get
    from netdef.kernels import blas
    from netdef.kernels.table import TABLE
    from netdef.kernels.threads import limited

    quiet = Quiet()
    rows: list[list[str]] = []
    ratios: tuple[list[float], list[float]] = ([], [])
    with limited(threads), blas.one_thread():
        for case in cases(torch):
            if only not in case.kernel:
                continue
            entry = TABLE[case.kernel]
            calls: dict[str, Call] = {"numpy": partial(entry.reference, *case.args)}
            if entry.compiled:
                calls["compiled"] = partial(entry.compiled, *case.args)
            if case.peer:
                calls["torch"] = case.peer
            times = take_turns(calls, seconds)
            report.raw.setdefault("kernels", {}).setdefault(str(threads), {})[f"{case.kernel} {case.what}"] = times
            best = {name: min(taken) * 1e3 for name, taken in times.items()}
            used = entry.compiled is not None and entry.supports(case.args)
            own = best.get("compiled", best["numpy"])
            for found, name in zip(ratios, ("numpy", "torch"), strict=True):
                if name in best:
                    found.append(best[name] / own)
            rows.append([f"{case.kernel} {case.what}", *(f"{best[n]:.3f}" if n in best else "-" for n in
                         ("compiled", "numpy", "torch")), f"{best['numpy'] / own:.2f}",
                         f"{best['torch'] / own:.2f}" if "torch" in best else "-", "" if used else "NumPy runs"])
    report.title(f"kernels, {threads} thread{'s' * (threads > 1)}")
    report.table(rows, ("kernel", "compiled ms", "NumPy ms", "torch ms", "NumPy / compiled", "torch / compiled", "choice"))
    report.text(f"geometric means: NumPy {geometric_mean(ratios[0]):.2f}, torch {geometric_mean(ratios[1]):.2f}")
    report.quiet(quiet)


def _torch(threads: int, report: Report) -> Any:
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        report.text("torch: not installed (no module torch); its columns stay empty")
        return None
    torch.set_num_threads(threads)
    return torch


def cases(torch: Any) -> Iterator[Case]:
    """All cases, arrays made when they are wanted."""
    import numpy as np

    make = _Make(np.random.default_rng(0), torch)
    for shape in (LARGE, MIDDLE, SMALL):
        yield from _normalisation(make, shape)
    yield from _sweeps(make, LARGE)
    yield from _sweeps(make, (64, 20, 24, 24))
    for shape, kernel, stride, pad in [((16, 64, 112, 112), 3, 2, 0), (LARGE, 2, 2, 0), ((16, 256, 28, 28), 3, 1, 1),
                                       ((100, 32, 32, 32), 3, 2, 0), ((8, 2048, 7, 7), 7, 1, 0)]:
        yield from _pooling(make, shape, kernel, stride, pad)
    for scores in [(64, 1000, 1), (256, 10, 1), (4, 21, 65536)]:
        yield from _softmax(make, scores)
    yield from _updates(make, 10_000_000)
    yield from _updates(make, 500_000)


class _Make:
    """Arrays, tensors over the same memory, and gradients of PyTorch's operators."""

    def __init__(self, rng: Any, torch: Any) -> None:
        self.rng, self.torch = rng, torch

    def real(self, *shape: int) -> Any:
        return self.rng.standard_normal(shape, "float32")

    def forward(self, operator: Callable[..., Any], *arrays: Any) -> Call | None:
        """The operator on tensors, without noting it for a gradient."""
        if self.torch is None:
            return None
        tensors = [self.torch.from_numpy(a) for a in arrays]

        def call() -> Any:
            with self.torch.no_grad():
                return operator(*tensors)
        return call

    def backward(self, operator: Callable[..., Any], dy: Any, *arrays: Any) -> Call | None:
        """The gradient of the operator by all its arrays."""
        if self.torch is None:
            return None
        tensors = [self.torch.from_numpy(a).requires_grad_() for a in arrays]
        made, top = operator(*tensors), self.torch.from_numpy(dy)
        return lambda: self.torch.autograd.grad(made, tensors, top, retain_graph=True)


def _normalisation(make: _Make, shape: tuple[int, ...]) -> Iterator[Case]:
    import numpy as np

    torch, what = make.torch, "x".join(map(str, shape))
    x, dy, y, made = (make.real(*shape) for _ in range(4))
    c = shape[1]
    three = (shape[0], c, shape[2] * shape[3])
    xs, dys, ys, mades, buffer = (a.reshape(three) for a in (x, dy, y, made, np.empty_like(x)))
    mean, var, divisor, weight, bias = np.zeros(c), np.ones(c), np.ones(c, "f"), np.ones(c, "f"), np.zeros(c, "f")

    def norm(v: Any, training: bool = True) -> Any:
        return torch.nn.functional.batch_norm(v, mean32, var32, training=training)

    mean32, var32 = (torch.zeros(c), torch.ones(c)) if torch else (None, None)
    yield Case("standardize", f"{what} (BatchNorm, TRAIN)", (xs, 1e-5, False, buffer, mean, var, divisor, mades, ys),
               make.forward(norm, x))
    yield Case("standardize_backward", f"{what} (BatchNorm, TRAIN)", (dys, mades, divisor, None, buffer, ys),
               make.backward(norm, dy, x))
    yield Case("shift_divide", f"{what} (BatchNorm, TEST)", (xs, mean, divisor, ys), make.forward(lambda v: norm(v, False), x))

    def affine(v: Any, w: Any, b: Any) -> Any:
        return torch.addcmul(b.view(1, -1, 1, 1), v, w.view(1, -1, 1, 1))

    yield Case("scale_forward", f"{what} (Scale)", (xs, weight, bias, None, ys), make.forward(affine, x, weight, bias))
    yield Case("scale_backward", f"{what} (Scale)", (xs, dys, weight, buffer, weight.copy(), bias, ys),
               make.backward(affine, dy, x, weight, bias))
    yield Case("prelu_forward", what, (xs, weight, None, buffer, ys), make.forward(lambda v, w: torch.prelu(v, w), x, weight))
    yield Case("prelu_backward", what, (xs, dys, weight, buffer, weight.copy(), ys),
               make.backward(lambda v, w: torch.prelu(v, w), dy, x, weight))


def _sweeps(make: _Make, shape: tuple[int, ...]) -> Iterator[Case]:
    import numpy as np

    torch, what = make.torch, "x".join(map(str, shape))
    a, b, y = (make.real(*shape) for _ in range(3))
    positive, winner, mask = np.abs(a), np.zeros(shape, np.int32), np.zeros(shape, np.uint8)
    key = np.arange(6, dtype=np.uint32)
    f: Any = torch.nn.functional if torch else None
    yield Case("relu_forward", what, (a, 0.0, y), make.forward(lambda v: f.relu(v), a))
    yield Case("relu_forward", f"{what} in place", (positive, 0.0, positive), make.forward(lambda v: f.relu_(v), positive.copy()))
    yield Case("relu_backward", what, (a, b, 0.0, y), make.backward(lambda v: f.relu(v), b, a))
    yield Case("elu_forward", what, (a, 1.0, b.copy(), y), make.forward(lambda v: f.elu(v), a))
    yield Case("elu_backward", what, (a, a, b, 1.0, b.copy(), y), make.backward(lambda v: f.elu(v), b, a))
    yield Case("sigmoid_forward", what, (a, y), make.forward(lambda v: torch.sigmoid(v), a))
    yield Case("sigmoid_backward", what, (a, b, y), make.backward(lambda v: torch.sigmoid(v), b, a))
    yield Case("tanh_forward", what, (a, y), make.forward(lambda v: torch.tanh(v), a))
    yield Case("tanh_backward", what, (a, b, y), make.backward(lambda v: torch.tanh(v), b, a))
    yield Case("add", f"{what} (Eltwise SUM)", (a, b, y), make.forward(lambda v, w: v + w, a, b))
    yield Case("multiply", f"{what} (Eltwise PROD)", (a, b, y), make.forward(lambda v, w: v * w, a, b))
    yield Case("scale", what, (0.5, a, y), make.forward(lambda v: v * 0.5, a))
    yield Case("larger", f"{what} (Eltwise MAX)", (a, b, y, winner), make.forward(lambda v, w: torch.maximum(v, w), a, b))
    yield Case("larger_backward", f"{what} (Eltwise MAX)", (a, winner, 1, y), None)
    yield Case("dropout_forward", what, (a, key, 0.5, mask, y), make.forward(lambda v: torch.native_dropout(v, 0.5, True), a))
    yield Case("dropout_backward", what, (a, mask, 0.5, y), make.backward(lambda v: f.dropout(v, 0.5), b, a))


def _pooling(make: _Make, shape: tuple[int, ...], k: int, s: int, p: int) -> Iterator[Case]:
    import numpy as np

    from netdef.layers.pooling import pooled_length

    sizes = [pooled_length(n, k, s, p, p > 0) for n in shape[2:]]
    x, dx, y = make.real(*shape), make.real(*shape), make.real(*shape[:2], *sizes)
    mask, how = np.zeros(y.shape, np.int32), ((k, k), (s, s), (p, p))
    what = f"{'x'.join(map(str, shape))} {k}x{k}, stride {s}, pad {p}"
    f: Any = make.torch.nn.functional if make.torch else None

    def largest(v: Any) -> Any:
        return f.max_pool2d(v, k, s, p, ceil_mode=True, return_indices=True)

    def average(v: Any) -> Any:
        return f.avg_pool2d(v, k, s, p, ceil_mode=True)

    if k != shape[2]:
        yield Case("max_pool_forward", what, (x, *how, y, mask), make.forward(largest, x))
        filled = mask.copy()
        from netdef.kernels.reference.pooling import max_pool_forward
        max_pool_forward(x, *how, y.copy(), filled)
        yield Case("max_pool_backward", what, (y, filled, dx), make.backward(lambda v: largest(v)[0], y, x))
    yield Case("ave_pool_forward", what, (x, *how, y), make.forward(average, x))
    yield Case("ave_pool_backward", what, (y, *how, dx), make.backward(average, y, x))


def _softmax(make: _Make, shape: tuple[int, int, int]) -> Iterator[Case]:
    import numpy as np

    torch, what = make.torch, "x".join(map(str, shape))
    x, dy, y = make.real(*shape), make.real(*shape), make.real(*shape)
    label = make.rng.integers(0, shape[1], (shape[0], shape[2]))
    prob = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    yield Case("softmax_forward", what, (x, y), make.forward(lambda v: torch.softmax(v, 1), x))
    yield Case("softmax_backward", what, (prob, dy, y), make.backward(lambda v: torch.softmax(v, 1), dy, x))
    labels = label.astype(np.float32)
    one = np.ones((), np.float32)
    nll = None if torch is None else lambda v: torch.nn.functional.nll_loss(v, torch.from_numpy(label))
    yield Case("softmax_loss_forward", what, (prob, labels, None), None)
    yield Case("softmax_loss_backward", what, (prob, labels, None, 0.1, y), nll and make.backward(
        lambda v: nll(torch.log_softmax(v, 1)), one, x))


def _updates(make: _Make, size: int) -> Iterator[Case]:
    import numpy as np

    torch, what = make.torch, f"{size:,} params"
    w, g, h, v = make.real(size), make.real(size), make.real(size), np.abs(make.real(size))

    def step(kind: str, **options: Any) -> Call | None:
        if torch is None:
            return None
        param = torch.nn.Parameter(torch.from_numpy(w.copy()))
        param.grad = torch.from_numpy(g.copy())
        return getattr(torch.optim, kind)([param], lr=1e-9, **options).step

    yield Case("sgd_update", f"{what}, decay", (w, g, h, 1e-9, 0.9, 0.01), step("SGD", momentum=0.9, weight_decay=0.01))
    yield Case("nesterov_update", f"{what}, decay", (w, g, h, 1e-9, 0.9, 0.01),
               step("SGD", momentum=0.9, weight_decay=0.01, nesterov=True))
    yield Case("adam_update", what, (w, g, h, v, 1e-9, 0.9, 0.999, 1e-8), step("Adam"))


if __name__ == "__main__":
    sys.exit(main())
