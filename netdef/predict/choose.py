"""Where a net's preprocessing comes from: a file, the train net's data layer, a file beside the weights, the net itself."""
from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netdef import data as sources
from netdef.config import paths
from netdef.config.load import load_net
from netdef.config.located import Located
from netdef.config.options import SOURCES, options_field
from netdef.data.preprocessing import Preprocessing
from netdef.errors import NetdefError
from netdef.graph.filter import reason_to_drop
from netdef.graph.model import State

SIDECAR = "preprocessing.yaml"
NOTHING = "no file and no data layer says anything: bytes from 0 to 255, channels in the order blue, green, red"


def find_preprocessing(net: Any = None, weights: Sequence[str | os.PathLike[str]] = (),
                       file: str | os.PathLike[str] | None = None, like: str | os.PathLike[str] | None = None,
                       **changes: Any) -> Preprocessing:
    """The preprocessing for a net, from the first of these that there is, with ``changes`` (fields of Preprocessing) made.

    ``file``, a PreprocessingParameter; ``like``, a net whose data layer's transform_param counts; ``preprocessing.yaml``
    beside the weights or beside the net; the data layer of ``net`` (a path, message or Located) itself; else the defaults. Raises
    ConfigError, DataError, and NetdefError where ``like`` has no data layer.
    """
    if file is not None and like is not None:
        raise NetdefError("preprocessing: a file and a net to be like exclude each other")
    found: Preprocessing | None = None
    sidecar = file or (None if like is not None else _sidecar(net, weights))
    if sidecar is not None:
        found = Preprocessing.load(sidecar)
    elif like is not None:
        found = from_data_layer(load_net(like), drop_mean=_gives_mean(changes))
        if found is None:
            raise NetdefError("expected a net with a data layer for pictures, it has none", where=os.fspath(like))
    elif net is not None:
        found = from_data_layer(load_net(net), drop_mean=_gives_mean(changes))
    found = found or Preprocessing(origin=(NOTHING,))
    return found.changed(f"changed: {', '.join(changes)}" if changes else "", **changes)


def from_data_layer(net: Located, drop_mean: bool = False) -> Preprocessing | None:
    """What the data layer of a net does to its records in the TEST phase (else TRAIN), or None where it has no such layer.

    The size before the crop is that of new_height and new_width, else of the mean image, else of the stored records where
    they are at hand. ``drop_mean`` leaves the mean out. Raises ConfigError, DataError.
    """
    for phase in ("TEST", "TRAIN"):
        for layer in net.children("layer"):
            message = layer.message
            if message.type not in SOURCES or reason_to_drop(layer, State(phase)) is not None:
                continue
            if message.HasField("transform_param") or message.type in ("Data", "ImageData", "AnnotatedData"):
                return _of_layer(layer, drop_mean)
    return None


def _of_layer(layer: Located, drop_mean: bool) -> Preprocessing:
    message = layer.message
    transform = message.transform_param
    field = options_field(message.type)
    options = getattr(message, field) if field is not None else None
    changes: dict[str, Any] = {}
    if transform.scale != 1:
        changes["scale"] = (transform.scale,)
    if transform.mean_file and not drop_mean:
        changes["mean_file"] = str(paths.resolve(transform.mean_file, layer.file,
                                                 layer.span_of("transform_param", "mean_file")))
    elif len(transform.mean_value) and not drop_mean:
        changes["mean_value"] = tuple(transform.mean_value)
    if transform.crop_size:
        changes["crop_size"] = transform.crop_size
    if transform.force_gray or not getattr(options, "is_color", True):
        changes["gray"] = True
    size = (getattr(options, "new_height", 0), getattr(options, "new_width", 0))
    if not all(size) and transform.crop_size and "mean_file" not in changes:
        size = _stored_size(layer, options)
    if all(size):
        changes["resize"] = size
    return Preprocessing(**changes, origin=(f"{layer.span}: layer '{message.name}' ({message.type})",))


def _stored_size(layer: Located, options: Any) -> tuple[int, int]:
    """Height and width of the records, (0, 0) where they are not at hand."""
    if layer.message.type != "Data":
        return 0, 0
    try:
        source = sources.resolved(options.source, lambda path: str(paths.resolve(path, layer.file)))
        return sources.peek(source).shape[1:]
    except NetdefError:
        return 0, 0


def _sidecar(net: Any, weights: Sequence[str | os.PathLike[str]]) -> Path | None:
    """``preprocessing.yaml`` beside the first weights file, else beside the net's file."""
    file = net.file if isinstance(net, Located) else os.fspath(net) if isinstance(net, (str, os.PathLike)) else "<memory>"
    named = [*weights, *([] if file.startswith((paths.BUILTIN, "<")) else [file])]
    return next((p for p in (Path(n).parent / SIDECAR for n in named) if p.is_file()), None)


def _gives_mean(changes: Any) -> bool:
    return bool(changes.get("mean_file") or changes.get("mean_value"))
