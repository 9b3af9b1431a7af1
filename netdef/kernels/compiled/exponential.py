"""exp and exp - 1 for float32 without branches or calls, so that loops over them use vector registers.

x is cut into n ln 2 + r with n whole and |r| <= ln 2 / 2; e^r - 1 is its Taylor series up to r^7 / 7!, whose rest is below
6e-9, a tenth of the last digit; 2^n is written into the exponent bits. ln 2 is held as a sum of two numbers, of which the
first has so few digits that n times it is exact.
"""
from __future__ import annotations

import numpy as np

from netdef.kernels.jit import float_from_bits, helper

LOG2_E = np.float32(1.44269504)
LN_2_HIGH, LN_2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
LARGEST, LEAST = np.float32(88.73), np.float32(-104)  # beyond them e^x is inf and 0 in float32
HALF, ONE = np.float32(0.5), np.float32(1)
C2, C3, C4, C5, C6, C7 = (np.float32(1 / k) for k in (2, 6, 24, 120, 720, 5040))


@helper
def _series(r):
    """e^r - 1 for |r| <= 0.35."""
    return r + r * r * (C2 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * C7)))))


@helper
def _power_of_two(n):
    """2^n for a whole n of -126 .. 127 (int32)."""
    return float_from_bits(np.int32((n + np.int32(127)) << np.int32(23)))


@helper
def exp32(x):
    """e^x within two units of the last digit; NaN stays NaN, numbers below float32's normal ones are kept."""
    inside = x if x < LARGEST else LARGEST
    inside = inside if inside > LEAST else LEAST  # a NaN went to LARGEST: its cast to a whole number is defined
    whole = np.floor(inside * LOG2_E + HALF)
    n = np.int32(whole)
    r = inside - whole * LN_2_HIGH - whole * LN_2_LOW
    first = n >> np.int32(1)  # in two factors: 2^n itself may be no normal number
    grown = (ONE + _series(r)) * _power_of_two(first) * _power_of_two(n - first)
    grown = grown if x <= LARGEST else np.float32(np.inf)
    return grown if x == x else x


@helper
def expm1_negative(x):
    """e^x - 1 for x <= 0, with all digits near 0; NaN stays NaN."""
    inside = x if x > np.float32(-20) else np.float32(-20)  # from there on the result is -1
    whole = np.floor(inside * LOG2_E + HALF)
    r = inside - whole * LN_2_HIGH - whole * LN_2_LOW
    power = _power_of_two(np.int32(whole))
    shrunk = power * _series(r) + (power - ONE)
    return shrunk if x == x else x
