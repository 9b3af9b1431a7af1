"""HDF5Data: batches of rows from HDF5 files."""
from __future__ import annotations

import threading

import numpy as np

from netdef.config import paths
from netdef.data import hdf5
from netdef.data.reader import Job
from netdef.errors import ConfigError, DataError, FieldError
from netdef.layers.base import Inferred, LayerSpec, at_least
from netdef.layers.constraints import positive
from netdef.layers.feeding import Feeding
from netdef.layers.registry import register


@register("HDF5Data")
class HDF5Data(Feeding):
    r"""Reads batches of rows from the HDF5 files of a list; each top takes the dataset of its own name.

    Formula: none; values are taken as they are. transform_param is refused.

    Shapes: no bottoms; top i is (batch_size, ...), where ... is the shape of one row of the dataset (axis 0 counts the
    rows). Any number of axes and, unlike the Data layer, any number of targets. Numbers of any type are accepted.

    Order: the files one after another, rows in their order, then round again; a batch may begin in one file and end in
    the next. With ``shuffle`` each round has another order of files, and of rows within each file; rows of different
    files are never mixed, so mix them when you write the files. The order depends on the seed, the layer's name and the
    number of the round (Caffe's on a generator that nobody seeds). ``source`` names a text file with one HDF5 file a
    line; names are looked for beside it, then in the working directory.

    Numerical care: a file is in memory as a whole when its turn has come. float64 data lose digits in a float32 net.

    Source: BVLC Caffe, hdf5_data_layer.

    Example::

        layer { name: "rows" type: "HDF5Data" top: "data" top: "label"
                hdf5_data_param { source: "train.txt" batch_size: 64 shuffle: true } }
    """

    options_field = "hdf5_data_param"
    tops = at_least(1)
    constraints = {"batch_size": positive(required=True)}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if not self.options.source:
            raise spec.error("missing; expected a text file that lists HDF5 files", "source")
        if spec.message.HasField("transform_param"):
            raise FieldError(f"{spec.who}: transform_param: this type does not transform data",
                             where=spec.span("transform_param"), hint="write the data as the net is to see them")
        self.rows: hdf5.Hdf5Rows | None = None
        self._lock = threading.Lock()  # the rows hold one file at a time

    @classmethod
    def peek(cls, spec: LayerSpec) -> hdf5.RowsPeek:
        """Look into every file of the list. Raises FieldError, located at ``source``."""
        try:
            path = paths.resolve(spec.options.source, spec.located.file)
            return hdf5.peek_rows(hdf5.read_list(path), list(spec.message.top))
        except (ConfigError, DataError) as e:
            place = f" ({e.where})" if isinstance(e.where, str) and e.where not in e.message else ""
            raise spec.error(f"{e.message}{place}", "source", e.hint) from e

    def infer(self, bottom_shapes):
        return Inferred(tops=[(self.batch_size, *shape) for shape in self.spec.peeked.shapes])

    def make_batch(self, job: Job) -> list[np.ndarray]:
        """See Feeding."""
        tops = [np.empty((self.batch_size, *shape), self.dtype) for shape in self.spec.peeked.shapes]
        with self._lock:
            self._rows(job.seed).fill(job.position, tops)
        return tops

    def ahead(self):
        return super().ahead()[0], 1  # a second thread would only wait for the first

    def record_at(self, item):
        if self._job is None:
            return None
        with self._lock:
            return self._rows(self._job.seed).record(self._job.position + item)

    def close(self):
        super().close()
        if self.rows is not None:
            self.rows.close()
            self.rows = None

    def _rows(self, seed: int) -> hdf5.Hdf5Rows:
        if self.rows is None or self.rows.seed != seed:
            self.rows = hdf5.Hdf5Rows(self.spec.peeked, list(self.spec.message.top), self.options.shuffle, seed, self.name)
        return self.rows
