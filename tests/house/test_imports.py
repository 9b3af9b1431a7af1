"""Imports: their direction, and what stays unloaded until it is needed."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "numba", "google.protobuf", "yaml")


def _loaded_by(code: str, watched: tuple[str, ...]) -> str:
    """Which of the modules a fresh interpreter has loaded after ``code``."""
    report = f"\nimport sys\nprint(' '.join(m for m in {watched!r} if m in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    return done.stderr.strip()


def test_importing_netdef_loads_nothing_heavy():
    assert _loaded_by("import netdef", (*HEAVY, "click")) == ""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["grads", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    code = f"from netdef.cli.main import cli\ncli.main({arguments!r}, standalone_mode=False)"
    assert _loaded_by(code, HEAVY) == ""


def test_numba_waits_for_a_compiled_kernel():
    code = "import numpy\nfrom netdef import kernels as K\nx = numpy.ones(3, 'f')\nK.relu_forward(x, 0.0, x)"
    assert _loaded_by(code, ("numba",)) == ""


def test_imports_point_one_way():
    """The contracts of setup.cfg; the same check as ``lint-imports``."""
    pytest.importorskip("importlinter")
    done = subprocess.run([sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()",
                           "--no-cache"], cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout + done.stderr
