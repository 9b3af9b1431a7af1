"""Still: what can be shown of a run that was not filmed: its net, and the numbers of the weights in its newest snapshot."""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from netdef.config.load import load_solver
from netdef.debug.recording import Recording
from netdef.errors import Collector, NetdefError
from netdef.graph.model import GraphPlan
from netdef.report.collect import page_data
from netdef.report.drawing import plan_to_draw
from netdef.report.meter import frame_of
from netdef.report.numbers import Plain
from netdef.report.rundata import SOLVER, newest_state
from netdef.solvers.nets import load_source, train_source
from netdef.solvers.snapshot import WEIGHTS, beside
from netdef.weights import read

NO_NET: Plain = {"version": 1, "phase": "", "runs": [], "comparison": None,
                 "layers": [{"name": "net", "type": "not known", "line": "", "is_loss": False, "backward": False,
                             "reason": "the net cannot be read", "bottoms": [], "tops": [], "params": []}],
                 "graph": {"width": 140.0, "height": 60.0, "edges": [],
                           "nodes": [{"x": 70.0, "y": 30.0, "width": 120.0, "height": 34.0}]}}
"""What stands in the place of a net that cannot be read: one box."""


def still_of(folder: Path) -> tuple[Plain, list[Plain], str]:
    """The head of a page for a run's directory, the frame of its newest snapshot if there is one, and what went wrong
    on the way, in words. Raises nothing: whatever can be read is shown."""
    try:
        plan = _plan(folder)
        head: Plain = page_data(plan, [])
    except (NetdefError, OSError, ValueError) as error:
        return NO_NET | {"title": folder.name}, [], f"The net cannot be drawn: {_words(error)}"
    try:
        frame = _frame(plan, folder)
    except (NetdefError, OSError, ValueError) as error:
        return head, [], f"The newest snapshot cannot be read: {_words(error)}"
    return head, [] if frame is None else [frame], ""


def newest_weights(folder: Path) -> Path | None:
    """The weights of a run's newest snapshot, if they are there. Raises NetdefError for a damaged run.json."""
    state = newest_state(folder)
    return None if state is None else next((p for p in beside(state, WEIGHTS) if p.is_file()), None)


def iteration_of(weights: Path) -> int:
    """The iteration in the name of a snapshot; 0 without one."""
    found = re.search(r"_iter_(\d+)\.", weights.name)
    return int(found[1]) if found else 0


def _plan(folder: Path) -> GraphPlan:
    solver = load_solver(str(folder / SOLVER))
    net = load_source(solver, train_source(solver), Collector())
    state: Any = solver.message.train_state
    return plan_to_draw(net, "TRAIN", state.level if state.HasField("level") else None, tuple(state.stage)).plan


def _frame(plan: GraphPlan, folder: Path) -> Plain | None:
    path = newest_weights(folder)
    if path is None:
        return None
    file = read(path)
    arrays = {f"param/{name}/{i}/data": np.ascontiguousarray(array, dtype=np.float32)
              for name in file.layers for i, array in file.numbered(name).items()}
    return frame_of(plan, Recording(0.0, iteration_of(path), "", arrays)) | {"loss": None}


def _words(error: Exception) -> str:
    return error.message if isinstance(error, NetdefError) else str(error)
