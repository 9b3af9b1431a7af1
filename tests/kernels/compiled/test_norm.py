"""The fused kernels give the very bits of the layers' kernels called one after another: a pass may be fused or not."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.kernels import table

pytestmark = pytest.mark.compiled
RNG = np.random.default_rng(3)
SHAPES = [(2, 3, 50_000), (8, 64, 784), (16, 512, 49), (5, 200, 333)]  # all above the size from which every part is compiled
RESTS = [(False, False, 0.0), (True, False, None), (True, True, 0.0), (True, True, 0.1), (True, True, -0.5)]


def real(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def normed(kept, scale, bias, slope):
    """What Scale and ReLU make of standardized values."""
    y = kept if scale is None else kept * scale[:, None]
    y = y if bias is None else y + bias[:, None]
    return y if slope is None else np.where(y > 0, y, y * np.float32(slope))


def both(name, args):
    """Copies of the arguments after the compiled kernel and after the reference, whose parts are compiled themselves."""
    entry, found = table.TABLE[name], []
    assert entry.supports(args)
    for function in (entry.compiled, entry.reference):
        memo = {}  # one copy for arguments that are one array
        given = [memo.setdefault(id(a), a.copy()) if isinstance(a, np.ndarray) else a for a in args]
        function(*given)
        found.append(given)
    return found


def check(name, args, scratch=()):
    for i, (a, b) in enumerate(zip(*both(name, args), strict=True)):
        if isinstance(a, np.ndarray) and i not in scratch:
            assert a.tobytes() == b.tobytes(), (name, i, args[0].shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rest", RESTS)
def test_the_same_bits(shape, rest):
    n = shape[1]
    scale, bias = real(n) if rest[0] else None, real(n) if rest[1] else None
    dscale, dbias = (None if a is None else real(n) for a in (scale, bias))
    x, y = real(*shape) + 1, real(*shape)
    x[0, 0, :3] = 0, -0.0, 1
    one = np.abs(real(n)) + 1
    for out in (x, np.empty_like(x)):
        check("norm_forward", (x, 1e-5, scale, bias, rest[2], np.empty_like(x), np.empty(n), np.empty(n), one.copy(),
                               np.empty_like(x), out), {5})
        check("norm_stored", (x, one.astype(np.float64), one, scale, bias, rest[2], out))
        check("norm_backward", (x, normed(y, scale, bias, rest[2]), y, one, scale, bias, rest[2], np.empty_like(x), dscale, dbias,
                                out), {7})


def test_sums_behind_a_rectifier():
    a, b, n = real(300_000), real(300_000), 300_000
    a[:4], b[:4] = (np.nan, -np.inf, 0, 1), (1, 1, -0.0, -1)
    for slope in (0.0, 0.2):
        check("add_relu_forward", (a, b, slope, np.empty_like(a)))
        check("add_relu_backward", (a, b, slope, np.empty(n, np.float32), np.empty(n, np.float32)))
