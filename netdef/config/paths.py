"""Where a path in a config points: beside the config first, then the working directory (Caffe's way)."""
from __future__ import annotations

import os
from pathlib import Path

from netdef.errors import ConfigError, Span, closest

BUILTIN = "builtin:"
_PACKAGE = Path(__file__).resolve().parent.parent
_SUFFIXES = (".yaml", ".yml", ".prototxt")


def resolve(path: str | os.PathLike[str], beside: str | os.PathLike[str] | None = None,
            where: Span | None = None) -> Path:
    """The existing file or folder that ``path`` means.

    An absolute path is taken as it is, ``builtin:NAME`` is a config that netdef brings along, and a relative one is
    looked for beside the file ``beside`` (or in the folder ``beside``), then in the working directory. Raises
    ConfigError, located at ``where``, with all places that were tried.
    """
    text = os.fspath(path)
    if text.startswith(BUILTIN):
        return builtin_config(text, where=where)
    tried = _places(Path(text).expanduser(), beside)
    for place in tried:
        if place.exists():
            return place
    names = " and ".join(f"'{place}'" for place in tried)
    raise ConfigError(f"no file '{text}': tried {names}", where=where, hint=_near(tried))


def _places(path: Path, beside: str | os.PathLike[str] | None) -> list[Path]:
    """The places to look in, in order and without repetition."""
    if path.is_absolute():
        return [path]
    places = [Path.cwd() / path]
    if beside is not None and not os.fspath(beside).startswith(("<", "--")):
        folder = Path(beside)
        folder = folder if folder.is_dir() else folder.parent
        places.insert(0, Path.cwd() / folder / path)
    return list(dict.fromkeys(Path(os.path.normpath(p)) for p in places))


def _near(tried: list[Path]) -> str:
    """``did you mean ...?`` from the names that stand where a file was looked for."""
    for place in tried:
        names = sorted(os.listdir(place.parent)) if place.parent.is_dir() else []
        near = closest(place.name, names)
        if near is not None:
            return f"did you mean '{near}'?"
    return ""


def configs_folder() -> Path:
    """The folder of the configs that netdef brings along: in the package, or in the checkout beside it."""
    packaged = _PACKAGE / "configs"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "configs"


def builtin_config(name: str, kind: str = "net", where: Span | None = None) -> Path:
    """The file of ``builtin:lenet``: its net or its solver (``kind``); ``builtin:lenet/deploy.prototxt`` is one file.

    Raises ConfigError with the nearest known name.
    """
    folder = configs_folder()
    model, _, file = name.removeprefix(BUILTIN).partition("/")
    home = folder / model
    if not model or model.startswith(".") or not home.is_dir():
        known = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
        near = closest(model, known)
        hint = f"did you mean '{BUILTIN}{near}'?" if near else f"there are: {', '.join(known) or 'none'}"
        raise ConfigError(f"no built-in config '{name}'", where=where, hint=hint)
    candidates = [home / file] if file else [home / (kind + suffix) for suffix in _SUFFIXES]
    for candidate in candidates:
        if candidate.is_file() and ".." not in file.split("/"):
            return candidate
    known = sorted(p.name for p in home.iterdir() if p.suffix in _SUFFIXES)
    raise ConfigError(f"the built-in config '{BUILTIN}{model}' has no {file or kind}", where=where,
                      hint=f"it has: {', '.join(known) or 'nothing'}")
