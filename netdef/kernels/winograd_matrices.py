"""The three matrices of a Winograd convolution, made from the points at which its polynomials are evaluated.

A row of r weights and a row of m outputs make polynomials of degree r - 1 and m - 1. Their product is known from its values at
m + r - 1 points (one of them at infinity, where the value is the leading coefficient), and a product of values is *one*
multiplication. Turned around (the transposition principle), the same numbers give m outputs of a filter of r taps from
m + r - 1 inputs d with m + r - 1 multiplications, where the plain way takes m * r::

    y = A^T ((G w) * (B^T d))

In two dimensions the matrices are applied from both sides: ``A^T ((G w G^T) * (B^T d B)) A``. F(4x4, 3x3) takes 36
multiplications for 16 outputs, where the plain way takes 144. Winograd, *Arithmetic Complexity of Computations* (1980); Lavin
and Gray, *Fast Algorithms for Convolutional Neural Networks* (2016).

The more points, the larger the numbers that cancel: 0, 1, -1, 2, -2 and infinity lose a decimal digit in float32, and more than
six points lose too much.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

Array = np.ndarray

POINTS = (0.0, 1.0, -1.0, 2.0, -2.0)
"""The finite points; m + r - 2 of them are used."""

TILES = {"winograd4x4": (4, 3), "winograd2x2": (2, 3), "winograd2x2_5x5": (2, 5)}
"""name of a variant -> (m, r): outputs and taps along one axis"""


class Matrices(NamedTuple):
    """The transforms along one axis, float64; a is m + r - 1."""

    inputs: Array
    """B^T (a, a): inputs -> points"""
    weights: Array
    """G (a, r): taps -> points"""
    outputs: Array
    """A^T (m, a): points -> outputs"""


def matrices(m: int, r: int) -> Matrices:
    """The matrices of F(m, r): m outputs of a filter of r taps."""
    points = POINTS[:m + r - 2]
    inputs, weights = [], []
    for point in points:
        others = [other for other in points if other != point]
        scale = np.prod([point - other for other in others])
        inputs.append(np.append(np.poly(others)[::-1] * np.sign(scale), 0.0))  # the polynomial that is 0 at all other points
        weights.append([float(point ** i / abs(scale)) for i in range(r)])
    inputs.append(np.poly(points)[::-1])
    weights.append([0.0] * (r - 1) + [1.0])
    outputs = [[point ** i for point in points] + [float(i == m - 1)] for i in range(m)]
    return Matrices(np.array(inputs), np.array(weights), np.array(outputs))
