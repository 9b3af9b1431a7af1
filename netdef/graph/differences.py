"""What two nets or two solvers mean differently, whatever their notation, syntax and the order of independent layers.

Layers are matched by name, then by what they are and read (a renamed layer). A bottom is the same where the layers that
make it are matched, so the names of blobs and the order of the file count only where they change who reads what.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from netdef.config.load import load_any, load_net
from netdef.config.located import Located
from netdef.config.paths import resolve
from netdef.errors import Collector, ConfigError, NetdefError, Span
from netdef.graph.describe import describe
from netdef.graph.filter import PHASES, merged_state, reason_to_drop
from netdef.graph.infer import infer
from netdef.graph.meaning import FieldDifference, differences_of
from netdef.graph.model import NetShapes
from netdef.graph.render import shape_text
from netdef.graph.standin import Assumptions

_OF_A_PAIR = frozenset(("name", "bottom", "top"))  # compared by who makes what
_NETS = ("net", "train_net", "test_net")
_MOST_SHAPES = 8  # lines a phase
Source = Any  # a path, a message or a Located


@dataclass
class Differences:
    """What differs between ``a`` and ``b``. ``notes`` say what could not be compared; they are no differences."""

    a: str
    b: str
    kind: str
    fields: list[FieldDifference] = field(default_factory=list)  # of the net or solver itself
    layers: list[tuple[str, list[FieldDifference]]] = field(default_factory=list)  # the words for a layer, its fields
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    nets: list[Differences] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether both mean the same."""
        return not (self.fields or self.layers or self.only_a or self.only_b or self.renamed or self.shapes
                    or any(not net.same for net in self.nets))

    def render(self) -> str:
        """The differences for people, with both places of each; one line where there are none."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        own = self.fields or self.layers or self.only_a or self.only_b or self.renamed or self.shapes
        yield f"{self.a} and {self.b}: {'these differ' if own else 'the same in meaning'} ({self.kind}s)"
        yield from (f"  {f}" for f in self.fields)
        for who, found in self.layers:
            yield f"  {who}:"
            yield from (f"    {f}" for f in found)
        for title, lines in (("renamed", self.renamed), (f"only in {self.a}", self.only_a),
                             (f"only in {self.b}", self.only_b), ("shapes and params", self.shapes),
                             ("not compared", self.notes)):
            if lines:
                yield f"  {title}:"
                yield from (f"    {line}" for line in lines)
        for net in self.nets:
            yield from net._lines()


def compare_files(path_a: str, path_b: str) -> Differences:
    """What two nets, or two solvers and the nets that they name, mean differently.

    Raises ConfigError for files that cannot be read, and where one is a net and the other is none.
    """
    return compare(load_any(path_a), load_any(path_b), str(path_a), str(path_b))


def compare(a: Located, b: Located, name_a: str, name_b: str) -> Differences:
    """As ``compare_files``, for what is loaded already."""
    kinds = [x.message.DESCRIPTOR.name.removesuffix("Parameter").lower() for x in (a, b)]
    if kinds[0] != kinds[1]:
        raise ConfigError(f"a {kinds[0]} cannot be compared with a {kinds[1]}", where=name_b,
                          hint=f"{name_a} is a {kinds[0]}")
    found = Differences(name_a, name_b, kinds[0])
    if kinds[0] == "net":
        _Nets(a, b, found).compare()
    elif kinds[0] == "solver":
        _solvers(a, b, found)
    else:
        found.fields = differences_of(a, b)
    return found


# -- solvers --------------------------------------------------------------------------------------------------


def _solvers(a: Located, b: Located, found: Differences) -> None:
    """Fields, then the nets that both name by the same field."""
    by_file = [f for f in _NETS if a.has(f) and b.has(f) and len(_files(a, f)) == len(_files(b, f))]
    inside = [f for f in ("net_param", "train_net_param") if a.has(f) and b.has(f)]
    found.fields = differences_of(a, b, frozenset((*by_file, *inside)))
    seen: set[tuple[str, str]] = set()
    for name in by_file:
        for pair in zip(_files(a, name), _files(b, name), strict=True):
            if pair in seen:
                continue
            seen.add(pair)
            try:
                paths = [_shown(str(resolve(file, x.file, x.span_of(name)))) for file, x in zip(pair, (a, b), strict=True)]
                found.nets.append(compare(load_net(paths[0]), load_net(paths[1]), *paths))
            except NetdefError as error:
                found.notes.append(f"{name}: {str(error).splitlines()[0]}")
                if pair[0] != pair[1]:
                    found.fields.append(FieldDifference(name, pair[0], pair[1], a.span_of(name), b.span_of(name)))
    for name in inside:
        found.nets.append(compare(a.child(name), b.child(name), f"{name} of {found.a}", f"{name} of {found.b}"))


def _files(solver: Located, name: str) -> list[str]:
    value = getattr(solver.message, name)
    return [value] if isinstance(value, str) else list(value)


def _shown(path: str) -> str:
    short = os.path.relpath(path)
    return path if short.startswith("..") else short


# -- nets -----------------------------------------------------------------------------------------------------

Maker = tuple[int, int] | str  # the layer's number in the file and its top; the blob's name where nobody makes it


class _Side:
    """One net: its layers, and for each phase who makes what a layer reads."""

    def __init__(self, net: Located) -> None:
        self.net = net
        self.layers = net.children("layer")
        self.kept: dict[str, list[int]] = {}
        self.makers: dict[str, dict[int, list[Maker]]] = {}
        for phase in PHASES:
            state = merged_state(net.message, phase, None, ())
            self.kept[phase] = [i for i, x in enumerate(self.layers) if reason_to_drop(x, state) is None]
            current: dict[str, tuple[int, int]] = {}
            made = self.makers[phase] = {}
            for i in self.kept[phase]:
                m = self.layers[i].message
                made[i] = [current.get(blob, blob) for blob in m.bottom]
                current.update({blob: (i, t) for t, blob in enumerate(m.top)})

    def key(self, i: int) -> tuple[str, tuple[str, ...]]:
        """A layer's name and the phases that it is kept in."""
        return self.layers[i].message.name, tuple(p for p in PHASES if i in self.kept[p])

    def who(self, i: int) -> str:
        """``layer 'ip1' (InnerProduct)``."""
        m = self.layers[i].message
        return f"layer '{m.name}' ({m.type})"

    def at(self, i: int) -> Span:
        """Where a layer stands."""
        return self.layers[i].span


