"""Text files for `netdef doctor`: nets and solvers, lists, logs, and what was saved in the place of a model."""
from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from netdef.config import forks, prototxt, schema, yamlshort, yamltext
from netdef.config.load import parse_text_message
from netdef.config.located import Located
from netdef.config.paths import BUILTIN, resolve
from netdef.config.recognise import Dialect, recognise
from netdef.config.tree import Node
from netdef.config.upgrade import Report, upgrade_net, upgrade_solver
from netdef.debug.filereport import FileReport, count, some
from netdef.debug.filewire import unknown_types
from netdef.debug.netlook import StateLook, look, silent
from netdef.errors import Collector, ConfigError, Span

MOST = 1 << 26  # bytes of a text that are read
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_YAML = (".yaml", ".yml")
_MESSAGES = {"net": "NetParameter", "solver": "SolverParameter", "recipe": "RecipeParameter"}
_GLOG = re.compile(r"^[IWEF]\d{4}(?:\d{4})? \d\d:\d\d:\d\d\.\d+ +\d+ \S+:\d+\] ", re.MULTILINE)
_ITERATION = re.compile(r"Iteration (\d+)[ ,]")
_LOSS = re.compile(r"Iteration (\d+).*?, loss = (\S+)")
_LIST = re.compile(r"^(.*\S)[ \t]+(-?\d+(?:[ \t,]+-?[\d.eE+-]+)*)$")
_PICTURE = re.compile(r"\.(jpe?g|png|bmp|tiff?|gif|ppm|pgm|webp)$", re.IGNORECASE)
_HDF5 = re.compile(r"\.(h5|hdf5)$", re.IGNORECASE)


def looks_like_text(head: bytes) -> bool:
    """Whether bytes have none of those that no text has, or are UTF-16 with its mark."""
    return head[:2] in (b"\xff\xfe", b"\xfe\xff") or not _CONTROL.search(head)


def examine(path: Path, report: FileReport) -> None:
    """Fill the report of a text file."""
    raw = path.read_bytes()[:MOST]
    report.facts["bytes"] = path.stat().st_size
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        report.kind, report.broken = "text in UTF-16", "byte 0: UTF-16, where Caffe and netdef read UTF-8"
        report.next = [f"iconv -f UTF-16 -t UTF-8 {path} > {path.stem}-utf8{path.suffix}"]
        return
    if raw.startswith(b"\xef\xbb\xbf"):
        report.notes.append("it begins with a byte order mark; netdef drops it, Caffe stops at it")
    if b"\r\n" in raw:
        report.notes.append("its lines end as on Windows (CRLF); netdef reads them, lists with such ends confuse Caffe")
    text = raw.decode("utf-8-sig", "replace")
    for kind in (_lfs, _web_page, _log, _config, _json, _list):
        if kind(path, text, report):
            return
    report.kind = "text of another kind"
    report.facts["begins"] = " ".join(text[:200].split())[:60]


def _lfs(path: Path, text: str, report: FileReport) -> bool:
    if not text.startswith("version https://git-lfs"):
        return False
    size = re.search(r"^size (\d+)", text, re.MULTILINE)
    report.kind = "Git LFS pointer: the file itself was not fetched"
    report.facts["stands for"] = f"a file of {int(size[1]):,} bytes" if size else "a file of unknown size"
    report.broken = f"byte 0 of {len(text)}: a pointer of text stands where the file should be"
    report.next = [f"git lfs pull --include {path.name}"]
    return True


def _web_page(path: Path, text: str, report: FileReport) -> bool:
    head = text[:1000].lstrip().lower()
    if not head.startswith(("<!doctype html", "<html", "<?xml", "<head", "<error")):
        return False
    title = re.search(r"<title>(.*?)</title>|<message>(.*?)</message>", text, re.IGNORECASE | re.DOTALL)
    report.kind = "web page (HTML), as downloads leave that went wrong" if "html" in head or "<head" in head else "XML"
    if title:
        report.facts["title"] = " ".join((title[1] or title[2] or "").split())[:80]
    if report.kind != "XML" or path.suffix in (".caffemodel", ".prototxt", ".h5"):
        report.broken = "byte 0: a web server's page stands where the file should be"
        report.next = ["download the file again, with the address of the file and not of a page about it"]
    return True


