"""Make the figures and the numbers of docs/learn again: all pages, or those that are named.

A page is a folder docs/learn/PAGE with a README.md and a make.py that has `make(out, quick) -> {name: number}`: it trains
with the config beside it and writes its figures into `out`. The numbers go to numbers.json; where the README quotes one it
says which: `<!-- n:NAME -->0.97` (or `97%`), and gets the new value with as many digits as stood there. make.py may have
`TOLERANCE = {"NAME or pattern*": 0.02}`: how far a number may lie from the committed one on another machine; 5% otherwise.
"""
from __future__ import annotations

import argparse
import fnmatch
import importlib
import importlib.util
import json
import math
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
LEARN = ROOT / "docs" / "learn"
QUOTE = re.compile(r"(?P<mark><!-- n:(?P<name>[\w.-]+) -->)(?P<text>-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?%?)")
PICTURE = re.compile(r"!\[[^\]]*\]\((?P<file>[\w.-]+\.(?:png|gif|svg))\)")
MOST_BYTES = 300_000
RELATIVE = 0.05
for _folder in (ROOT, LEARN):  # a fresh checkout has netdef not installed; make.py imports learnkit
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))


def main(argv: Sequence[str] | None = None) -> int:
    """Make the pages; exit status 1 where --check finds a page that is not what make.py gives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="folders of docs/learn (all)")
    parser.add_argument("--quick", action="store_true", help="a few seconds a page, to see whether all runs; the numbers mean "
                                                             "nothing, and nothing is written outside of --out")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if numbers or figures of a page differ")
    parser.add_argument("--out", type=Path, help="write to OUT/PAGE and leave docs/learn as it is")
    args = parser.parse_args(argv)
    for page in args.pages:
        if page not in pages():
            parser.error(f"no page '{page}'; there are {', '.join(pages())}")
    wrong: list[str] = []
    for page in args.pages or pages():
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as spare:
            aside = args.check or args.quick
            out = args.out / page if args.out else Path(spare) if aside else LEARN / page
            out.mkdir(parents=True, exist_ok=True)
            numbers = made(page, out, args.quick)
            found = problems(page, out, numbers, args.quick) if aside else [f"{page}: {text}" for text in missing(page, out)]
        if not aside:
            (out / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8", newline="\n")
            if not args.out:
                _quote_again(page, numbers)
        wrong += found
        print(f"{page}: {len(numbers)} numbers in {time.perf_counter() - began:.0f} s" + (", not as committed" if found else ""))
    for line in wrong:
        print(line, file=sys.stderr)
    return int(bool(wrong))


def pages() -> list[str]:
    """The names of the pages, in alphabetical order."""
    return sorted(file.parent.name for file in LEARN.glob("*/make.py"))


def module_of(page: str) -> ModuleType:
    """A page's make.py, loaded anew."""
    spec = importlib.util.spec_from_file_location(f"learn_{page.replace('-', '_')}", LEARN / page / "make.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def made(page: str, out: Path, quick: bool) -> dict[str, float]:
    """Run a page's make.py; its numbers, rounded to six digits and in order of their names. Raises ValueError where one is
    not finite."""
    with importlib.import_module("learnkit").look():  # it stands in docs/learn
        found = module_of(page).make(out, quick)
    numbers = {name: float(f"{float(value):.6g}") for name, value in sorted(found.items())}
    strange = [name for name, value in numbers.items() if not math.isfinite(value)]
    if strange:
        raise ValueError(f"{page}: not finite: {', '.join(strange)}")
    return {name: int(value) if value.is_integer() else value for name, value in numbers.items()}


def committed(page: str) -> dict[str, float]:
    """The numbers that stand in the repository; none for a page that was never made."""
    file = LEARN / page / "numbers.json"
    found: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found


def readme(page: str) -> str:
    """The text of a page; none where it is not written yet."""
    file = LEARN / page / "README.md"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def problems(page: str, out: Path, numbers: Mapping[str, float], quick: bool) -> list[str]:
    """Where a page differs from what make.py just wrote to ``out``; a quick run is compared by names and files alone."""
    old = committed(page)
    found = [f"number '{name}' is new" for name in numbers.keys() - old.keys()]
    found += [f"number '{name}' is made no more" for name in old.keys() - numbers.keys()]
    found += missing(page, out)
    if not quick:
        allowed = getattr(module_of(page), "TOLERANCE", {})
        found += [f"number '{name}' is {numbers[name]:g}, and {old[name]:g} is committed"
                  for name in sorted(numbers.keys() & old.keys()) if not close(name, numbers[name], old[name], allowed)]
    return [f"{page}: {text}: run python tools/gen_learn.py {page}" for text in found]


def missing(page: str, out: Path) -> list[str]:
    """Figures of the README that ``out`` lacks or that are too large, and figures there that no README shows."""
    shown = {m["file"] for m in PICTURE.finditer(readme(page))}
    drawn = {file.name: file.stat().st_size for file in out.iterdir() if file.suffix in (".png", ".gif", ".svg")}
    return ([f"figure '{name}' is not drawn" for name in sorted(shown - drawn.keys())]
            + [f"figure '{name}' stands in no text" for name in sorted(drawn.keys() - shown)]
            + [f"figure '{name}' has {size} bytes, more than {MOST_BYTES}" for name, size in drawn.items() if size > MOST_BYTES])


def close(name: str, new: float, old: float, allowed: Mapping[str, float]) -> bool:
    """Whether a number is what it was, by the first pattern of ``allowed`` that fits its name (absolute), else by 5%."""
    for pattern, tolerance in allowed.items():
        if fnmatch.fnmatchcase(name, pattern):
            return abs(new - old) <= tolerance
    return abs(new - old) <= RELATIVE * abs(old)


def quoted(text: str, value: float) -> str:
    """``value`` written as ``text`` is: as many digits behind the point, thousands set off, per cent, exponent."""
    body = text.removesuffix("%")
    value = 100 * value if text.endswith("%") else value
    places = len(body.partition("e")[0].partition(".")[2])
    kind = "e" if "e" in body else "f"
    made_text = f"{value:{',' if kind == 'f' and abs(value) >= 1000 else ''}.{places}{kind}}"
    made_text = made_text.removeprefix("-") if not float(made_text.replace(",", "")) else made_text
    return made_text + "%" * text.endswith("%")


def requoted(text: str, numbers: Mapping[str, float]) -> str:
    """A page's text with the numbers that it quotes. Raises KeyError on a name that is not there."""
    return QUOTE.sub(lambda m: m["mark"] + quoted(m["text"], numbers[m["name"]]), text)


def _quote_again(page: str, numbers: Mapping[str, float]) -> None:
    old = readme(page)
    new = requoted(old, numbers)
    for before, after in zip(QUOTE.finditer(old), QUOTE.finditer(new), strict=True):
        if before["text"] != after["text"]:
            print(f"{page}/README.md: {before['name']} was {before['text']} and is {after['text']}: read the text again")
    if new != old:
        (LEARN / page / "README.md").write_text(new, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(main())
