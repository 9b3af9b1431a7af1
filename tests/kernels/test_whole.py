"""Kernels compiled as one whole: the same results as in Numba's own way, and nothing left behind."""
import threading

import numpy as np
import pytest

numba = pytest.importorskip("numba")

from numba.core import codegen  # noqa: E402
from numba.core.registry import cpu_target  # noqa: E402

from netdef.kernels import whole  # noqa: E402

pytestmark = pytest.mark.compiled


def twice(x):
    return x * np.float32(2)


def total(x):
    found = 0.0
    for i in range(x.size):
        found += x[i]
    return found


def made(monkeypatch, as_usual=False):
    """A function of two helpers and a parallel loop, compiled now, and the libraries that were optimised on the way."""
    if as_usual:
        monkeypatch.setattr(whole, "known", lambda: False)
    optimised = []
    real = codegen.CPUCodeLibrary._optimize_final_module
    monkeypatch.setattr(codegen.CPUCodeLibrary, "_optimize_final_module",
                        lambda library: (optimised.append(library.name), real(library))[1])
    cpu_target.target_context.refresh()  # Numba compiles its own runtime once
    optimised.clear()
    first, second = (numba.njit(inline="never")(f) for f in (twice, total))

    def outer(x, out):
        for i in numba.prange(x.shape[0]):
            out[i] = first(second(x[i]))

    dispatcher = numba.njit(parallel=True)(outer)
    with whole.as_a_whole(outer.__qualname__):
        dispatcher.compile((numba.float32[:, ::1], numba.float64[::1]))
    return dispatcher, optimised, outer.__qualname__


def test_only_the_outermost_is_optimised(monkeypatch):
    assert whole.known(), "this Numba is built in another way: kernels compile, but slowly"
    function, optimised, name = made(monkeypatch)
    assert optimised == [name]
    x, out = np.arange(6, dtype=np.float32).reshape(2, 3), np.empty(2)
    function(x, out)
    assert out.tolist() == [6, 24]


def test_a_numba_of_another_build_compiles_in_its_own_way(monkeypatch):
    function, optimised, name = made(monkeypatch, as_usual=True)
    assert name in optimised and len(optimised) > 2
    x, out = np.arange(6, dtype=np.float32).reshape(2, 3), np.empty(2)
    function(x, out)
    assert out.tolist() == [6, 24]


def test_reducers_are_optimised_by_themselves_too(monkeypatch):
    monkeypatch.setattr(whole, "_alone", {"total"})
    _, optimised, name = made(monkeypatch)
    assert sorted(optimised) == sorted([name, "total"])


def test_the_usual_class_is_back_after_a_mistake():
    generator = cpu_target.target_context.codegen()
    before = generator._library_class
    with pytest.raises(ZeroDivisionError), whole.as_a_whole("x"):
        1 / 0  # noqa: B018
    assert generator._library_class is before


def test_other_threads_compile_afterwards():
    """A function that another thread compiles meanwhile must not become a part without an address."""
    found = []

    def other():
        found.append(numba.njit(twice)(np.float32(3)))

    thread = threading.Thread(target=other)
    with whole.as_a_whole("x"):
        thread.start()
        thread.join(0.2)
        assert not found
    thread.join(60)
    assert found == [6]
