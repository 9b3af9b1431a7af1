"""Templates in YAML: ``base``, ``include``, ``let``, ``define``, ``use``, ``repeat`` and ``if``, a step from tree to tree.

The tree that ``yamltext`` reads goes in, one without templates comes out, its layers in the long form. Every place keeps
the line where it was written and notes the uses that led there, as values through a YAML alias do. The words stand
where no field of a net or layer is, so a file without them means what it always meant; docs/templates.md explains them.
"""
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from netdef.config import paths, prototxt, schema, yamlshort, yamltext
from netdef.config import templates_base as base_of
from netdef.config.templates_base import POSITIONS, Based, Layers, listed
from netdef.config.templates_repeat import rounds, saying
from netdef.config.templates_scope import Filler, Scope, TooLarge, Variable, from_node, noted
from netdef.config.tree import Node
from netdef.errors import Collector, ConfigError, FieldError, Span, did_you_mean

TOP = ("base", "let", "define", "include")
WORDS = ("repeat", "if", "else", "let", "use", "include", "layers", *POSITIONS, "remove")
MAX_FILES = 20  # files that include one another

Read = Callable[[Path], str]


def expand(root: Node, message_name: str, read_text: Read) -> Node:
    """The tree of a YAML file without templates; ``read_text`` gives the text of the files that it names.

    Raises ConfigError, ConfigErrors or ConfigSyntaxError with the template's place and the uses that led there. Names
    given by ``let`` that nothing uses are warned of.
    """
    top = TOP if message_name in ("NetParameter", "SolverParameter") else ()
    if root.kind != "message" or not (any(c.name in top for c in root.children) or _has_templates(root)):
        return root
    errors = Collector()
    filler = Filler(errors)
    try:
        made = _File(filler, root, message_name, read_text, ()).whole({})
    except TooLarge as error:
        errors.found[:] = [error]
    except ConfigError as error:
        filler.add(error)
    errors.raise_all()
    filler.warn_unused()
    return made


def has_base(root: Node) -> str | None:
    """The file that the tree of a YAML file builds on, or None."""
    found = root.find("base")
    return found.text if found is not None and found.kind in ("plain", "quoted") else None


def _has_templates(node: Node) -> bool:
    """Whether a tree has a template's word among its layers, or ``${``."""
    if "${" in node.name or (node.kind in ("plain", "quoted") and "${" in node.text):
        return True
    if node.kind == "list" and node.name in ("layer", "layers") and any(map(is_directive, node.children)):
        return True
    return any(map(_has_templates, node.children))


def is_directive(entry: Node) -> bool:
    """Whether an entry of a list of layers is a template's word and no layer.

    ``{repeat: {ReLU: {}}}`` is a layer called so in the short form; ``include`` as a layer's only field is its rule.
    """
    if entry.kind != "message":
        return False
    if len(entry.children) == 1:
        only = entry.children[0]
        listing = only.name in ("layers", "remove") and only.kind == "list"
        return listing or _names_file(only) or only.name in ("use", "remove") and only.kind in ("plain", "quoted")
    return any(child.name in WORDS and (child.name != "include" or _names_file(child)) for child in entry.children)


def _names_file(node: Node) -> bool:
    """Whether an ``include`` is a template's, which names a file, and not a layer's rules."""
    return node.name == "include" and (node.kind in ("plain", "quoted") or node.find("file") is not None)


@dataclass
class _Template:
    """A ``define``: what it takes, the layers it makes, and the scope of the file that it stands in."""

    name: str
    parameters: Node | None
    layers: Node
    home: _File
    span: Span


