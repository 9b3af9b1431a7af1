"""Blob: a named pair of arrays, data and diff (the gradient of the loss by data), with one shape and dtype."""
from __future__ import annotations

import math

import numpy as np


class Blob:
    """A named (data, diff) pair.

    Both arrays are C-contiguous and have ``shape``. Memory grows and never shrinks: ``reshape`` to a
    smaller shape and back keeps the same memory. ``diff`` is allocated (as zeros) when it is first used,
    so that a net which never runs backward pays nothing for gradients.

    >>> b = Blob("conv1", (2, 3))
    >>> b.data[...] = 1
    >>> b.reshape(3, 1)
    >>> b.data.shape, b.diff.shape, b.count
    ((3, 1), (3, 1), 3)
    """

    __slots__ = ("name", "_shape", "_dtype", "_data", "_diff", "_data_view", "_diff_view")

    def __init__(self, name: str, shape: tuple[int, ...] = (), dtype: str | np.dtype = "float32") -> None:
        self.name = name
        self._dtype = np.dtype(dtype)
        self._data: np.ndarray | None = None  # flat, at least `count` long
        self._diff: np.ndarray | None = None
        self._data_view: np.ndarray | None = None
        self._diff_view: np.ndarray | None = None
        self.reshape(*shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes; ``()`` is a scalar."""
        return self._shape

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self._dtype

    @property
    def count(self) -> int:
        """How many numbers the data holds."""
        return math.prod(self._shape)

    @property
    def data(self) -> np.ndarray:
        """The values: an array of ``shape``; write into it with ``blob.data[...] = x``."""
        if self._data_view is None:
            self._data = _grown(self._data, self.count, self._dtype)
            self._data_view = self._data[: self.count].reshape(self._shape)
        return self._data_view

    @property
    def diff(self) -> np.ndarray:
        """The gradient of the loss by each value: an array of ``shape``."""
        if self._diff_view is None:
            self._diff = _grown(self._diff, self.count, self._dtype)
            self._diff_view = self._diff[: self.count].reshape(self._shape)
        return self._diff_view

    @property
    def has_diff(self) -> bool:
        """Whether a gradient array was ever used."""
        return self._diff is not None

    def reshape(self, *shape: int) -> None:
        """Give the blob another shape; values are kept where the memory suffices, in flat order.

        Raises ValueError on a negative size.
        """
        new = tuple(int(n) for n in shape)
        if any(n < 0 for n in new):
            raise ValueError(f"blob '{self.name}': sizes must not be negative, got {new}")
        self._shape = new
        self._data_view = None
        self._diff_view = None

    def share_data(self, other: Blob) -> None:
        """Use the data memory of ``other`` (same count); the gradient stays one's own."""
        self._check_same_count(other)
        self._data = other.data.reshape(-1)
        self._data_view = None

    def share_diff(self, other: Blob) -> None:
        """Use the gradient memory of ``other`` (same count)."""
        self._check_same_count(other)
        self._diff = other.diff.reshape(-1)
        self._diff_view = None

    def place(self, data: np.ndarray | None = None, diff: np.ndarray | None = None) -> None:
        """Use these flat arrays from now on (None: stay as it is). Where the blob outgrows one, it gets memory of its own."""
        if data is not None:
            self._data, self._data_view = data, None
        if diff is not None:
            self._diff, self._diff_view = diff, None

    def _check_same_count(self, other: Blob) -> None:
        if other.count != self.count:
            raise ValueError(f"blob '{self.name}' has {self.count} values, '{other.name}' has {other.count}")

    def release(self) -> None:
        """Give both arrays back; the next use allocates new ones, with other contents."""
        self._data = self._diff = None
        self._data_view = self._diff_view = None

    @property
    def nbytes(self) -> int:
        """Bytes held by data and diff together."""
        return sum(a.nbytes for a in (self._data, self._diff) if a is not None)

    def __repr__(self) -> str:
        return f"Blob('{self.name}', {self._shape}, {self._dtype})"


def _grown(flat: np.ndarray | None, count: int, dtype: np.dtype) -> np.ndarray:
    """``flat`` if it is long enough, else a longer one with the old values and zeros behind them."""
    if flat is not None and flat.size >= count:
        return flat
    grown = np.zeros(count, dtype)
    if flat is not None:
        grown[: flat.size] = flat
    return grown
