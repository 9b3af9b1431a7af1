"""Finding: one thing that is wrong with a run, with where it was seen, why, and what to do. Blame: all of a replay's."""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from netdef.errors import Span

# What a cause is called, in reports, JSON and tests; each with what it means.
CAUSES = {
    "bad record": "the data themselves hold NaN or infinity",
    "data scale": "the data are so large that the net cannot work with them",
    "zero data": "the data are all zero",
    "label out of range": "a label is no class of the loss",
    "bad data": "a record cannot be read",
    "labels ignored": "every label is the loss's ignore_label",
    "learning rate": "steps so large that the params run away, or so small that they are lost in rounding",
    "clipping": "clip_gradients is 0",
    "division by zero": "a division by 0, or a logarithm of it",
    "domain": "a logarithm or root of a number that has none",
    "overflow": "a result is larger than its type can hold",
    "saturated": "units of a Sigmoid or TanH at the flat ends of their curve",
    "dead ReLU": "units that are 0 for every item",
    "zero filler": "weights that begin at 0 and so pass no gradient down",
    "constant filler": "units that begin equal and so stay equal",
    "filler": "weights or biases that begin too large",
    "frozen": "lr_mult is 0",
    "loss_weight": "the loss counts with weight 0",
    "disconnected": "no path to a loss",
    "stopped": "the config stops the gradient on its way",
    "weights file": "the weights were not finite when they were loaded",
    "layer": "the layer's own arithmetic",
    "unknown": "none of the causes that are looked for",
}


@dataclass(frozen=True)
class Link:
    """One step on the way from what was seen to its cause, with its line in the config where there is one."""

    text: str
    span: Span | None = None

    def __str__(self) -> str:
        return f"{self.text} [{self.span}]" if self.span else self.text


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    ``what`` is a sentence on what was seen; ``cause`` one of CAUSES; ``layer`` and ``blob`` are where the cause lies
    (a param is written ``ip1[0]``); ``item`` counts in the batch from 0, ``record`` in the data source; ``span`` is
    the config line to look at; ``suggestion`` says what to do. ``chain`` leads from what was seen to the cause.
    """

    what: str
    cause: str
    layer: str = ""
    blob: str = ""
    iteration: int | None = None
    item: int | None = None
    record: int | None = None
    span: Span | None = None
    suggestion: str = ""
    chain: tuple[Link, ...] = ()

    def line(self) -> str:
        """One line of advice: place, what, suggestion."""
        text = f"{self.span}: " if self.span else ""
        text += f"{self.what}; {self.suggestion}" if self.suggestion else self.what
        return text

    def __str__(self) -> str:
        lines = [self.what, *(f"  <- {link}" for link in self.chain)]
        where = f" [{self.span}]" if self.span else ""
        lines.append(f"  cause: {self.cause}{where}: {CAUSES[self.cause]}")
        if self.span and (excerpt := self.span.excerpt()):
            lines += ["    " + line for line in excerpt.splitlines()]
        if self.suggestion:
            lines.append(f"  suggestion: {self.suggestion}")
        return "\n".join(lines)

    def as_plain(self) -> dict[str, Any]:
        """For JSON: the fields, spans as ``file:line:column``."""
        plain = {name: value for name, value in vars(self).items() if name not in ("span", "chain")}
        plain["span"] = str(self.span) if self.span else None
        plain["chain"] = [{"text": link.text, "span": str(link.span) if link.span else None} for link in self.chain]
        return plain


@dataclass
class Blame:
    """What a replay has found: the first thing that went wrong, or several that hold all along; none if it looks healthy.

    ``start`` is the first iteration replayed, ``iterations`` how many were, ``losses`` the loss of each.
    """

    net: str
    seed: int
    start: int
    iterations: int = 0
    losses: list[float] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __str__(self) -> str:
        run = f"net '{self.net}', seed {self.seed}: replayed {self.iterations} iterations from {self.start}"
        if self.losses:
            run += f", loss {self.losses[0]:.6g} to {self.losses[-1]:.6g}"
        if self.ok:
            return f"{run}\nlooks healthy"
        return "\n\n".join([run, *map(str, self.findings)])

    def as_plain(self) -> dict[str, Any]:
        """For JSON; losses that are not finite become text."""
        return {"net": self.net, "seed": self.seed, "start": self.start, "iterations": self.iterations, "ok": self.ok,
                "losses": [x if math.isfinite(x) else str(x) for x in self.losses],
                "findings": [f.as_plain() for f in self.findings]}
