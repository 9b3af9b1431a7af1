"""Least squares: the x of smallest length with W x = y, or nearest to it, by the cheapest way that the shape allows.

No inverse matrix is ever made. With k the smaller side of W:

===========================  ===========================================  ======================  =====================
W                            way                                          multiply-adds           memory beside W
===========================  ===========================================  ======================  =====================
k up to 500                  singular values                              some 10 m n k           W twice
k up to 3,000                eigenvectors of the k x k Gram matrix        m n k + 10 k^3          3 k^2
square, above                Gaussian elimination (LU)                    2/3 n^3                 n^2
other, above                 LU of the Gram matrix                        m n k + 2/3 k^3         2 k^2
singular, above; no matrix   conjugate gradients (CGLS)                   2 m n a step            5 vectors
===========================  ===========================================  ======================  =====================

The Gram matrix squares the condition number; each answer is therefore improved by two rounds of refinement with W itself.
"""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

SVD_MOST, EIGEN_MOST = 500, 3000
REFINEMENTS = 2
_SINGULAR = 1e-9  # of y: what refinement may leave where W is taken as regular

Operator = Callable[[np.ndarray], np.ndarray]


class LeastSquares:
    """Solves W x = y again and again for one W (m, n), float64. ``how`` says which way was taken."""

    def __init__(self, w: np.ndarray) -> None:
        self.w = np.asarray(w, np.float64)
        m, n = self.w.shape
        self.k = min(m, n)
        self.wide = m <= n
        self.cheap = self.k <= EIGEN_MOST  # whether a second solve costs next to nothing
        self.how = ""
        if self.k <= SVD_MOST:
            self._by_svd()
        elif self.cheap:
            self._by_gram()

    def solve(self, y: np.ndarray) -> np.ndarray:
        """x (n, r) for y (m, r): of all x with the smallest residual, that of smallest length."""
        if not self.cheap:
            return self._large(y)
        x = self._once(y)
        for _ in range(REFINEMENTS):
            x = x + self._once(y - self.w @ x)
        return x

    def _once(self, y: np.ndarray) -> np.ndarray:
        return self.right @ (self.inverse[:, None] * (self.left.T @ y)) if self.how == "SVD" else self._gram_once(y)

    def _by_svd(self) -> None:
        self.how = "SVD"
        self.left, s, right = np.linalg.svd(self.w, full_matrices=False)
        self.right = right.T
        self.inverse = _inverse(s, max(self.w.shape) * np.finfo(float).eps)

    def _by_gram(self) -> None:
        self.how = "Gram"
        values, self.vectors = np.linalg.eigh(self.w @ self.w.T if self.wide else self.w.T @ self.w)
        self.inverse = _inverse(values, self.k * np.finfo(float).eps)

    def _gram_once(self, y: np.ndarray) -> np.ndarray:
        """W^T G^-1 y, or G^-1 W^T y."""
        z = y if self.wide else self.w.T @ y
        z = self.vectors @ (self.inverse[:, None] * (self.vectors.T @ z))
        return self.w.T @ z if self.wide else z

    def _large(self, y: np.ndarray) -> np.ndarray:
        w = self.w
        square = w.shape[0] == w.shape[1]
        self.how = "LU" if square else "LU of the Gram matrix"
        try:
            if square:
                x = np.linalg.solve(w, y)
            elif self.wide:
                x = w.T @ np.linalg.solve(w @ w.T, y)
            else:
                x = np.linalg.solve(w.T @ w, w.T @ y)
            rest = y - w @ x
            off = rest if self.wide else w.T @ rest
            if np.isfinite(x).all() and np.linalg.norm(off) <= _SINGULAR * np.linalg.norm(y if self.wide else w.T @ y):
                return x
        except np.linalg.LinAlgError:
            pass
        x, steps = cgls(lambda v: w @ v, lambda v: w.T @ v, y, np.zeros((w.shape[1], y.shape[1])))
        self.how = f"CGLS, {steps} steps"
        return x

    def within(self, y: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, rounds: int = 500) -> np.ndarray:
        """An x with W x = y and, where there is one, low <= x <= high: projections onto both sets in turns.

        Begins in the middle of the box. Where no such x is found the last one with W x = y is returned. Only a wide W leaves
        a choice; where a second solve is dear, none is made.
        """
        start = _middle(low, high)
        x = start + self.solve(y - self.w @ np.broadcast_to(start, (self.w.shape[1], y.shape[1])))
        if not self.wide or self.w.shape[0] == self.w.shape[1] or not self.cheap:
            return x
        width = np.where(np.isfinite(high) & np.isfinite(low), np.subtract(high, low), np.sqrt(np.mean(x**2)))
        inner = np.nan_to_num(1e-3 * width)
        for _ in range(rounds):
            if (x >= low).all() and (x <= high).all():
                break
            x = np.clip(x, low + inner, high - inner)
            x = x + self._once(y - self.w @ x)
        return x + self._once(y - self.w @ x)


def cgls(apply: Operator, transpose: Operator, y: np.ndarray, start: np.ndarray, most: int = 2000,
         tolerance: float = 1e-12) -> tuple[np.ndarray, int]:
    """Conjugate gradients on W^T W x = W^T y without W^T W or W: the least-squares x nearest to ``start``, and the steps.

    ``apply`` gives W x, ``transpose`` W^T y. Ends where |W^T r| has fallen to ``tolerance`` of its first value (Hestenes and
    Stiefel, Methods of Conjugate Gradients for Solving Linear Systems, 1952).
    """
    x = start.astype(np.float64)
    rest = y - apply(x)
    slope = transpose(rest)
    direction, square = slope, float(np.vdot(slope, slope))
    first, step = square, 0
    while step < most and square > tolerance**2 * first and square > 0:
        image = apply(direction)
        length = float(np.vdot(image, image))
        if length == 0:
            break
        x = x + square / length * direction
        rest = rest - square / length * image
        slope = transpose(rest)
        old, square = square, float(np.vdot(slope, slope))
        direction = slope + square / old * direction
        step += 1
    return x, step


def _inverse(values: np.ndarray, least: float) -> np.ndarray:
    """1 / value, 0 for those that are 0 but for rounding."""
    regular = values > least * np.abs(values).max(initial=0)
    return np.where(regular, 1 / np.where(regular, values, 1), 0.0)


def _middle(low: np.ndarray | float, high: np.ndarray | float) -> np.ndarray:
    """The middle of each range; its end nearest to 0 where it has only one, 0 where it has none."""
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    both = np.isfinite(low) & np.isfinite(high)
    middle = np.where(both, (np.where(both, low, 0) + np.where(both, high, 0)) / 2, np.clip(0.0, low, high))
    return middle
