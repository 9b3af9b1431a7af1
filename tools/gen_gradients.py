"""Fill in the marked blocks of docs/gradients.md: numbers of the worked example, and what commands print.

A block follows a comment: `<!-- numbers NAME -->` takes a block of docs/gradients/worked.py; `<!-- run -->` runs the
command in the block's first line, in a copy of docs/gradients and configs. It may say `exit=1` (the status expected),
`lines=1-8` (only these; the rest becomes `...`), `only="TEXT"` (only lines with this text) and `from="TEXT"` (from the first
line with this text on).
"""
from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a fresh checkout has netdef not installed

BLOCK = re.compile(r"<!-- (?P<kind>numbers|run)(?P<options>[^\n]*?) -->\n```(?P<language>\w+)\n(?P<body>.*?)```\n", re.S)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
NEEDED = ("docs/gradients", "configs/mlp", "configs/lenet")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or with --check say whether the committed one is up to date (exit status 1: it is not)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a block of the page is stale")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "gradients.md", help="the page (%(default)s)")
    args = parser.parse_args(argv)
    found = args.page.read_text(encoding="utf-8")
    wanted, stale = filled(found)
    for name in stale:
        print(f"{args.page}: block '{name}' is stale" + (": run python tools/gen_gradients.py" if args.check else ""),
              file=sys.stderr)
    if args.check:
        return 1 if stale else 0
    if stale:
        args.page.write_text(wanted, encoding="utf-8", newline="\n")
    return 0


def filled(page: str) -> tuple[str, list[str]]:
    """The page with its blocks filled in, and the names of those that were not right; others stay as they are."""
    os.environ.setdefault("NETDEF_KERNELS", "reference")  # nothing to compile, and nothing said about it
    numbers = _worked_blocks()
    stale: list[str] = []

    def fill(match: re.Match[str]) -> str:
        options, body = match["options"].strip(), match["body"]
        if match["kind"] == "numbers":
            name, wanted = options, numbers[options] + "\n"
        else:
            name = body.splitlines()[0]
            wanted = f"{name}\n{output_of(name, options)}"
        if alike(body, wanted, 0.0 if match["kind"] == "numbers" else 0.01):
            return match[0]
        stale.append(name)
        start = match.start("body") - match.start()
        return match[0][:start] + wanted + match[0][start + len(body):]

    with _copy():
        return BLOCK.sub(fill, page), stale


def output_of(line: str, options: str = "") -> str:
    """What `$ netdef ...` prints on stdout and stderr. Raises ValueError where it ends with another status than said."""
    settings = dict(part.split("=", 1) for part in shlex.split(options))
    program, *arguments = shlex.split(line.removeprefix("$ "))
    if program != "netdef":
        raise ValueError(f"{line}: expected a netdef command")
    status, text = run(arguments)
    if status != int(settings.get("exit", 0)):
        raise ValueError(f"{line}: exit status {status}\n{text}")
    lines = [row.rstrip() for row in text.rstrip().splitlines()]
    if "from" in settings:
        lines = lines[next(i for i, row in enumerate(lines) if settings["from"] in row):]
    if "only" in settings:
        lines = [row for row in lines if settings["only"] in row]
    if "lines" in settings:
        first, last = map(int, settings["lines"].split("-"))
        lines = ["..."] * (first > 1) + lines[first - 1:last] + ["..."] * (last < len(lines))
    return "\n".join(lines) + "\n"


def run(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit status and output of netdef in this process."""
    from netdef.cli.main import main as netdef

    text, old = io.StringIO(), sys.argv
    sys.argv = ["netdef", *arguments]
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            netdef()
    except SystemExit as stop:
        return int(stop.code or 0), text.getvalue()
    finally:
        sys.argv = old
    return 0, text.getvalue()


def alike(a: str, b: str, relative: float) -> bool:
    """Whether two texts differ in spaces and in the last digits of numbers only: computers round in different ways.

    With a ``relative`` above 0, numbers with a point may differ by that or by one in their last place, and tiny ones, which
    are made of rounding, are all alike.
    """
    if NUMBER.sub("0", " ".join(a.split())) != NUMBER.sub("0", " ".join(b.split())):
        return False
    return all(_close(one, other, relative) for one, other in zip(NUMBER.findall(a), NUMBER.findall(b), strict=True))


def _close(one: str, other: str, relative: float) -> bool:
    a, b = float(one), float(other)
    if a == b or not relative:
        return a == b
    if "e" in one + other:
        allowed = relative * abs(a)
    else:
        places = max(len(text.partition(".")[2]) for text in (one, other))
        allowed = max(relative * abs(a), 1.01 * 10.0**-places) if places else 0.0
    return abs(a - b) <= allowed or max(abs(a), abs(b)) < 1e-5


def _worked_blocks() -> dict[str, str]:
    file = ROOT / "docs" / "gradients" / "worked.py"
    spec = importlib.util.spec_from_file_location("worked", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    blocks: dict[str, str] = module.all_blocks()
    return blocks


@contextlib.contextmanager
def _copy() -> Iterator[None]:
    """A working directory with copies of what the commands name, so that they leave nothing behind."""
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in NEEDED:
            shutil.copytree(ROOT / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


if __name__ == "__main__":
    sys.exit(main())
