"""What holds while a net runs: one thread for BLAS, and which algorithms it allows."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netdef.kernels.blas import one_thread
from netdef.kernels.choice import winograd


@contextmanager
def arithmetic(allow_winograd: bool = True) -> Iterator[None]:
    """Around a pass: BLAS keeps to one thread (see ``blas.py``), and Winograd's algorithms are used or not."""
    with one_thread(), winograd(allow_winograd):
        yield
