"""Label files: the names of a net's classes.

Three forms are read: a name on each line (Caffe's synset_words.txt, whose whole lines are the names, is one of these);
a number and a name on each line, ``0 cat``, in any order; and SSD's label map (``item { name label display_name }``).
"""
from __future__ import annotations

import os
import re

from netdef.config import prototxt
from netdef.errors import DataError

_NUMBERED = re.compile(r"(\d+)(?:\s*[:,]\s*|\s+)(\S.*)")
_SYNSET = re.compile(r"n\d{8}\s+(?=\S)")


def read_labels(path: str | os.PathLike[str]) -> list[str]:
    """The name of each class, by its number. Raises DataError with the line that is wrong."""
    name = os.fspath(path)
    try:
        with open(name, encoding="utf-8-sig") as file:
            text = file.read()
    except OSError as error:
        raise DataError(f"cannot read the labels: {error.strerror or error}", where=name) from error
    except UnicodeDecodeError as error:
        raise DataError("the labels are no text in UTF-8", where=name) from error
    if name.endswith(".prototxt") or re.match(r"\s*item\s*\{", text):
        return _of_map(text, name)
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not lines:
        raise DataError("the file of labels is empty", where=name)
    empty = next((i for i, line in enumerate(lines, 1) if not line), None)
    if empty is not None:
        raise DataError("expected a label, got an empty line", where=f"{name}:{empty}")
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    pairs = {int(m[1]): m[2] for m in numbered if m is not None}
    if sorted(pairs) == list(range(len(lines))):  # all of them, and no number twice
        return [pairs[i] for i in range(len(lines))]
    return lines


def short(label: str) -> str:
    """A label for pictures and narrow tables: ``tabby`` for ``n02123045 tabby, tabby cat``."""
    return _SYNSET.sub("", label).split(",")[0].strip() or label


def check_count(labels: list[str], count: int, what: str, where: str = "") -> None:
    """Raise DataError unless there are ``count`` labels; ``what`` says who has so many classes."""
    if len(labels) != count:
        raise DataError(f"expected {count} labels, for {what}, got {len(labels)}", where=where or None,
                        hint="one line a class, in the order of the net's output")


def _of_map(text: str, name: str) -> list[str]:
    """The names of an SSD label map, by ``label``; gaps in the numbers are filled with the numbers themselves."""
    found: dict[int, str] = {}
    for item in prototxt.read(text, name).children:
        number, shown = item.find("label"), item.find("display_name") or item.find("name")
        if item.name != "item" or number is None or shown is None or not number.text.isdigit():
            raise DataError("expected item { name: ... label: ... }", where=item.span)
        if int(number.text) > 1_000_000:
            raise DataError(f"expected a class's number, got {number.text}", where=number.value_span)
        found[int(number.text)] = shown.text
    if not found:
        raise DataError("the label map is empty", where=name)
    return [found.get(i, str(i)) for i in range(max(found) + 1)]
