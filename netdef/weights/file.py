"""WeightsFile: what a weights file holds, whatever its format; and Caffe's rule for comparing shapes."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class LayerEntry:
    """One layer of a weights file; see WeightsFile for the fields."""

    name: str = ""
    type: str = ""
    arrays: list[np.ndarray] = field(default_factory=list)
    legacy: list[bool] = field(default_factory=list)
    bottoms: list[str] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)  # which blob each array is; empty: 0, 1, ...


@dataclass
class WeightsFile:
    """The arrays of a weights file by layer name.

    The arrays may be read-only views of the file on disk, and not aligned: copy from them, do not compute with them.
    """

    path: str
    format: str
    """"V2", "V1" or "V0" (Caffe's three generations of .caffemodel), "hdf5", "npz" or "safetensors"."""
    net_name: str = ""
    layers: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """Every layer in file order with its arrays (an empty list for a layer without); where a name comes twice, the
    later entry that has arrays counts, as when Caffe copies one after the other."""
    types: dict[str, str] = field(default_factory=dict)
    """The layer's type as the file says it: "Convolution" in V2, "CONVOLUTION" in V1, "conv" in V0."""
    legacy: dict[str, list[bool]] = field(default_factory=dict)
    """For each array of ``layers``: whether its shape is of the old four-axis kind (see ``shapes_match``)."""
    bottoms: dict[str, list[str]] = field(default_factory=dict)
    tops: dict[str, list[str]] = field(default_factory=dict)
    indices: dict[str, list[int]] = field(default_factory=dict)
    """Which of a layer's blobs each array is, for the layers where some are left out: in Caffe's HDF5 files a param
    that is shared stands only with the layer that owns it."""

    @property
    def count(self) -> int:
        """How many numbers the file holds."""
        return sum(a.size for arrays in self.layers.values() for a in arrays)

    def is_legacy(self, name: str, index: int) -> bool:
        """Whether array ``index`` of layer ``name`` has a shape of the old four-axis kind."""
        return self.legacy[name][index]

    def numbered(self, name: str) -> dict[int, np.ndarray]:
        """The arrays of a layer by the number of the blob that each one is."""
        arrays = self.layers[name]
        return dict(zip(self.indices.get(name) or range(len(arrays)), arrays, strict=True))

    def add(self, entry: LayerEntry) -> None:
        """Note one layer entry."""
        name = entry.name
        if self.layers.get(name) and not entry.arrays:
            return
        self.layers[name], self.legacy[name], self.types[name] = entry.arrays, entry.legacy, entry.type
        self.bottoms[name], self.tops[name] = entry.bottoms, entry.tops
        self.indices.pop(name, None)
        if entry.indices and entry.indices != list(range(len(entry.arrays))):
            self.indices[name] = entry.indices


def shapes_match(file_shape: Sequence[int], net_shape: Sequence[int], legacy: bool) -> bool:
    """Whether an array of ``file_shape`` fits a param of ``net_shape``, by Caffe's rule.

    Equal shapes fit. A ``legacy`` shape of four axes also fits when the net's shape, filled with ones on the left to
    four axes, is the same: 1x1x1xN fits a bias of (N), 1x1xMxN an inner product's weights of (M, N).
    """
    stored, wanted = tuple(file_shape), tuple(net_shape)
    if stored == wanted:
        return True
    if not legacy or len(wanted) > 4:
        return False
    return stored == (1,) * (4 - len(wanted)) + wanted
