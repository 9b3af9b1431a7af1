"""What a rule is: a small generator with a name and a severity, whose docstring is the reason that people read."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from netdef.errors import Span

SEVERITIES = ("error", "warning", "note")
SCOPES = {  # what a rule is called with
    "train": "a net that trains: each state of phase TRAIN that has a loss and params that learn",
    "state": "each state of a net, a phase with its stages",
    "net": "a net as a whole, with all its states",
    "solver": "a solver with its nets",
    "pair": "phase TEST of a net that trains, and the net for prediction given beside it",
    "file": "the comments of a file",
}
CONFIG = "config"  # the name under which mistakes are listed that stop a net from being built


class Hit(NamedTuple):
    """One place where a rule fires: what is seen there, and what to do. ``severity`` only where it is not the rule's."""

    span: Span
    what: str
    do: str
    severity: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule. ``look`` takes what ``scope`` says and gives Hits; ``why`` is its docstring as running text."""

    name: str
    severity: str
    scope: str
    why: str
    look: Callable[..., Iterable[Hit]]
    topic: str


RULES: dict[str, Rule] = {}
Look = Callable[[Any], Iterator[Hit]]


def rule(name: str, severity: str, scope: str) -> Callable[[Callable[..., Iterator[Hit]]], Callable[..., Iterator[Hit]]]:
    """Decorator: list a generator of Hits as a rule. Its docstring is the reason; the module's says the topic."""

    def add(look: Callable[..., Iterator[Hit]]) -> Callable[..., Iterator[Hit]]:
        assert name not in RULES and severity in SEVERITIES and scope in SCOPES, name
        topic = (inspect.getmodule(look).__doc__ or "").split(":")[0]
        RULES[name] = Rule(name, severity, scope, " ".join((look.__doc__ or "").split()), look, topic)
        return look

    return add


@dataclass(frozen=True)
class Finding:
    """One place where a rule fired, or a mistake in the config (rule ``config``, ``why`` then empty)."""

    rule: str
    severity: str
    span: Span
    what: str
    why: str
    do: str

    def __str__(self) -> str:
        lines = [f"{self.span}: {self.severity}: {self.rule}: {self.what}" + (f" ({self.span.note})" if self.span.note else "")]
        lines += self.span.excerpt().splitlines()
        lines += [f"    {word} {text}" for word, text in (("why:", self.why), ("do: ", self.do)) if text]
        return "\n".join(lines)

    def as_plain(self) -> dict[str, Any]:
        """For JSON."""
        return {"rule": self.rule, "severity": self.severity, "file": self.span.file, "line": self.span.line,
                "column": self.span.column, "what": self.what, "why": self.why, "do": self.do}
