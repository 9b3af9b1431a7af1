"""Priors: what makes an input look less like noise. Each is a penalty of units (N, C, H, W) with its gradient."""
from __future__ import annotations

import numpy as np

from netdef.probe.space import Space

_SMOOTH = 1e-6  # keeps the slope of a root finite where neighbours are equal


def l2(units: np.ndarray, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """The mean square (N) of the input's values, measured in the span from black to white, and its gradient.

    Of values, not of pixels: with a mean subtracted the pull is towards the mean picture (Simonyan et al., Deep Inside
    Convolutional Networks, 2013).
    """
    values = units + space.low / space.span
    count = max(1, values[0].size)
    return (values**2).reshape(len(values), -1).sum(axis=1) / count, 2 * values / count


def total_variation(units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean length (N) of the step from a pixel to those right of and below it, and its gradient.

    Sum over c, y, x of sqrt(dy^2 + dx^2) by the number of values: Mahendran and Vedaldi's prior with exponent beta 1
    (Understanding Deep Image Representations by Inverting Them, 2014). 0 for inputs that are no images.
    """
    if units.ndim != 4:
        return np.zeros(len(units)), np.zeros(units.shape)
    count = max(1, units[0].size)
    down, across = np.zeros(units.shape), np.zeros(units.shape)
    down[:, :, :-1] = np.diff(units, axis=2)
    across[:, :, :, :-1] = np.diff(units, axis=3)
    length = np.sqrt(down**2 + across**2 + _SMOOTH)
    gradient = -(down + across) / length
    gradient[:, :, 1:] += (down / length)[:, :, :-1]
    gradient[:, :, :, 1:] += (across / length)[:, :, :, :-1]
    return (length - _SMOOTH**0.5).reshape(len(units), -1).sum(axis=1) / count, gradient / count


def blurred(units: np.ndarray, sigma: float) -> np.ndarray:
    """The images (N, C, H, W) under a Gaussian of ``sigma`` pixels, edges repeated; others and sigma 0: as they are."""
    radius = int(np.ceil(3 * sigma))
    if units.ndim != 4 or radius < 1 or sigma < 0.2:
        return units
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (2, 3):
        pads = [(radius, radius) if a == axis else (0, 0) for a in range(4)]
        padded = np.pad(units, pads, mode="edge")
        units = sum(w * np.take(padded, np.arange(k, k + units.shape[axis]), axis=axis)
                    for k, w in enumerate(kernel))
    return units
