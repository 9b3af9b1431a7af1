"""tools/gen_docs.py: the committed pages are up to date, and --check notices when they are not."""
from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "gen_docs.py"
SPEC = importlib.util.spec_from_file_location("gen_docs", TOOL)
gen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gen)


def test_the_committed_pages_are_up_to_date():
    """In a process of its own: tests register types of theirs."""
    done = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_write_check_and_repair(tmp_path, capsys):
    arguments = ["--out", str(tmp_path)]
    assert gen.main([*arguments, "--check"]) == 1
    assert not any(tmp_path.iterdir())
    assert gen.main(arguments) == 0
    assert gen.main([*arguments, "--check"]) == 0
    capsys.readouterr()
    assert gen.main(arguments) == 0 and capsys.readouterr().out == "", "a second run has nothing to do"
    (tmp_path / "layers" / "ReLU.md").write_text("by hand")
    (tmp_path / "layers" / "Gone.md").write_text("a type that is no more")
    assert gen.main([*arguments, "--check"]) == 1
    said = capsys.readouterr().err
    assert "Gone.md is stale" in said and "ReLU.md is stale: run python tools/gen_docs.py" in said
    assert gen.main(arguments) == 0
    assert gen.main([*arguments, "--check"]) == 0
    assert not (tmp_path / "layers" / "Gone.md").exists()


def test_help():
    done = subprocess.run([sys.executable, str(TOOL), "--help"], capture_output=True, text=True, check=True)
    assert "--check" in done.stdout
