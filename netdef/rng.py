"""Random numbers as a pure function of (seed, name, iteration, index): nothing to save for an exact resume.

A ``Stream`` is Philox4x32-10 (see ``kernels/reference/philox.py``) under a key made from seed and name, with the iteration in
the high counter words and the index in the low ones. NumPy and Numba make the same bits on every machine; uniform
values are exact functions of them, normal values are so up to the rounding of log, cos and sin.
"""
from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from netdef import kernels as K

Shape = int | Sequence[int]


class Stream:
    """Random numbers for one purpose, e.g. ``Stream(seed, "drop6", iteration=7)``.

    ``seed`` is any int, ``name`` any text, ``iteration`` from 0 to 2**64 - 1 (else ValueError). Draws continue the
    counter (``offset``, in 32-bit words), so two equal streams that are asked the same questions give the same answers.

    >>> a, b = Stream(1, "drop6", 7), Stream(1, "drop6", 7)
    >>> bool((a.uniform(5) == b.uniform(5)).all()), bool((a.uniform(5) == b.uniform(5)).all()), a.offset
    (True, True, 10)
    """

    def __init__(self, seed: int, name: str, iteration: int = 0, offset: int = 0) -> None:
        self.seed = int(seed)
        self.name = name
        self.iteration = int(iteration)
        self.offset = int(offset)
        if not 0 <= self.iteration < 1 << 64:
            raise ValueError(f"stream '{name}': expected an iteration from 0 to 2**64 - 1, got {iteration}")
        digest = hashlib.blake2b(f"{self.seed}\0{name}".encode(), digest_size=8).digest()
        self._words = (*np.frombuffer(digest, "<u4"), *_halves(self.iteration))

    @property
    def key(self) -> np.ndarray:
        """Six uint32 words for the kernels that draw for themselves; they start at ``offset`` and do not move it."""
        return np.array((*self._words, *_halves(self.offset)), np.uint32)

    def at(self, offset: int) -> Stream:
        """The same stream from word ``offset`` on."""
        return Stream(self.seed, self.name, self.iteration, offset)

    def bits(self, shape: Shape) -> np.ndarray:
        """Raw 32-bit words, uint32; one word each."""
        out = np.empty(shape, np.uint32)
        K.philox_bits(self.key, out)
        self.offset += out.size
        return out

    def uniform(self, shape: Shape, dtype: str | type | np.dtype = "float32") -> np.ndarray:
        """Uniform in [0, 1): 24 bits of one word for float32, 53 bits of two words for float64."""
        if np.dtype(dtype) == np.float32:
            return (self.bits(shape) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        return self._uniform53(math.prod(_sizes(shape))).astype(dtype).reshape(shape)

    def normal(self, shape: Shape, dtype: str | type | np.dtype = "float32") -> np.ndarray:
        """Mean 0, standard deviation 1, by Box and Muller's transform; four words a pair of values."""
        count = math.prod(_sizes(shape))
        u = self._uniform53(2 * ((count + 1) // 2)).reshape(-1, 2)
        radius = np.sqrt(-2 * np.log(1 - u[:, 0]))  # 1 - u is in (0, 1]: the logarithm is finite
        angle = 2 * math.pi * u[:, 1]
        pairs = np.stack((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
        return pairs.reshape(-1)[:count].astype(dtype).reshape(shape)

    def integers(self, low: int, high: int, shape: Shape = ()) -> np.ndarray:
        """Whole numbers with low <= value < high, int64; two words each, bias below 2**-32.

        Raises ValueError unless 1 <= high - low <= 2**32.
        """
        count = int(high) - int(low)
        if not 1 <= count <= 1 << 32:
            raise ValueError(f"integers: expected 1 to 2**32 values from low to high, got low {low}, high {high}")
        words = self.bits((math.prod(_sizes(shape)), 2)).astype(np.uint64)
        size, shift = np.uint64(count), np.uint64(32)
        drawn = (words[:, 1] * size + (words[:, 0] * size >> shift)) >> shift  # the 64-bit word times size, high half
        return (drawn.astype(np.int64) + int(low)).reshape(shape)

    def bernoulli(self, p: float, shape: Shape) -> np.ndarray:
        """True with probability ``p``, bool; one word each. Raises ValueError unless 0 <= p <= 1."""
        if not 0 <= p <= 1:
            raise ValueError(f"bernoulli: expected a probability from 0 to 1, got {p}")
        return self.bits(shape) < np.uint64(p * 4294967296.0)

    def permutation(self, n: int) -> np.ndarray:
        """0 to n - 1 in random order, int64: the order of n 64-bit keys; two words each."""
        words = self.bits((n, 2)).astype(np.uint64)
        return np.argsort(words[:, 1] << np.uint64(32) | words[:, 0], kind="stable")

    def _uniform53(self, count: int) -> np.ndarray:
        """Flat float64 in [0, 1), two words each."""
        words = self.bits((count, 2)).astype(np.uint64)
        return ((words[:, 0] >> np.uint64(5)) * 67108864.0 + (words[:, 1] >> np.uint64(6))) * 2.0**-53

    def __repr__(self) -> str:
        return f"Stream({self.seed}, {self.name!r}, iteration={self.iteration}, offset={self.offset})"


def _halves(number: int) -> tuple[int, int]:
    """Low and high 32 bits of a number below 2**64."""
    return number & 0xFFFFFFFF, number >> 32


def _sizes(shape: Shape) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)
