"""What `netdef grads` prints and writes for each recording."""
from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netdef.debug.compare import differences
from netdef.debug.dump import into
from netdef.debug.recording import Recording, read, write_together
from netdef.debug.samples import norms_table, sample_norms
from netdef.debug.show import show_layer
from netdef.debug.tables import gradient_table
from netdef.debug.update import UpdateWatch
from netdef.errors import NetdefError
from netdef.runtime.net import Net
from netdef.solvers import events as e
from netdef.solvers.solver import Solver

if TYPE_CHECKING:
    from netdef.report.grads import GradsPage


class Shown:
    """Takes recordings one by one; ``finish`` writes what belongs into one file and gives the exit status."""

    def __init__(self, layers: str, show: str | None, samples: bool, update: str | None, compare: Path | None,
                 out: Path | None) -> None:
        self.layers, self.show, self.samples, self.update = layers, show, samples, update
        self.out = out
        self.one_file = out is not None and out.suffix == ".npz"
        self.write = into(out) if out is not None and not self.one_file else None
        self.others = {r.iteration: r for r in read(compare)} if compare is not None else None
        self.kept: list[Recording] = []
        self.written = 0
        self.differing = 0
        self.watch: UpdateWatch | None = None
        self.norms: str | None = None
        self.page: GradsPage | None = None

    def opened(self, net: Net, solver: Solver | None) -> None:
        """Before the first pass."""
        if self.page is not None:
            self.page.opened(net, solver)

    def listeners(self, solver: Solver) -> Sequence[e.Listener]:
        """Listeners for what must be seen before the update: its parts, and the items' norms."""
        if self.update is not None:
            self.watch = UpdateWatch(solver, self.update)

        def listen(event: e.Event) -> None:
            if self.samples and isinstance(event, e.GradientsReady):
                self.norms = _norms(solver.net)

        return [listen] if self.watch is None else [self.watch, listen]

    def __call__(self, net: Net, recording: Recording) -> None:
        """Print and write one recording."""
        made_by = {net.plan.description.value_name(t): s.node.name for s in net.plan.steps for t in s.node.tops}
        if not any(fnmatch.fnmatchcase(s.node.name, self.layers) for s in net.plan.steps):
            raise NetdefError(f"no layer's name matches '{self.layers}'")
        part = recording.only(self.layers, made_by)
        if self.show is not None:
            click.echo(show_layer(net.plan, recording, self.show))
        elif self.update is None and not self.samples and self.others is None:
            click.echo(gradient_table(net.plan, part) + "\n")
        if self.samples:
            click.echo((self.norms or _norms(net)) + "\n")
        if self.watch is not None:
            for found in self.watch.found[-len(self.watch.ks):]:
                click.echo(f"{found}\n")
        if self.page is not None:
            self.page.seen(net, recording)
        self._compare(net, part)
        self._keep(net, part)

    def _compare(self, net: Net, recording: Recording) -> None:
        if self.others is None:
            return
        other = self.others.get(recording.iteration)
        if other is None:
            raise NetdefError(f"the other recording has no iteration {recording.iteration}, only "
                              f"{', '.join(map(str, self.others))}")
        found = [d for d in differences(net.plan, recording, other)]
        self.differing += len(found)
        if self.page is not None:
            self.page.compared(other, found)
        if not found:
            click.echo(f"iteration {recording.iteration}: no layer differs")
            return
        click.echo(f"iteration {recording.iteration}: first difference: {found[0]}")
        for difference in found[1:]:
            click.echo(f"  then {difference}")

    def _keep(self, net: Net, recording: Recording) -> None:
        if self.one_file:
            self.kept.append(recording)
        elif self.write is not None:
            self.write(net, recording)
            self.written += 1

    def write_page(self) -> None:
        """Write the page for the browser, where one is wanted and something ran."""
        if self.page is not None and self.page.plan is not None:
            self.page.write()
            click.echo(f"written: {self.page.path}")

    def finish(self) -> int:
        """Write the one file, say what was written; 1 if a comparison found a difference."""
        if self.one_file and self.out is not None:
            write_together(self.kept, self.out)
            click.echo(f"written: {len(self.kept)} iteration{'s' if len(self.kept) > 1 else ''} in {self.out}")
        elif self.out is not None:
            click.echo(f"written: {self.written} file{'s' if self.written > 1 else ''} in {self.out}")
        return 1 if self.differing else 0


def _norms(net: Net) -> str:
    return norms_table(sample_norms(net), _labels(net))


def _labels(net: Net):
    """The labels of the batch, where a loss reads some: one number an item."""
    for run in net.steps:
        if run.layer.is_loss and len(run.bottoms) > 1 and run.bottoms[1].count == run.bottoms[0].shape[0]:
            return run.bottoms[1].data
    return None
