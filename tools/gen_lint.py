"""Write the list of rules in docs/lint.md from the docstrings in netdef/lint/."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a fresh checkout has netdef not installed

from netdef.lint import page  # noqa: E402


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or with --check say whether the committed one is up to date (exit status 1: it is not)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the committed page is stale")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "lint.md", help="the page (%(default)s)")
    args = parser.parse_args(argv)
    found = args.out.read_text(encoding="utf-8")
    head, mark, _ = found.partition(page.BEGIN)
    if not mark:
        print(f"{args.out}: has no line '{page.BEGIN}'", file=sys.stderr)
        return 1
    wanted = head + page.markdown()
    if args.check:
        if wanted != found:
            print(f"{args.out} is stale: run python tools/gen_lint.py and commit what it writes", file=sys.stderr)
        return int(wanted != found)
    if wanted != found:
        args.out.write_text(wanted, encoding="utf-8", newline="\n")
        print(f"wrote {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
