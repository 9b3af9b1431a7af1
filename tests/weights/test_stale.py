"""Sweeping: what killed processes left goes, what lives or belongs to others stays."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from netdef.weights import atomic, atomic_write, locked, sweep, unfinished

pytestmark = pytest.mark.skipif(not atomic.LOCKS, reason="locks of POSIX systems")
LEFT = ".s_iter_3.caffemodel.0123456789ab.tmp"


def owns(name: str) -> bool:
    return name.startswith("s_iter_")


def test_left_behind_files_go_and_others_stay(tmp_path):
    others = [".s_iter_3.caffemodel.tmp", ".other.0123456789ab.tmp", "s_iter_3.caffemodel.0123456789ab.tmp",
              ".s_iter_3.caffemodel.0123456789AB.tmp", "s_iter_3.caffemodel"]
    for name in [LEFT, LEFT + ".h5", *others]:
        (tmp_path / name).write_bytes(b"x")
    assert {p.name for p in sweep(tmp_path, owns)} == {LEFT, LEFT + ".h5"}
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_a_file_that_is_being_written_stays(tmp_path):
    path = tmp_path / "s_iter_3.caffemodel"
    with atomic_write(path) as file:
        file.write(b"new")
        assert sweep(tmp_path, owns) == [] and len(os.listdir(tmp_path)) == 1
    with unfinished(path) as aside:
        made = aside.with_name(aside.name + ".h5")
        made.write_bytes(b"x")
        assert sweep(tmp_path, owns) == [] and made.exists()
    assert path.read_bytes() == b"new"
    assert sweep(tmp_path, owns) == [made]


def test_of_another_process(tmp_path):
    """The lock is seen from elsewhere, and is gone when its process was killed."""
    code = ("import sys\nfrom netdef.weights import atomic_write\n"
            "with atomic_write(sys.argv[1]) as f:\n    print('open', flush=True)\n    sys.stdin.read()")
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "s_iter_3.caffemodel")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"open\n"
        assert sweep(tmp_path, owns) == []
    finally:
        child.kill()
        child.wait()
    assert len(sweep(tmp_path, owns)) == 1 and os.listdir(tmp_path) == []


def test_a_sweep_between_making_and_locking_only_costs_another_try(tmp_path, monkeypatch):
    real, swept = atomic._lock, []

    def lock(descriptor, wait):
        if wait and not swept:
            swept.append(True)
            assert len(sweep(tmp_path, owns)) == 1
        return real(descriptor, wait)

    monkeypatch.setattr(atomic, "_lock", lock)
    with atomic_write(tmp_path / "s_iter_3.caffemodel") as file:
        file.write(b"new")
    assert swept and (tmp_path / "s_iter_3.caffemodel").read_bytes() == b"new"


def test_without_locks_nothing_is_deleted(tmp_path, monkeypatch):
    (tmp_path / LEFT).write_bytes(b"x")
    monkeypatch.setattr(atomic, "LOCKS", False)
    with locked(tmp_path / LEFT) as free:
        assert not free
    assert sweep(tmp_path, owns) == []
    assert sweep(tmp_path / "absent", owns) == []
