"""Depthwise convolution by 3x3 windows, stride 1 or 2: read from the image where it lies, summed in registers.

``LANES`` outputs of a row are worked on at a time, from the first row to the last. Three vectors, *a triple*, are what the three
columns of a window read of one row of the image; a triple serves the two or three rows of outputs whose windows reach it, so
that each row is read once. Places outside of the image are lanes off a mask, rows outside of it are triples of zeros.

With a stride of 2 a triple is taken apart from twice as many elements, and the gradient by the image is made for 2x2 places at
a time: the windows that reach one of them have 4, 2, 2 or 1 taps there.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from netdef.kernels.compiled.simd import (
    I64,
    LANES,
    ZERO,
    _void,
    at,
    counted,
    first_lanes,
    int64,
    ir,
    lanes,
    load,
    load_scalar,
    multiply_add,
    splat,
    store,
    total,
)
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import intrinsic, kernel, prange

Array = np.ndarray

PLANES = 8  # planes of a task
TAPS = 9


def suits(g: Geometry) -> bool:
    """Whether a depthwise convolution is one of these: a filter a channel, no dilation, a pad within the window."""
    return (g.kernel == (3, 3) and g.stride in ((1, 1), (2, 2)) and g.dilation == (1, 1) and max(g.pad) <= 2
            and g.filters == g.channels)


def forward(g: Geometry, x: Array, w: Array, bias: Array, slope: float, out: Array) -> None:
    """out = convolution of x by w, plus bias, times ``slope`` where that is not above 0."""
    _forward(x.reshape(-1), w.reshape(-1), 0, bias, g.images, g.channels, *g.image, *g.out, g.stride[0], *g.pad, slope,
             out.reshape(-1))


def backward_data(g: Geometry, dy: Array, w: Array, dx: Array) -> None:
    """dx = gradient by the image; with stride 1 that is the output gradient convolved by the windows turned over."""
    flat = dy.reshape(-1), w.reshape(-1)
    if g.stride == (1, 1):
        _forward(*flat, 1, np.zeros(g.channels, np.float32), g.images, g.channels, *g.out, *g.image, 1, 2 - g.pad[0],
                 2 - g.pad[1], 1.0, dx.reshape(-1))
    else:
        _backward_data(*flat, g.images, g.channels, *g.image, *g.out, *g.pad, dx.reshape(-1))


def backward_weights(g: Geometry, x: Array, dy: Array, dw: Array) -> None:
    """dw += gradient by the weights."""
    _backward_weights(x.reshape(-1), dy.reshape(-1), g.images, g.channels, *g.image, *g.out, g.stride[0], *g.pad,
                      dw.reshape(-1))


def window_sums(x: Array, weight: float, stride: int, pad: tuple[int, int], out: Array) -> None:
    """out = weight times the sum of each window; x is (planes, H, W), out (planes, OH, OW). Windows may reach beyond the pad."""
    _forward(x.reshape(-1), np.full(TAPS, weight, np.float32), 0, np.zeros(1, np.float32), len(x), 1, *x.shape[1:],
             *out.shape[1:], stride, *pad, 1.0, out.reshape(-1))


def window_sums_gradient(dy: Array, weight: float, stride: int, pad: tuple[int, int], dx: Array) -> None:
    """The gradient of ``window_sums``."""
    if stride == 1:
        window_sums(dy, weight, 1, (2 - pad[0], 2 - pad[1]), dx)
    else:
        _backward_data(dy.reshape(-1), np.full(TAPS, weight, np.float32), len(dy), 1, *dx.shape[1:], *dy.shape[1:], *pad,
                       dx.reshape(-1))


# ------------------------------------------------------------------------------------------------------ rows of an image

def _within(b: Any, first: Any, size: Any) -> Any:
    """A mask: which of the places first, first + 1, ... are from 0 to size - 1."""
    kind = ir.VectorType(I64, LANES)
    places = b.add(ir.Constant(kind, list(range(LANES))), splat(b, first, kind))
    return b.icmp_unsigned("<", places, splat(b, size, kind))


class _Columns:
    """The columns of an image that LANES outputs of a row read, the first of them from column ``first`` on."""

    def __init__(self, b: Any, stride: int, first: Any, width: Any) -> None:
        self.stride, self.first = stride, first
        starts = (0, 1, 2) if stride == 1 else (0, LANES, 2, LANES + 2)
        self.parts = [(start, _within(b, b.add(first, int64(start)), width)) for start in starts]

    def triple(self, b: Any, row: Any) -> list[Any]:
        """What the three columns of the windows read of the row of the image at this address."""
        read = [load(b, row, b.add(self.first, int64(start)), mask) for start, mask in self.parts]
        if self.stride == 1:
            return read
        even, odd = (lanes(list(range(k, 2 * LANES, 2))) for k in (0, 1))
        return [b.shuffle_vector(read[0], read[1], even), b.shuffle_vector(read[0], read[1], odd),
                b.shuffle_vector(read[2], read[3], even)]

    def triple_or_zeros(self, b: Any, plane: Any, row: Any, height: Any, width: Any) -> list[Any]:
        """The same of row number ``row`` of a plane, which may lie outside of it."""
        before = b.block
        with b.if_then(b.icmp_unsigned("<", row, height)):
            read = self.triple(b, at(b, plane, b.mul(row, width)))
            behind = b.block
        found = [b.phi(ZERO.type) for _ in read]
        for phi, value in zip(found, read, strict=True):
            phi.add_incoming(ZERO, before)
            phi.add_incoming(value, behind)
        return found


def _add(b: Any, sums: Any, weights: list[Any], triple: list[Any]) -> Any:
    for weight, vector in zip(weights, triple, strict=True):
        sums = multiply_add(b, weight, vector, sums)
    return sums


def _windows(b: Any, w: Any, w_at: Any, turned: Any) -> list[list[Any]]:
    """Rows of three weights, each in all lanes; from the window's end unless ``turned`` is 0."""
    forward = b.icmp_signed("==", turned, int64(0))
    places = [b.add(w_at, b.select(forward, int64(t), int64(TAPS - 1 - t))) for t in range(TAPS)]
    found = [splat(b, load_scalar(b, w, place)) for place in places]
    return [found[i: i + 3] for i in range(0, TAPS, 3)]


