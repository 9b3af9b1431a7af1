"""The package: what setup.cfg lists, and a wheel that works outside the clone."""
from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
           "ruff.toml", "netdef", "configs", "proto", "tools", "docs")


@pytest.fixture(scope="module")
def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def _run(*command: str | Path, **options) -> str:
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_package_is_listed(setup_cfg):
    folders = {p.parent.relative_to(ROOT) for p in (ROOT / "netdef").rglob("*.py")}
    found = sorted(".".join(folder.parts) for folder in folders) + ["netdef.configs"]
    assert sorted(setup_cfg["options"]["packages"].split()) == sorted(found)


def test_core_dependencies(setup_cfg):
    names = [line.split(">")[0] for line in setup_cfg["options"]["install_requires"].split()]
    assert sorted(names) == ["click", "numba", "numpy", "protobuf", "pyyaml"]


def test_build_system_is_all_there_is_in_pyproject():
    tables = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith("[")]
    assert tables == ["[build-system]"]


def test_typed_marker_is_shipped():
    assert (ROOT / "netdef" / "py.typed").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel built from an sdist built from a copy of the sources."""
    pytest.importorskip("build")
    pytest.importorskip("setuptools", minversion="77")
    copy = tmp_path_factory.mktemp("sources")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    _run(sys.executable, "-m", "build", "--no-isolation", copy)
    (found,) = (copy / "dist").glob("*.whl")
    return found


@pytest.mark.slow
def test_wheel_contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    configs = {f"netdef/configs/{p.relative_to(ROOT / 'configs').as_posix()}" for p in (ROOT / "configs").rglob("*")
               if p.is_file() and "__pycache__" not in p.parts}
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "netdef").rglob("*.py")}
    digits = {p.relative_to(ROOT).as_posix() for p in (ROOT / "netdef/data/mnist10k").iterdir()}
    page = {p.relative_to(ROOT).as_posix() for p in (ROOT / "netdef/report/assets").iterdir()}
    assert configs | modules | digits | page | {"netdef/config/schema.binpb", "netdef/py.typed"} <= names
    licences = {n.split(".dist-info/licenses/")[1] for n in names if ".dist-info/licenses/" in n}
    assert licences == {"LICENSE", "netdef/data/mnist10k/LICENSE"}
    assert not [n for n in names if not n.startswith(("netdef/", "netdef-"))]


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The ``bin`` of a new environment with the wheel in it, which borrows the dependencies from this one."""
    home = tmp_path_factory.mktemp("installed")
    _run(sys.executable, "-m", "venv", "--without-pip", home / "venv")
    scripts = home / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / "python"
    site = Path(_run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # plain paths in a .pth: .pth files over there (an editable netdef among them) are not followed
    borrowed = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (site / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    _run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", wheel)
    return scripts


def _environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}


@pytest.mark.slow
def test_wheel_is_what_runs(installed, tmp_path):
    where = _run(installed / "python", "-c", "import netdef; print(netdef.__file__)", cwd=tmp_path, env=_environment())
    assert Path(where.strip()).is_relative_to(installed.parent)


@pytest.mark.slow
def test_wheel_trains_lenet(installed, tmp_path):
    """Twenty iterations of ``builtin:lenet`` in an empty folder."""
    shown = _run(installed / "netdef", "train", "builtin:lenet", "--set", "max_iter=20", "--set", "test_iter=1",
                 "--set", "random_seed=1", cwd=tmp_path, env=_environment())
    assert "Optimization Done." in shown
    assert sorted(p.suffix for p in (tmp_path / "runs/LeNet/1").glob("*_iter_20.*")) == [".caffemodel", ".solverstate"]
