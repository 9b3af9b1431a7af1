"""The blobs of a net by name, and under the names by which OpenCV and others call the outputs of in-place layers."""
from __future__ import annotations

from collections.abc import Collection

from netdef.blob import Blob
from netdef.graph.model import GraphPlan


class BlobTable(dict[str, Blob]):
    """Blobs by name, in file order.

    A layer that works in place makes no blob of its own: looked up by its name, the table gives the blob that it
    changes. These names are not listed, and none of them hides a blob.
    """

    def __init__(self, plan: GraphPlan, blobs: dict[int, Blob]) -> None:
        values = plan.description.values
        super().__init__((v.blob, blobs[v.id]) for v in values if not v.automatic)
        self._in_place = {plan.description.layers[v.maker].name: v.blob for v in values if v.replaces is not None}

    def only(self, names: Collection[str]) -> None:
        """Forget all other blobs."""
        for name in [n for n in self if n not in names]:
            del self[name]

    def __missing__(self, name: str) -> Blob:
        blob = self._in_place.get(name)
        if blob is None or blob not in self:
            raise KeyError(name)
        return self[blob]
