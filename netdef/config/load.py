"""From a file to a located message: find it, read it, bind it, upgrade it, and change it by ``--set``."""
from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from google.protobuf.message import Message

from netdef.config import binary, forks, prototxt, schema, templates, yamlshort, yamltext
from netdef.config import overrides as overriding
from netdef.config.bind import bind
from netdef.config.located import Located
from netdef.config.paths import BUILTIN, builtin_config, resolve
from netdef.config.tree import Node
from netdef.config.upgrade import Report, upgrade_net, upgrade_solver
from netdef.errors import Collector, ConfigError, Span

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # bytes that no text has
_UNDECODED = re.compile("[\udc80-\udcff]")

_MESSAGES = {"net": "NetParameter", "solver": "SolverParameter", "recipe": "RecipeParameter"}

Source = str | os.PathLike[str] | Message | Located


def load_net(source: Source, overrides: Sequence[str] = (), errors: Collector | None = None,
             beside: str | None = None, report: Report | None = None, dialect: str | None = None) -> Located:
    """The net of a prototxt or YAML file, of a binary one, a NetParameter or a Located one, in the current syntax.

    ``source`` may be ``builtin:lenet``; a relative path is looked for beside the file ``beside`` first. A .caffemodel
    gives the net that lives in it, see ``binary.py``. ``overrides`` are ``path=value`` texts. Mistakes are raised
    together (ConfigErrors, or the one FieldError), or go to ``errors`` where that is given, and the net goes on
    without the bad fields. A file that cannot be read raises ConfigError or ConfigSyntaxError in any case. What the
    upgrade changes goes to ``report``; without one the changes that matter are warned of. ``dialect`` names the fork
    whose numbers a binary net has (``forks.NAMES``), where the types of its layers do not tell.
    """
    found = Collector()
    located = _located(source, "NetParameter", "net", found, beside, forks.short(dialect) if dialect else None)
    return _finish(located, "NetParameter", overrides, found, errors, report)


def load_solver(source: Source, overrides: Sequence[str] = (), errors: Collector | None = None,
                beside: str | None = None, report: Report | None = None) -> Located:
    """The solver of a file, a SolverParameter or a Located one; see load_net. Nets that it names are not read."""
    found = Collector()
    located = _located(source, "SolverParameter", "solver", found, beside)
    return _finish(located, "SolverParameter", overrides, found, errors, report)


def load_recipe(source: Source, overrides: Sequence[str] = (), errors: Collector | None = None) -> Located:
    """The recipe of a file, a RecipeParameter or a Located one; see load_net. The solvers that it names are not read."""
    found = Collector()
    located = _located(source, "RecipeParameter", "recipe", found, None)
    if overrides:
        located = located.copy()
        overriding.apply(located, "RecipeParameter", overrides, found)
    if errors is None:
        found.raise_all()
    else:
        errors.found.extend(found.found)
    return located


def read_text_message(path: str | os.PathLike[str], message_name: str, errors: Collector | None = None) -> Located:
    """Any message of the schema from a prototxt or YAML file, neither upgraded nor changed."""
    file = resolve(path)
    return parse_text_message(read_text(file), str(path), message_name, errors)


def parse_text_message(text: str, file: str, message_name: str, errors: Collector | None = None) -> Located:
    """Any message of the schema from a text; the extension of ``file`` (.yaml, .yml or another) says the format."""
    found = errors if errors is not None else Collector()
    located = bind(_tree(text, file, message_name, found), message_name, found)
    if errors is None:
        found.raise_all()
    return located


def _located(source: Source, message_name: str, kind: str, errors: Collector, beside: str | None,
             fork: str | None = None) -> Located:
    """The bound message of any source; what is a message already is left as it is."""
    if isinstance(source, Located):
        return source
    if isinstance(source, Message):
        return Located.bare(schema.adopt(source))
    name = os.fspath(source)
    file = builtin_config(name, kind) if name.startswith(BUILTIN) else resolve(name, beside)
    if message_name == "NetParameter" and binary.holds_net(file):
        return binary.read_net(file, _shown(file, name), fork)
    located = parse_text_message(read_text(file), _shown(file, name), message_name, errors)
    if not located.spans.fields and not errors.found:
        raise ConfigError("the file is empty", where=Span(located.file))
    return located


def _shown(file: Path, name: str) -> str:
    """The name for messages: as it was given where that leads to the file, else the path found, short if it can be."""
    if Path(name).expanduser().exists():
        return name
    short = os.path.relpath(file)
    return str(file) if short.startswith("..") else short


