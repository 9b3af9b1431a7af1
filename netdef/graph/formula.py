"""A layer's gradient as its docstring writes it: the parts ``dx = ...`` of the paragraph that begins with Formula.

Where that paragraph has labelled cases (``MAX: ...``, ``TRAIN: ...``), the one that the layer's options and phase choose
counts. A case ends with its sentence.
"""
from __future__ import annotations

import inspect
import re

from netdef.layers.base import Layer

_PARAGRAPH = re.compile(r"^Formula(.*?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_CLAUSE = re.compile(r"\bd(?: op\((?P<op>\w)\)|(?P<name>[A-Za-z])(?:_\w+)?(?:\[[^\]]*\])?) (?:\+?=|is|goes) ")
_JOIN = re.compile(r"(,|\band)?\s*$")


class Gradients:
    """The gradients of one layer, as text: ``of_bottom(i)`` and ``of_param(name)``; empty where nothing is written."""

    def __init__(self, layer: Layer) -> None:
        text = _chosen(_paragraph(type(layer)), layer)
        self.clauses = _clauses(text)
        self.has_params = bool(layer.param_names)
        self.spoken = "" if self.clauses else _spoken(text)

    def of_bottom(self, bottom: int) -> str:
        """The formula for a bottom: ``dx = dy W``. Layers that call their bottoms a and b have one each."""
        own = {v: t for v, t in self.clauses.items() if not self.has_params or v in "xy"}
        letter = "ab"[bottom] if bottom < 2 else ""
        if letter in own and "x" not in own:
            return own[letter]
        return "; ".join(own.values()) or self.spoken

    def of_param(self, name: str) -> str:
        """The formula for a param: ``dW += dy^T x`` for the weights, ``db += ...`` for what is called bias."""
        own = {v: t for v, t in self.clauses.items() if self.has_params and v not in "xy"}
        if name == "bias" and "b" in own:
            return own["b"]
        return "; ".join(t for v, t in own.items() if v != "b") or "; ".join(own.values()) or self.spoken


def _paragraph(cls: type[Layer]) -> str:
    found = _PARAGRAPH.search(inspect.getdoc(cls) or "")
    return " ".join(found.group(1).replace("``", "").split()) if found else ""


def _chosen(text: str, layer: Layer) -> str:
    """The text without the cases that another option or phase would choose."""
    known, chosen = {"TRAIN", "TEST"}, {layer.formula_case or layer.spec.phase}
    for field in layer.options.DESCRIPTOR.fields if layer.options is not None else ():
        if field.enum_type is not None and isinstance(number := getattr(layer.options, field.name), int):
            known |= set(field.enum_type.values_by_name)
            chosen.add(field.enum_type.values_by_number[number].name)
    label = re.compile(rf"\b({'|'.join(map(re.escape, sorted(known)))})\b[^:.;=]{{0,60}}:")
    kept, at = "", 0
    for found in label.finditer(text):
        if found.start() < at:
            continue
        ends = [m.start() for m in label.finditer(text, found.end())]
        ends.append(_sentence_end(text, found.end()))
        kept += text[at: found.start()] + (text[found.end(): min(ends)] if found.group(1) in chosen else "")
        at = min(ends)
    return kept + text[at:]


def _sentence_end(text: str, start: int) -> int:
    found = re.compile(r"\.(?= |$)").search(text, start)
    return found.end() if found else len(text)


def _clauses(text: str) -> dict[str, str]:
    """Variable (one letter) -> its clause, the first for each."""
    starts = list(_CLAUSE.finditer(text))
    clauses: dict[str, str] = {}
    for i, found in enumerate(starts):
        end = min(_sentence_end(text, found.start()), starts[i + 1].start() if i + 1 < len(starts) else len(text))
        semicolon = text.find(";", found.start(), end)
        clause = text[found.start(): semicolon if semicolon >= 0 else end].rstrip(". ")
        clauses.setdefault(found["op"] or found["name"], _JOIN.sub("", clause).rstrip(" ,"))
    return clauses


def _spoken(text: str) -> str:
    """A sentence about backward, where there is no formula."""
    found = re.search(r"(?:^|\. )((?:Backward|Gradients)\b.*?)\.(?: |$)", text)
    return found.group(1) if found else ""
