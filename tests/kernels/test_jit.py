import logging
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

pytestmark = pytest.mark.compiled

RUN = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
import numpy as np
from netdef import kernels as K
from netdef.kernels import jit
x = np.full(1 << 20, -1, np.float32)
K.relu_forward(x, 0.0, x)
assert (x == 0).all()
print(jit.compile_count(), jit.hit_count(), jit.compile_seconds() > 0)
"""


def run(code, **env):
    """What a fresh Python prints, line by line."""
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_second_process_compiles_nothing(tmp_path):
    first = run(RUN, NETDEF_CACHE_DIR=str(tmp_path))
    assert len(first) == 2 and first[1] == "1 0 True"
    assert first[0].startswith(f"compiling kernel relu_zero (first run; cached in {tmp_path}")
    assert run(RUN, NETDEF_CACHE_DIR=str(tmp_path)) == ["0 1 False"]


def test_damaged_cache_is_compiled_again(tmp_path):
    run(RUN, NETDEF_CACHE_DIR=str(tmp_path))
    for path in tmp_path.rglob("*.nb*"):
        path.write_bytes(path.read_bytes()[:40])
    assert run(RUN, NETDEF_CACHE_DIR=str(tmp_path))[-1] == "1 0 True"
    assert run(RUN, NETDEF_CACHE_DIR=str(tmp_path))[-1] == "0 1 False"


def test_missing_data_file_is_compiled_again(tmp_path):
    run(RUN, NETDEF_CACHE_DIR=str(tmp_path))  # as left by a run that was killed between index and data
    for path in tmp_path.rglob("*.nbc"):
        path.unlink()
    assert run(RUN, NETDEF_CACHE_DIR=str(tmp_path))[-1] == "1 0 True"


def double():
    """A new kernel, not compiled."""
    from netdef.kernels import jit

    def twice(x, out):
        for i in range(x.size):
            out[i] = 2 * x[i]

    made = jit.Kernel(twice, "f[1] f![1]")
    jit._kernels.remove(made)
    return made


def test_interrupt_waits_for_the_compiler(monkeypatch):
    made, real = double(), np.ones(3, np.float32)
    make = made._make

    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        return make()

    monkeypatch.setattr(made, "_make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made(real, real)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.undo()
    made(real, real)
    assert real.tolist() == [2, 2, 2]


def test_a_failed_compilation_can_be_tried_again(monkeypatch):
    from netdef.kernels import jit

    made, x = double(), np.ones(2, np.float32)
    monkeypatch.setattr(jit, "_types", lambda text: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made(x, x)
    monkeypatch.undo()
    made(x, x)
    assert x.tolist() == [2, 2]


def test_many_threads_compile_once(caplog):
    from netdef.kernels import jit

    made, before = double(), jit.compile_count() + jit.hit_count()
    workers = [threading.Thread(target=lambda: made(np.ones(2, np.float32), np.ones(2, np.float32))) for _ in range(4)]
    with caplog.at_level(logging.INFO, "netdef"):
        for w in workers:
            w.start()
        for w in workers:
            w.join()
    assert jit.compile_count() + jit.hit_count() == before + 1


@pytest.mark.parametrize("text", ["q", "f[", "f[1]!", "F", "f![x]"])
def test_unreadable_signature(text):
    from netdef.kernels import jit

    with pytest.raises(ValueError, match="cannot read"):
        jit._types(text)


def test_another_type_is_an_error():
    made = double()
    with pytest.raises(TypeError):
        made(np.ones(2), np.ones(2))


def test_a_second_interrupt_is_passed_on_at_once():
    from netdef.kernels import jit

    seen = []

    def handler(number, frame):
        seen.append(len(seen))
        if len(seen) == 2:
            raise SystemExit(130)

    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(SystemExit), jit._interrupts_held():
            signal.raise_signal(signal.SIGINT)
            assert seen == []
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the second one should have ended the block")
        assert seen == [0, 1]
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)