def _log(path: Path, text: str, report: FileReport) -> bool:
    ours = "Iteration " in text and re.search(r"^(Solving |Iteration \d+)", text, re.MULTILINE)
    if not _GLOG.search(text[:20000]) and not ours:
        return False
    report.kind = "training log"
    report.origin = "Caffe (glog)" if _GLOG.search(text[:20000]) else "netdef"
    numbers = [int(n) for n in _ITERATION.findall(text)]
    losses = _LOSS.findall(text)
    if numbers:
        report.facts["iterations"] = f"{min(numbers):,} to {max(numbers):,}"
    if losses:
        report.facts["loss"] = f"{losses[0][1]} at first, {losses[-1][1]} at iteration {int(losses[-1][0]):,}"
        if re.search(r"nan|inf|87\.33", losses[-1][1]):
            report.notes.append("the last loss is that of a run gone wrong; `netdef blame SOLVER` replays it and says why")
    done = re.search(r"Optimization (Done|stopped early)", text)
    report.facts["ended"] = done[0] if done else "no: the log stops before the training's end"
    failed = re.search(r"Check failed:.*", text)
    if failed:
        report.facts["failed"] = failed[0][:200]
    return True


# nets and solvers ---------------------------------------------------------------------------------------------


def _config(path: Path, text: str, report: FileReport) -> bool:
    tried = [(form, _parsed(form, text, str(path))) for form in ("prototxt", "yaml")]
    scored = [(_score(tree), form, tree) for form, (tree, _) in tried if tree is not None]
    best = max(scored, key=lambda s: s[0][0], default=((0, ""), "", None))
    if best[0][0] == 0 or best[2] is None:
        return _broken_config(path, text, report, {form: error for form, (_, error) in tried})
    form, tree, kind = best[1], best[2], best[0][1]
    is_yaml = path.suffix.lower() in _YAML
    if (form == "yaml") != is_yaml and not (form == "yaml" and tried[0][1][0] is not None):
        report.notes.append(f"its text is {form}, its name says {'YAML' if is_yaml else 'prototxt'}; netdef goes by the "
                            f"name, so rename it to {path.stem}.{form}")
        report.cannot.append("netdef reads it in the wrong notation as it is named")
    if kind == "labels":
        report.kind = "label map of SSD: the names of classes by number"
        report.facts["classes"] = sum(c.name == "item" for c in tree.children)
    elif kind == "solver":
        _solver(path, text, form, report)
    elif kind == "recipe":
        report.kind = "recipe: several solvers, one after another"
        report.next = [f"netdef train {path}"]
    else:
        _net(path, text, form, tree, report)
    return True


def _parsed(form: str, text: str, name: str) -> tuple[Node | None, ConfigError | None]:
    try:
        if form == "prototxt":
            return prototxt.read(text, name), None
        return yamlshort.expand(yamltext.read(text, name), "NetParameter", Collector()), None
    except ConfigError as error:
        return None, error
    except RecursionError:
        return None, ConfigError("it is nested too deeply", where=name)


def _score(tree: Node) -> tuple[int, str]:
    """How many of the names at the top are fields of a net or a solver, and which of them it is."""
    if tree.kind != "message":
        return 0, ""
    names = {child.name for child in tree.children}
    if names and names <= {"item"}:
        return 1, "labels"
    scores = [(len(names & {*schema.fields(message)}), kind) for kind, message in _MESSAGES.items()
              if message in _known()]
    return max(scores, key=lambda s: s[0])


def _known() -> set[str]:
    found = set()
    for message in _MESSAGES.values():
        try:
            schema.fields(message)
        except (KeyError, ValueError):
            continue
        found.add(message)
    return found


def _broken_config(path: Path, text: str, report: FileReport, errors: dict[str, ConfigError | None]) -> bool:
    """A config that cannot be read at all: told by its name or by the fields that it begins with."""
    begins = re.findall(r"^\s*(layers?|name|input|input_dim|input_shape|net|train_net|base_lr)\s*[:{]", text, re.MULTILINE)
    named = path.suffix.lower() in (".prototxt", ".pbtxt", *_YAML)
    form = "yaml" if path.suffix.lower() in _YAML else "prototxt"
    error = errors.get(form)
    if error is None or not (begins and (named or len(begins) > 2)):
        return False
    report.kind = f"{form}, as nets and solvers are written"
    where = error.where
    line = where.line if isinstance(where, Span) else 1
    place = f"line {line}, column {where.column}: " if isinstance(where, Span) else ""
    report.broken = f"{place}{error.message}"
    report.sound = f"{line - 1:,} of {len(text.splitlines()):,} lines can be read"
    return True


