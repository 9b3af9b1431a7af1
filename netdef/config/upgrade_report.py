"""What an upgrade changed, each change with its place; and the one way in which old messages are taken apart."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netdef.config.located import Located
from netdef.errors import Span, located, warn


@dataclass(frozen=True)
class Change:
    """One change.

    ``weight`` says who hears of it: 2 everyone who reads the file, for it may surprise; 1 everyone, together with all
    others of this weight; 0 only those who ask for the list.
    """

    text: str
    span: Span
    hint: str = ""
    weight: int = 1

    def __str__(self) -> str:
        return located("upgrade", self.text, self.span, self.hint)


class Report:
    """The changes of one upgrade, in the order in which they were made.

    Whoever wants to print all of them makes a Report and hands it to ``load_net``; else ``warn`` says the few that
    matter and the number of all others.
    """

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def note(self, text: str, span: Span, weight: int = 1) -> None:
        """A change of spelling: the net stays what it was."""
        self.changes.append(Change(text, span, weight=weight))

    def stress(self, text: str, span: Span, hint: str = "") -> None:
        """A change that people should see."""
        self.changes.append(Change(text, span, hint, weight=2))

    def warn(self) -> None:
        """Log what matters, and one line for the rest."""
        quiet = [c for c in self.changes if c.weight == 1]
        if quiet:
            first = quiet[0]
            more = f" with {len(quiet) - 1} changes" if len(quiet) > 1 else ""
            warn(f"{first.text}{more}", first.span, "`netdef convert --upgrade` writes and lists them")
        for change in self.changes:
            if change.weight == 2:
                warn(change.text, change.span, change.hint)


def moved(old: Located, name: str, new: Located, to: str = "") -> None:
    """Copy a given field of ``old`` into the field ``to`` of ``new`` (of the same name), places included.

    Both fields are of one type; a singular scalar may become the one element of a list.
    """
    to = to or name
    value: Any = getattr(old.message, name)
    if hasattr(value, "extend"):
        for i in range(len(value)):
            element = value[i]
            new.append(to, old.child(name, i) if hasattr(element, "DESCRIPTOR") else element, old.span_of(name, i))
    elif hasattr(value, "DESCRIPTOR"):
        new.set(to, old.child(name), old.span_of(name))
    elif hasattr(getattr(new.message, to), "extend"):
        new.append(to, value, old.span_of(name))
    else:
        new.set(to, value, old.span_of(name))


def given(message: Any) -> list[str]:
    """The names of the fields that a message has, in the order of their numbers."""
    return [descriptor.name for descriptor, _ in message.ListFields()]


def who(layer: Located, type_name: str) -> str:
    """``layer 'conv1' (conv)``."""
    return f"layer '{layer.message.name}' ({type_name})"
