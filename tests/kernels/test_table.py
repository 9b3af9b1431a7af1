import inspect
import subprocess
import sys

import numpy as np
import pytest

from netdef import kernels as K
from netdef.kernels import table

BIG = np.zeros(table.LEAST_SWEEP, np.float32)


@pytest.mark.parametrize("row", table.ROWS, ids=lambda row: row.name)
def test_row(row):
    reference = table.TABLE[row.name].reference
    assert inspect.getdoc(reference)
    names = list(inspect.signature(reference).parameters)
    assert max(row.sized_by, default=0) < len(names)


@pytest.mark.compiled
@pytest.mark.parametrize("row", [row for row in table.ROWS if row.compiled], ids=lambda row: row.name)
def test_twins_take_the_same_arguments(row):
    entry = table.TABLE[row.name]
    assert entry.compiled is not None
    assert inspect.signature(entry.compiled) == inspect.signature(entry.reference)


def test_names():
    assert K.relu_forward is table.TABLE["relu_forward"]
    assert "conv_forward" in dir(K)
    with pytest.raises(AttributeError, match="no kernel 'relu_sideways'"):
        K.relu_sideways  # noqa: B018


def test_keywords():
    out = np.empty((2, 2))
    K.gemm(np.eye(2), np.array([[1.0, 2], [3, 4]]), out=out, trans_b=True)
    assert out.tolist() == [[1, 3], [2, 4]]


@pytest.mark.parametrize("x, yes", [
    (BIG, True),
    (BIG[:-1], False),
    (BIG.astype(np.float64), False),
    (BIG.astype(np.int64), False),
    (np.repeat(BIG, 2)[::2], False),
    (np.frombuffer(b"\0" * (BIG.nbytes + 1), np.uint8)[1:].view(np.float32), False),
], ids=["float32", "small", "float64", "int64", "strided", "unaligned"])
def test_what_a_compiled_kernel_supports(x, yes):
    assert table.TABLE["relu_forward"].supports((x, 0.0, x)) is yes


def test_number_of_axes_decides_too():
    how = ((1, 1, 1), (0, 0, 0), (1, 1, 1), 1)
    x, w, out = (np.zeros((2, 4, 8, 32, 32), np.float32), np.zeros((4, 4, 1, 1, 1), np.float32),
                 np.zeros((2, 4, 8, 32, 32), np.float32))
    entry = table.TABLE["conv_forward"]
    assert not entry.supports((x, w, None, *how, out, out))
    flat = x.reshape(2, 4, 256, 32)
    assert entry.supports((flat, w[..., 0], None, (1, 1), (0, 0), (1, 1), 1, flat, flat))


@pytest.mark.compiled
def test_only_reference():
    called = []
    entry = table.Entry(table.Row("relu_forward", "activation", True))
    entry._compiled = lambda *args: called.append("compiled")
    entry._reference = lambda *args: called.append("reference")
    with table.only_reference():
        entry(BIG, 0.0, BIG)
    entry(BIG, 0.0, BIG)
    entry(BIG[:3], 0.0, BIG[:3])
    assert called == ["reference", "compiled", "reference"]


@pytest.mark.parametrize("size, mode", [(3, ""), (1 << 20, "reference")])
def test_numba_is_not_imported_without_need(size, mode, monkeypatch):
    monkeypatch.setenv("NETDEF_KERNELS", mode)
    code = ("import sys, numpy as np; from netdef import kernels as K; "
            f"x = np.zeros({size}, np.float32); K.relu_forward(x, 0.0, x); print('numba' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_importing_the_room_imports_no_numpy():
    code = "import sys, netdef.kernels; print('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