def _finish(located: Located, message_name: str, overrides: Sequence[str], found: Collector,
            errors: Collector | None, report: Report | None) -> Located:
    """Overrides and upgrades, then all mistakes at once."""
    is_net = message_name == "NetParameter"
    if is_net and located.message.layers:  # overrides name the fields of the current syntax
        with found:
            located = upgrade_net(located, report)
    if overrides:
        located = located.copy()
        overriding.apply(located, message_name, overrides, found)
    with found:
        if not is_net:
            located = upgrade_solver(located, report)
        elif not located.message.layers:
            located = upgrade_net(located, report)
    if errors is None:
        found.raise_all()
    else:
        errors.found.extend(found.found)
    return located


def _tree(text: str, file: str, message_name: str, errors: Collector) -> Node:
    """The tree of a text in either format, templates expanded, its nets in the long form."""
    if file.lower().endswith((".yaml", ".yml")):
        tree = templates.expand(yamltext.read(text, file), message_name, read_text)
        return yamlshort.expand(tree, message_name, errors)
    return prototxt.read(text, file)


def read_text(path: Path) -> str:
    """The text of a file, a byte order mark dropped; ConfigError says why it is not one.

    Bytes that are not UTF-8 come as lone surrogates, since old files have such comments: in a string they are
    refused when it is bound.
    """
    name = str(path)
    if path.is_dir():
        raise ConfigError("is a folder, not a file", where=name, hint=_config_in(path))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=name) from None
    if _CONTROL.search(data):
        raise ConfigError("is not text", where=name, hint=_looks_like(path, data))
    text = data.decode("utf-8-sig", "surrogateescape")
    bad = len(_UNDECODED.findall(text))
    if bad > len(text) // 4:
        raise ConfigError("is not text", where=name, hint=_looks_like(path, data))
    return text


def _looks_like(path: Path, data: bytes) -> str:
    """What a binary file seems to be."""
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        return "it looks like HDF5; weights go to --weights"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "it looks like UTF-16; save it as UTF-8"
    if path.suffix == ".solverstate":
        return "a .solverstate goes to --snapshot"
    if path.suffix in (".caffemodel", ".h5"):
        return f"a {path.suffix} goes to --weights" if path.suffix == ".h5" else binary.why_not(path)
    return "a config is a prototxt or a YAML file; weights go to --weights"


def _config_in(folder: Path) -> str:
    names = sorted(p.name for p in folder.iterdir() if p.suffix in (".prototxt", ".yaml", ".yml"))
    return f"it holds {', '.join(names[:5])}" if names else ""


def load_any(source: Source, kind: str = "auto", overrides: Sequence[str] = (), report: Report | None = None
             ) -> Located:
    """A net, a solver or a recipe; ``kind`` is its name or "auto" (see ``kind_of``). Raises what the loaders raise."""
    kind = kind_of(source) if kind == "auto" else kind
    if kind == "recipe":
        return load_recipe(source, overrides)
    load = load_solver if kind == "solver" else load_net
    return load(source, overrides, report=report)


def is_recipe(source: Source) -> bool:
    """Whether a recipe is meant, and not a solver: by what stands in the file, by its name (``recipe.yaml``), or, for
    ``builtin:NAME``, because there is nothing else to train. A file that cannot be read is none."""
    if not isinstance(source, (str, os.PathLike)):
        return kind_of(source) == "recipe"
    name = os.fspath(source)
    try:
        if name.startswith(BUILTIN) and "/" not in name:
            return builtin_config(name, "recipe").is_file() and not _has_solver(name)
        return Path(name).stem.endswith("recipe") or kind_of(name) == "recipe"
    except ConfigError:
        return False


def _has_solver(name: str) -> bool:
    try:
        return builtin_config(name, "solver").is_file()
    except ConfigError:
        return False


def kind_of(source: Source, depth: int = 0) -> str:
    """"net", "solver" or "recipe": whichever knows more of the names that stand at the top of the file, or of its base."""
    if isinstance(source, Located):
        return kind_of(source.message)
    if isinstance(source, Message):
        return {"SolverParameter": "solver", "RecipeParameter": "recipe"}.get(source.DESCRIPTOR.name, "net")
    name = os.fspath(source)
    if name.startswith(BUILTIN):
        return "solver" if "solver" in name else "recipe" if "recipe" in name.partition("/")[2] else "net"
    file = resolve(name)
    if binary.holds_net(file):
        return "net"
    text = read_text(file)
    root = yamltext.read(text, name) if name.lower().endswith((".yaml", ".yml")) else prototxt.read(text, name)
    names = {child.name for child in root.children}
    known = {kind: len(names & {*schema.fields(message)}) for kind, message in _MESSAGES.items()}
    base = templates.has_base(root)
    if base is not None and not any(known.values()) and "define" not in names and depth < templates.MAX_FILES:
        return kind_of(base if base.startswith(BUILTIN) else resolve(base, file), depth + 1)
    return max(known, key=lambda kind: known[kind])  # of equals the first
