"""Write docs/conformance.md: what netdef makes of each file of a collection of published prototxt files."""
from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a fresh checkout has netdef not installed

from netdef.config import forks, prototxt  # noqa: E402
from netdef.config.load import kind_of, load_net, load_solver, read_text  # noqa: E402
from netdef.config.located import Located  # noqa: E402
from netdef.config.recognise import recognise  # noqa: E402
from netdef.config.upgrade import Report  # noqa: E402
from netdef.debug import filetext  # noqa: E402
from netdef.debug.netlook import StateLook, look, look_at, silent  # noqa: E402
from netdef.errors import Collector, ConfigError  # noqa: E402

MARK = "<!-- Made by tools/gen_conformance.py: run it again with the folder of files, do not edit. -->\n\n"
FIELD = re.compile(r"no field '(\w+)'")
PLACEHOLDER = re.compile(r"expected an integer, got \D")
HEAD = ("file", "kind", "written in", "upgrade", "dialect", "fields not known", "types not known", "state", "describes",
        "shapes", "assumed")

# Sizes of published data sets, by the names of files, for blobs whose shapes only the data know.
_VOC, _NYUD, _SIFT, _ROIS = (500, 500), (425, 560), (256, 256), (128, 5)
SIZES: list[tuple[str, dict[str, tuple[int, ...]]]] = [
    (r"lenet|mnist_autoencoder", {"data": (64, 1, 28, 28)}),
    (r"mnist_siamese", {"pair_data": (64, 2, 28, 28)}),
    (r"cifar10", {"data": (100, 3, 32, 32)}),
    (r"hdf5_classification", {"data": (10, 4), "label": (10,)}),
    (r"vdsr", {"data": (64, 1, 41, 41), "label": (64, 1, 41, 41)}),
    (r"linreg", {"loss": ()}),
    (r"vanilla", {"X": (64, 3, 40, 40), "landmarks": (64, 10), "loss": ()}),
    (r"voc-fcn|pascalcontext", {"data": (1, 3, *_VOC), "label": (1, 1, *_VOC)}),
    (r"nyud", {"data": (1, 3, *_NYUD), "color": (1, 3, *_NYUD), "hha": (1, 3, *_NYUD), "depth": (1, 1, *_NYUD),
               "label": (1, 1, *_NYUD)}),
    (r"siftflow", {"data": (1, 3, *_SIFT), "sem": (1, 1, *_SIFT), "geo": (1, 1, *_SIFT)}),
    (r"py-faster-rcnn", {"data": (1, 3, 600, 1000), "im_info": (1, 3), "gt_boxes": (1, 5), "rpn_rois": (2000, 5),
                         "rois": _ROIS, "scores": (128, 1), "labels": (128,)}),
    (r"py-faster-rcnn.*pascal", {f"bbox_{name}": (128, 84) for name in ("targets", "inside_weights", "outside_weights")}),
    (r"py-faster-rcnn.*coco", {f"bbox_{name}": (128, 324) for name in ("targets", "inside_weights", "outside_weights")}),
]


@dataclass
class Row:
    """One file."""

    name: str
    kind: str = "net"
    syntax: str = ""
    changes: int = 0
    dialect: str = ""
    fields: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    states: list[StateLook] = field(default_factory=list)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or with --check say whether the committed one is up to date (exit status 1: it is not)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="the folder of prototxt files ($NETDEF_SHARED/prototxt)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the committed page is stale")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "conformance.md", help="the page (%(default)s)")
    args = parser.parse_args(argv)
    shared = os.environ.get("NETDEF_SHARED")
    folder = args.folder or (Path(shared) / "prototxt" if shared else None)
    if folder is None or not folder.is_dir():
        print(f"no folder of files{f' {folder}' if folder else ''}: give one, or set NETDEF_SHARED", file=sys.stderr)
        return 0 if args.check else 2
    text = page([row(path) for path in sorted(folder.glob("*.prototxt"))])
    if args.check:
        stale = not args.out.exists() or args.out.read_text(encoding="utf-8") != text
        if stale:
            print(f"{args.out} is stale: run python tools/gen_conformance.py FOLDER and commit what it writes", file=sys.stderr)
        return int(stale)
    args.out.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {args.out}")
    return 0


def row(path: Path) -> Row:
    """Read, upgrade, describe and infer one file."""
    made = Row(path.name.removesuffix(".prototxt"))
    errors, changes = Collector(), Report()
    with silent():
        try:
            tree = prototxt.read(read_text(path), path.name)
            names = {child.name for child in tree.children}
            if names <= {"item"}:
                made.kind = "label map" if names else "empty"
                return made
            if kind_of(path) == "solver":
                made.kind = "solver"
                load_solver(path, errors=errors, report=changes)
            else:
                net = load_net(path, errors=errors, report=changes)
                made.syntax = re.sub(r" \(.*?\)", "", filetext.syntax(tree))
                dialect = recognise(tree)
                made.dialect = "" if dialect.plain else ", ".join(forks.NAMES[f] for f in dialect.forks) or "a fork"
                made.states = [_sized(net, state, made.name) for state in look(net)]
                made.kind = filetext.purpose(made.states).removeprefix("net to ")
        except ConfigError as error:
            errors.add(error)
    made.changes = len(changes.changes)
    for e in errors.found:
        match = FIELD.search(e.message)
        if match and "it belongs to" in e.hint:
            made.fields.append(f"{match[1]} ({e.hint.removeprefix('it belongs to ').removesuffix(', not to netdef')})")
        else:
            made.other.append("a number that a script fills in" if PLACEHOLDER.search(e.message) else e.message)
    made.fields, made.other = list(dict.fromkeys(made.fields)), list(dict.fromkeys(made.other))
    return made


