"""Write the layer catalogue: docs/layers.md, and docs/layers/ with a page a type, from docstrings and proto/'s comments."""
from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a fresh checkout has netdef not installed

from netdef.graph import catalogue  # noqa: E402
from netdef.layers import registry  # noqa: E402

MARK = "<!-- Made by tools/gen_docs.py from docstrings and proto/: change those, and run it again. -->\n\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the pages, or with --check say whether the committed ones are up to date (exit status 1: they are not)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a committed page is stale")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="the folder to write into (%(default)s)")
    args = parser.parse_args(argv)
    wanted = pages()
    found = {str(path.relative_to(args.out)).replace(os.sep, "/"): path.read_text(encoding="utf-8")
             for path in [args.out / "layers.md", *(args.out / "layers").glob("*.md")] if path.exists()}
    stale = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    if args.check:
        for name in stale:
            print(f"{args.out / name} is stale: run python tools/gen_docs.py and commit what it writes", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        path = args.out / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8", newline="\n")
        else:
            path.unlink()
        print(f"{'wrote' if name in wanted else 'removed'} {path}")
    return 0


def pages() -> dict[str, str]:
    """Every page by its path below docs/."""
    made = {"layers.md": catalogue.index_markdown(), "layers/shared.md": catalogue.shared_markdown()}
    made |= {f"layers/{name}.md": catalogue.page_markdown(name) for name in registry.layer_types()}
    return {name: MARK + text for name, text in made.items()}


if __name__ == "__main__":
    sys.exit(main())
