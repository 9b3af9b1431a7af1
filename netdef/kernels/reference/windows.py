"""Where a sliding window meets the image: the index arithmetic shared by pooling and im2col."""
from __future__ import annotations


def span(size: int, out_size: int, tap: int, stride: int, pad: int) -> tuple[slice, slice]:
    """Two slices of one length for window place ``tap`` (in input steps) on one axis.

    The first holds the outputs whose place lies inside the image, the second the inputs they meet there.
    """
    first = max(0, -((tap - pad) // stride))  # the least o with o * stride - pad + tap >= 0
    last = min(out_size - 1, (size - 1 + pad - tap) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    start = first * stride - pad + tap
    return slice(first, last + 1), slice(start, last * stride - pad + tap + 1, stride)
