"""LoadReport: what of a weights file went into a net, what did not, and why; worded for the person who fine-tunes."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netdef.errors import closest

if TYPE_CHECKING:
    from netdef.runtime.net import Net

Shapes = Sequence[tuple[int, ...]]


@dataclass
class LoadReport:
    """What ``Net.load`` did, by layer name.

    ``loaded``       layers that got their params from the file
    ``ignored``      layers with params only in the file
    ``not_in_file``  layers with params only in the net, which keep what they had
    ``file_shapes``, ``net_shapes``  the shapes of the params of these layers on either side
    """

    path: str
    loaded: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    not_in_file: list[str] = field(default_factory=list)
    file_shapes: Mapping[str, Shapes] = field(default_factory=dict)
    net_shapes: Mapping[str, Shapes] = field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{self.path}: loaded {len(self.loaded)} layers"
        if self.not_in_file:
            text += f"; not in the file, kept as filled: {', '.join(self.not_in_file)}"
        if self.ignored:
            text += f"; only in the file, ignored: {', '.join(self.ignored)}"
        return text

    def lines(self) -> list[str]:
        """The report with one line for each layer that was skipped: its shapes, and a near name on the other side."""
        head = f"{self.path}: loaded {_count(self.loaded)}"
        head += f": {', '.join(self.loaded)}" if self.loaded else ""
        kept = [f"  skipped: '{name}' is not in the file and keeps its values; {_shapes(self.net_shapes.get(name, ()))}"
                f" in the net{self._near(name, self.ignored, self.file_shapes, 'in the file')}"
                for name in self.not_in_file]
        left = [f"  skipped: '{name}' is not in the net; {_shapes(self.file_shapes.get(name, ()))} in the file"
                f"{self._near(name, self.not_in_file, self.net_shapes, 'in the net')}" for name in self.ignored]
        return [head, *kept, *left]

    @staticmethod
    def _near(name: str, others: Iterable[str], shapes: Mapping[str, Shapes], where: str) -> str:
        known = list(others)
        near = closest(name, known) or next((o for o in known if o.startswith(name) or name.startswith(o)), None)
        return f"; did you mean '{near}', {_shapes(shapes.get(near, ()))} {where}?" if near else ""


def coverage(net: Net, reports: Iterable[LoadReport]) -> tuple[int, int]:
    """How many of a net's values came from files, and how many it has; shared params count once."""
    loaded = {name for report in reports for name in report.loaded}
    counts = {i: net.param_blobs[i].count for i in net.learnable()}
    from_files = {net.plan.params[i].owner for run in net.steps if run.name in loaded for i in run.step.params}
    return sum(counts[i] for i in from_files), sum(counts.values())


def coverage_line(net: Net, reports: Iterable[LoadReport]) -> str:
    """``covered: 430,500 of 431,080 values of the net's params (99.9%)``."""
    known, total = coverage(net, reports)
    share = f" ({100 * known / total:.1f}%)" if total else ""
    return f"covered: {known:,} of {total:,} values of the net's params{share}"


def _shapes(shapes: Shapes) -> str:
    return " and ".join(str(tuple(shape)) for shape in shapes) or "no params"


def _count(names: Sequence[str]) -> str:
    return "1 layer" if len(names) == 1 else f"{len(names)} layers"
