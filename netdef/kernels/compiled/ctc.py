"""Connectionist temporal classification: sequences in parallel. Rules: see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import helper, kernel, prange

Array = np.ndarray


@helper
def _sum(a, b):
    """log(exp(a) + exp(b))."""
    high = max(a, b)
    low = min(a, b)
    return high if low == -np.inf else high + np.log1p(np.exp(low - high))


@kernel("d[3] j[2] j[1] i d![1] d![3]")
def _ctc(logp, labels, lengths, blank, losses, posterior):
    frames, items, classes = logp.shape
    for n in prange(items):
        count = 2 * lengths[n] + 1
        states = np.full(count, blank, np.int64)
        for k in range(lengths[n]):
            states[2 * k + 1] = labels[n, k]
        alpha = np.full((frames, count), -np.inf)
        beta = np.full((frames, count), -np.inf)
        for t in range(frames):
            for c in range(classes):
                posterior[t, n, c] = 0
        for s in range(min(2, count)):
            alpha[0, s] = logp[0, n, states[s]]
            beta[frames - 1, count - 1 - s] = 0
        for t in range(1, frames):
            for s in range(count):
                total = alpha[t - 1, s]
                if s > 0:
                    total = _sum(total, alpha[t - 1, s - 1])
                if s > 2 and states[s] != blank and states[s] != states[s - 2]:
                    total = _sum(total, alpha[t - 1, s - 2])
                alpha[t, s] = total + logp[t, n, states[s]]
        for t in range(frames - 2, -1, -1):
            for s in range(count):
                total = beta[t + 1, s] + logp[t + 1, n, states[s]]
                if s + 1 < count:
                    total = _sum(total, beta[t + 1, s + 1] + logp[t + 1, n, states[s + 1]])
                if s + 2 < count and states[s + 2] != blank and states[s + 2] != states[s]:
                    total = _sum(total, beta[t + 1, s + 2] + logp[t + 1, n, states[s + 2]])
                beta[t, s] = total
        total = alpha[frames - 1, count - 1]
        if count > 1:
            total = _sum(total, alpha[frames - 1, count - 2])
        losses[n] = -total
        if total > -np.inf:
            for t in range(frames):
                for s in range(count):
                    posterior[t, n, states[s]] += np.exp(alpha[t, s] + beta[t, s] - total)


def ctc(logp: Array, labels: Array, lengths: Array, blank: int, losses: Array, posterior: Array) -> None:
    """See the reference."""
    _ctc(logp, labels, lengths, blank, losses, posterior)