# --------------------------------------------------------------------------------------------------------- one plane each

@intrinsic
def _plane_by_1(typing, out, out_at, x, x_at, w, w_at, turned, height, width, out_h, out_w, ph, pw, bias, slope):
    """A plane of outputs, stride 1."""
    def emit(b, out, out_at, x, x_at, w, w_at, turned, height, width, out_h, out_w, ph, pw, bias, slope):
        out, x, end = at(b, out, out_at), at(b, x, x_at), b.add(out_h, int64(2))
        windows, shift, factor = _windows(b, w, w_at, turned), splat(b, bias), splat(b, slope)

        def block(column, nothing):
            here, mask = _Columns(b, 1, b.sub(column, pw), width), first_lanes(b, b.sub(out_w, column))
            to = at(b, out, column)

            def finished(i, sums):  # the row of outputs whose last row of windows was read with i
                with b.if_then(b.icmp_signed(">=", i, int64(2))):
                    _finish(b, sums, shift, factor, to, b.mul(b.sub(i, int64(2)), out_w), mask)

            def row(i, sums):
                triple = here.triple(b, at(b, x, b.mul(b.sub(i, ph), width)))
                finished(i, _add(b, sums[1], windows[2], triple))
                return [_add(b, ZERO, windows[0], triple), _add(b, sums[0], windows[1], triple)]

            def row_of_zeros(i, sums):
                finished(i, sums[1])
                return [ZERO, sums[0]]

            read = b.add(height, ph)
            counted(b, read, end, counted(b, ph, read, [ZERO, ZERO], row), row_of_zeros)
            return nothing
        counted(b, int64(0), out_w, [], block, LANES)
    return _void((out, out_at, x, x_at, w, w_at, turned, height, width, out_h, out_w, ph, pw, bias, slope), emit)


