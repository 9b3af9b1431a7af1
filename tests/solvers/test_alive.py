"""Whether a file is being written: by a lock that ends with whoever holds it."""
from __future__ import annotations

import subprocess
import sys

import pytest

from netdef.solvers import alive as module
from netdef.solvers.alive import alive, hold

pytest.importorskip("fcntl")
HOLD = """
import sys, time
from netdef.solvers.alive import hold
file = open(sys.argv[1], "ab")
hold(file)
print("held", flush=True)
time.sleep(60)
"""


def test_in_this_process(tmp_path):
    path = tmp_path / "file"
    assert not alive(path)
    with open(path, "ab") as file:
        assert not alive(path)
        hold(file)
        assert alive(path) and alive(path)
        hold(file)
    assert not alive(path)


def test_a_killed_process_holds_nothing(tmp_path):
    path = tmp_path / "file"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        assert alive(path)
        process.kill()
        process.wait()
    assert not alive(path)


def test_without_locks_the_clock_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LOCKS", False)
    path = tmp_path / "file"
    assert not alive(path)
    path.write_text("")
    with open(path) as file:
        hold(file)
    assert alive(path)
    monkeypatch.setattr(module, "QUIET", -1.0)
    assert not alive(path)
