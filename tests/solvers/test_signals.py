"""Ctrl-C, in this process and in a real one."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from netdef.solvers.signals import NONE, SNAPSHOT, STOP, Signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX systems")

SCRIPT = """
import runpy, sys, time
import netdef
from netdef.layers import registry
from netdef.solvers import events as e
toys = runpy.run_path(sys.argv[1])
for name in ("Rows", "HalfSquares"):
    registry.register(name)(toys[name])
open("net.prototxt", "w").write(toys["LEAST_SQUARES"])
open("solver.prototxt", "w").write(
    'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 100000 snapshot: 5 snapshot_prefix: "s"')
solver = netdef.Solver("solver.prototxt", seed=1)
mode = sys.argv[2]
def listener(event):
    if event == e.GradientsReady(7, getattr(event, "loss", 0)):
        print("ready", flush=True)
        try:
            for _ in range(5 if mode == "first" else 600):
                time.sleep(0.1)
        finally:
            if mode == "third":
                print("cleaning", flush=True)
                time.sleep(60)
solver.listen(listener)
solver.solve()
print("iter", solver.iter, "stopped", solver.stopped, flush=True)
"""


@pytest.fixture
def process(tmp_path):
    """``process(mode)``: training in a process of its own, waiting in its eighth iteration."""
    (tmp_path / "train.py").write_text(SCRIPT)
    started = []

    def start(mode):
        root = Path(__file__).parents[2]
        environment = {**os.environ, "PYTHONPATH": str(root), "NETDEF_KERNELS": "reference"}
        p = subprocess.Popen([sys.executable, "train.py", str(Path(__file__).with_name("conftest.py")), mode],
                             cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(p)
        assert p.stdout.readline() == "ready\n", p.stderr.read()
        return p

    yield start
    for p in started:
        p.kill()
        p.communicate()


def snapshots(folder):
    return sorted(p.name for p in folder.iterdir() if "_iter_" in p.name)


def test_the_first_finishes_the_batch_takes_a_snapshot_and_ends_well(process, tmp_path):
    p = process("first")
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0, err
    assert out == "iter 8 stopped True\n"
    assert snapshots(tmp_path) == ["s_iter_5.caffemodel", "s_iter_5.solverstate", "s_iter_8.caffemodel",
                                   "s_iter_8.solverstate"]


def test_the_second_ends_at_once_with_130(process, tmp_path):
    p = process("second")
    p.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert p.poll() is None
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    assert (p.returncode, out) == (130, ""), err
    assert snapshots(tmp_path) == ["s_iter_5.caffemodel", "s_iter_5.solverstate"]


def test_the_third_waits_for_no_clean_up(process, tmp_path):
    p = process("third")
    p.send_signal(signal.SIGINT)
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    assert p.stdout.readline() == "cleaning\n"
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=60)
    assert p.returncode == 130
    assert snapshots(tmp_path) == ["s_iter_5.caffemodel", "s_iter_5.solverstate"]


def test_hanging_up_takes_a_snapshot_and_training_goes_on(squares):
    solver = squares('max_iter: 4 snapshot_prefix: "s"')
    taken = []
    solver.listen(lambda event: os.kill(os.getpid(), signal.SIGHUP)
                  if type(event).__name__ == "GradientsReady" and event.iter == 1 else None)
    solver.listen(lambda event: taken.append(event.iter) if type(event).__name__ == "Snapshotted" else None)
    solver.solve()
    assert taken == [2, 4] and not solver.stopped


def test_handlers_are_given_back(squares):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)
    solver = squares('max_iter: 1 snapshot_prefix: "s"')
    inside = []
    solver.listen(lambda event: inside.append(signal.getsignal(signal.SIGINT)))
    solver.solve()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGHUP)) == before
    assert any(handler != before[0] for handler in inside)
    solver.listen(lambda event: 1 / 0)
    solver.param.max_iter = 2
    with pytest.raises(ZeroDivisionError):
        solver.solve()
    assert signal.getsignal(signal.SIGINT) == before[0]


def test_step_leaves_ctrl_c_to_its_caller(squares):
    before = signal.getsignal(signal.SIGINT)
    inside = []
    solver = squares()
    solver.listen(lambda event: inside.append(signal.getsignal(signal.SIGINT)))
    solver.step(1)
    assert set(inside) == {before}


def test_off_the_main_thread_no_handler_is_installed(squares):
    solver = squares('max_iter: 2 snapshot_prefix: "s"')
    before, inside = signal.getsignal(signal.SIGINT), []
    solver.listen(lambda event: inside.append(signal.getsignal(signal.SIGINT)))
    thread = threading.Thread(target=solver.solve)
    thread.start()
    thread.join()
    assert solver.iter == 2 and set(inside) == {before}


def test_effects_can_be_chosen():
    signals = Signals(sigint=SNAPSHOT, sighup=STOP)
    with signals.handled():
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGINT, signal.SIGINT):
            os.kill(os.getpid(), number)
        assert [signals.take() for _ in range(5)] == [SNAPSHOT, STOP, SNAPSHOT, SNAPSHOT, NONE]


def test_an_effect_of_none_leaves_the_signal_alone():
    before = signal.getsignal(signal.SIGINT)
    with Signals(sigint=NONE).handled():
        assert signal.getsignal(signal.SIGINT) == before


def test_unknown_effects_are_refused():
    with pytest.raises(ValueError, match="expected one of stop, snapshot, none, got 'halt'"):
        Signals(sigint="halt")
