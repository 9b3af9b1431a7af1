"""AnnotatedData: batches from SSD's databases of pictures with boxes."""
from __future__ import annotations

from typing import NoReturn

from netdef.config import paths
from netdef.errors import ConfigError, FieldError
from netdef.layers.base import Layer, LayerSpec, between, exactly
from netdef.layers.registry import register


@register("AnnotatedData")
class AnnotatedData(Layer):
    r"""Stands for the data layer of SSD's nets, so that they can be looked at; its databases cannot be read here yet.

    Formula: none.

    Shapes: no bottoms; tops (batch_size, 3, H, W), H and W being ``transform_param { resize_param }``'s, and (1, 1, G, 8) with
    a row for each of the G boxes of the batch: picture, class, number of the box, xmin, ymin, xmax, ymax as shares of the
    picture, difficult. Source and ``batch_size`` stand in ``data_param``.

    Numerical care: where the database is not here, `netdef summary` and the like take one box a batch; ``--assume
    label=1,1,20,8`` gives another number. To train, VOCData reads the pictures and annotations that such a database is made
    of.

    Source: SSD's Caffe (weiliu89/caffe, branch ssd), whose files give its options number 200.

    Example::

        layer { name: "data" type: "AnnotatedData" top: "data" top: "label"
                transform_param { mean_value: 127.5 scale: 0.007843 resize_param { height: 300 width: 300 } }
                data_param { source: "trainval_lmdb" batch_size: 24 backend: LMDB }
                annotated_data_param { label_map_file: "labelmap.prototxt" } }
    """

    options_field = "annotated_data_param"
    bottoms = exactly(0)
    tops = between(1, 2)
    backward_reads = frozenset()
    dynamic = True

    @classmethod
    def peek(cls, spec: LayerSpec) -> NoReturn:
        """Raises FieldError: the source is not there, or cannot be read."""
        where = spec.span("data_param", "source")
        source = spec.message.data_param.source
        if not source:
            raise FieldError(f"{spec.who}: source: missing; expected a database's path in data_param", where=where)
        try:
            found = paths.resolve(source, spec.located.file)
        except ConfigError as e:
            raise FieldError(f"{spec.who}: source: {e.message}", where=where, hint=e.hint) from e
        raise FieldError(f"{spec.who}: source: databases of pictures with boxes cannot be read yet, such as '{found}'",
                         where=where, hint="VOCData reads the folder of pictures and annotations that it was made of")
