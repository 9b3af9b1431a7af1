"""Data: batches from a database, from other files of records, or from the data that comes with netdef."""
from __future__ import annotations

from netdef import data as sources
from netdef.layers import feeding
from netdef.layers.base import LayerSpec
from netdef.layers.constraints import positive
from netdef.layers.registry import register

BACKENDS = ("LEVELDB", "LMDB")


@register("Data")
class Data(feeding.Records):
    r"""Reads batches of records from an LMDB or LevelDB, from other files, or from ``builtin:`` data, round and round.

    Formula: y = (x - mean) * scale of a crop of each record, perhaps mirrored, by ``transform_param``.

    Shapes: no bottoms; tops (batch_size, C, H, W) and, if a second one is written, labels (batch_size), or
    (batch_size, k) for data with k targets, which may also be k tops (batch_size). H and W are the crop's, those of
    ``new_height`` and ``new_width``, or the stored record's. Without any of these, the records of one batch must have one
    size; the next batch may have another.

    Numerical care: records come in the order in which they lie, as in Caffe, unless ``shuffle`` or ``sampling_param`` asks
    for another, which is drawn anew for each round. Crops are random in the TRAIN phase and from the centre in TEST;
    ``mirror`` flips about half of the items in both phases, as in Caffe; ``augment`` acts in TRAIN only. A random draw
    depends on seed, layer name and number of the pass alone, never on the threads that read ahead. ``rand_skip`` leaves
    out fewer than that many records, once, at the start. ``scale``, ``mean_file``, ``crop_size`` and ``mirror`` have no
    effect inside ``data_param``.

    Source: BVLC Caffe, data_layer and data_transformer.

    Example::

        layer { name: "mnist" type: "Data" top: "data" top: "label" transform_param { scale: 0.00390625 }
                data_param { source: "builtin:mnist10k/train" batch_size: 64 shuffle: true } }
    """

    options_field = "data_param"
    constraints = {"batch_size": positive(required=True)}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if not self.options.source:
            raise spec.error("missing; expected a database's path or builtin:<name>", "source")

    @classmethod
    def peek(cls, spec: LayerSpec) -> feeding.Peeked:
        """Look for the source and its first record. Raises FieldError located at the option that is wrong."""
        how = feeding.reading(spec, BACKENDS)
        with feeding.about(spec, "source", spec.option_span("source")):
            source = sources.resolved(spec.options.source, lambda path: feeding.found_path(spec, path))
            found = sources.peek(source, **how)
        return feeding.look(spec, found, lambda: sources.open(source, **how), found.kind in sources.IN_MEMORY)
