"""docs/lint.md lists the rules as their docstrings say them."""
from __future__ import annotations

import importlib.util
from pathlib import Path

from netdef.lint.page import BEGIN, as_plain

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("gen_lint", ROOT / "tools" / "gen_lint.py")
gen_lint = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(gen_lint)


def test_the_page_is_up_to_date():
    assert gen_lint.main(["--check"]) == 0


def test_a_stale_page_is_noticed_and_written(tmp_path, capsys):
    page = tmp_path / "lint.md"
    page.write_text(f"# Lint\n\n{BEGIN}\nWritten by hand.\n")
    assert gen_lint.main(["--check", "--out", str(page)]) == 1 and "is stale" in capsys.readouterr().err
    assert gen_lint.main(["--out", str(page)]) == 0 == gen_lint.main(["--check", "--out", str(page)])
    text = page.read_text()
    assert text.startswith("# Lint\n") and "by hand" not in text and all(f"`{r['rule']}`" in text for r in as_plain())
    page.write_text("# Lint\n")
    assert gen_lint.main(["--out", str(page)]) == 1 and "has no line" in capsys.readouterr().err
