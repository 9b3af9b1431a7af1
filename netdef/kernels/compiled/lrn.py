"""Local response normalisation, planes in parallel. Rules and shapes: see the reference."""
from __future__ import annotations

import numpy as np

from netdef.kernels.compiled.pooling import ave_pool_backward, ave_pool_forward
from netdef.kernels.jit import helper, kernel, prange

Array = np.ndarray

USUAL = np.float32(0.75)  # the beta of every published net; its power is two square roots, which vectorise


@helper
def _times_power(x, scale, beta, out):
    """out = x * scale^-beta for one plane."""
    if beta == USUAL:
        for i in range(x.size):
            root = np.sqrt(scale[i])
            out[i] = x[i] / (root * np.sqrt(root))
    else:
        for i in range(x.size):
            out[i] = x[i] * scale[i] ** -beta


@kernel("f[3] i f f f f![3] f![3]")
def _across(x, half, share, beta, k, scale, out):
    images, channels, places = x.shape
    for plane in prange(images * channels):
        n = plane // channels
        c = plane % channels
        to = scale[n, c]
        to[:] = 0
        for j in range(max(c - half, 0), min(c + half + 1, channels)):
            source = x[n, j]
            for i in range(places):
                to[i] += source[i] * source[i]
        for i in range(places):
            to[i] = k + share * to[i]
        _times_power(x[n, c], to, beta, out[n, c])


@kernel("f[2] f[2] f[2] f f![2] f![2]")
def _terms(x, scale, dy, beta, direct, through_scale):
    for plane in prange(x.shape[0]):
        _times_power(dy[plane], scale[plane], beta, direct[plane])
        for i in range(x.shape[1]):
            through_scale[plane, i] = direct[plane, i] * x[plane, i] / scale[plane, i]


@kernel("f[3] f[3] f[3] i f f![3]")
def _across_gradient(x, direct, through_scale, half, factor, dx):
    images, channels, places = x.shape
    for plane in prange(images * channels):
        n = plane // channels
        c = plane % channels
        to = dx[n, c]
        to[:] = 0
        for j in range(max(c - half, 0), min(c + half + 1, channels)):
            source = through_scale[n, j]
            for i in range(places):
                to[i] += source[i]
        for i in range(places):
            to[i] = direct[n, c, i] - factor * x[n, c, i] * to[i]


@kernel("f[2] f![2]")
def _squares(x, out):
    for plane in prange(x.shape[0]):
        for i in range(x.shape[1]):
            out[plane, i] = x[plane, i] * x[plane, i]


@kernel("f[2] f f f![2] f![2]")
def _within(x, alpha, beta, scale, out):
    for plane in prange(x.shape[0]):
        for i in range(x.shape[1]):
            scale[plane, i] = np.float32(1) + alpha * scale[plane, i]
        _times_power(x[plane], scale[plane], beta, out[plane])


@kernel("f[2] f[2] f f![2]")
def _within_gradient(x, direct, factor, dx):
    for plane in prange(x.shape[0]):
        for i in range(x.shape[1]):
            dx[plane, i] = direct[plane, i] - factor * x[plane, i] * dx[plane, i]


def lrn_across_forward(x: Array, size: int, alpha: float, beta: float, k: float, scale: Array, out: Array) -> None:
    """See the reference."""
    _across(x, size // 2, alpha / size, beta, k, scale, out)


def lrn_across_backward(x: Array, scale: Array, dy: Array, size: int, alpha: float, beta: float, buffer: Array,
                        dx: Array) -> None:
    """See the reference."""
    direct, through_scale = buffer
    _terms(_flat(x), _flat(scale), _flat(dy), beta, _flat(direct), _flat(through_scale))
    _across_gradient(x, direct, through_scale, size // 2, 2 * alpha * beta / size, dx)


def lrn_within_forward(x: Array, size: int, alpha: float, beta: float, scale: Array, out: Array) -> None:
    """See the reference."""
    _squares(_flat(x), _flat(out))
    ave_pool_forward(out, (size, size), (1, 1), (size // 2, size // 2), scale)
    _within(_flat(x), alpha, beta, _flat(scale), _flat(out))


def lrn_within_backward(x: Array, scale: Array, dy: Array, size: int, alpha: float, beta: float, buffer: Array,
                        dx: Array) -> None:
    """See the reference."""
    direct, through_scale = buffer
    _terms(_flat(x), _flat(scale), _flat(dy), beta, _flat(direct), _flat(through_scale))
    ave_pool_backward(through_scale, (size, size), (1, 1), (size // 2, size // 2), dx)
    _within_gradient(_flat(x), _flat(direct), 2 * alpha * beta, _flat(dx))


def _flat(a: Array) -> Array:
    """(N, C, ...) as (planes, places)."""
    return a.reshape(a.shape[0] * a.shape[1], int(np.prod(a.shape[2:])))
