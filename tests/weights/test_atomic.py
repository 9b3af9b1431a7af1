"""Atomic writing: whole, or as if never begun."""
from __future__ import annotations

import errno
import os
import stat

import pytest

from netdef.errors import WeightsError
from netdef.weights import atomic
from netdef.weights.atomic import atomic_write


def test_new_and_replaced(tmp_path):
    path = tmp_path / "x"
    for raw in (b"one", b"two"):
        with atomic_write(path) as file:
            file.write(raw)
            assert not path.exists() or path.read_bytes() != raw
        assert path.read_bytes() == raw
    assert os.listdir(tmp_path) == ["x"]


def test_text(tmp_path):
    with atomic_write(tmp_path / "x", "w") as file:
        file.write("é\n")
    assert (tmp_path / "x").read_bytes() == "é\n".encode()
    with pytest.raises(ValueError, match="mode"), atomic_write(tmp_path / "x", "a"):
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError(errno.ENOSPC, "No space left on device")])
def test_failure_keeps_the_old_file(tmp_path, error):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    expected = WeightsError if isinstance(error, OSError) else error
    with pytest.raises(expected) as caught, atomic_write(path) as file:
        file.write(b"new")
        raise error
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["x"]
    if isinstance(error, OSError):
        assert str(caught.value) == f"{path}: error: cannot write: No space left on device"


def test_failure_while_flushing(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(WeightsError, match="No space left"), atomic_write(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["x"]


def test_other_peoples_errors_pass(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "x"):
        (tmp_path / "missing").read_bytes()


def test_missing_folder_and_folder_as_target(tmp_path):
    with pytest.raises(WeightsError, match="No such file"), atomic_write(tmp_path / "no" / "x"):
        pass
    with pytest.raises(WeightsError, match="it is a folder"), atomic_write(tmp_path):
        pass


def test_links_and_permissions_stay(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_device_is_not_replaced():
    with atomic_write("/dev/null") as file:
        file.write(b"x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
