"""What `netdef doctor FILE` says of one file, on one screen and as JSON."""
from __future__ import annotations

import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any

WIDTH = 118
MOST = 6  # of a list that may be long


@dataclass
class FileReport:
    """One file: what it is, where it comes from, whether it is whole, and what netdef would do with it.

    ``facts`` are shown in their order. ``broken`` says what is wrong and where, and is empty for a whole file; ``sound``
    is what is whole before that place. ``cannot`` is why netdef cannot use a file that is whole. ``next`` are commands.
    """

    path: str
    kind: str = "not recognised"
    origin: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    broken: str = ""
    sound: str = ""
    cannot: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    next: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the file is whole."""
        return not self.broken

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "whole": self.ok}

    def __str__(self) -> str:
        rows: list[tuple[str, str]] = [("kind", self.kind)]
        if self.origin:
            rows.append(("origin", self.origin))
        rows += [(name, shown(value)) for name, value in self.facts.items()]
        rows.append(("state", f"BROKEN: {self.broken}" if self.broken else "whole"))
        if self.sound:
            rows.append(("before that", self.sound))
        rows += [("but", text) for text in self.cannot]
        rows += [("note", text) for text in self.notes]
        rows += [("next", text) for text in self.next]
        lines = [printable(self.path)]
        for name, text in rows:
            if name == "next":  # to be copied: in one piece
                lines.append(f"  {name:<13} {printable(text)}")
                continue
            lines += textwrap.wrap(printable(text), WIDTH, initial_indent=f"  {name:<13} ", subsequent_indent=" " * 16,
                                   break_long_words=False, break_on_hyphens=False) or [f"  {name:<13}"]
        return "\n".join(lines)


def shown(value: Any) -> str:
    """A fact as text: numbers with separators, lists with commas."""
    if isinstance(value, int):
        return f"{value:,}"
    return some(value) if isinstance(value, (list, tuple)) else str(value)


def some(items: list[Any] | tuple[Any, ...], most: int = MOST) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(items) - most:,} more" if len(items) > most else ""
    return ", ".join(str(i) for i in items[:most]) + more


def printable(text: str) -> str:
    """Without characters that would steer a terminal: names inside files are not to be trusted."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def count(n: int, what: str) -> str:
    """``1 layer``, ``12 layers``."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"
