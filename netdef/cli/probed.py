"""Options that `invert`, `saliency` and `attack` share, and the probe that follows from them."""
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from netdef.cli.inputs import preprocessing_of, preprocessing_options
from netdef.cli.options import assume_option, assumed_shapes, assumptions_are_usage, weight_files, weights_option
from netdef.config.load import load_net
from netdef.data.labels import check_count, read_labels, short
from netdef.data.preprocessing import Preprocessing
from netdef.predict.opening import files_of
from netdef.predict.rows import read_typed
from netdef.probe.space import Space, load
from netdef.probe.subject import Probe

F = Callable[..., Any]


@dataclass(frozen=True)
class Subject:
    """A probe, what its pictures need, and the names of the classes."""

    probe: Probe
    preprocessing: Preprocessing
    labels: list[str] | None

    def space(self, shape: tuple[int, ...] | None = None, limits: tuple[float, ...] | None = None) -> Space:
        """The space of inputs of ``shape`` (that of the net): of pictures, or of plain values within ``limits``."""
        shape = self.probe.shape if shape is None else shape
        if len(shape) == 3 and shape[0] in (1, 3) and limits is None:
            return Space.of(self.preprocessing, shape)
        low, high = limits or (0.0, 1.0)
        return Space.plain(shape, low, high, limits is not None)

    def picture(self, path: str) -> np.ndarray:
        """A picture file as the net takes it, (1, C, H, W)."""
        if len(self.probe.shape) != 3:
            raise click.UsageError(f"the input '{self.probe.input}' takes no pictures: an item is {self.probe.shape}")
        return load(path, self.preprocessing, self.probe.shape).astype(np.float64)

    def name(self, index: int) -> str:
        """``3``, or ``3 cat`` where there are labels."""
        label = short(self.labels[index]) if self.labels and index < len(self.labels) else ""
        return f"{index} {label}" if label not in ("", str(index)) else str(index)


def probe_options(function: F) -> F:
    """Which net, with which weights, labels and preprocessing."""
    for option in (
        preprocessing_options, assume_option,
        click.option("--fix", "fixed", multiple=True, metavar="NAME=VALUES",
                     help="Values of another input, as in im_info=224,224,1."),
        click.option("--by", metavar="INPUT", default=None, help="The input to look at, where there are several."),
        click.option("--labels", metavar="FILE", default=None, help="Names of the classes, one a line (synset_words.txt)."),
        weights_option,
    ):
        function = option(function)
    return function


def subject(net: str, given: dict[str, Any], blob: str | None = None, scores: bool = True,
            dtype: str = "float32") -> Subject:
    """What the options ask for; takes its own out of ``given``. Raises NetdefError."""
    files = files_of(net, weight_files(given.pop("weights")))
    located = load_net(net)
    preprocessing = preprocessing_of(located, files, given)
    assumed, by, fixed = (given.pop(n) for n in ("assumed", "by", "fixed"))
    with assumptions_are_usage():
        probe = Probe(located, files, blob, scores, by, assumed_shapes(assumed) or None, dtype)
    others = {n: probe.net.blobs[n].shape[1:] for n in probe.net.inputs if n != probe.input}
    if fixed:
        probe.fix(**read_typed(fixed, others))
    file = given.pop("labels") or preprocessing.label_file
    labels = read_labels(file) if file else None
    if labels is not None and probe.classes is not None and blob is None:
        check_count(labels, probe.classes, f"the classes of '{probe.blob}'", file)
    return Subject(probe, preprocessing, labels)


def targets(out: str, names: list[str], ending: str = ".png") -> list[str]:
    """A file to write for each name: ``out`` itself for one, files in the folder ``out`` (made) for several."""
    if len(names) == 1 and not os.path.isdir(out) and not out.endswith(os.sep):
        return [out]
    if os.path.splitext(out)[1] and not os.path.isdir(out):
        raise click.UsageError(f"--out: expected a folder for {len(names)} pictures, got the file '{out}'")
    stems = [os.path.splitext(os.path.basename(n))[0] for n in names]
    twice = next((s for s in stems if stems.count(s) > 1), None)
    if twice is not None:
        raise click.UsageError(f"--out: two pictures would become '{twice}{ending}'")
    os.makedirs(out, exist_ok=True)
    return [os.path.join(out, s + ending) for s in stems]
