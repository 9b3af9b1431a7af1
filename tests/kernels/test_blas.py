"""BLAS's threads are put aside and come back."""
from __future__ import annotations

import pytest

from netdef.kernels import blas


def test_one_thread_inside_and_as_before_outside():
    found = blas.controls()
    if found is None:
        pytest.skip("NumPy's BLAS here is not OpenBLAS")
    read, _ = found
    before = read()
    with blas.one_thread():
        assert read() == 1
        with blas.one_thread():
            assert read() == 1
        assert read() == 1
    assert read() == before


def test_it_comes_back_after_an_error():
    found = blas.controls()
    before = found[0]() if found else None
    with pytest.raises(ZeroDivisionError), blas.one_thread():
        raise ZeroDivisionError
    assert before is None or found[0]() == before
