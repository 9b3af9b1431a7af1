"""A protobuf message together with the place of each of its fields.

Protobuf messages can neither be hashed nor extended, so the places stand in a tree of the message's own shape.
Whoever changes a located message does so through ``Located``, which moves the places along.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from netdef.errors import Span


@dataclass(slots=True)
class Spans:
    """The place of one value, and of the fields inside it.

    ``span`` is the value's place for a scalar and the name's place for a message (``layer`` in ``layer {``).
    Repeated fields hold a list, aligned with the message's.
    """

    span: Span
    fields: dict[str, Spans | list[Spans]] = field(default_factory=dict)
    broken: bool = False  # a field inside was dropped because of a mistake

    def copy(self) -> Spans:
        """A copy that shares nothing but the spans themselves, which never change."""
        return Spans(self.span, {
            name: [s.copy() for s in inner] if isinstance(inner, list) else inner.copy()
            for name, inner in self.fields.items()
        }, self.broken)


class Located:
    """``message`` and ``spans``; changes made through the methods keep the two aligned."""

    __slots__ = ("message", "spans")

    def __init__(self, message: Message, spans: Spans) -> None:
        self.message: Any = message
        self.spans = spans

    @staticmethod
    def bare(message: Message, file: str = "<memory>") -> Located:
        """A message that was never text; every place is ``<memory>:1:1``."""
        return Located(message, Spans(Span(file)))

    def __repr__(self) -> str:
        return f"Located({self.message.DESCRIPTOR.name} at {self.span})"

    # -- reading ----------------------------------------------------------------------------------------

    @property
    def span(self) -> Span:
        """The place of the message itself."""
        return self.spans.span

    @property
    def broken(self) -> bool:
        """Whether a field inside was dropped because of a mistake; what is missing is then no further mistake."""
        return self.spans.broken

    @property
    def file(self) -> str:
        """The name of the file the message came from."""
        return self.spans.span.file

    def span_of(self, *path: str | int) -> Span:
        """The deepest place known on a path of field names and indices.

        ``span_of("bottom", 1)`` is the second bottom, ``span_of("convolution_param", "num_output")`` an option;
        a name without an index means the first element, and what was never written has the place of what holds it.
        """
        here: Spans | list[Spans] = self.spans
        known = self.spans
        for step in path:
            inner = _step(here, step)
            if inner is None:
                break
            here = inner
            if isinstance(here, Spans):
                known = here
            elif here:
                known = here[0]
        return known.span

    def has(self, name: str) -> bool:
        """Whether the field was given: set for a singular one, at least one element for a repeated one."""
        if _repeated(self.message, name):
            return len(getattr(self.message, name)) > 0
        return bool(self.message.HasField(name))

    def child(self, name: str, index: int | None = None) -> Located:
        """The message inside a field, live: changes through it reach this one. ``index`` for repeated fields."""
        value = getattr(self.message, name)
        if index is None:
            inner = self.spans.fields.setdefault(name, Spans(self.span))
            assert isinstance(inner, Spans), f"{name} is repeated: child needs an index"
            return Located(value, inner)
        return Located(value[index], self._list(name)[index])

    def children(self, name: str) -> list[Located]:
        """The messages of a repeated field, live."""
        return [Located(m, s) for m, s in zip(getattr(self.message, name), self._list(name), strict=True)]

    def copy(self) -> Located:
        """An independent copy."""
        message = type(self.message)()
        message.CopyFrom(self.message)
        return Located(message, self.spans.copy())

    # -- changing ---------------------------------------------------------------------------------------

    def set(self, name: str, value: Any, span: Span, index: int | None = None) -> None:
        """Give a field a value: a scalar, a message, a Located, or a sequence of them for a repeated field.

        With ``index``, one element of a repeated field. ``span`` is the place of each value that has none of its own.
        """
        if index is not None:
            self.remove(name, index)
            self.insert(name, index, value, span)
        elif _repeated(self.message, name):
            self.clear(name)
            for element in value:
                self.append(name, element, span)
        elif isinstance(value, (Located, Message)):
            getattr(self.message, name).CopyFrom(_message(value))
            self.spans.fields[name] = _spans(value, span)
        else:
            setattr(self.message, name, value)
            self.spans.fields[name] = Spans(span)

    def append(self, name: str, value: Any, span: Span | None = None) -> None:
        """Add an element to a repeated field: a scalar, a message or a Located (which keeps its own places)."""
        spans = self._list(name)
        getattr(self.message, name).append(_message(value))
        spans.append(_spans(value, span or self.span))

    def insert(self, name: str, index: int, value: Any, span: Span | None = None) -> None:
        """Put an element before position ``index`` of a repeated field."""
        spans = self._list(name)
        values = getattr(self.message, name)
        behind: Sequence[Any] = [_clone(v) for v in values[index:]]
        del values[index:]
        values.append(_message(value))
        values.extend(behind)
        spans.insert(index, _spans(value, span or self.span))

    def remove(self, name: str, index: int) -> None:
        """Take an element out of a repeated field."""
        spans = self._list(name)
        del getattr(self.message, name)[index]
        del spans[index]

    def clear(self, name: str) -> None:
        """Unset a field, or empty a repeated one."""
        self.message.ClearField(name)
        self.spans.fields.pop(name, None)

    def _list(self, name: str) -> list[Spans]:
        """The places of a repeated field, filled up with the message's own where elements have none."""
        spans = self.spans.fields.setdefault(name, [])
        assert isinstance(spans, list), f"{name} is not repeated"
        missing = len(getattr(self.message, name)) - len(spans)
        spans.extend(Spans(self.span) for _ in range(missing))
        return spans


def _step(here: Spans | list[Spans], step: str | int) -> Spans | list[Spans] | None:
    """One step of a path, or None where nothing is known."""
    if isinstance(step, int):
        if isinstance(here, list):
            return here[step] if -len(here) <= step < len(here) else None
        return None
    if isinstance(here, list):
        return here[0].fields.get(step) if here else None
    return here.fields.get(step)


def _repeated(message: Message, name: str) -> bool:
    value = getattr(message, name)
    return hasattr(value, "extend")  # labels of runtime descriptors differ between protobuf releases


def _message(value: Any) -> Any:
    return value.message if isinstance(value, Located) else value


def _spans(value: Any, span: Span) -> Spans:
    return value.spans.copy() if isinstance(value, Located) else Spans(span)


def _clone(value: Any) -> Any:
    """A copy that outlives its place in a repeated field."""
    if not isinstance(value, Message):
        return value
    copy = type(value)()
    copy.CopyFrom(value)
    return copy
