"""Where the arrays of a net lie: each blob by itself, or many in one block that they use in turns (graph/lifetimes.py)."""
from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from netdef.blob import Blob
from netdef.errors import NetdefError, did_you_mean
from netdef.graph.fusions import Piece, Use, fuse, kept_names, single
from netdef.graph.lifetimes import ALIGN, Layout, Tenant, layout, settled
from netdef.graph.model import GraphPlan
from netdef.runtime.executor import Executor, real


def use_of(plan: GraphPlan, keep: str | Sequence[str], freeze: bool) -> Use:
    """What ``keep`` and ``freeze`` of a Net mean for its plan. Raises NetdefError on a blob that is not there.

    A net that keeps everything may run backward in either phase; one that shares buffers, only in TRAIN.
    """
    if keep == "all":
        return Use(None, not freeze, freeze)
    names = frozenset() if keep == "outputs" else frozenset([keep] if isinstance(keep, str) else keep)
    known = [v.blob for v in plan.description.values if not v.automatic]
    for name in sorted(names):
        if name not in known:
            raise NetdefError(f"keep: expected all, outputs, or names of blobs; the net has no blob '{name}'",
                              hint=did_you_mean(name, ["all", "outputs", *known]))
    return Use(names, plan.description.state.phase == "TRAIN" and not freeze, freeze)


def wanted(fused: bool) -> bool:
    """Whether steps are fused: ``NETDEF_FUSE=0`` in the environment turns it off everywhere."""
    return fused and os.environ.get("NETDEF_FUSE", "1") != "0"


class Memory:
    """Puts the blobs of one net where they belong before each pass."""

    def __init__(self, executor: Executor, use: Use, dtype: np.dtype, fused: bool) -> None:
        self.executor, self.use, self.dtype = executor, use, dtype
        self.plan = executor.plan
        self.fused = wanted(fused)
        self.shares = use.shares and settled(self.plan)
        self.layout: Layout | None = None  # the one in force; None: each blob has memory of its own
        self._block: np.ndarray | None = None
        self._key: tuple[object, ...] = ()
        self._made: dict[tuple[object, ...], Layout] = {}
        self.executor.use_pieces(self._pieces())

    def _pieces(self) -> Sequence[Piece]:
        use = self.use if self.shares else Use(None, self.use.backward, self.use.frozen)
        return fuse(self.plan, use) if self.fused else single(self.plan)

    def prepare(self, parts: bool) -> bool:
        """Before a forward pass: lay everything out for it; ``parts``: layer by layer. Returns whether to run fused."""
        fused = self.fused and not parts
        if self.shares:
            sources = [blob.shape for run in self.executor.steps if not run.bottoms for blob in run.tops]
            key = (fused, *sources)
            if key != self._key:
                self._lay_out(key, fused)
        return fused

    def _lay_out(self, key: tuple[object, ...], fused: bool) -> None:
        steps = self.executor.steps
        for run in steps:
            self.executor.fit(run)
        found = self._made.get(key)
        if found is None:
            shapes = [self.executor.blobs[v.id].shape for v in self.plan.description.values]
            found = layout(self.plan, fuse(self.plan, self.use) if fused else single(self.plan), self.use,
                           self.dtype.itemsize, shapes, [run.inferred for run in steps])
            if len(self._made) == 8:
                self._made.clear()
            self._made[key] = found
        self.apart()
        self._place(found)
        self._key = key

    def apart(self) -> None:
        """Give every blob that is not kept memory of its own, made when it is used; workspaces too."""
        self._key, self.layout, self.executor.summed = (), None, frozenset()
        for blob in self._shared_blobs():
            blob.release()
        for edge in self.executor.edges.values():
            edge.release()
        for run in self.executor.steps:
            run.fresh_arrays(self.executor.scratch)

    def _shared_blobs(self) -> list[Blob]:
        kept = self.kept
        return [self.executor.blobs[v.id] for v in self.plan.description.values
                if v.replaces is None and not v.automatic and v.blob not in kept]

    @property
    def kept(self) -> frozenset[str]:
        """Names of the blobs whose values stay."""
        return kept_names(self.plan, self.use)

    def _place(self, found: Layout) -> None:
        if self._block is None or self._block.size < found.size + ALIGN:
            self._block = None  # before the next one is made
            self._block = np.empty(found.size + ALIGN, np.uint8)
        start = -self._block.__array_interface__["data"][0] % ALIGN
        for tenant in found.tenants:
            begin = start + tenant.offset
            self._put(tenant, self._block[begin: begin + tenant.nbytes])
        for value in found.summed:
            first = self.plan.sums[value][0]
            self.executor.edges[first].place(diff=self.executor.blobs[value].diff.reshape(-1))
        self.layout, self.executor.summed = found, found.summed

    def _put(self, tenant: Tenant, memory: np.ndarray) -> None:
        kind, index, name = tenant.key
        if kind in ("workspace", "scratch"):
            run = self.executor.steps[index]
            array = getattr(run.inferred, kind)[name]
            getattr(run.context, kind)[name] = memory.view(real(array, self.dtype)).reshape(array.shape)
        elif kind == "edge":
            self.executor.edges[index, int(name)].place(diff=memory.view(self.dtype))
        else:
            self.executor.blobs[index].place(**{kind: memory.view(self.dtype)})

    def keep_all(self) -> None:
        """Share nothing from now on."""
        if self.use.shares:
            self.apart()
            self._block = None
            self.use = Use(None, self.use.backward, self.use.frozen)
            self.shares = False
            self.executor.use_pieces(self._pieces())

    def unfold(self) -> None:
        """Fold no params into others from now on."""
        if self.use.frozen:
            self.use = Use(self.use.names, self.use.backward)
            self._key = ()
            self._made.clear()
            self.executor.use_pieces(self._pieces())
