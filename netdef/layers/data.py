"""Data: batches from a database or from the data that comes with netdef."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from netdef import data as sources
from netdef.config import paths
from netdef.errors import ConfigError, DataError, FieldError, Span
from netdef.layers.base import Inferred, Layer, LayerSpec, Shape, between, exactly
from netdef.layers.constraints import positive
from netdef.layers.registry import register
from netdef.rng import Stream

BACKENDS = ("LEVELDB", "LMDB")


class Peeked(NamedTuple):
    """What is known of a source before the first batch: where it is, what is done to it, and the shapes of one item."""

    source: str
    transformer: sources.Transformer
    shape: Shape
    label_shape: Shape


@register("Data")
class Data(Layer):
    r"""Reads batches from an LMDB or LevelDB, or from ``builtin:`` data, in the order of the records and round again.

    Formula: y = (x - mean) * scale of a crop of each record, perhaps mirrored, by ``transform_param``.

    Shapes: no bottoms; tops (batch_size, C, H, W) and, if a second one is written, labels (batch_size), or
    (batch_size, k) for data with k targets. H and W are the crop's, or the stored record's. Without a crop, the records
    of one batch must have one size; the next batch may have another.

    Numerical care: records are never shuffled, so the database itself must be. Crops are random in the TRAIN phase and
    from the centre in TEST; ``mirror`` flips about half of the items in both phases, as in Caffe. A random draw depends
    on seed, layer name and number of the pass alone. ``rand_skip`` leaves out fewer than that many records, once, at
    the start. ``scale``, ``mean_file``, ``crop_size`` and ``mirror`` have no effect inside ``data_param``.

    Source: BVLC Caffe, data_layer and data_transformer.

    Example::

        layer { name: "mnist" type: "Data" top: "data" top: "label" transform_param { scale: 0.00390625 }
                data_param { source: "builtin:mnist10k/train" batch_size: 64 } }
    """

    options_field = "data_param"
    bottoms = exactly(0)
    tops = between(1, 2)
    backward_reads = frozenset()
    constraints = {"batch_size": positive(required=True)}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if not self.options.source:
            raise spec.error("missing; expected a database's path or builtin:<name>", "source")
        self.batch_size = self.options.batch_size
        self.cursor = 0  # records read so far
        self.skip: int | None = None  # records left out before the first one
        self.source: sources.Source | None = None

    @classmethod
    def peek(cls, spec: LayerSpec) -> Peeked:
        """Look for the source and its first record. Raises FieldError located at the option that is wrong."""
        with _about(spec, "source", spec.option_span("source")):
            source = _resolved(spec, spec.options.source)
            found = sources.peek(source, **_reading(spec))
        with _about(spec, "transform_param", spec.span("transform_param")):
            transformer = sources.Transformer.from_message(
                spec.message.transform_param, spec.phase == "TRAIN", lambda path: _mean_file(spec, path),
                spec.span("transform_param"))
            return Peeked(source, transformer, transformer.output_shape(found.shape), found.label_shape)

    def infer(self, bottom_shapes):
        peeked, n = self.spec.peeked, self.batch_size
        return Inferred(tops=[(n, *peeked.shape), (n, *peeked.label_shape)][: self.spec.num_tops])

    def forward(self, ctx, bottoms, params, tops):
        transformer: sources.Transformer = self.spec.peeked.transformer
        images, labels = self._open().batch(self._start(ctx.rng) + self.cursor, self.batch_size,
                                            ragged=transformer.crop_size > 0)
        shape = (self.batch_size, *transformer.output_shape(images[0].shape))
        if tops[0].shape != shape:  # images of changing size; the layers behind follow
            tops[0].reshape(*shape)
        transformer(images, ctx.rng, tops[0].data)
        if len(tops) > 1:
            tops[1].data[...] = labels
        self.cursor += self.batch_size

    def record_at(self, item):
        return ((self.skip or 0) + self.cursor - self.batch_size + item) % len(self._open())

    def _open(self) -> sources.Source:
        if self.source is None:
            self.source = sources.open(self.spec.peeked.source, **_reading(self.spec))
        return self.source

    def _start(self, rng: Stream) -> int:
        """The record the first pass began with; a function of the seed, so that a resumed run begins there too."""
        if self.skip is None:
            most = self.options.rand_skip
            self.skip = int(Stream(rng.seed, f"{self.name}/rand_skip").integers(0, most)) if most else 0
        return self.skip

    def state(self):
        return {"cursor": self.cursor}

    def set_state(self, state):
        self.cursor = int(state["cursor"])

    def close(self):
        if self.source is not None:
            self.source.close()
            self.source = None


def _resolved(spec: LayerSpec, path: str) -> str:
    """A path beside the config or in the working directory; names of builtin data as they are."""
    return path if path.startswith(paths.BUILTIN) else str(paths.resolve(path, spec.located.file))


def _mean_file(spec: LayerSpec, path: str) -> str:
    with _about(spec, "mean_file", spec.span("transform_param", "mean_file")):
        return _resolved(spec, path)


def _reading(spec: LayerSpec) -> dict[str, Any]:
    """How records are to be read: keywords of ``netdef.data.open``."""
    transform = spec.message.transform_param
    return {"backend": BACKENDS[spec.options.backend] if spec.has("backend") else None,
            "force_color": transform.force_color, "force_gray": transform.force_gray}


@contextmanager
def _about(spec: LayerSpec, option: str, where: Span) -> Iterator[None]:
    """Turn an error about the source or the transform into one that names layer, option and place."""
    try:
        yield
    except (ConfigError, DataError) as e:
        if e.message.startswith(spec.who):
            raise
        place = f" ({e.where})" if isinstance(e.where, str) and e.where not in e.message else ""
        raise FieldError(f"{spec.who}: {option}: {e.message}{place}", where=where, hint=e.hint) from e