def _bound(path: Path, text: str, form: str, message: str, upgrade: Callable[[Located, Report], Located]
           ) -> tuple[Located, list[ConfigError], Report]:
    """The message in the current syntax, the mistakes in it, and what the upgrade changed."""
    errors, changes = Collector(), Report()
    located = parse_text_message(text, f"{path}" if (path.suffix.lower() in _YAML) == (form == "yaml") else f"{path}.{form}",
                                 message, errors)
    with errors:
        located = upgrade(located, changes)
    return located, errors.found, changes


def _mistakes(errors: list[ConfigError], report: FileReport) -> list[str]:
    """Fields of forks go to ``cannot``, other mistakes break the file; the names of the fields of forks."""
    fork = [e for e in errors if "it belongs to" in e.hint]
    fields = sorted({m[1] for e in fork if (m := re.search(r"no field '(\w+)'", e.message))})
    if fields:
        report.cannot.append(f"netdef does not know: {some(fields)} ({fork[0].hint})")
    other = [e for e in errors if e not in fork]
    if other:
        first = other[0]
        place = f"line {first.where.line}: " if isinstance(first.where, Span) else ""
        report.broken = f"{place}{first.message}" + (f"; {first.hint}" if first.hint else "")
        if len(other) > 1:
            report.broken += f" (and {len(other) - 1} more mistakes)"
    return fields


def _net(path: Path, text: str, form: str, tree: Node, report: FileReport) -> None:
    with silent():
        located, errors, changes = _bound(path, text, form, "NetParameter", upgrade_net)
        seen = look(located) if not located.message.layers else []
    dialect = recognise(tree)
    report.origin = origin(tree, dialect)
    report.facts |= {"net": located.message.name or "without a name", "syntax": syntax(tree),
                     "layers": len(located.message.layer)}
    if changes.changes:
        report.facts["upgrade"] = f"{count(len(changes.changes), 'change')}, `netdef convert --upgrade` lists them"
    report.kind = f"{form}: {purpose(seen)}"
    _mistakes(errors, report)
    for state in seen:
        report.facts[state.name] = _state(state)
        if state.errors and not report.broken and not report.cannot:
            report.broken = f"{state.name}: {state.errors[0].message}"
    if not located.message.layer:
        report.cannot.append("it has no layers")
        return
    phase = f" --phase {seen[0].state.phase}" if seen and seen[0].state.phase != "TRAIN" else ""
    stages = "".join(f" --stage {s}" for s in seen[0].state.stages) if seen else ""
    if not report.cannot and not report.broken and not any(s.types for s in seen):
        report.next.append(f"netdef summary {path}{phase}{stages}")
    report.next.append(f"netdef explain {path} --stage description{phase}")


def _state(state: StateLook) -> str:
    parts = [count(state.layers, "layer")]
    parts += [unknown_types(state.types)] if state.types else []
    parts += [f"assumed: {some(state.assumed, 3)}"] if state.assumed else []
    parts += [f"--assume gives: {some(state.unassumed, 3)}"] if state.unassumed else []
    parts += [f"{count(state.unknown, 'layer')} of unknown shape"] if state.unknown else []
    return "; ".join(parts) if len(parts) > 1 else f"{parts[0]}, all shapes known"


def purpose(seen: list[StateLook]) -> str:
    """"net to train and test", "net to deploy" ... by the states it is meant for."""
    phases = [p for p in ("TRAIN", "TEST") if any(s.state.phase == p for s in seen)]
    return {("TRAIN", "TEST"): "net to train and test", ("TRAIN",): "net to train"}.get(
        tuple(phases), "net to deploy or test")


def syntax(tree: Node) -> str:
    """V0, V1, V2 or both; and whether inputs are written the old way."""
    names = [child.name for child in tree.children]
    old = [e for c in tree.children if c.name == "layers" for e in c.values()]
    nested = any(e.kind == "message" and e.find("layer") is not None for e in old)
    kinds = []
    if old:
        kinds.append("V0 (2013: layers { layer { ... } })" if nested else "V1 (2014: layers { ... })")
    if "layer" in names:
        kinds.append("V2 (layer { ... })")
    text = " and ".join(kinds) + (", mixed: Caffe and netdef refuse both at once" if len(kinds) > 1 else "")
    return (text or "no layers") + (", with input fields" if "input" in names else "")