@dataclass
class _File:
    """One file being expanded. ``chain`` holds the files that led here, with the place of each use."""

    filler: Filler
    root: Node
    message_name: str
    read_text: Read
    chain: tuple[tuple[str, Span], ...]
    templates: dict[str, _Template] = field(default_factory=dict)
    scope: Scope = field(default_factory=Scope)
    using: list[str] = field(default_factory=list)  # the templates that are being expanded

    # -- the whole file -------------------------------------------------------------------------------------

    def whole(self, given: dict[str, Variable], via: tuple[str, ...] = ()) -> Node:
        """The file's tree, expanded; a net's layers under one field ``layer``. ``given``: names from who uses it."""
        self.scope.via = via
        if self.message_name not in ("NetParameter", "SolverParameter"):
            return self.filler.node(self.root, self.scope)
        base = self._base(given)
        self._read_lets(given, base)
        self._read_templates()
        fields = [] if base is None else base.root.children
        for child in self.root.children:
            if child.name not in TOP:
                with self.filler.errors:
                    fields = self._with(fields, child, base)
        return replace(self.root, value=fields)

    def _with(self, fields: list[Node], child: Node, base: _File | None) -> list[Node]:
        """``fields`` with one more of this file: added, merged into the base's, or taken out (nothing behind its name)."""
        if self.message_name == "NetParameter" and child.name in ("layer", "layers"):
            layers = listed(fields, self.root)
            sink: Layers = Layers(layers.children, self.filler) if base is None else Based(
                layers.children, self.filler, base.root.span.file)
            self._entries(child, replace(self.scope), sink)
            return [*(f for f in fields if f.name not in ("layer", "layers")),
                    Node("layer", sink.layers, child.span, child.value_span, "list")]
        nets = {n for n, info in schema.fields(self.message_name).items() if info.type_name == "NetParameter"}
        inner = child.name in nets and child.kind == "message"
        made = self._inner_net(child) if inner else self.filler.node(child, self.scope)
        return [*fields, made] if base is None else base_of.merged(fields, made)

    def _inner_net(self, node: Node) -> Node:
        """A net that stands in a solver; it sees the solver's names."""
        inner = _File(self.filler, replace(node), "NetParameter", self.read_text, self.chain, dict(self.templates),
                      self.scope.inside())
        return inner.whole({}, self.scope.via)

    def _base(self, given: dict[str, Variable]) -> _File | None:
        """The file that this one builds on, expanded with this file's names."""
        node = self.root.find("base")
        if node is None:
            return None
        text = self._text_of(node, "the name of a file")
        file = self._open(text, node, self.message_name)
        names: dict[str, Variable] = {}
        lets = self.root.find("let")
        if lets is not None:
            self._define(lets, Scope(names, via=self.scope.via), names, given, warns=False)
        made = file.whole({**names, **given}, (f"in the base of {self.root.span.file}", *self.scope.via))
        if self.message_name == "NetParameter":
            made = yamlshort.expand(made, self.message_name, self.filler.errors)
            made = replace(made, value=[*(c for c in made.children if c.name not in ("layer", "layers")),
                                        listed(made.children, made)])
        file.root = replace(made, value=base_of.moved_paths(made.children, made.span.file, self.root.span.file))
        return file

    def _read_lets(self, given: dict[str, Variable], base: _File | None) -> None:
        if base is not None:
            self.scope.names.update(base.scope.names)
            self.templates.update(base.templates)
        lets = self.root.find("let")
        if lets is not None:
            own = {} if base is None else base.scope.names
            self._define(lets, self.scope, self.scope.names, given, known=set(own))

    def _read_templates(self) -> None:
        """The file's own templates, and those of the files that it includes at its top."""
        include = self.root.find("include")
        for node in include.values() if include is not None else ():
            if self.message_name != "NetParameter":
                raise FieldError("'include' brings layers and templates, and a solver has none", where=node.span,
                                 hint="base: takes another solver's fields")
            file = self._open(self._text_of(node, "the name of a file"), node, "NetParameter")
            file._read_lets({}, None)
            file._read_templates()
            self.templates.update(file.templates)
        define = self.root.find("define")
        if define is not None and define.kind != "message":
            raise FieldError(f"'define' takes templates by name, got {define.shown()}", where=define.value_span)
        for node in define.children if define is not None else ():
            layers = node if node.kind == "list" else node.find("layers")
            unknown = [c for c in node.children if node.kind == "message" and c.name not in ("let", "layers")]
            if layers is None or layers.kind != "list" or unknown:
                raise FieldError(f"the template '{node.name}' is a list of layers, or has 'let' and 'layers'",
                                 where=(unknown[0] if unknown else node).span)
            self.templates[node.name] = _Template(
                node.name, node.find("let") if node.kind == "message" else None, layers, self, node.span)

    def _open(self, text: str, node: Node, message_name: str) -> _File:
        """The file of this name, read: beside this one, in the working directory, or one that netdef brings along."""
        where = noted(node.value_span, self.scope.via)
        here = self.root.span.file
        kind = "solver" if message_name == "SolverParameter" else "net"
        path = (paths.builtin_config(text, kind, where) if text.startswith(paths.BUILTIN)
                else paths.resolve(text, here, where))
        chain = (*self.chain, (os.path.realpath(here), node.span))
        real = os.path.realpath(path)
        if real in (file for file, _ in chain) or len(chain) > MAX_FILES:
            ways = " -> ".join([*(os.path.basename(file) for file, _ in chain), os.path.basename(real)])
            text = f"files use one another without end: {ways}" if real in (f for f, _ in chain) else (
                f"more than {MAX_FILES} files use one another: {ways}")
            raise FieldError(text, where=where)
        short = os.path.relpath(path)
        name = str(path) if short.startswith("..") else short
        yaml = name.lower().endswith((".yaml", ".yml"))
        root = (yamltext if yaml else prototxt).read(self.read_text(path), name)
        if not yaml:  # prototxt has no templates: what looks like one is text
            if root.find("layers") is not None:
                raise FieldError(f"'{name}' is in the syntax of 2014, which templates do not know", where=where,
                                 hint=f"`netdef convert --upgrade {name} NEW` writes the current one")
            root = replace(root, value=[_literal(child) for child in root.children])
        return _File(self.filler, root, message_name, self.read_text, chain)

    # -- names ----------------------------------------------------------------------------------------------

    def _define(self, lets: Node, scope: Scope, into: dict[str, Variable], given: dict[str, Variable],
                warns: bool = True, known: set[str] | None = None) -> None:
        """Read a ``let``, as seen from ``scope``, into a table of names; a name that is given keeps its given value.

        Names in ``known`` are the base's: they have their values, and are not warned of.
        """
        if lets.kind not in ("message", "empty"):
            raise FieldError(f"'let' takes names and values, got {lets.shown()}", where=lets.value_span)
        for node in lets.children:
            self.filler.check_name(node)
            before = into.get(node.name) if known and node.name in known else None
            if warns and before is None:
                self.filler.define(node.name, node.span)
            if node.name in given:
                into[node.name] = replace(given[node.name], places=(*given[node.name].places, node.span))
            elif before is not None:
                into[node.name] = replace(before, places=(*before.places, node.span))
            elif node.kind == "empty":
                raise FieldError(f"'{node.name}' has no value", where=noted(node.span, scope.via),
                                 hint="who uses this gives one with let:")
            else:
                into[node.name] = Variable(self.filler.node(node, scope), (node.span,))

    def _text_of(self, node: Node, what: str, scope: Scope | None = None) -> str:
        if node.kind not in ("plain", "quoted"):
            raise FieldError(f"'{node.name}' takes {what}, got {node.shown()}", where=node.value_span)
        return self.filler.text(node.text, node.value_span, scope or self.scope)

    # -- layers ---------------------------------------------------------------------------------------------

    def _entries(self, entries: Node, scope: Scope, sink: Layers) -> None:
        """The layers of a list, templates' words followed, into ``sink``."""
        scope.previous = sink.previous
        for entry in entries.values():
            try:
                if is_directive(entry):
                    self._directive(entry, scope, sink)
                else:
                    sink.add(self.filler.node(entry, scope))
            except TooLarge:
                raise
            except ConfigError as error:
                for one in getattr(error, "errors", [error]):
                    self.filler.add(one)

    def _directive(self, entry: Node, scope: Scope, sink: Layers) -> None:
        word = {child.name: child for child in entry.children}
        for child in entry.children:
            if child.name not in WORDS:
                hint = did_you_mean(child.name, WORDS) or f"there are: {', '.join(WORDS)}"
                raise FieldError(f"'{child.name}' cannot stand beside "
                                 f"'{next(c.name for c in entry.children if c.name in WORDS)}'", where=child.span, hint=hint)
        if "remove" in word:
            names = [self._text_of(n, "names of layers", scope) for n in word["remove"].values()]
            return sink.remove(names, noted(word["remove"].span, scope.via))
        if sum(w in word for w in ("use", "include", "layers")) != 1:
            raise FieldError("expected one of use, include and layers here", where=noted(entry.span, scope.via))
        for inner in rounds(word.get("repeat"), scope, self.filler):
            self._once(word, inner, sink)

    def _once(self, word: dict[str, Node], scope: Scope, sink: Layers) -> None:
        """One round of an entry: its ``let``, its ``if``, then what it uses, includes or lists."""
        if "let" in word and "layers" in word:
            scope = replace(scope, names={}, around=scope)
            self._define(word["let"], scope, scope.names, {})
        body = word.get("layers")
        if "if" in word and not self._holds(word["if"], scope):
            if "else" in word:
                self._entries(word["else"], replace(scope), sink)
            return
        at = next((word[p] for p in POSITIONS if p in word), None)
        if at is not None:
            with sink.at(at.name, self._text_of(at, "the name of a layer", scope), noted(at.span, scope.via)) as inner:
                self._body(word, body, scope, inner)
        else:
            self._body(word, body, scope, sink)

    def _body(self, word: dict[str, Node], body: Node | None, scope: Scope, sink: Layers) -> None:
        scope = replace(scope, previous=sink.previous)
        if body is not None:
            self._entries(body, scope, sink)
        elif "use" in word:
            self._use(word["use"], word.get("let"), scope, sink)
        else:
            self._include(word["include"], word.get("let"), scope, sink)

    def _holds(self, node: Node, scope: Scope) -> bool:
        value = from_node(self.filler.node(node, scope))
        if not isinstance(value, (bool, int, float)):
            raise FieldError(f"'if' takes true or false, got {node.shown()}", where=noted(node.value_span, scope.via),
                             hint="as in if: ${i > 1}")
        return bool(value)

    def _arguments(self, lets: Node | None, scope: Scope) -> dict[str, Variable]:
        """The values of a use's ``let``, each seen from where it stands."""
        made: dict[str, Variable] = {}
        if lets is not None:
            self._define(lets, scope, made, {}, warns=False)
        return made

    def _use(self, node: Node, lets: Node | None, scope: Scope, sink: Layers) -> None:
        name = self._text_of(node, "the name of a template", scope)
        where = noted(node.value_span, scope.via)
        template = self.templates.get(name)
        if template is None:
            hint = did_you_mean(name, self.templates) or (
                f"there are: {', '.join(self.templates)}" if self.templates else "define: makes templates")
            raise FieldError(f"no template '{name}'", where=where, hint=hint)
        home = template.home
        if name in home.using:
            raise FieldError(f"the template '{name}' uses itself: {' -> '.join([*home.using, name])}", where=where)
        given = self._arguments(lets, scope)
        _check_given(given, template.parameters, f"the template '{name}'", scope)
        way = f"in the expansion of '{name}' at {node.span}{saying(given)}"
        inner = replace(home.scope, via=scope.via, previous=sink.previous).inside(way)
        if template.parameters is not None:
            home._define(template.parameters, inner, inner.names, given)
        home.using.append(name)
        try:
            home._entries(template.layers, inner, sink)
        finally:
            home.using.pop()

    def _include(self, node: Node, lets: Node | None, scope: Scope, sink: Layers) -> None:
        """The layers of another file, with values for its ``let``."""
        if node.kind == "message":
            for child in node.children:
                if child.name not in ("file", "let"):
                    raise FieldError(f"no '{child.name}' in include", where=child.span, hint="it has file and let")
            lets = node.find("let") or lets
        target = node.find("file") if node.kind == "message" else node
        assert target is not None
        file = self._open(self._text_of(target, "the name of a file", scope), target, "NetParameter")
        given = self._arguments(lets, scope)
        _check_given(given, file.root.find("let"), f"the file '{file.root.span.file}'", scope)
        via = (f"in the include of '{file.root.span.file}' at {node.span}{saying(given)}", *scope.via)
        for child in file.root.children:
            if child.name not in (*TOP, "name", "layer", "layers"):
                raise FieldError(f"'{child.name}' cannot be included: a file's layers are", where=noted(child.span, via))
        if file.root.find("base") is not None or not file.root.span.file.lower().endswith((".yaml", ".yml")):
            for layer in listed(file.whole(given, via).children, file.root).children:
                sink.add(layer)
            return
        file.scope.via = via
        file._read_lets(given, None)
        file._read_templates()
        for child in file.root.children:
            if child.name in ("layer", "layers"):
                file._entries(child, file.scope, sink)


def _check_given(given: dict[str, Variable], parameters: Node | None, what: str, scope: Scope) -> None:
    """Every value goes to a name that is taken, and every name without a value of its own gets one."""
    known = {child.name: child for child in parameters.children} if parameters is not None else {}
    for name, variable in given.items():
        if name not in known:
            hint = did_you_mean(name, known) or (f"it takes: {', '.join(known)}" if known else "it takes none")
            raise FieldError(f"{what} takes no '{name}'", where=noted(variable.places[0], scope.via), hint=hint)


def _literal(node: Node) -> Node:
    """The node with every ``${`` kept as text."""
    if isinstance(node.value, list):
        return replace(node, value=[_literal(child) for child in node.value])
    return replace(node, value=node.value.replace("${", "$${"))
