"""ImageData: batches from picture files that a list names."""
from __future__ import annotations

import os

from netdef.data.pictures import Pictures, PictureSource, read_list
from netdef.errors import ConfigError
from netdef.layers import feeding
from netdef.layers.base import LayerSpec
from netdef.layers.constraints import not_negative, positive
from netdef.layers.registry import register


@register("ImageData")
class ImageData(feeding.Records):
    r"""Reads batches of picture files, named with their labels by a text file, in its order or shuffled.

    Formula: y = (x - mean) * scale of each picture, which is resized, cropped and perhaps mirrored before, by
    ``transform_param``.

    Shapes: no bottoms; tops (batch_size, C, H, W), C = 3 in the order blue, green, red, or 1 without ``is_color``, and
    labels (batch_size). With ``num_labels`` k, labels are (batch_size, k) or k tops (batch_size). H and W are the crop's,
    else ``new_height`` and ``new_width``, else the first picture's; without any of these a batch's pictures must have one
    size, and the next batch may have another.

    Numerical care: a line is parted at its last space, so paths may hold spaces. Paths are looked for behind
    ``root_folder`` (beside the config, then in the working directory), without it beside the list, then in the working
    directory. The resize is OpenCV's bilinear one, to one grey level. ``shuffle`` gives each round over the list an order of
    its own, by the seed; ``sampling_param`` draws by class or weight. Crops are random in TRAIN and from the centre in
    TEST, ``mirror`` flips in both. ``data_param { prefetch workers }`` says how far, and on how many threads, it reads ahead.

    Source: BVLC Caffe, image_data_layer.

    Example::

        layer { name: "pets" type: "ImageData" top: "data" top: "label" transform_param { crop_size: 224 mirror: true }
                image_data_param { source: "pets.txt" root_folder: "images/" batch_size: 32 shuffle: true
                                   new_height: 256 new_width: 256 } }
    """

    options_field = "image_data_param"
    constraints = {"batch_size": positive(), "num_labels": positive(), "new_height": not_negative(),
                   "new_width": not_negative()}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        if not self.options.source:
            raise spec.error("missing; expected a text file with a picture's path and its label on each line", "source")

    @classmethod
    def peek(cls, spec: LayerSpec) -> feeding.Peeked:
        """Read the list and the first picture. Raises FieldError located at the option that is wrong."""
        with feeding.about(spec, "source", spec.option_span("source")):
            path = feeding.found_path(spec, spec.options.source)
            pictures = read_list(path, spec.options.num_labels, cls._folders(spec, path))
            found = cls._open_list(spec, path, pictures).peek()
        return feeding.look(spec, found, lambda: cls._open_list(spec, path, pictures))

    @staticmethod
    def _folders(spec: LayerSpec, path: str) -> tuple[str, ...]:
        """What is put before a path of the list, in the order in which it is tried."""
        root = spec.options.root_folder
        if not root:
            return os.path.join(os.path.dirname(path), ""), ""
        head, _, tail = root.rpartition("/")  # what follows the last slash begins the names, as in Caffe
        try:
            beside = os.path.join(feeding.found_path(spec, head or "/"), tail) if "/" in root else root
        except ConfigError as error:
            raise spec.error(error.message, "root_folder", error.hint) from error
        return beside, root

    @staticmethod
    def _open_list(spec: LayerSpec, path: str, pictures: Pictures) -> PictureSource:
        gray = not spec.options.is_color or spec.message.transform_param.force_gray
        return PictureSource(path, "list", pictures, gray)
