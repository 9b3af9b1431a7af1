"""A snapshot that cannot be written costs itself and not the training."""
from __future__ import annotations

import errno
from pathlib import Path

import pytest

from netdef import weights
from netdef.errors import SolverError, WeightsError


@pytest.fixture
def full(monkeypatch, tmp_path):
    """Disks are full while ``full`` holds their folders."""
    folders: list[Path] = []
    real = weights.write_solverstate

    def write(path, *args, **options):
        if any(Path(path).absolute().is_relative_to(folder) for folder in folders):
            raise WeightsError("cannot write: No space left on device", where=str(path))
        real(path, *args, **options)

    monkeypatch.setattr(weights, "write_solverstate", write)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return folders


def test_amid_training_it_is_a_warning_and_the_next_one_may_fit(squares, full, tmp_path, caplog):
    solver = squares('snapshot: 2 snapshot_prefix: "w/s" max_iter: 5')
    full.append(tmp_path / "w")
    solver.step(3)
    assert solver.iter == 3 and "no snapshot at iteration 2, training goes on: cannot write: No space left" in caplog.text
    full.clear()
    solver.step(1)
    assert Path("w/s_iter_4.solverstate").exists()


def test_the_last_one_goes_elsewhere(squares, full, tmp_path):
    solver = squares('snapshot_prefix: "w/s" max_iter: 5 momentum: 0.9')
    full.append(tmp_path / "w")
    with pytest.raises(SolverError, match="the last snapshot could not be written .*No space left.* it is now '.*rescued"):
        solver.solve()
    (state,) = (tmp_path / "temporary").glob("netdef-rescued-*/s_iter_5.solverstate")
    again = squares("momentum: 0.9", snapshot=state)
    assert again.iter == 5 and (again.net.params["ip"][0].data == solver.net.params["ip"][0].data).all()


def test_if_that_fails_too_the_first_error_is_told(squares, full, tmp_path):
    solver = squares('snapshot_prefix: "w/s" max_iter: 5')
    full.append(tmp_path)
    with pytest.raises(WeightsError, match="w/s_iter_5.solverstate.*No space left"):
        solver.solve()
    assert list((tmp_path / "temporary").iterdir()) == []


def test_asked_for_by_hand_it_is_an_error(squares, full, tmp_path):
    solver = squares('snapshot_prefix: "w/s"')
    full.append(tmp_path / "w")
    with pytest.raises(WeightsError, match="No space left"):
        solver.snapshot()


def test_a_folder_that_went_away(squares, caplog, monkeypatch):
    """Of an OSError too: whatever the system says."""
    solver = squares('snapshot: 1 snapshot_prefix: "w/s"')

    def refuse(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(weights, "write_solverstate", refuse)
    solver.step(1)
    assert "no snapshot at iteration 1" in caplog.text and "Input/output error" in caplog.text