@intrinsic
def _plane_by_2(typing, out, out_at, x, x_at, w, w_at, height, width, out_h, out_w, ph, pw, bias, slope):
    """A plane of outputs, stride 2."""
    def emit(b, out, out_at, x, x_at, w, w_at, height, width, out_h, out_w, ph, pw, bias, slope):
        out, x = at(b, out, out_at), at(b, x, x_at)
        windows, shift, factor = _windows(b, w, w_at, int64(0)), splat(b, bias), splat(b, slope)

        def block(column, nothing):
            here = _Columns(b, 2, b.sub(b.mul(column, int64(2)), pw), width)
            mask, to = first_lanes(b, b.sub(out_w, column)), at(b, out, column)

            def row(i, upper):
                y = b.sub(b.mul(i, int64(2)), ph)
                middle, lower = (here.triple_or_zeros(b, x, b.add(y, int64(k)), height, width) for k in (1, 2))
                sums = ZERO
                for weights, triple in zip(windows, (upper, middle, lower), strict=True):
                    sums = _add(b, sums, weights, triple)
                _finish(b, sums, shift, factor, to, b.mul(i, out_w), mask)
                return lower
            counted(b, int64(0), out_h, here.triple_or_zeros(b, x, b.neg(ph), height, width), row)
            return nothing
        counted(b, int64(0), out_w, [], block, LANES)
    return _void((out, out_at, x, x_at, w, w_at, height, width, out_h, out_w, ph, pw, bias, slope), emit)


def _finish(b: Any, sums: Any, shift: Any, factor: Any, to: Any, place: Any, mask: Any) -> None:
    value = b.fadd(sums, shift)
    store(b, b.select(b.fcmp_ordered("<=", value, ZERO), b.fmul(value, factor), value), to, place, mask)


