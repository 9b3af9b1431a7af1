"""The group: help, did-you-mean, exit statuses."""
from __future__ import annotations

import subprocess
import sys

import pytest

from netdef.cli.main import COMMANDS


def test_help_lists_every_command(run):
    ran = run("--help")
    assert ran.status == 0
    for name in COMMANDS:
        assert f"  {name}" in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run, name):
    ran = run(name, "--help")
    assert ran.status == 0
    assert ran.out.startswith("Usage: ")
    assert len(ran.out.split("\n\n")[1].strip()) > 30


def test_help_imports_neither_numpy_nor_numba():
    code = ("import sys; sys.argv = ['netdef', '--help']\n"
            "from netdef.cli.main import main\n"
            "try: main()\nexcept SystemExit: pass\n"
            "print([m for m in ('numpy', 'numba', 'google.protobuf', 'yaml') if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]"), done.stdout


def test_unknown_command(run):
    ran = run("trian")
    assert ran.status == 2
    assert "no command 'trian'; did you mean 'train'?" in ran.err


def test_wrong_usage_is_2_and_a_users_mistake_is_1(run, tmp_path):
    assert run("train").status == 2
    ran = run("train", tmp_path / "none.prototxt")
    assert ran.status == 1
    assert "no file" in ran.err and "Traceback" not in ran.err


def test_debug_prints_a_traceback(run, tmp_path):
    ran = run("--debug", "train", tmp_path / "none.prototxt")
    assert ran.status == 1 and "Traceback" in ran.err


def test_threads_are_set_for_the_kernels(run, monkeypatch, tmp_path):
    from netdef.kernels import threads

    monkeypatch.delenv("NETDEF_NUM_THREADS", raising=False)
    run("--threads", "3", "train", tmp_path / "none.prototxt")
    assert threads.wanted() == 3
    monkeypatch.setenv("NETDEF_NUM_THREADS", "none")
    ran = run("layers")
    assert ran.status == 2 and "NETDEF_NUM_THREADS" in run("--help").out
