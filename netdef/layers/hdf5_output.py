"""HDF5Output: writes its bottoms to a file."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netdef.data import hdf5
from netdef.errors import DataError
from netdef.layers.base import Inferred, Layer, LayerSpec, exactly
from netdef.layers.registry import register

NAMES = ("data", "label")


@register("HDF5Output")
class HDF5Output(Layer):
    r"""Writes its two bottoms to the datasets ``data`` and ``label`` of an HDF5 file, the rows of each pass behind the last.

    Formula: none; values are written as they are, in the net's dtype.

    Shapes: two bottoms of any shape, axis 0 counting the rows, as many in both; no tops. The datasets have at least four
    axes, as in Caffe: labels (N) become (N, 1, 1, 1).

    Numerical care: a file that is there is replaced by the first pass. Caffe ends the program at the second pass, which
    here adds its rows; their shape must stay. After a resume the file goes on behind the rows that it had at the snapshot.
    It is opened and closed in each pass, so that it is whole at any time. A relative ``file_name`` counts from the working
    directory.

    Source: BVLC Caffe, hdf5_output_layer.

    Example::

        layer { name: "in" type: "Input" top: "features" top: "label"
                input_param { shape { dim: 2 dim: 8 } shape { dim: 2 } } }
        layer { name: "out" type: "HDF5Output" bottom: "features" bottom: "label" hdf5_output_param { file_name: "out.h5" } }
    """

    options_field = "hdf5_output_param"
    bottoms = exactly(2)
    tops = exactly(0)
    differentiable = False
    backward_reads = frozenset()

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if not self.options.file_name:
            raise spec.error("missing; expected the path of the file to write", "file_name")
        self.rows = 0  # written so far

    def why_constant(self, bottom: int) -> str:
        return "HDF5Output only writes"

    def infer(self, bottom_shapes):
        data, label = bottom_shapes
        if not data or not label or data[0] != label[0]:
            raise self.spec.shape_error(f"expected as many rows in both bottoms, got shapes {data} and {label}", 1)
        return Inferred(tops=[])

    def forward(self, ctx, bottoms, params, tops):
        arrays = [b.data.reshape(*b.shape, *[1] * (4 - len(b.shape))) for b in bottoms]
        path = Path(self.options.file_name)
        h5py = hdf5.package(str(path), "writing")
        if not path.parent.is_dir():
            raise self._bad(f"there is no folder '{path.parent}' to write '{path.name}' into")
        if self.rows and not path.is_file():
            raise self._bad(f"'{path}' is gone, with the {self.rows} rows that were written so far")
        try:
            with h5py.File(path, "r+" if self.rows else "w") as file:  # closed after each pass, so that it is whole
                self._append(file, arrays)
        except OSError as error:
            raise self._bad(f"'{path}' cannot be written: {error}") from error
        self.rows += len(arrays[0])

    def _append(self, file: Any, arrays: list[np.ndarray]) -> None:
        """Write rows behind those that count."""
        for key, array in zip(NAMES, arrays, strict=True):
            if not self.rows:
                file.create_dataset(key, data=array, maxshape=(None, *array.shape[1:]),
                                    chunks=(max(1, len(array)), *(max(1, n) for n in array.shape[1:])))
                continue
            dataset = file.get(key)
            if dataset is None or len(dataset) < self.rows:
                raise self._bad(f"'{file.filename}' has less than the {self.rows} rows of '{key}' that were written so far")
            if dataset.shape[1:] != array.shape[1:]:
                raise self._bad(f"'{key}' has rows of shape {dataset.shape[1:]}, and now they have {array.shape[1:]}")
            dataset.resize(self.rows + len(array), axis=0)
            dataset[self.rows:] = array

    def backward(self, ctx, tops, params, bottoms, need):
        """Nothing flows back."""

    def state(self):
        return {"rows": self.rows}

    def set_state(self, state):
        self.rows = int(state["rows"])

    def _bad(self, text: str) -> DataError:
        return DataError(f"{self.spec.who}: file_name: {text}", where=self.spec.option_span("file_name"))
