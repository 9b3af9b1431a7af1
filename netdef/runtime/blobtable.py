"""The blobs of a net by name, and under the names by which OpenCV and others call the outputs of in-place layers."""
from __future__ import annotations

from collections.abc import Collection

from netdef.blob import Blob
from netdef.errors import NetdefError
from netdef.graph.model import GraphPlan


class NotKept(NetdefError, KeyError):
    """A blob of the net that it does not keep after a pass."""


class BlobTable(dict[str, Blob]):
    """Blobs by name, in file order.

    A layer that works in place makes no blob of its own: looked up by its name, the table gives the blob that it
    changes. These names are not listed, and none of them hides a blob. Blobs that the net does not keep are not listed
    either; asking for one raises NotKept.
    """

    def __init__(self, plan: GraphPlan, blobs: dict[int, Blob]) -> None:
        values = plan.description.values
        self._all = {v.blob: blobs[v.id] for v in values if not v.automatic}
        super().__init__(self._all)
        self._in_place = {plan.description.layers[v.maker].name: v.blob for v in values if v.replaces is not None}

    def show(self, names: Collection[str] | None = None) -> None:
        """List these blobs, or all."""
        self.clear()
        self.update({n: b for n, b in self._all.items() if names is None or n in names})

    def __missing__(self, name: str) -> Blob:
        blob = self._in_place.get(name, name)
        if blob in self:
            return self[blob]
        if blob in self._all:
            raise NotKept(f"blob '{blob}' is not kept: its memory is used again by other layers",
                          hint=f"open the net with keep=\"all\" or keep=[\"{blob}\"]")
        raise KeyError(name)
