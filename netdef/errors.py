"""The exception tree, and the one place that formats a message.

::

    NetdefError
    ├─ ConfigError          something written in a config is wrong; has a span
    │  ├─ ConfigSyntaxError     the text cannot be read at all
    │  ├─ FieldError            unknown, repeated, missing, of the wrong type or out of range
    │  ├─ GraphError            the layers do not fit together
    │  │  ├─ UnknownLayerType
    │  │  ├─ UnknownBlob
    │  │  └─ DuplicateTop
    │  └─ ConfigErrors          several of the above, found in one run
    ├─ ShapeError           sizes do not fit (a ConfigError too: it has a span and is collected)
    ├─ WeightsError         a weights file and a net disagree, or the file is broken
    ├─ DataError            a data source or one of its records is bad
    ├─ NumericalError       a value that is not finite
    └─ SolverError          a solver setting that cannot work

The library raises and never prints; the command line prints ``str(error)`` and exits with status 1.
"""
from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, TypeVar

log = logging.getLogger("netdef")


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a file: ``line`` and ``column`` count from 1, ``length`` in characters.

    ``text`` is the whole source line (for the caret); ``note`` says how a value came here when it
    was not typed at this place ("through the alias *conv", "upgraded from input_dim").
    """

    file: str
    line: int = 1
    column: int = 1
    length: int = 1
    text: str = ""
    note: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    def noted(self, note: str) -> Span:
        """The same place with a note."""
        return replace(self, note=note)

    def excerpt(self) -> str:
        """The source line with a caret under the place, or an empty string where no text is known."""
        if not self.text.strip():
            return ""
        line = self.text.rstrip("\n")
        start = max(self.column - 1, 0)
        lead = "".join(c if c == "\t" else " " for c in line[:start])
        return f"  {line}\n  {lead}^{'~' * max(0, min(self.length, len(line) - start) - 1)}"


class NetdefError(Exception):
    """Base of every error that netdef raises on purpose.

    ``where`` is a span, a path or None. ``hint`` is one sentence that says what to do. ``notes`` are further
    lines below the excerpt (who made the bottoms, which places were tried).
    """

    def __init__(self, message: str, *, where: Span | str | None = None, hint: str = "",
                 notes: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.notes = tuple(notes)

    @property
    def span(self) -> Span | None:
        """The place in a config file, where one is known."""
        return self.where if isinstance(self.where, Span) else None

    def __str__(self) -> str:
        return "\n".join([located("error", self.message, self.where, self.hint), *(f"    {n}" for n in self.notes)])

    def __reduce__(self) -> tuple[Any, ...]:  # keyword-only arguments do not survive the default pickling
        return _rebuild, (type(self), self.message, self.where, self.hint, self.notes)


def _rebuild(cls: type[NetdefError], message: str, where: Span | str | None, hint: str,
             notes: tuple[str, ...]) -> NetdefError:
    return cls(message, where=where, hint=hint, notes=notes)


class ConfigError(NetdefError):
    """Something written in a config file is wrong."""


class ConfigSyntaxError(ConfigError):
    """The text cannot be read: an unclosed brace, a stray character, YAML that is no YAML."""


class FieldError(ConfigError):
    """A field is unknown, repeated, missing, of the wrong type or out of range."""


class GraphError(ConfigError):
    """The layers do not fit together."""


class UnknownLayerType(GraphError):
    """No layer of this type is registered."""


class UnknownBlob(GraphError):
    """A bottom that no layer before it makes."""


class DuplicateTop(GraphError):
    """Two layers make the same blob."""


class ShapeError(ConfigError):
    """Sizes do not fit: the relation, both sides, and where each side was made."""


class WeightsError(NetdefError):
    """A weights file is broken, or it disagrees with the net."""


class DataError(NetdefError):
    """A data source, or one of its records, is bad; ``item`` is its place in the batch, where one is known."""

    item: int | None = None


class NumericalError(NetdefError):
    """A value is not finite where a finite one is needed."""


class SolverError(NetdefError):
    """A solver setting cannot work."""


class ConfigErrors(ConfigError):
    """Several config errors found in one run, in the order in which they were found (``errors``)."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors: list[ConfigError] = list(errors)
        first = self.errors[0]
        super().__init__(first.message, where=first.where, hint=first.hint)

    def __str__(self) -> str:
        return "\n".join(str(e) for e in self.errors) + f"\n{len(self.errors)} errors"

    def __reduce__(self) -> tuple[Any, ...]:
        return ConfigErrors, (self.errors,)


class Collector:
    """Collects config errors so that one run reports all of them.

    >>> errors = Collector()
    >>> with errors:
    ...     raise FieldError("first")
    >>> len(errors.found)
    1
    >>> errors.raise_all()
    Traceback (most recent call last):
    netdef.errors.FieldError: error: first
    """

    def __init__(self) -> None:
        self.found: list[ConfigError] = []

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> bool:
        if isinstance(error, ConfigErrors):
            self.found.extend(error.errors)
            return True
        if isinstance(error, ConfigError):
            self.found.append(error)
            return True
        return False

    def add(self, error: ConfigError) -> None:
        """Note one error and go on."""
        self.found.append(error)

    def raise_all(self) -> None:
        """Raise what was collected: one error as itself, several as ConfigErrors, none not at all."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise ConfigErrors(self.found)


def located(kind: str, message: str, where: Span | str | None = None, hint: str = "") -> str:
    """The one form of every message: ``where: kind: message. Hint.``, then the line and a caret."""
    head = f"{where}: {kind}: " if where else f"{kind}: "
    text = message.rstrip()
    if hint:
        text += ("" if text.endswith((".", "?", "!", ":", ";")) else ";") + " " + hint
    if isinstance(where, Span):
        if where.note:
            text += f" ({where.note})"
        excerpt = where.excerpt()
        if excerpt:
            text += "\n" + excerpt
    return head + text


def warn(message: str, where: Span | str | None = None, hint: str = "") -> None:
    """Log a located warning on the logger ``netdef`` (the command line prints it to stderr)."""
    log.warning("%s", located("warning", message, where, hint))


T = TypeVar("T", bound=str)


def closest(name: str, known: Iterable[T]) -> T | None:
    """The known name that ``name`` most likely was meant to be, or None."""
    known = list(known)
    folded = {k.lower().replace("_", ""): k for k in reversed(known)}
    same = folded.get(name.lower().replace("_", ""))
    if same is not None:
        return same
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    return next((k for k in known if k in near), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` or an empty string."""
    near = closest(name, known)
    return f"did you mean '{near}'?" if near else ""