def origin(tree: Node, dialect: Dialect) -> str:
    """The Caffe a net was written for."""
    return str(dialect) if not dialect.plain else f"{forks.BVLC}, or any fork: nothing in it is of one only"


def _solver(path: Path, text: str, form: str, report: FileReport) -> None:
    with silent():
        located, errors, changes = _bound(path, text, form, "SolverParameter", upgrade_solver)
    m = located.message
    report.kind = f"{form}: solver"
    _mistakes(errors, report)
    report.facts |= {"rule": m.type or "SGD", "base_lr": f"{m.base_lr:g}", "policy": m.lr_policy or "-",
                     "iterations": m.max_iter}
    nets = [n for n in (m.net, m.train_net, *m.test_net) if n]
    missing = []
    for name in nets:
        try:
            if not name.startswith(BUILTIN):
                resolve(name, str(path))
        except ConfigError:
            missing.append(name)
    report.facts["nets"] = nets or ("inside" if m.HasField("net_param") or m.HasField("train_net_param") else "-")
    if changes.changes:
        report.facts["upgrade"] = count(len(changes.changes), "change")
    if missing:
        report.cannot.append(f"the net is not here: {some(missing)} (looked for beside the solver, then in the working "
                             "directory)")
    elif nets and report.ok and not report.cannot:
        report.next = [f"netdef train {path}", f"netdef doctor {resolve(nets[0], str(path))}"]


# lists --------------------------------------------------------------------------------------------------------


def _json(path: Path, text: str, report: FileReport) -> bool:
    if text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return False
    report.kind = "JSON"
    if isinstance(found, dict):
        report.facts["keys"] = list(found)
    return True


def _list(path: Path, text: str, report: FileReport) -> bool:
    """A list of pictures with labels, of HDF5 files, of regions, or of the names of classes."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or len(lines[0]) > 4096:
        return False
    if re.fullmatch(r"# ?\d+", lines[0]) and len(lines) > 1:
        report.kind = "window list: pictures with regions, for WindowData"
        report.facts["pictures"] = sum(line.startswith("#") for line in lines)
        return True
    if all(_HDF5.search(line) for line in lines[:100]):
        report.kind = "list of HDF5 files, for HDF5Data"
        report.next = [f'hdf5_data_param {{ source: "{path}" batch_size: ... }}']
        return _files(path, lines, report)
    found = [_LIST.match(line) for line in lines]
    if sum(m is not None and bool(_PICTURE.search(m[1]) or "/" in m[1]) for m in found) > len(lines) // 2:
        return _pictures(path, lines, found, report)
    if sum(bool(_PICTURE.search(line)) for line in lines) > len(lines) // 2:
        report.kind = "list of files without labels"
        return _files(path, lines, report)
    if 1 < len(lines) < 100_000 and max(map(len, lines)) < 300 and not re.search(r"[{};=]", text):
        report.kind = "list of names, as of classes: one a line, the first is number 0"
        report.facts |= {"names": len(lines), "first": lines[0], "last": lines[-1]}
        return True
    return False


def _pictures(path: Path, lines: list[str], found: list[re.Match[str] | None], report: FileReport) -> bool:
    report.kind = "list of pictures with labels, for ImageData"
    bad = next((i for i, m in enumerate(found) if m is None), None)
    labels = [m[2].split() for m in found if m is not None]
    numbers = sorted({int(one[0]) for one in labels if len(one) == 1 and re.fullmatch(r"-?\d+", one[0])})
    if numbers:
        report.facts["labels"] = f"{numbers[0]} to {numbers[-1]}, {count(len(numbers), 'different one')}"
    if any(len(one) > 1 for one in labels):
        report.facts["labels"] = f"{max(map(len, labels))} numbers a picture"
    if bad is not None:
        report.broken = f"line {bad + 1}: expected a file and a label, got '{lines[bad][:60]}'"
        report.sound = count(bad, "line")
    report.next = [f'image_data_param {{ source: "{path}" batch_size: ... }}']
    return _files(path, [m[1] for m in found if m is not None], report)


def _files(path: Path, names: list[str], report: FileReport) -> bool:
    """How many files of a list are there (of its first ones and last)."""
    report.facts["entries"] = len(names)
    tried = names[:200] + names[200:][-5:]
    missing = [n for n in tried if not any((folder / n).exists() for folder in (path.parent, Path.cwd()))]
    if missing:
        report.cannot.append(f"{len(missing)} of {len(tried)} files tried are not here: {some(missing, 2)}")
    return True
