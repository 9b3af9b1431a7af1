"""From the gradients of a net to changes of its params: clip, normalise, decay, then the rule (Caffe's order)."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from netdef import kernels as K
from netdef.runtime.net import Net
from netdef.solvers.rules import DecayingRule, Rule


class Update:
    """Applies the gradients that lie in a net's params.

    ``p`` is the SolverParameter; it is read anew each time, so that a user may change a value between steps.
    Params with lr_mult 0 count in the norm that clipping looks at, and stay as they are, history included.
    """

    def __init__(self, net: Net, p: Any, rule: type[Rule]) -> None:
        self.net = net
        self.p = p
        self.params = [net.plan.params[i] for i in net.learnable()]
        self.blobs = [net.param_blobs[param.id] for param in self.params]
        names = [f"{net.plan.description.layers[param.layer].name}[{param.index}]" for param in self.params]
        self.rule = rule(p, self.blobs, names)

    def apply(self, rate: float, iteration: int) -> None:
        """One update with the learning rate ``rate``; the diffs hold the gradient afterwards as the rule left it, or with
        snapshot_diff what was taken off the params (0 for those with lr_mult 0), as in Caffe."""
        if self.p.snapshot_diff:
            before = [blob.data.copy() for blob in self.blobs]
            self._apply(rate, iteration)
            for blob, data in zip(self.blobs, before, strict=True):
                np.subtract(data, blob.data, out=blob.diff)
            return
        self._apply(rate, iteration)

    def _apply(self, rate: float, iteration: int) -> None:
        scale = self._clip_scale()
        if scale != 1:
            self._scale(scale)
        if self.p.iter_size != 1:
            self._scale(1 / self.p.iter_size)
        for k, (param, blob) in enumerate(zip(self.params, self.blobs, strict=True)):
            if param.lr_mult == 0:
                continue
            own_rate = rate * param.lr_mult
            decay = self.p.weight_decay * param.decay_mult
            if self.rule.decoupled:
                self._decay(blob.data, blob.data, -own_rate * decay)
            elif isinstance(self.rule, DecayingRule) and self.p.regularization_type != "L1":
                self.rule.update(k, blob.data, blob.diff, own_rate, iteration, decay)
                continue
            else:
                self._decay(blob.data, blob.diff, decay)
            self.rule.update(k, blob.data, blob.diff, own_rate, iteration)

    def norm(self) -> float:
        """L2 norm of all gradients together, as they are now."""
        return math.sqrt(sum(K.sum_squares(blob.diff) for blob in self.blobs if blob.has_diff))

    def _clip_scale(self) -> float:
        """What to multiply the gradients by so that their norm is at most clip_gradients (negative: no limit)."""
        limit = self.p.clip_gradients
        if limit < 0:
            return 1.0
        norm = self.norm()
        return limit / norm if norm > limit else 1.0

    def _scale(self, factor: float) -> None:
        for blob in self.blobs:
            if blob.has_diff:
                K.scale(factor, blob.diff, blob.diff)

    def _decay(self, w: np.ndarray, g: np.ndarray, decay: float) -> None:
        """``g += decay * w``, or of its sign; ``g`` may be ``w`` itself, for each value is read before it is written."""
        if decay == 0:
            return
        decayed = K.l1_decay if self.p.regularization_type == "L1" else K.l2_decay
        decayed(w, decay, g)
