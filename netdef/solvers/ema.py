"""A running average of the params, which tests better than the params that a noisy gradient moves about."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from netdef.blob import Blob
from netdef.runtime.load import load_weights, save_weights
from netdef.runtime.net import Net


class Averages:
    """A second set of params of a net: ``params[layer][i]``, shared between layers as the net's own are.

    After update t (from 0): average = d * average + (1 - d) * param with d = min(decay, t / (10 + t)), so that the first
    values, mere fillers, are soon forgotten. Params that no rule changes (lr_mult 0, running statistics) are copied.
    """

    def __init__(self, net: Net) -> None:
        self.net = net
        self._blobs = [Blob(b.name, b.shape, b.dtype) for b in net.param_blobs]
        for p in net.plan.params:
            if p.owner != p.id:
                self._blobs[p.id].share_data(self._blobs[p.owner])
        self.params: dict[str, list[Blob]] = {run.name: [self._blobs[i] for i in run.step.params]
                                              for run in net.steps if run.step.params}
        self.follow()

    def follow(self) -> None:
        """Copy the net's params as they are now."""
        for i in self.net.learnable():
            np.copyto(self._blobs[i].data, self.net.param_blobs[i].data)

    def update(self, decay: float, t: int) -> None:
        """Take in the params after update ``t``, counted from 0."""
        rest = 1 - min(decay, t / (10 + t))
        for i in self.net.learnable():
            mean, value = self._blobs[i].data, self.net.param_blobs[i].data
            param = self.net.plan.params[i]
            if param.lr_mult == 0 or not param.init.learns:
                np.copyto(mean, value)
            else:
                mean += (value - mean) * mean.dtype.type(rest)

    def lend(self, net: Net) -> None:
        """Let another net use the averages, layer by layer of the same name."""
        for name, blobs in net.params.items():
            for mine, theirs in zip(blobs, self.params.get(name, ()), strict=False):
                mine.share_data(theirs)

    def save(self, path: Path) -> None:
        """Write the averages as a weights file of the net. Raises WeightsError."""
        save_weights(self.net, path, self.params)

    def load(self, path: Path) -> None:
        """Read what ``save`` wrote. Raises WeightsError."""
        load_weights(self.net, path, strict=True, into=self.params)