class _Nets:
    """Two nets and how their layers are matched: ``pairs`` from numbers of ``a`` to numbers of ``b``."""

    def __init__(self, a: Located, b: Located, found: Differences) -> None:
        self.a, self.b, self.found = _Side(a), _Side(b), found
        self.pairs: dict[int, int] = {}
        self.by_structure: set[int] = set()

    def compare(self) -> None:
        """Fill ``found``."""
        self._match()
        f, a, b = self.found, self.a, self.b
        f.fields = differences_of(a.net, b.net, frozenset(("layer", "layers")))
        for i, j in self.pairs.items():
            found = [*differences_of(a.layers[i], b.layers[j], _OF_A_PAIR), *self._bottoms(i, j)]
            if found:
                f.layers.append((a.who(i), found))
            self._names(i, j)
        matched = set(self.pairs.values())
        f.only_a = [f"{a.who(i)} at {a.at(i)}" for i in range(len(a.layers)) if i not in self.pairs]
        f.only_b = [f"{b.who(j)} at {b.at(j)}" for j in range(len(b.layers)) if j not in matched]
        for phase in PHASES:
            self._shapes(phase)

    # -- matching -------------------------------------------------------------------------------------------

    def _match(self) -> None:
        free = list(range(len(self.b.layers)))
        for key in (lambda side, i: side.key(i), lambda side, i: side.key(i)[0]):
            for i in range(len(self.a.layers)):
                if i in self.pairs or not self.a.layers[i].message.name:
                    continue
                j = next((j for j in free if key(self.b, j) == key(self.a, i)), None)
                if j is not None:
                    self.pairs[i] = j
                    free.remove(j)
        for i in range(len(self.a.layers)):
            j = next((j for j in free if i not in self.pairs and self._alike(i, j)), None)
            if j is not None:
                self.pairs[i] = j
                self.by_structure.add(i)
                free.remove(j)

    def _alike(self, i: int, j: int) -> bool:
        """Whether layers of different names are of one type, say the same and read the same."""
        a, b = self.a.layers[i], self.b.layers[j]
        return (a.message.type == b.message.type and self._reads_same(i, j)
                and not differences_of(a, b, _OF_A_PAIR))

    def _reads_same(self, i: int, j: int) -> bool:
        for phase in PHASES:
            mine, theirs = self.a.makers[phase].get(i), self.b.makers[phase].get(j)
            if mine is not None and theirs is not None and [self._theirs(m) for m in mine] != theirs:
                return False
        return True

    def _theirs(self, maker: Maker) -> Maker | None:
        """The maker in ``b`` that is matched with one of ``a``."""
        if isinstance(maker, str):
            return maker
        j = self.pairs.get(maker[0])
        return None if j is None else (j, maker[1])

    # -- what a pair reads, and names -----------------------------------------------------------------------

    def _bottoms(self, i: int, j: int) -> list[FieldDifference]:
        if self._reads_same(i, j):
            return []
        a, b = self.a.layers[i], self.b.layers[j]
        said = [", ".join(x.message.bottom) or "nothing" for x in (a, b)]
        if said[0] == said[1]:
            said = [f"{text} of {self._made_by(side, n)}" for text, side, n in
                    zip(said, (self.a, self.b), (i, j), strict=True)]
        return [FieldDifference("bottom", said[0], said[1], a.span_of("bottom"), b.span_of("bottom"))]

    def _made_by(self, side: _Side, i: int) -> str:
        for phase in PHASES:
            made = side.makers[phase].get(i)
            if made is not None:
                return ", ".join(f"'{side.layers[m[0]].message.name}'" if isinstance(m, tuple) else "nobody" for m in made)
        return "nobody"

    def _names(self, i: int, j: int) -> None:
        """Renamed layers and blobs; a layer in place makes no blob of its own."""
        a, b = self.a.layers[i], self.b.layers[j]
        if a.message.name != b.message.name:
            self.found.renamed.append(f"{self.a.who(i)} at {a.span} is {self.b.who(j)} at {b.span}")
        for t in range(max(len(a.message.top), len(b.message.top))):
            mine, theirs = (x.message.top[t] if t < len(x.message.top) else "" for x in (a, b))
            in_place = all(t < len(x.message.bottom) and x.message.bottom[t] == top
                           for x, top in ((a, mine), (b, theirs)))
            if mine != theirs and not in_place:
                self.found.renamed.append(f"top {t} of {self.a.who(i)}: '{mine}' at {a.span_of('top', t)} is "
                                          f"'{theirs}' at {b.span_of('top', t)}")

    # -- shapes ---------------------------------------------------------------------------------------------

    def _shapes(self, phase: str) -> None:
        made = [self._inferred(side, phase) for side in (self.a, self.b)]
        if made[0] is None or made[1] is None:
            return
        lines, unknown = [], 0
        tables = [dict(zip(side.kept[phase], range(len(side.kept[phase])), strict=True)) for side in (self.a, self.b)]
        for i, j in self.pairs.items():
            if i not in tables[0] or j not in tables[1]:
                continue
            tops = [[s.values[t] for t in s.description.layers[table[n]].tops]
                    for s, table, n in zip(made, tables, (i, j), strict=True) if s is not None]
            unknown += any(shape is None for shape in (*tops[0], *tops[1]))
            m = self.a.layers[i].message
            for top, mine, theirs in zip(m.top, *tops, strict=False):
                if top not in m.bottom and mine is not None and theirs is not None and tuple(mine) != tuple(theirs):
                    lines.append(f"{phase}: '{top}' of {self.a.who(i)}: {shape_text(mine)} -> {shape_text(theirs)}")
        totals = [_params(s) for s in made if s is not None]
        if None not in totals and totals[0] != totals[1]:
            self.found.shapes.append(f"{phase}: {totals[0]:,} params -> {totals[1]:,}")
        more = len(lines) - _MOST_SHAPES
        self.found.shapes += lines[:_MOST_SHAPES] + ([f"{phase}: and {more} more blobs"] if more > 0 else [])
        if unknown:
            self.found.notes.append(f"{phase}: the shapes of {unknown} layer{'s' if unknown > 1 else ''}, which are not "
                                    "known (data that are not here?)")

    def _inferred(self, side: _Side, phase: str) -> NetShapes | None:
        errors = Collector()
        try:
            made = infer(describe(side.net, phase, None, (), errors, Assumptions({}, everything=True)), errors=errors)
        except NetdefError as error:
            errors.found.append(ConfigError(error.message))
            made = None
        if errors.found:
            self.found.notes.append(f"{phase}: {str(errors.found[0]).splitlines()[0]}")
        return made


def _params(shapes: NetShapes) -> int | None:
    """The number of params, or None where a layer's are not known."""
    total = 0
    for inferred in shapes.inferred:
        if inferred is None:
            return None
        for param in inferred.params:
            count = 1
            for n in param.shape:
                count *= n
            total += count
    return total
