"""The records of a run as TensorBoard events, by the package ``tensorboard`` alone (no TensorFlow, no torch)."""
from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netdef.errors import NetdefError, warn
from netdef.solvers.metrics import Record


class TensorBoard:
    """Writes each record it is given (see ``metrics.py``) as scalars into an event file in ``folder``.

    Tags: train/loss, train/smoothed_loss, train/lr, train/NAME for other outputs, test_0/NAME, gradient/all and
    gradient/LAYER. ``iteration`` is where training begins: of an earlier event file in the folder TensorBoard then shows
    only what lies before it. Raises NetdefError where the package is missing or the folder cannot be written.
    """

    def __init__(self, folder: Path, iteration: int) -> None:
        self._folder = str(folder)
        self._broken = False
        writer, event, summary = event_protos()
        self._event: Any = event.Event
        self._summary: Any = summary.Summary
        try:
            self._writer: Any = writer(str(folder), flush_secs=10)
        except OSError as error:
            raise NetdefError(f"cannot write TensorBoard events: {error.strerror or error}", where=str(folder)) from error
        start = event.SessionLog(status=event.SessionLog.START)
        self._writer.add_event(self._event(wall_time=time.time(), step=iteration, session_log=start))

    def __call__(self, record: Record) -> None:
        """Write one record. Where that fails (a full disk), a warning says so, and nothing more is written."""
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in scalars(record).items()]
        event = self._event(wall_time=time.time(), step=record["iter"], summary=self._summary(value=values))
        self._guarded(lambda: self._writer.add_event(event))

    def close(self) -> None:
        """Write what is still waiting, and end."""
        self._guarded(lambda: self._writer.close())

    def _guarded(self, work: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            work()
        except Exception as error:  # the package's thread passes on whatever stopped it
            self._broken = True
            warn(f"no more TensorBoard events: {error}", self._folder)


def event_protos() -> tuple[Any, Any, Any]:
    """TensorBoard's EventFileWriter, and its modules of events and summaries. Raises NetdefError without the package."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise NetdefError("--tensorboard needs the package tensorboard, which is not installed",
                          hint="pip install 'netdef[tensorboard]'") from None
    return EventFileWriter, event_pb2, summary_pb2


def scalars(record: Record) -> dict[str, float]:
    """The numbers of a record by tag."""
    place = "train" if record["kind"] == "train" else f"test_{record['net']}"
    found: dict[str, float] = {}
    for name, value in record.get("outputs", {}).items():
        values = value if isinstance(value, list) else [value]
        found |= {f"{place}/{name}" if len(values) == 1 else f"{place}/{name}_{i}": v for i, v in enumerate(values)}
    found |= {f"{place}/{name}": record[name] for name in ("loss", "smoothed_loss", "lr") if name in record}
    if "grad_norm" in record:
        found["gradient/all"] = record["grad_norm"]
        found |= {f"gradient/{layer}": norm for layer, norm in record["grad_norms"].items()}
    return found
