"""The page of recordings that are there already: what `netdef grads --out` or `netdef train --dump-gradients` wrote."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netdef.config.load import parse_text_message
from netdef.debug.compare import Difference, differences
from netdef.debug.recording import Recording, read
from netdef.errors import NetdefError
from netdef.graph.build import build
from netdef.graph.model import GraphPlan
from netdef.graph.standin import Assumptions
from netdef.report.collect import Run, page_data, picture_size, plain_curve
from netdef.report.film import MOST_FRAMES
from netdef.report.meter import frame_of
from netdef.report.numbers import Plain
from netdef.report.page import check_place, write_page


def is_recordings(path: str) -> bool:
    """Whether a path is that of a recording, or of a folder of them."""
    place = Path(path)
    return place.is_file() and place.suffix == ".npz" or place.is_dir() and any(place.glob("iter_*.npz"))


def write_recordings_page(source: str, page: Path, other: Path | None = None, phase: str = "TRAIN") -> list[
        tuple[int, list[Difference]]]:
    """Write the page of the recordings at ``source``, at most a dozen of them; ``other``: compared with those, by iteration.

    Returns what differs in each iteration that both have. Raises NetdefError where there are no recordings, or none of
    the same iteration, and WeightsError where the page cannot be written.
    """
    check_place(page)
    mine = read(Path(source))
    plan = plan_of(mine[0], phase)
    if other is None:
        write_page(page_data(plan, [_run("A", source, plan, _some(mine), 1)], source), page)
        return []
    theirs = {r.iteration: r for r in read(other)}
    both = [r for r in mine if r.iteration in theirs]
    if not both:
        raise NetdefError(f"{source} and {other} have no iteration in common")
    found = [(r.iteration, differences(plan, r, theirs[r.iteration])) for r in both]
    shown = _some(both)
    runs = [_run("A", source, plan, shown, 2), _run("B", str(other), plan, [theirs[r.iteration] for r in shown], 2)]
    kept = {r.iteration for r in shown}
    write_page(page_data(plan, runs, source, [(i, d) for i, d in found if i in kept]), page)
    return found


def plan_of(recording: Recording, phase: str) -> GraphPlan:
    """The plan of the net in a recording; data that are not here have stand-ins, since only names and edges matter."""
    net = parse_text_message(recording.net_text, "<recording>", "NetParameter")
    return build(net, phase, assume=Assumptions.read(()))


def _some(recordings: Sequence[Recording]) -> list[Recording]:
    """A dozen, the first and the last among them."""
    count = len(recordings)
    wanted = {round(i * (count - 1) / (MOST_FRAMES - 1)) for i in range(MOST_FRAMES)} if count > 1 else {0}
    return [recordings[i] for i in sorted(wanted)]


def _run(label: str, title: str, plan: GraphPlan, recordings: Sequence[Recording], runs: int) -> Run:
    size = picture_size(plan, len(recordings) * runs)
    frames: list[Plain] = [frame_of(plan, r, size) for r in recordings]
    return Run(label, title, frames, [plain_curve("loss", "loss", [(r.iteration, r.loss) for r in recordings])])
