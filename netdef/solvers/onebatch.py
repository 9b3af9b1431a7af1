"""Training on one batch alone: whoever cannot learn eight pictures by heart will not learn eight million."""
from __future__ import annotations

import numpy as np

from netdef.runtime.executor import RunStep
from netdef.runtime.net import Net


class OneBatch:
    """Lets the data layers of a net give their first batch in every pass.

    They are the layers without bottoms and params; each runs as usual, then its tops get back what they were the first
    time, so that shuffling, crops and mirrors of later passes do not matter. Dropout goes on drawing.
    """

    def __init__(self, net: Net) -> None:
        self._first: dict[str, list[np.ndarray]] = {}
        self._handle = net.hooks.add("after_forward", self._repeat)

    def _repeat(self, run: RunStep) -> None:
        if run.bottoms or run.params:
            return
        if run.name not in self._first:
            self._first[run.name] = [top.data.copy() for top in run.tops]
            return
        for top, data in zip(run.tops, self._first[run.name], strict=True):
            top.reshape(*data.shape)
            np.copyto(top.data, data)

    def remove(self) -> None:
        """Let the data go on."""
        self._handle.remove()
