"""docs/data.md: its commands print what stands there, and all sources and commands stand there."""
from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from netdef.cli.data import COMMANDS
from netdef.cli.main import cli
from netdef.data.spelling import KINDS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def sessions() -> list[tuple[str, str]]:
    """Commands and what they print, in order."""
    lines = [line[4:] if line.startswith("    ") else "" if line == "" else None for line in TEXT.splitlines()]
    found: list[tuple[str, list[str]]] = []
    inside = False
    for line in lines:
        if line is None:
            inside = False
        elif line.startswith("$ "):
            found.append((line[2:], []))
            inside = True
        elif inside:
            found[-1][1].append(line)
    return [(command, "\n".join(said).strip()) for command, said in found]


@pytest.mark.slow
def test_commands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = sessions()
    assert len(runs) > 8
    for command, said in runs:
        done = CliRunner().invoke(cli, shlex.split(command)[1:])
        assert done.stdout.strip() == said, command
        assert done.exit_code == (1 if "error" in said else 0), command


def test_everything_is_there():
    assert [name for name in COMMANDS if f"netdef data {name}" not in TEXT] == []
    assert [kind for kind in KINDS if f"{kind}:" not in TEXT] == []
    assert re.search(r"\| `netdef data ", (ROOT / "README.md").read_text(encoding="utf-8"))
