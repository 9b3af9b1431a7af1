"""Page: one HTML file that draws the value of ``collect.py`` in any browser, without a server and without the net.

Style, script and data stand in the file; a content security policy forbids it to ask for anything else. Names come from
users: they reach the file only inside JSON with ``<`` escaped, and the script puts them into the page as text.
"""
from __future__ import annotations

import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError
from netdef.weights import atomic_write

SCRIPTS = ("format.js", "charts.js", "graph.js", "panel.js", "report.js")
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def render(data: dict[str, Any] | None, extra_script: str = "") -> str:
    """The page as text.

    ``data`` is the value of ``collect.page_data``. With None the page is empty until a script calls
    ``netdefReport.show(data)``, and it may ask the server that it came from; ``extra_script`` is such a script.
    """
    text = _asset("report.html")
    script = "\n".join(map(_asset, SCRIPTS))
    parts = {"STYLE": _asset("report.css"), "SCRIPT": script + "\n" + extra_script, "DATA": _embedded(data),
             "CONNECT": "'none'" if data is not None else "'self'"}
    for name, part in parts.items():
        before, _, after = text.partition(f"@@{name}@@")
        text = before + part + after
    return text


def write_page(data: dict[str, Any], path: str | os.PathLike[str]) -> None:
    """Write the page, whole or not at all. Raises WeightsError where that fails (full disk, no such folder)."""
    text = render(data)
    with atomic_write(path, "w") as file:
        file.write(text)


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise NetdefError where no page can be written, before hours are spent on what it is to show."""
    place = Path(path)
    if place.is_dir():
        raise NetdefError("expected the name of a file for the page, got a folder", where=str(path),
                          hint=f"for example {place / 'report.html'}")
    if not place.absolute().parent.is_dir():
        raise NetdefError(f"there is no folder '{place.parent}' for the page", where=str(path))


def _asset(name: str) -> str:
    return (files("netdef.report") / "assets" / name).read_text(encoding="utf-8")


def _embedded(data: dict[str, Any] | None) -> str:
    """JSON that may stand in a script element, whatever strings it has."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text
