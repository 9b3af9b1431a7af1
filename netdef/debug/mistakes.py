"""Names for the usual mistakes in a backward pass, recognised from a wrong gradient and the right one."""
from __future__ import annotations

import numpy as np

Array = np.ndarray


def recognise(wrong: Array, right: Array, upstream: Array | None = None, batch: int = 1) -> str:
    """A guess at what was forgotten, or an empty string.

    ``wrong`` is backward's gradient, ``right`` the numeric one (NaN where it was not taken); ``upstream`` the gradient
    that came from above, for layers that work value by value (the same shape); ``batch`` the number of items.
    """
    known = np.isfinite(right)
    if not known.any() or not np.isfinite(wrong[known]).all():
        return "it is not finite" if known.any() else ""
    if not wrong[known].any():
        return "it is missing (all zero)"
    for text, candidate in _rearranged(wrong):
        if _same(candidate, right, known):
            return text
    ratio = _ratio(wrong, right, known)
    if ratio is not None:
        return _factor(ratio, batch, wrong.shape)
    if upstream is not None and upstream.shape == wrong.shape:
        return _local(wrong, right, upstream, known)
    return ""


def _rearranged(wrong: Array) -> list[tuple[str, Array]]:
    found = []
    if wrong.ndim >= 3:
        found.append(("the kernel is flipped (correlation where convolution belongs, or the other way round)",
                      wrong[..., ::-1, ::-1]))
        if wrong.shape[-1] == wrong.shape[-2]:
            found.append(("the last two axes are transposed", np.swapaxes(wrong, -1, -2)))
    if wrong.ndim == 2:
        if wrong.shape[0] == wrong.shape[1]:
            found.append(("it is transposed", wrong.T))
        found.append(("it is transposed (the rows and columns of its memory are swapped)",
                      wrong.reshape(wrong.shape[::-1]).T))
    return found


def _same(a: Array, b: Array, known: Array, tolerance: float = 1e-4) -> bool:
    scale = float(np.abs(b[known]).max(initial=0))
    return scale > 0 and bool((np.abs(a[known] - b[known]) <= tolerance * scale).all())


def _ratio(wrong: Array, right: Array, known: Array) -> float | None:
    """wrong = ratio * right everywhere, or None."""
    a, b = wrong[known], right[known]
    bb = float((b * b).sum())
    if bb == 0:
        return None
    ratio = float((a * b).sum()) / bb
    return ratio if _same(wrong, ratio * right, known) else None


def _factor(ratio: float, batch: int, shape: tuple[int, ...]) -> str:
    if np.isclose(ratio, 1, rtol=1e-4):
        return ""
    if np.isclose(ratio, -1, rtol=1e-4):
        return "the sign is wrong"
    if batch > 1:
        for sign, word in ((1, ""), (-1, ", and the sign is wrong")):
            if np.isclose(ratio, sign * batch, rtol=1e-4):
                return f"it is {batch} times too large: the division by the batch size (1/N) is missing{word}"
            if np.isclose(ratio, sign / batch, rtol=1e-4):
                return f"it is {batch} times too small: divided by the batch size (1/N) once too often{word}"
    if np.isclose(ratio, 2, rtol=1e-4):
        return "it is twice too large"
    if np.isclose(ratio, 0.5, rtol=1e-4):
        return "it is half of what it should be (a factor 2 is missing)"
    return f"it is {ratio:.6g} times what it should be"


def _local(wrong: Array, right: Array, upstream: Array, known: Array) -> str:
    """Mistakes in the derivative of a function of one value, wrong = r * dy where s * dy is right."""
    use = known & (np.abs(upstream) > 1e-8)
    if not use.any():
        return ""
    r, s = wrong[use] / upstream[use], right[use] / upstream[use]

    def close(a: Array, b: Array) -> bool:
        return bool(np.allclose(a, b, rtol=1e-3, atol=1e-6))

    if close(r * r, s):
        return "a square is missing (its square would be right)"
    if close(r, s * s):
        return "it is squared once too often"
    if close((1 - r) ** 2, 1 - s):
        return "a square is missing: it has the form 1 - y where 1 - y^2 belongs"
    if (np.abs(s - 1) > 1e-3).any() and close(r, np.ones_like(r)):
        return "the layer's own derivative is missing: the gradient from above is passed on unchanged"
    scale = _missing_square(r, s)
    return f"a square is missing: it has the form a (1 - y) where a (1 - y^2) belongs, a = {scale:.4g}" if scale else ""


def _missing_square(r: Array, s: Array) -> float | None:
    """The factor a with r = a (1 - y) and s = a (1 - y^2) for some y in [-1, 1] each, found by elimination:
    s / r = 1 + y, so r = a (2 - s / r)."""
    use = np.abs(r) > 1e-6
    if use.sum() < 3:
        return None
    y = s[use] / r[use] - 1
    a = r[use] / (1 - y)
    ok = np.abs(y) < 1 - 1e-6
    if ok.sum() < 3 or np.ptp(y[ok]) < 1e-3:
        return None
    middle = float(np.median(a[ok]))
    return middle if np.allclose(a[ok], middle, rtol=1e-3) else None
