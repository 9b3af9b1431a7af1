"""The rounds of a ``repeat``: which values its names take, one scope for each."""
from __future__ import annotations

import re
from dataclasses import replace

from netdef.config.templates_scope import Filler, Scope, TooLarge, Variable
from netdef.config.tree import Node
from netdef.errors import FieldError

MAX_ROUNDS = 100_000
_RANGE = re.compile(r"(-?\d+|[A-Za-z])\s*\.\.\s*(-?\d+|[A-Za-z])", re.ASCII)


def rounds(repeat: Node | None, scope: Scope, filler: Filler) -> list[Scope]:
    """One scope a round; columns of values run side by side, rows are one map a round."""
    if repeat is None:
        return [scope]
    filled = filler.node(repeat, scope)
    if filled.kind == "list":
        rows = filled.children
        bad = next((row for row in rows if row.kind != "message"), None)
        if bad is not None:
            raise FieldError(f"a row of 'repeat' is a map of names and values, got {bad.shown()}", where=bad.span)
        made = [{child.name: child for child in row.children} for row in rows]
    elif filled.kind == "message" and filled.children:
        columns = {child.name: _elements(child) for child in filled.children}
        sizes = {name: len(values) for name, values in columns.items()}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{name} has {n}" for name, n in sizes.items())
            raise FieldError(f"values of a repeat run side by side, and their numbers differ: {said}",
                             where=filled.span, hint="a repeat inside another runs over all pairs")
        made = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        raise FieldError(f"'repeat' takes names and values, got {filled.shown()}", where=filled.value_span,
                         hint="as in repeat: {i: 1..3}")
    scopes = []
    for values in made:
        filler.count(filled.span)
        names = {}
        for name, value in values.items():
            filler.check_name(replace(value, name=name))
            names[name] = Variable(value)
        inner = scope.inside(f"in the repeat at {repeat.span}{saying(names)}")
        inner.names.update(names)
        scopes.append(inner)
    return scopes


def _elements(node: Node) -> list[Node]:
    """The values that a loop's name runs over: a list's, or those of ``first..last``, numbers or letters."""
    if node.kind == "list":
        return node.children
    found = _RANGE.fullmatch(node.text.strip())
    if found is None or found[1].isalpha() != found[2].isalpha():
        raise FieldError(f"'{node.name}' runs over a list or a range, got {node.shown()}", where=node.value_span,
                         hint="as in 1..3, a..f, [64, 128] or ${range(0, 6, 2)}")
    letters = found[1].isalpha()
    first, last = (ord(found[1]), ord(found[2])) if letters else (int(found[1]), int(found[2]))
    if last - first >= MAX_ROUNDS:
        raise TooLarge(f"a repeat of {last - first + 1} rounds is too long", where=node.value_span)
    texts = [chr(n) if letters else str(n) for n in range(first, last + 1)]
    return [Node(node.name, t, node.span, node.value_span, "quoted" if letters else "plain") for t in texts]


def saying(values: dict[str, Variable]) -> str:
    """``with i=3, block=a``, for notes."""
    said = [f"{name}={v.node.text[:20]}" for name, v in values.items() if not v.node.children and v.node.text]
    return f" with {', '.join(said[:4])}" + (", ..." if len(said) > 4 else "") if said else ""
