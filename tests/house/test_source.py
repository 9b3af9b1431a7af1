"""The source itself: docstrings, length, words."""
from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "netdef").rglob("*.py"))
PYTHON = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.py"))]
MOST_LINES = 400
TEXT = {".py", ".md", ".cfg", ".toml", ".yaml", ".yml", ".proto", ".prototxt", ".in", ""}
# Signs of something left undone or said to the wrong reader; written so that this file does not hold them.
FORBIDDEN = re.compile("|".join(f"\\b{a}{b}\\b" for a, b in [("TO", "DO"), ("FIX", "ME"), ("X", "XX")])
                       + "|to be " + "measured|/work/" + "(main|shared)|/root/" + "venv")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _files() -> list[Path]:
    """What git tracks or would track; every file where this is no checkout."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"], capture_output=True,
                          text=True)
    names = done.stdout.splitlines() if done.returncode == 0 else [_name(p) for p in PYTHON]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def _undocumented(body: list[ast.stmt], prefix: str) -> list[str]:
    """Public classes, functions and methods without a docstring; what overrides a documented base may go without."""
    missing: list[str] = []
    for node in body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not _excused(node):
            missing.append(prefix + node.name)
        if isinstance(node, ast.ClassDef):
            missing += _methods_without(node, f"{prefix}{node.name}.")
    return missing


def _methods_without(cls: ast.ClassDef, prefix: str) -> list[str]:
    """A class with bases may override a documented method: then the base's docstring counts."""
    return [] if cls.bases else _undocumented(cls.body, prefix)


def _excused(node: ast.AST) -> bool:
    """Setters and overloads: the getter, or the implementation, has the docstring."""
    decorators = [ast.unparse(d) for d in getattr(node, "decorator_list", [])]
    return any(d.endswith((".setter", "overload")) for d in decorators)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_documented(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, "the module has no docstring"
    assert _undocumented(tree.body, "") == []


@pytest.mark.parametrize("path", PYTHON, ids=_name)
def test_not_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MOST_LINES


def test_every_package_says_what_it_is():
    """A room has a package docstring, or a README."""
    rooms = {p.parent for p in MODULES}
    silent = [_name(room) for room in sorted(rooms)
              if not (room / "README.md").is_file()
              and not ((room / "__init__.py").is_file()
                       and ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))))]
    assert silent == []


def test_words():
    found = []
    for path in _files():
        if path.suffix in TEXT and path.name != "LICENSE":
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if FORBIDDEN.search(line):
                    found.append(f"{_name(path)}:{number}: {line.strip()}")
    assert found == []


def test_only_the_command_line_prints():
    """The library raises and logs; printing belongs to netdef/cli."""
    found = [f"{_name(path)}:{node.lineno}" for path in MODULES if "cli" not in path.parts
             for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert found == []
