"""Depthwise convolution: every channel has its own windows, so there is no matrix product to make.

Windows of 3x3 are the usual ones, and have kernels of their own in ``depthwise3.py``. All others are done here.

A plane of the image is first laid out as a *strip*: padded, and with strides of s cut into s x s phases (the places whose row
and column leave the same remainders), each in rows of ``pitch`` elements. Then all places that one tap of the window reads
lie one behind another, ``offset[tap]`` behind the place of the output, for any stride and dilation; an output plane is a sum of
shifted vectors, and so is each phase of the gradient by the image. The last ``pitch - width`` elements of a row mean
nothing: they are left out on the way back, and are zero in a strip of output gradients.
"""
from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from netdef.kernels.compiled import depthwise3
from netdef.kernels.compiled.simd import (
    I64,
    LANES,
    ZERO,
    _void,
    accumulate,
    at,
    copy,
    counted,
    fill,
    finish,
    first_lanes,
    for_vectors,
    int64,
    lanes,
    load,
    load_scalar,
    multiply_add,
    splat,
    store,
    total,
)
from netdef.kernels.conv_blocks import Geometry
from netdef.kernels.jit import helper, intrinsic, kernel, prange

Array = np.ndarray

WIDE = 4  # vectors of outputs that are summed side by side
SIDE = 3  # taps whose gradients are summed side by side
PLANES = 8  # planes of a task: they share its scratch, whose pads are set to zero once
SLACK = 2 * WIDE * LANES  # floats behind a strip that whole vectors may touch


class Strip(NamedTuple):
    """How a plane lies in scratch, and where the taps find it."""

    height: int
    """rows of a phase"""
    pitch: int
    """elements of a row"""
    offsets: Array
    """int64: for each tap, how far its inputs lie behind the output's place"""
    back: Array
    """int64: the same for the gradient by the image, taps sorted by phase: how far its outputs lie before a place of the phase"""
    order: Array
    """int64: the taps in that order"""
    first: Array
    """int64: where each phase begins in it, and the end"""


@lru_cache(maxsize=256)
def strip(g: Geometry) -> Strip:
    """The strip of a depthwise convolution."""
    (sh, sw), (dh, dw), (kh, kw) = g.stride, g.dilation, g.kernel
    height = g.out[0] + (kh - 1) * dh // sh
    pitch = g.out[1] + (kw - 1) * dw // sw
    rows, columns = np.divmod(np.arange(kh * kw), kw)
    phase = rows * dh % sh * sw + columns * dw % sw
    inside = rows * dh // sh * pitch + columns * dw // sw
    order = np.argsort(phase, kind="stable")
    first = np.searchsorted(phase[order], np.arange(sh * sw + 1))
    return Strip(height, pitch, phase * height * pitch + inside, -inside[order], order, first)


def suits(g: Geometry) -> bool:
    """Whether this is one: a group for each channel, two axes, at least one output."""
    return len(g.kernel) == 2 and g.group == g.channels > 1 and g.images * g.area > 0


def scratch(g: Geometry) -> int:
    """Floats of scratch from the caller: none, a task needs no more than a few planes."""
    return 0


def forward(g: Geometry, x: Array, w: Array, bias: Array | None, slope: float | None, out: Array) -> None:
    """out = convolution of x by w, plus bias, through a leaky ReLU unless ``slope`` is None; shapes as in the reference."""
    bias = np.zeros(g.filters, np.float32) if bias is None else bias
    if depthwise3.suits(g):
        depthwise3.forward(g, x, w, bias, 1.0 if slope is None else slope, out)
        return
    s = strip(g)
    _forward(x.reshape(-1), w.reshape(-1), bias, s.offsets, g.images, g.channels, g.filters // g.channels, *g.image, *g.out,
             *g.stride, *g.pad, s.height, s.pitch, 1.0 if slope is None else slope, out.reshape(-1))


def backward_data(g: Geometry, dy: Array, w: Array, dx: Array) -> None:
    """dx = gradient by the image."""
    if depthwise3.suits(g):
        depthwise3.backward_data(g, dy, w, dx)
        return
    s = strip(g)
    _backward_data(dy.reshape(-1), w.reshape(-1), s.back, s.order, s.first, g.images, g.channels, g.filters // g.channels,
                   *g.image, *g.out, *g.stride, *g.pad, s.height, s.pitch, dx.reshape(-1))


def backward_weights(g: Geometry, x: Array, dy: Array, dw: Array) -> None:
    """dw += gradient by the weights."""
    if depthwise3.suits(g):
        depthwise3.backward_weights(g, x, dy, dw)
        return
    s = strip(g)
    _backward_weights(x.reshape(-1), dy.reshape(-1), s.offsets, g.images, g.channels, g.filters // g.channels, *g.image, *g.out,
                      *g.stride, *g.pad, s.height, s.pitch, dw.reshape(-1))


