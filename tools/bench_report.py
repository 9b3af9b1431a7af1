"""What a benchmark prints, and keeps: text and tables to the screen, or as Markdown to paste; raw figures as JSON."""
from __future__ import annotations

import json
import os
import platform
import re
import shlex
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bench_timing import Quiet, table


class Report:
    """Takes what is found as it is found, so that nothing is lost where a run is ended early.

    ``raw`` is what goes into the JSON file: figures by name, beside the machine and the command.
    ``json_file`` and ``page`` (None: not wanted) are written anew whenever something is found; figures that stand in the JSON
    file already stay, unless measured again; the page begins anew. ``markdown`` prints tables without padding, as ``page`` has
    them.

    Raises ValueError where the JSON file holds something else, or a file cannot be written.
    """

    def __init__(self, command: Sequence[str], json_file: Path | None = None, markdown: bool = False,
                 page: Path | None = None) -> None:
        self.markdown, self._json, self._page = markdown, json_file, page
        self._text = ""
        self.raw: dict[str, Any] = {}
        if json_file is not None and json_file.exists():
            self.raw = _read(json_file)
        self.raw["machine"] = machine()
        self.raw.setdefault("commands", []).append(shlex.join(command))
        self.save()
        if markdown or page:
            self.text(f"    {shlex.join(command)}")
            self.text("; ".join(f"{name}: {value}" for name, value in self.raw["machine"].items()) + ".")

    def title(self, text: str) -> None:
        """A heading."""
        self._add(f"### {text}" if self.markdown else f"## {text}")

    def text(self, text: str) -> None:
        """A paragraph."""
        self._add(text)

    def table(self, rows: Sequence[Sequence[str]], head: Sequence[str]) -> None:
        """A table, its first column words and the others numbers."""
        self._add(table(rows, head), compact(rows, head))

    def quiet(self, quiet: Quiet) -> None:
        """Whether other processes used the machine meanwhile; the raw figures are saved."""
        self.text(f"machine: {quiet}")
        self.save()

    def save(self) -> None:
        """Write the raw figures."""
        if self._json is not None:
            _write(self._json, json.dumps(self.raw, indent=1))

    def _add(self, text: str, markdown: str | None = None) -> None:
        plain = text if markdown is None else markdown
        self._text += ("\n\n" if self._text else "") + plain
        print((plain if self.markdown else text) + "\n", flush=True)
        if self._page is not None:
            _write(self._page, self._text)


def compact(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Rows as a Markdown table without padding."""
    rule = "|---" + "|---:" * (len(head) - 1) + "|"
    first, *others = ("| " + " | ".join(row) + " |" for row in (head, *rows))
    return "\n".join((first, rule, *others))


def machine() -> dict[str, str]:
    """What the figures depend on: processor, system, versions of the libraries."""
    found = {"processor": f"{_processor()}, {os.cpu_count()} processors", "system": platform.platform(),
             "Python": platform.python_version()}
    for name in ("netdef", "numpy", "numba", "torch", "opencv-python-headless", "opencv-python", "Pillow", "lmdb"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _write(path: Path, text: str) -> None:
    """The whole file or the one before it. Raises ValueError."""
    aside = path.with_name(f".{path.name}.tmp")
    try:
        aside.write_text(text + "\n", encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise ValueError(f"{path}: cannot be written: {error.strerror}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: expected a JSON file of figures to add to: {error}") from error
    if not isinstance(found, dict) or "machine" not in found:
        raise ValueError(f"{path}: expected a JSON file of figures to add to, got other JSON")
    return found
