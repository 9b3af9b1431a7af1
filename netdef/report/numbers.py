"""Numbers of one array, small enough to put thousands of them into a page: moments, shares and a histogram.

JSON has no NaN and no infinity; they become the strings "NaN", "Infinity" and "-Infinity", as in metrics.jsonl.
"""
from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np

from netdef.runtime.watch import statistics

BINS = 40
SAMPLE = 1 << 16  # values of a histogram; of a larger array every k-th counts
DIGITS = 4
Plain = dict[str, Any]


def number(x: float | None) -> float | str | None:
    """A number of four digits that strict JSON takes; None stays None."""
    if x is None:
        return None
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    return float(f"{x:.{DIGITS}g}")


def encoded(levels: np.ndarray) -> str:
    """An array of bytes as base64 text."""
    return base64.b64encode(np.ascontiguousarray(levels, dtype=np.uint8).tobytes()).decode("ascii")


def numbers_of(array: np.ndarray) -> Plain:
    """The numbers of an array of any shape.

    ``count``; over the finite values ``mean``, ``std``, ``min``, ``max`` and ``rms``; the shares ``zeros`` and ``bad`` (not
    finite) of all values, left out where they are 0; ``hist`` (see ``histogram``). Without a finite value there is no ``min``.
    """
    flat = array.reshape(-1)
    s = statistics(flat)
    found: Plain = {"count": s.count}
    found |= {name: number(share) for name, share in (("zeros", s.zeros), ("bad", s.non_finite)) if share}
    if s.non_finite:
        flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return found
    mean = float(flat.mean(dtype=np.float64))
    rms = s.l2 / math.sqrt(flat.size)
    low, high = float(flat.min()), float(flat.max())
    std = math.sqrt(max(rms * rms - mean * mean, 0.0)) if high > low and rms < 1e150 else 0.0
    return found | {"mean": number(mean), "std": number(std), "min": number(low), "max": number(high), "rms": number(rms),
                    "hist": histogram(flat, low, high)}


def histogram(flat: np.ndarray, low: float, high: float) -> str:
    """Forty equal ranges from ``low`` to ``high`` as forty bytes in base64: each is 255 times the root of the range's
    count relative to the largest, rounded up, so that a rare value is never nothing. Empty text where low equals high."""
    with np.errstate(over="ignore"):
        if not 0 < high - low < math.inf:
            return ""
    sample = flat[:: flat.size // SAMPLE + 1].astype(np.float64)
    counts, _ = np.histogram(sample, bins=BINS, range=(low, high))
    # the ends of the range are known to hold a value, though the sample may have missed it
    counts[0], counts[-1] = max(counts[0], 1), max(counts[-1], 1)
    return encoded(np.ceil(255 * np.sqrt(counts / counts.max())))
