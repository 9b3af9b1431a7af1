"""Which item of the batch pulls: the norm of the param gradient that each item alone contributes."""
from __future__ import annotations

from typing import Any

import numpy as np

from netdef.errors import NetdefError
from netdef.graph.render import table
from netdef.runtime.executor import RunStep
from netdef.runtime.hooks import Hooks
from netdef.runtime.net import Net


def sample_norms(net: Net) -> np.ndarray:
    """L2 norm over all params of the gradient contributed by each item of the batch, shape (N,).

    Backward is linear in what comes down from the losses, so it is run once an item with the other items' rows of that
    set to zero; the items' gradients add up to the batch's. Run it after ``net.forward()``; params' diffs are put back.
    Raises NetdefError for a net whose losses have no common first axis.
    """
    losses = [run for run in net.steps if run.step.backward and any(t in net.plan.losses for t in run.node.tops)]
    sizes = {run.bottoms[0].shape[0] for run in losses if run.bottoms and run.bottoms[0].shape}
    if len(sizes) != 1:
        raise NetdefError(f"net '{net.name}': its losses have no common batch axis, so there are no items to tell apart")
    saved = [blob.diff.copy() for blob in net.param_blobs]
    listening, net.hooks = net.hooks, Hooks()  # whoever listens to the net should not hear these passes
    try:
        return np.array([_norm_of(net, losses, item) for item in range(sizes.pop())])
    finally:
        net.hooks = listening
        for blob, diff in zip(net.param_blobs, saved, strict=True):
            blob.diff[...] = diff


def _norm_of(net: Net, losses: list[RunStep], item: int) -> float:
    names = {run.name for run in losses}

    def keep_one(run: Any) -> None:
        if run.name in names:
            for blob, wanted in zip(run.bottoms, run.need.bottoms, strict=True):
                if wanted:
                    row = blob.diff[item].copy()
                    blob.diff[...] = 0
                    blob.diff[item] = row

    net.clear_param_diffs()
    with net.hooks.added(after_backward=keep_one):
        net.backward()
    squares = sum(float(np.square(net.param_blobs[p].diff.astype(np.float64)).sum()) for p in net.learnable())
    return float(np.sqrt(squares))


def norms_table(norms: np.ndarray, labels: np.ndarray | None = None, most: int = 10) -> str:
    """The items that pull hardest, with their share of the sum of all norms and their labels where these are known."""
    total = float(norms.sum()) or 1.0
    worst = np.argsort(-norms, kind="stable")[:most]
    rows = [(int(i), f"{norms[i]:.4g}", f"{norms[i] / total:.1%}",
             "-" if labels is None else f"{labels.reshape(len(norms), -1)[i, 0]:g}") for i in worst]
    return f"{len(norms)} items, median norm {np.median(norms):.4g}\n" + table(
        rows, ("item", "gradient norm", "share", "label"), range(4))
