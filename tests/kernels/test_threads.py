import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.compiled

RUN = """
from netdef.kernels import jit, threads
import numba, os
print(threads.start(), numba.get_num_threads(), os.environ["OMP_WAIT_POLICY"])
"""


def run(code, **env):
    """What a fresh Python prints."""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_count_must_be_a_number(text, monkeypatch):
    from netdef.kernels import threads

    monkeypatch.setenv("NETDEF_NUM_THREADS", text)
    with pytest.raises(ValueError, match=f"expected a whole number from 1, got '{text}'"):
        threads.wanted()


@pytest.mark.parametrize("first", ["", "import numba"])
def test_count_is_respected(first):
    assert run(f"{first}\n{RUN}", NETDEF_NUM_THREADS="1")[1] == "1"


@pytest.mark.parametrize("given, spins", [({}, "30000"), ({"GOMP_SPINCOUNT": "7"}, "7"),
                                          ({"OMP_WAIT_POLICY": "active"}, "unset")])
def test_threads_wait_a_moment_unless_told_otherwise(given, spins, monkeypatch):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    code = "import os; from netdef.kernels import threads; threads.prepare(); print(os.environ.get('GOMP_SPINCOUNT', 'unset'))"
    assert run(code, **given) == [spins]


def test_more_threads_than_cores():
    assert run(RUN, NETDEF_NUM_THREADS="5")[1] == "5"


def test_never_tbb():
    for asked in ("default", "tbb", "safe"):
        assert run(RUN, NUMBA_THREADING_LAYER=asked)[0] in ("omp", "workqueue")


def test_workqueue_is_locked():
    code = """
import numpy as np
from netdef import kernels as K
from netdef.kernels import threads
x = np.full(1 << 20, -1, np.float32)
K.relu_forward(x, 0.0, x)
print(threads.start(), x.sum(), threads.LAUNCH_LOCK.locked())
"""
    assert run(code, NUMBA_THREADING_LAYER="workqueue") == ["workqueue", "0.0", "False"]


def test_limited():
    import numba

    from netdef.kernels import threads

    threads.start()
    before = numba.get_num_threads()
    with threads.limited(1):
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before
