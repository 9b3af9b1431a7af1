"""Softmax and its loss. Where the classes lie side by side (inner 1), rows are taken in parallel, else blocks of places.

See the reference. The largest score is found by comparisons that pass over a NaN: the NaN then reaches the sum by itself.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.exponential import exp32
from netdef.kernels.jit import helper, kernel, prange
from netdef.kernels.reference.softmax import SMALLEST_NORMAL

Array = np.ndarray

LANES = 8  # largest values side by side: a chain of comparisons would wait for itself
BLOCK = 256  # places whose sums stay in the first-level cache
CHUNK = 1 << 12  # places of a partial sum of the loss; fixed, so that the sum does not depend on the threads
LOWEST = np.float32(-np.inf)


@helper
def _largest(x):
    """The largest of x (1-D), which is not empty; NaNs are passed over."""
    lanes = np.full(LANES, LOWEST)
    whole = x.size // LANES * LANES
    for i in range(0, whole, LANES):
        for k in range(LANES):
            lanes[k] = x[i + k] if x[i + k] > lanes[k] else lanes[k]
    best = LOWEST
    for k in range(LANES):
        best = max(best, lanes[k])
    for i in range(whole, x.size):
        best = x[i] if x[i] > best else best
    return best


@kernel("f[2] f![2]", fastmath=True)
def _softmax_rows(x, out):
    for row in prange(x.shape[0]):
        best = _largest(x[row])
        total = np.float32(0)
        for i in range(x.shape[1]):
            out[row, i] = exp32(x[row, i] - best)
        for i in range(x.shape[1]):
            total += out[row, i]
        share = np.float32(1) / total
        for i in range(x.shape[1]):
            out[row, i] *= share


@helper
def _raise_to(x, best):
    for i in range(best.size):
        best[i] = x[i] if x[i] > best[i] else best[i]


@helper
def _exponentials(x, best, out, total):
    for i in range(out.size):
        grown = exp32(x[i] - best[i])
        out[i] = grown
        total[i] += grown


@helper
def _multiply(factor, out):
    for i in range(out.size):
        out[i] *= factor[i]


@kernel("f[3] f![3]")
def _softmax_places(x, out):
    outer, classes, inner = x.shape
    blocks = (inner + BLOCK - 1) // BLOCK
    for part in prange(outer * blocks):
        o = part // blocks
        begin = part % blocks * BLOCK
        end = min(begin + BLOCK, inner)
        best, total = np.full(end - begin, LOWEST), np.zeros(end - begin, np.float32)
        for c in range(classes):
            _raise_to(x[o, c, begin:end], best)
        for c in range(classes):
            _exponentials(x[o, c, begin:end], best, out[o, c, begin:end], total)
        for i in range(total.size):
            total[i] = np.float32(1) / total[i]
        for c in range(classes):
            _multiply(total, out[o, c, begin:end])


@kernel("f[2] f[2] f![2]", fastmath=True)
def _gradient_rows(y, dy, dx):
    for row in prange(y.shape[0]):
        along = np.float32(0)
        for i in range(y.shape[1]):
            along += y[row, i] * dy[row, i]
        for i in range(y.shape[1]):
            dx[row, i] = y[row, i] * (dy[row, i] - along)


@helper
def _add_product(y, dy, along):
    for i in range(along.size):
        along[i] += y[i] * dy[i]


@helper
def _difference(y, dy, along, dx):
    for i in range(along.size):
        dx[i] = y[i] * (dy[i] - along[i])


@kernel("f[3] f[3] f![3]")
def _gradient_places(y, dy, dx):
    outer, classes, inner = y.shape
    blocks = (inner + BLOCK - 1) // BLOCK
    for part in prange(outer * blocks):
        o = part // blocks
        begin = part % blocks * BLOCK
        end = min(begin + BLOCK, inner)
        along = np.zeros(end - begin, np.float32)
        for c in range(classes):
            _add_product(y[o, c, begin:end], dy[o, c, begin:end], along)
        for c in range(classes):
            _difference(y[o, c, begin:end], dy[o, c, begin:end], along, dx[o, c, begin:end])


@helper
def _read_label(label, ignore, has_ignore, classes):
    """The class of a label; -1 where it is ignored, -2 where it is none."""
    if not abs(label) < 2147483648:  # NaN too
        return -2
    whole = np.int64(label)
    if has_ignore and whole == ignore:
        return -1
    return whole if 0 <= whole < classes else -2


@kernel("f[3] f[2] i i d![2]")
def _loss(prob, label, ignore, has_ignore, partial):
    classes, inner = prob.shape[1:]
    for chunk in prange(partial.shape[0]):
        total, counted, bad = 0.0, 0.0, -1.0
        for place in range(chunk * CHUNK, min((chunk + 1) * CHUNK, label.size)):
            o = place // inner
            i = place % inner
            wanted = _read_label(label[o, i], ignore, has_ignore, classes)
            if wanted >= 0:
                p = np.float64(prob[o, wanted, i])
                total -= np.log(SMALLEST_NORMAL if p < SMALLEST_NORMAL else p)
                counted += 1
            elif wanted == -2 and bad < 0:
                bad = place
        partial[chunk, 0], partial[chunk, 1], partial[chunk, 2] = total, counted, bad


@helper
def _times(x, factor, out):
    for i in range(out.size):
        out[i] = x[i] * factor


@kernel("f[3] f[2] i i f f![3]")
def _loss_gradient(prob, label, ignore, has_ignore, factor, dx):
    outer, classes, inner = prob.shape
    blocks = (inner + BLOCK - 1) // BLOCK
    for part in prange(outer * blocks):
        o = part // blocks
        begin = part % blocks * BLOCK
        end = min(begin + BLOCK, inner)
        for c in range(classes):
            _times(prob[o, c, begin:end], factor, dx[o, c, begin:end])
        for i in range(begin, end):
            wanted = _read_label(label[o, i], ignore, has_ignore, classes)
            if wanted >= 0:
                dx[o, wanted, i] -= factor
            else:
                for c in range(classes):
                    dx[o, c, i] = 0


@kernel("f[2] f[1] i i f f![2]")
def _loss_gradient_rows(prob, label, ignore, has_ignore, factor, dx):
    for row in prange(prob.shape[0]):
        wanted = _read_label(label[row], ignore, has_ignore, prob.shape[1])
        if wanted >= 0:
            _times(prob[row], factor, dx[row])
            dx[row, wanted] -= factor
        else:
            dx[row] = 0


def softmax_forward(x: Array, out: Array) -> None:
    """See the reference."""
    if x.shape[2] == 1:
        _softmax_rows(x[:, :, 0], out[:, :, 0])
    else:
        _softmax_places(x, out)


def softmax_backward(y: Array, dy: Array, dx: Array) -> None:
    """See the reference."""
    if y.shape[2] == 1:
        _gradient_rows(y[:, :, 0], dy[:, :, 0], dx[:, :, 0])
    else:
        _gradient_places(y, dy, dx)


def softmax_loss_forward(prob: Array, label: Array, ignore: int | None) -> tuple[float, int, int]:
    """See the reference."""
    partial = np.empty((-(-label.size // CHUNK), 3))
    _loss(prob, label, ignore or 0, ignore is not None, partial)
    rows = partial.tolist()
    return sum(row[0] for row in rows), int(sum(row[1] for row in rows)), next((int(r[2]) for r in rows if r[2] >= 0), -1)


def softmax_loss_backward(prob: Array, label: Array, ignore: int | None, scale: float, dx: Array) -> None:
    """See the reference."""
    how = (ignore or 0, ignore is not None, scale)
    if prob.shape[2] == 1:
        _loss_gradient_rows(prob[:, :, 0], label[:, 0], *how, dx[:, :, 0])
    else:
        _loss_gradient(prob, label, *how, dx)
