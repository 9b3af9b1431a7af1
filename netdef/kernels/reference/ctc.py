"""Connectionist temporal classification: how likely all ways of reading a sequence are together, in logarithms.

A way of reading says one symbol or the blank in each frame; said twice in a row a symbol counts once, unless a blank lies
between. The sequence with a blank before, between and behind its symbols has 2 L + 1 states; from a state a reading stays, goes
to the next, or skips a blank between two symbols that differ. ``alpha`` sums the ways to a state, ``beta`` those from it on.
"""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def ctc(logp: Array, labels: Array, lengths: Array, blank: int, losses: Array, posterior: Array) -> None:
    """losses = -log of the probability of each sequence; posterior = the share of its readings that say c in frame t.

    logp is (T, N, C), log probabilities in float64; labels (N, L) and lengths (N), int32: the first lengths[n] of labels[n] are
    symbols, none of them the blank; losses (N) float64, posterior (T, N, C) float64. A sequence that does not fit into T
    frames has the loss inf and a posterior of zeros.
    """
    frames = len(logp)
    posterior[...] = 0
    for n, length in enumerate(lengths):
        states = np.full(2 * length + 1, blank)
        states[1::2] = labels[n, :length]
        p = logp[:, n, states]
        skips = np.zeros(len(states), bool)
        skips[3::2] = states[3::2] != states[1:-2:2]
        alpha, beta = np.full((2, frames, len(states)), -np.inf)
        if frames:
            alpha[0, :2] = p[0, :2]
            beta[-1, -2:] = 0
        for t in range(1, frames):
            alpha[t] = _gathered(alpha[t - 1], skips) + p[t]
            here = beta[-t] + p[-t]
            beta[-t - 1] = _gathered(here[::-1], np.concatenate((skips[2:], [False, False]))[::-1])[::-1]
        total = np.logaddexp.reduce(alpha[-1, -2:]) if frames else (0.0 if length == 0 else -np.inf)
        losses[n] = -total
        if total > -np.inf:
            shares = np.exp(alpha + beta - total)
            np.add.at(posterior[:, n].T, states, shares.T)


def _gathered(before: Array, skips: Array) -> Array:
    """For each state the sum of the ways into it: from itself, from the state before, and where it may from two before."""
    out = before.copy()
    out[1:] = np.logaddexp(out[1:], before[:-1])
    out[2:] = np.where(skips[2:], np.logaddexp(out[2:], before[:-2]), out[2:])
    return out