@intrinsic
def _every_second(typing, to, to_at, source, source_at, n):
    """to[i] = source[2 * i]."""
    def emit(b, to, to_at, source, source_at, n):
        to, source = at(b, to, to_at), at(b, source, source_at)

        def body(i, mask):
            twice = b.mul(i, int64(2))
            read = b.sub(b.mul(b.sub(n, i), int64(2)), int64(1))
            low = load(b, source, twice, first_lanes(b, read))
            high = load(b, source, b.add(twice, int64(LANES)), first_lanes(b, b.sub(read, int64(LANES))))
            store(b, b.shuffle_vector(low, high, lanes(list(range(0, 2 * LANES, 2)))), to, i, mask)
        for_vectors(b, n, body)
    return _void((to, to_at, source, source_at, n), emit)


@intrinsic
def _weave(typing, to, to_at, even, even_at, odd, odd_at, n):
    """to[2 * i] = even[i] and to[2 * i + 1] = odd[i], n elements of ``to``; reads whole vectors."""
    def emit(b, to, to_at, even, even_at, odd, odd_at, n):
        to, even, odd = at(b, to, to_at), at(b, even, even_at), at(b, odd, odd_at)
        order = [k // 2 + LANES * (k % 2) for k in range(LANES)]

        def body(i, mask):
            place = b.ashr(i, int64(1))
            first, second = load(b, even, place), load(b, odd, place)  # only the first half of each is used
            store(b, b.shuffle_vector(first, second, lanes(order)), to, i, mask)
        for_vectors(b, n, body)
    return _void((to, to_at, even, even_at, odd, odd_at, n), emit)


@helper
def _reach(size, pad, stride, phase, most):
    """The places [begin, end) of a phase, at most ``most``, that lie in an image of ``size``."""
    begin = max(0, (pad - phase + stride - 1) // stride)
    return begin, max(begin, min(most, (size + pad - phase + stride - 1) // stride))


@helper
def _lay_out(x, x_at, height, width, sh, sw, ph, pw, rows, pitch, to):
    """The plane at ``x_at`` -> its strip: phases (sh, sw) of ``rows`` rows each. Leaves the pads alone: they stay zero."""
    for a in range(sh):
        top, bottom = _reach(height, ph, sh, a, rows)
        for b in range(sw):
            begin, end = _reach(width, pw, sw, b, pitch)
            source = x_at + (top * sh + a - ph) * width + begin * sw + b - pw
            place = ((a * sw + b) * rows + top) * pitch + begin
            for _ in range(bottom - top):
                if sw == 1:
                    copy(to, place, x, source, end - begin)
                elif sw == 2:
                    _every_second(to, place, x, source, end - begin)
                else:
                    for i in range(end - begin):
                        to[place + i] = x[source + i * sw]
                source += sh * width
                place += pitch


@helper
def _put_back(strip, height, width, sh, sw, ph, pw, rows, pitch, x, x_at):
    """A strip -> the plane at ``x_at``; places of the image that no window reaches are zero."""
    reached = min(width, pitch * sw - pw)
    if height > rows * sh - ph or reached < width:
        fill(x, x_at, 0.0, height * width)
    if reached <= 0:
        return
    for a in range(sh):
        top, bottom = _reach(height, ph, sh, a, rows)
        for row in range(top, bottom):
            to = x_at + (row * sh + a - ph) * width
            source = (a * sw * rows + row) * pitch
            if sw == 1:
                copy(x, to, strip, source + pw, reached)
            elif sw == 2:
                even, odd = source + pw // 2, source + rows * pitch + pw // 2
                if pw % 2:
                    even, odd = odd, even + 1
                _weave(x, to, strip, even, strip, odd, reached)
            else:
                for b in range(sw):
                    begin, end = _reach(width, pw, sw, b, pitch)
                    for i in range(begin, end):
                        x[to + i * sw + b - pw] = strip[source + b * rows * pitch + i]


@intrinsic
def _sum_taps(typing, to, to_at, source, source_at, offsets, order, weights, weights_at, first, last, n):
    """to[i] = sum over first <= t < last of weights[order[t]] * source[offsets[t] + i]; in whole groups of WIDE vectors."""
    def emit(b, to, to_at, source, source_at, offsets, order, weights, weights_at, first, last, n):
        to, source, weights = at(b, to, to_at), at(b, source, source_at), at(b, weights, weights_at)

        def places(i, nothing):
            here = at(b, source, i)

            def tap(t, sums):
                weight = splat(b, load_scalar(b, weights, load_scalar(b, order, t, I64)))
                read = at(b, here, load_scalar(b, offsets, t, I64))
                return [multiply_add(b, weight, load(b, read, int64(v * LANES)), s) for v, s in enumerate(sums)]

            for v, value in enumerate(counted(b, first, last, [ZERO] * WIDE, tap)):
                store(b, value, to, b.add(i, int64(v * LANES)))
            return nothing
        counted(b, int64(0), n, [], places, WIDE * LANES)
    return _void((to, to_at, source, source_at, offsets, order, weights, weights_at, first, last, n), emit)


@kernel("f[1] f[1] f[1] i[1] i i i i i i i i i i i i i f f![1]")
def _forward(x, w, bias, offsets, images, channels, each, height, width, out_height, out_width, sh, sw, ph, pw, rows, pitch,
             slope, out):
    taps = offsets.size
    n = (out_height - 1) * pitch + out_width
    for task in prange((images * channels + PLANES - 1) // PLANES):
        plane = np.zeros(sh * sw * rows * pitch + SLACK, np.float32)
        wide = np.empty(n + SLACK, np.float32)
        order = np.arange(taps)
        for p in range(task * PLANES, min(images * channels, (task + 1) * PLANES)):
            _lay_out(x, p * height * width, height, width, sh, sw, ph, pw, rows, pitch, plane)
            for m in range(each):
                f = p % channels * each + m
                _sum_taps(wide, 0, plane, 0, offsets, order, w, f * taps, 0, taps, n)
                to = (p * each + m) * out_height * out_width
                for y in range(out_height):
                    finish(out, to + y * out_width, wide, y * pitch, out_width, bias[f], slope)


@helper
def _widen(dy, dy_at, height, width, pitch, to, to_at):
    """A plane of output gradients in rows of ``pitch`` elements. Leaves what lies behind each row alone: it stays zero."""
    for y in range(height):
        copy(to, to_at + y * pitch, dy, dy_at + y * width, width)


@kernel("f[1] f[1] i[1] i[1] i[1] i i i i i i i i i i i i i f![1]")
def _backward_data(dy, w, back, order, first, images, channels, each, height, width, out_height, out_width, sh, sw, ph, pw,
                   rows, pitch, dx):
    taps = order.size
    size = rows * pitch
    margin = size + SLACK  # a tap reads before the first output, and behind the last
    for task in prange((images * channels + PLANES - 1) // PLANES):
        wide = np.zeros(out_height * pitch + 2 * margin, np.float32)
        part = np.empty(size + SLACK, np.float32)
        plane = np.empty(sh * sw * size + SLACK, np.float32)
        for p in range(task * PLANES, min(images * channels, (task + 1) * PLANES)):
            for m in range(each):
                f = p % channels * each + m
                _widen(dy, (p * each + m) * out_height * out_width, out_height, out_width, pitch, wide, margin)
                for phase in range(sh * sw):
                    _sum_taps(part, 0, wide, margin, back, order, w, f * taps, first[phase], first[phase + 1], size)
                    if m == 0:
                        copy(plane, phase * size, part, 0, size)
                    else:
                        accumulate(plane, phase * size, part, 0, size)
            _put_back(plane, height, width, sh, sw, ph, pw, rows, pitch, dx, p * height * width)


@intrinsic
def _dot_taps(typing, sums, sums_at, source, offsets, first, taps, gradient, n):
    """sums[t * LANES + lane] += sum of gradient[i] * source[offsets[t] + i] over the places i of the lane, for the SIDE taps
    from ``first`` on (those from ``taps`` on repeat the last); in whole vectors.
    """
    def emit(b, sums, sums_at, source, offsets, first, taps, gradient, n):
        sums = at(b, sums, sums_at)
        last = b.sub(taps, int64(1))
        pointers = []
        for i in range(SIDE):
            t = b.add(first, int64(i))
            t = b.select(b.icmp_signed("<", t, taps), t, last)
            pointers.append(at(b, source, load_scalar(b, offsets, t, I64)))

        def products(i, kept):  # two vectors at a time: enough sums to hide the adder's latency
            new = []
            for half in range(2):
                place = b.add(i, int64(half * LANES))
                vector = load(b, gradient, place)
                new += [multiply_add(b, vector, load(b, p, place), kept[half * SIDE + k]) for k, p in enumerate(pointers)]
            return new

        results = counted(b, int64(0), n, [ZERO] * (2 * SIDE), products, 2 * LANES)
        for k in range(SIDE):
            place = int64(k * LANES)
            store(b, b.fadd(load(b, sums, place), b.fadd(results[k], results[SIDE + k])), sums, place)
    return _void((sums, sums_at, source, offsets, first, taps, gradient, n), emit)


@kernel("f[1] f[1] i[1] i i i i i i i i i i i i i f![1]")
def _backward_weights(x, dy, offsets, images, channels, each, height, width, out_height, out_width, sh, sw, ph, pw, rows, pitch,
                      dw):
    taps = offsets.size
    size = sh * sw * rows * pitch
    for f in prange(channels * each):
        plane = np.zeros(size + SLACK, np.float32)
        wide = np.zeros(out_height * pitch + SLACK, np.float32)
        sums = np.zeros((taps + SIDE) * LANES, np.float32)
        for image in range(images):
            _lay_out(x, (image * channels + f // each) * height * width, height, width, sh, sw, ph, pw, rows, pitch, plane)
            _widen(dy, (image * channels * each + f) * out_height * out_width, out_height, out_width, pitch, wide, 0)
            for t in range(0, taps, SIDE):
                _dot_taps(sums, t * LANES, plane, offsets, t, taps, wide, out_height * pitch)
        for t in range(taps):
            dw[f * taps + t] += total(sums, t * LANES, LANES)