@intrinsic
def _gradient_by_2(typing, dx, dx_at, dy, dy_at, w, w_at, height, width, out_h, out_w, ph, pw):
    """The gradient of a plane of the image, stride 2: rows 2i and 2i + 1 of the padded image from rows i - 1 and i of dy."""
    def emit(b, dx, dx_at, dy, dy_at, w, w_at, height, width, out_h, out_w, ph, pw):
        dx, dy, two = at(b, dx, dx_at), at(b, dy, dy_at), int64(2)
        (w00, w01, w02), (w10, w11, w12), (w20, w21, w22) = _windows(b, w, w_at, int64(0))
        order = [k // 2 + LANES * (k % 2) for k in range(2 * LANES)]

        def block(column, nothing):
            here, before = (_within(b, b.sub(column, int64(k)), out_w) for k in (0, 1))
            first = b.sub(b.mul(column, two), pw)
            masks = [_within(b, b.add(first, int64(k)), width) for k in (0, LANES)]

            def put(row, even, odd):
                with b.if_then(b.icmp_unsigned("<", row, height)):
                    for k, mask in enumerate(masks):
                        woven = b.shuffle_vector(even, odd, lanes(order[k * LANES: (k + 1) * LANES]))
                        store(b, woven, dx, b.add(b.mul(row, width), b.add(first, int64(k * LANES))), mask)

            def read(i):
                start = b.block
                with b.if_then(b.icmp_unsigned("<", i, out_h)):
                    place = b.add(b.mul(i, out_w), column)
                    found = [load(b, dy, place, here), load(b, dy, b.sub(place, int64(1)), before)]
                    behind = b.block
                phis = [b.phi(ZERO.type) for _ in found]
                for phi, value in zip(phis, found, strict=True):
                    phi.add_incoming(ZERO, start)
                    phi.add_incoming(value, behind)
                return phis

            def row(i, above):
                below = read(i)
                y = b.sub(b.mul(i, two), ph)
                put(y, _add(b, ZERO, [w00, w02, w20, w22], [*below, *above]), _add(b, ZERO, [w01, w21], [below[0], above[0]]))
                put(b.add(y, int64(1)), _add(b, ZERO, [w10, w12], below), _add(b, ZERO, [w11], below[:1]))
                return below

            counted(b, int64(0), b.ashr(b.add(b.add(height, ph), int64(1)), int64(1)), [ZERO, ZERO], row)
            return nothing
        counted(b, int64(0), b.ashr(b.add(b.add(width, pw), int64(1)), int64(1)), [], block, LANES)
    return _void((dx, dx_at, dy, dy_at, w, w_at, height, width, out_h, out_w, ph, pw), emit)


def _dots(stride: int) -> Any:
    """The code for ``sums[t * LANES + lane] += sum of dy * x`` over a plane, for the nine taps t."""
    def emit(b, sums, x, x_at, dy, dy_at, height, width, out_h, out_w, ph, pw):
        x, dy = at(b, x, x_at), at(b, dy, dy_at)
        kept = [load(b, sums, int64(t * LANES)) for t in range(TAPS)]

        def block(column, nine):
            here, mask = _Columns(b, stride, b.sub(b.mul(column, int64(stride)), pw), width), first_lanes(b, b.sub(out_w, column))

            def read(row):  # lanes without an output are zero, whatever lies there: an infinity times 0 would be no number
                return [b.select(mask, v, ZERO) for v in here.triple_or_zeros(b, x, row, height, width)]

            def row(i, values):
                nine, triples = values[:TAPS], values[TAPS:]
                y = b.sub(b.mul(i, int64(stride)), ph)
                for k in range(3 - stride, 3):
                    triples = [*triples, *read(b.add(y, int64(k)))]
                gradient = load(b, dy, b.add(b.mul(i, out_w), column), mask)
                nine = [multiply_add(b, gradient, v, s) for v, s in zip(triples, nine, strict=True)]
                return nine + triples[3 * stride:]

            before = [v for k in range(3 - stride) for v in read(b.sub(int64(k), ph))]
            return counted(b, int64(0), out_h, [*nine, *before], row)[:TAPS]

        for t, value in enumerate(counted(b, int64(0), out_w, kept, block, LANES)):
            store(b, value, sums, int64(t * LANES))
    return emit


@intrinsic
def _dots_by_1(typing, sums, x, x_at, dy, dy_at, height, width, out_h, out_w, ph, pw):
    """Stride 1."""
    return _void((sums, x, x_at, dy, dy_at, height, width, out_h, out_w, ph, pw), _dots(1))


@intrinsic
def _dots_by_2(typing, sums, x, x_at, dy, dy_at, height, width, out_h, out_w, ph, pw):
    """Stride 2."""
    return _void((sums, x, x_at, dy, dy_at, height, width, out_h, out_w, ph, pw), _dots(2))


# ------------------------------------------------------------------------------------------------------------ all planes

@kernel("f[1] f[1] i f[1] i i i i i i i i i f f![1]")
def _forward(x, w, turned, bias, images, channels, height, width, out_h, out_w, stride, ph, pw, slope, out):
    for task in prange((images * channels + PLANES - 1) // PLANES):
        for p in range(task * PLANES, min(images * channels, (task + 1) * PLANES)):
            c = p % channels
            to, source = p * out_h * out_w, p * height * width
            if stride == 1:
                _plane_by_1(out, to, x, source, w, c * TAPS, turned, height, width, out_h, out_w, ph, pw, bias[c], slope)
            else:
                _plane_by_2(out, to, x, source, w, c * TAPS, height, width, out_h, out_w, ph, pw, bias[c], slope)


@kernel("f[1] f[1] i i i i i i i i f![1]")
def _backward_data(dy, w, images, channels, height, width, out_h, out_w, ph, pw, dx):
    for task in prange((images * channels + PLANES - 1) // PLANES):
        for p in range(task * PLANES, min(images * channels, (task + 1) * PLANES)):
            _gradient_by_2(dx, p * height * width, dy, p * out_h * out_w, w, p % channels * TAPS, height, width, out_h, out_w, ph,
                           pw)


@kernel("f[1] f[1] i i i i i i i i i f![1]")
def _backward_weights(x, dy, images, channels, height, width, out_h, out_w, stride, ph, pw, dw):
    for c in prange(channels):
        sums = np.zeros(TAPS * LANES, np.float32)
        for image in range(images):
            p = image * channels + c
            if stride == 1:
                _dots_by_1(sums, x, p * height * width, dy, p * out_h * out_w, height, width, out_h, out_w, ph, pw)
            else:
                _dots_by_2(sums, x, p * height * width, dy, p * out_h * out_w, height, width, out_h, out_w, ph, pw)
        for t in range(TAPS):
            dw[c * TAPS + t] += total(sums, t * LANES, LANES)
