"""How long each layer takes, forward and backward, and which kernels it ran: what `netdef time` shows."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from netdef.graph.render import table
from netdef.kernels.table import watched
from netdef.runtime.net import Net
from netdef.runtime.waiting import waited

KERNELS_SHOWN = 3


@dataclass
class StepTime:
    """One step of a pass: a layer, or several that run as one."""

    name: str
    type: str
    forward: list[float] = field(default_factory=list)
    """seconds of each pass"""
    backward: list[float] = field(default_factory=list)
    macs: tuple[int, int] = (0, 0)
    """multiply-adds forward and backward"""
    kernels: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    """which kernels ran, forward and backward"""

    def rate(self, backward: bool) -> float | None:
        """Billions of floating-point operations a second, two for each multiply-add; None where nothing was multiplied."""
        seconds = self.backward if backward else self.forward
        macs = self.macs[backward]
        return 2 * macs / min(seconds) / 1e9 if macs and seconds and min(seconds) > 0 else None


@dataclass
class Times:
    """The times of a net: by step, and of whole passes."""

    steps: list[StepTime]
    forward: list[float]
    backward: list[float]
    waiting: float = 0.0
    """share of the time that passes waited for data, 0 to 1"""

    def as_dict(self) -> dict[str, Any]:
        """For JSON: milliseconds, mean and least."""
        def both(seconds: list[float]) -> dict[str, float] | None:
            return {"mean_ms": 1e3 * sum(seconds) / len(seconds), "least_ms": 1e3 * min(seconds)} if seconds else None
        return {"forward": both(self.forward), "backward": both(self.backward), "waiting_for_data": self.waiting,
                "layers": [{"name": s.name, "type": s.type, "forward": both(s.forward), "backward": both(s.backward),
                            "gflops_forward": s.rate(False), "gflops_backward": s.rate(True),
                            "kernels_forward": list(s.kernels[0]), "kernels_backward": list(s.kernels[1])}
                           for s in self.steps]}

    def render(self, kernels: bool = False) -> str:
        """A table of the steps in the order of the file, then the lines that Caffe's ``time`` ends with."""
        whole = sum(map(_mean, (s.forward for s in self.steps))) + sum(map(_mean, (s.backward for s in self.steps)))
        head = ["layer", "type", "forward ms", "backward ms", "share", "GFLOP/s fwd", "bwd"]
        rows = []
        for s in self.steps:
            share = (_mean(s.forward) + _mean(s.backward)) / whole if whole else 0.0
            row = [s.name, s.type, _ms(s.forward), _ms(s.backward), f"{share:.1%}", _rate(s.rate(False)), _rate(s.rate(True))]
            rows.append(row + ([_kernels(s.kernels[0]), _kernels(s.kernels[1])] if kernels else []))
        head += ["kernels forward", "kernels backward"] if kernels else []
        lines = [table(rows, head, range(2, 7)), "", f"Average Forward pass: {_ms(self.forward)} ms."]
        if self.backward:
            lines += [f"Average Backward pass: {_ms(self.backward)} ms.",
                      f"Average Forward-Backward: {1e3 * (_mean(self.forward) + _mean(self.backward)):.3f} ms."]
        lines += [f"Waiting for data: {self.waiting:.1%} of the passes."] if self.waiting else []
        return "\n".join(lines)


def time_net(net: Net, iterations: int = 50, backward: bool = True, parts: bool = False,
             on_pass: Callable[[int], None] | None = None) -> Times:
    """Run ``net`` so many times, after one pass that compiles and fills caches, and time every step.

    ``parts`` times layers one by one also where several run as one. ``on_pass(i)`` is called after every pass.
    """
    steps: dict[str, StepTime] = {}
    backward = backward and bool(net.plan.backward_order)
    seen: list[str] = []
    begin = [0.0]

    def entry(run: Any) -> StepTime:
        if run.name not in steps:
            steps[run.name] = StepTime(run.name, run.type, macs=_macs(run))
        return steps[run.name]

    def start(run: Any) -> None:
        seen.clear()
        begin[0] = time.perf_counter()

    def end(run: Any, back: int) -> None:
        took = time.perf_counter() - begin[0]
        found = entry(run)
        (found.backward if back else found.forward).append(took)
        if seen:
            found.kernels = (found.kernels[0], tuple(seen)) if back else (tuple(seen), found.kernels[1])

    handles = [net.hooks.add("before_forward", start, parts=parts), net.hooks.add("before_backward", start, parts=parts),
               net.hooks.add("after_forward", lambda run: end(run, 0), parts=parts),
               net.hooks.add("after_backward", lambda run: end(run, 1), parts=parts)]
    whole = Times([], [], [])
    try:
        with watched(lambda name: seen.append(name) if name not in seen else None):
            _pass(net, backward, whole)
        for found in steps.values():  # the first pass compiled
            found.forward.clear()
            found.backward.clear()
        whole.forward.clear()
        whole.backward.clear()
        before = waited(net)
        for i in range(iterations):
            _pass(net, backward, whole)
            if on_pass is not None:
                on_pass(i)
        whole.waiting = (waited(net) - before) / (sum(whole.forward) + sum(whole.backward))
    finally:
        for handle in handles:
            handle.remove()
    whole.steps = list(steps.values())
    return whole


def _pass(net: Net, backward: bool, whole: Times) -> None:
    with _clock(whole.forward):
        net.forward()
    if backward:
        with _clock(whole.backward):
            net.backward()


@contextmanager
def _clock(seconds: list[float]) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - begin)


def _macs(run: Any) -> tuple[int, int]:
    """Multiply-adds of a step: backward does the forward's work once for the params and once for the bottoms, where needed."""
    forward = back = 0
    for part in run.runs:
        forward += part.inferred.macs
        back += part.inferred.macs * (any(part.need.bottoms) + any(part.need.params[:1]))
    return forward, back


def _mean(seconds: list[float]) -> float:
    return sum(seconds) / len(seconds) if seconds else 0.0


def _ms(seconds: list[float]) -> str:
    return f"{1e3 * _mean(seconds):.3f}" if seconds else "-"


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f}"


def _kernels(names: tuple[str, ...]) -> str:
    more = len(names) - KERNELS_SHOWN
    return ", ".join(names[:KERNELS_SHOWN]) + (f" and {more} more" if more > 0 else "") or "-"