def _sized(net: Located, state: StateLook, name: str) -> StateLook:
    """The same state with the sizes of the data set that the file's name tells, where shapes were missing."""
    known = {blob: shape for pattern, shapes in SIZES if re.search(pattern, name, re.IGNORECASE)
             for blob, shape in shapes.items() if blob in state.unassumed}
    return look_at(net, state.state, known) if known else state


def page(rows: Sequence[Row]) -> str:
    """The whole page."""
    lines = ["# Published Caffe files, one by one", "",
             f"What netdef makes of a collection of {len(rows)} published prototxt files: nets and solvers of BVLC Caffe from "
             "2013 on and of its", "forks, by many authors. Their data are not here, so shapes are assumed as `netdef summary` "
             "assumes them, from", "`crop_size`, `new_height` and `batch_size`; where only the data know, those of the "
             "published data sets are taken,", "by the names of files. `netdef doctor FILE` says the same of one file. Shapes: "
             "*all*, or how many layers have them and", "why the others do not.", "", *_counts(rows), "", "## Nets", "",
             *_table(HEAD, (cells for r in rows if r.states for cells in _cells(r))), "", "## Solvers and others", "",
             *_table(("file", "kind", "upgrade", "not known"),
                     ((_file(r.name), r.kind, _changes(r), _some([*r.fields, *r.other])) for r in rows if not r.states))]
    return MARK + "\n".join(lines) + "\n"


def _counts(rows: Sequence[Row]) -> list[str]:
    kinds = Counter(r.kind if not r.states else "net" for r in rows)
    states = [s for r in rows for s in r.states]
    whole = [s for s in states if s.whole]
    types = Counter(t for r in rows for t in {t for s in r.states for t in s.types})
    fields = Counter(f.split(" ")[0] for r in rows for f in r.fields)
    odd = [r for r in rows if r.other]
    text = [("files", str(len(rows))), ("of these", ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in
                                                              kinds.most_common())),
            ("bind with every field", str(sum(not r.fields and not r.other for r in rows))),
            ("have fields that only a fork knows", f"{sum(bool(r.fields) for r in rows)}: {_tally(fields)}"),
            ("have other mistakes", f"{len(odd)}: {_some(sorted({m for r in odd for m in r.other}))}" if odd else "0"),
            ("in a syntax of 2013 or 2014", str(sum(r.syntax.startswith(("V0", "V1")) for r in rows))),
            ("written for a fork", str(sum(bool(r.dialect) for r in rows))),
            ("states of the nets (a phase, perhaps with a stage)", str(len(states))),
            ("described without a mistake", str(sum(not s.errors for s in states))),
            ("with all shapes known", f"{len(whole)}, of these {sum(bool(s.assumed) for s in whole)} by assumed shapes"),
            ("with shapes as far as data or Python modules tell", str(sum(bool(s.unassumed) and not s.types for s in states))),
            ("with types that are not known here", f"{sum(bool(s.types) for s in states)}: {_tally(types)}")]
    return _table(("what", "how many"), text)


def _cells(r: Row) -> Iterable[tuple[str, ...]]:
    """A line for each state, the file's own cells on the first."""
    for i, s in enumerate(r.states):
        own = ((_file(r.name), r.kind, r.syntax, _changes(r), r.dialect, _some([*r.fields, *r.other]),
                _some([f"{t} x{n}" for t, n in sorted(s.types.items())])) if i == 0 else ("", "", "", "", "", "",
               _some([f"{t} x{n}" for t, n in sorted(s.types.items())]) if s.types != r.states[0].types else ""))
        yield (*own, s.name, "yes" if not s.errors else _plain(s.errors[0].message), _shapes(r, s), _some(list(s.assumed)))


def _shapes(r: Row, s: StateLook) -> str:
    missing = s.unknown + sum(s.types.values())
    if not missing and not s.unassumed:
        return "all"
    why = [f"{_some(list(s.unassumed))} not here"] if s.unassumed else []
    why += ["types"] if s.types else []
    why += ["fields"] if not why and (r.fields or r.other) else []
    return f"{s.layers - missing} of {s.layers}: {', '.join(why) or 'see the other columns'}"


def _changes(r: Row) -> str:
    return str(r.changes) if r.changes else ""


def _file(name: str) -> str:
    return f"`{name}`"


def _tally(found: Counter[str]) -> str:
    return ", ".join(f"{name} ({n})" for name, n in sorted(found.items(), key=lambda x: (-x[1], x[0]))) or "none"


def _some(items: Sequence[str], most: int = 6) -> str:
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")


def _plain(text: str) -> str:
    """An error's text in a cell, without the paths of this machine."""
    return re.sub(r": tried .*", "", text).replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(cells)} |" for cells in rows)]


if __name__ == "__main__":
    sys.exit(main())
