"""Runs commands as a user would, within the test's process."""
from __future__ import annotations

from typing import NamedTuple

import pytest


class Ran(NamedTuple):
    """Exit status and what was printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys):
    """``run("summary", path)``: the command's exit status, stdout and stderr."""
    from netdef.cli.main import main

    def call(*args) -> Ran:
        monkeypatch.setattr("sys.argv", ["netdef", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            main()
        out, err = capsys.readouterr()
        return Ran(int(stop.value.code or 0), out, err)

    return call


@pytest.fixture
def model(run, tmp_path):
    """``model("logreg")``: a folder made by `netdef new`."""

    def make(name):
        folder = tmp_path / name
        assert run("new", name, folder).status == 0
        return folder

    return make
