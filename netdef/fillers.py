"""Fillers: rules for the initial values of params (and of DummyData).

Seven as in Caffe: constant, uniform, gaussian, positive_unitball, xavier, msra, bilinear; and ``values``, numbers of
one's own. ``register`` adds more.
Values are drawn from a Stream, so they depend on the seed and the param's name only.

xavier, msra: fan_in = count / shape[0], fan_out = count / shape[1] (count for one axis), taken from the array as it is
stored. For a convolution (C_out, C_in/g, k, k) and an inner product (N, K) fan_in is the number of inputs of one
output; for a deconvolution (C_in, C_out/g, k, k) and a transposed inner product (K, N) the two come out swapped, and
fan_out of a convolution with groups counts the outputs of all groups. That is what nets in the wild were trained with.
Source: BVLC Caffe's filler.hpp; Glorot and Bengio 2010 (xavier); He et al. 2015 (msra).
"""
from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from netdef.config import paths
from netdef.errors import ConfigError, FieldError, ShapeError, Span, did_you_mean
from netdef.rng import Stream

if TYPE_CHECKING:
    from google.protobuf.message import Message

Where = Span | str | None
Filler = Callable[[np.ndarray, Any, Stream, Where], None]
"""Writes into the array, given the FillerParameter, the stream and the place in the config for errors."""

FIXED = frozenset(("constant", "values"))
"""The types that always give the same: who fills again and again (DummyData) need do it only once."""

_FILLERS: dict[str, Filler] = {}


def register(name: str) -> Callable[[Filler], Filler]:
    """Decorator: make a function the filler of type ``name``. Raises ValueError where the name is taken."""

    def add(filler: Filler) -> Filler:
        if name in _FILLERS:
            raise ValueError(f"there is a filler '{name}' already")
        _FILLERS[name] = filler
        return filler

    return add


def names() -> list[str]:
    """The filler types, in the order in which they were registered."""
    return list(_FILLERS)


def check(message: Message, where: Where = None) -> None:
    """Raise FieldError for an unknown type, and for ``sparse``, ``values`` or ``file`` where the type has no such option."""
    param: Any = message
    if param.type not in _FILLERS:
        hint = did_you_mean(param.type, _FILLERS) or f"there are {', '.join(_FILLERS)}"
        raise FieldError(f"unknown filler type '{param.type}'", where=where, hint=hint)
    if param.type != "gaussian" and param.sparse != -1:
        raise FieldError(f"sparse belongs to the filler gaussian, got it with '{param.type}'", where=where)
    given = [name for name, is_given in (("values", len(param.values) > 0), ("file", param.HasField("file"))) if is_given]
    if param.type != "values" and given:
        raise FieldError(f"{given[0]} belongs to the filler values, got it with '{param.type}'", where=where,
                         hint='write type: "values"')
    if param.type == "values" and len(given) != 1:
        raise FieldError(f"filler values: expected either values or file, got {'both' if given else 'neither'}",
                         where=where)


def fill(array: np.ndarray, message: Message, stream: Stream, where: Where = None) -> None:
    """Overwrite ``array`` (float32 or float64, any shape) as the FillerParameter ``message`` says.

    Raises FieldError for a bad option and ShapeError where the filler cannot fill such a shape.
    """
    check(message, where)
    param: Any = message
    if array.size:
        _FILLERS[param.type](array, param, stream, where)


def fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """(fan_in, fan_out) of a stored param, by Caffe's rule (see the top of this file)."""
    count = math.prod(shape)
    return count / shape[0], (count / shape[1] if len(shape) > 1 else float(count))


PART = 1 << 20
"""Values drawn at once, an even number: drawing takes memory ten times theirs, which counts in a net of 60 million params."""


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """The array, flat, in parts; drawn one after another they get the values that one draw would give them."""
    if not array.flags.c_contiguous:
        yield array
        return
    flat = array.reshape(-1)
    for first in range(0, flat.size, PART):
        yield flat[first: first + PART]


@register("constant")
def constant(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """Every element is ``value`` (default 0)."""
    array[...] = param.value


@register("uniform")
def uniform(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """Uniform from ``min`` (default 0) to ``max`` (default 1)."""
    if param.min > param.max:
        raise FieldError(f"expected min of at most max, got min {param.min:g} and max {param.max:g}", where=where)
    for part in _parts(array):
        part[...] = stream.uniform(part.shape, part.dtype) * (param.max - param.min) + param.min


@register("gaussian")
def gaussian(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """Normal with ``mean`` (default 0) and ``std`` (default 1); with ``sparse`` of s only s elements of each column
    (of shape[0] elements) are not zero, on average."""
    if not param.std > 0:
        raise FieldError(f"expected std above 0, got {param.std:g}", where=where)
    if param.sparse < -1:
        raise FieldError(f"expected sparse of 0 or more (-1: off), got {param.sparse}", where=where)
    for part in _parts(array):
        part[...] = stream.normal(part.shape, part.dtype) * param.std + param.mean
    if param.sparse >= 0:
        outputs = _axes(array, 1, "gaussian with sparse", where)[0]
        array *= stream.bernoulli(min(1.0, param.sparse / outputs), array.shape)


@register("positive_unitball")
def positive_unitball(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """Positive numbers, those of each array[i] adding up to 1."""
    outputs = _axes(array, 1, "positive_unitball", where)[0]
    rows = 1 - stream.uniform((outputs, array.size // outputs), "float64")  # in (0, 1]: a row's sum is never 0
    array[...] = (rows / rows.sum(1, keepdims=True)).reshape(array.shape)


@register("xavier")
def xavier(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """Uniform within +-sqrt(3/n), of variance 1/n; n by ``variance_norm``: FAN_IN (default), FAN_OUT or AVERAGE."""
    limit = math.sqrt(3 / _fan(array, param, where))
    for part in _parts(array):
        part[...] = stream.uniform(part.shape, part.dtype) * (2 * limit) - limit


@register("msra")
def msra(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """Normal with mean 0 and variance 2/n, made for layers followed by a ReLU; n as for xavier."""
    std = math.sqrt(2 / _fan(array, param, where))
    for part in _parts(array):
        part[...] = stream.normal(part.shape, part.dtype) * std


@register("bilinear")
def bilinear(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """The kernel of bilinear upsampling in every plane, for a Deconvolution by the factor f of kernel size
    2f - f % 2, stride f, pad ceil((f - 1) / 2) and group = channels."""
    _, _, height, width = _axes(array, 4, "bilinear", where)
    if height != width:
        raise ShapeError(f"filler bilinear: expected a square kernel, got {height}x{width}", where=where)
    factor = math.ceil(width / 2)
    centre = (width - 1) / (2 * factor)
    line = 1 - np.abs(np.arange(width) / factor - centre)
    array[...] = line[:, None] * line


@register("values")
def values(array: np.ndarray, param: Any, stream: Stream, where: Where) -> None:
    """The numbers in ``values`` or in the .npy file ``file``: as many as there are elements, or as the last axes have,
    which are then repeated along the first ones."""
    given = _read_npy(param.file, where) if param.HasField("file") else np.array(param.values, np.float64)
    source = f"'{param.file}' of shape {given.shape}" if param.HasField("file") else f"{given.size} values"
    tails = [array.shape[first:] for first in range(max(1, array.ndim))]
    for tail in tails:
        if given.shape == tail or (given.ndim == 1 and given.size == math.prod(tail)):
            array[...] = given.reshape(tail)
            return
    wanted = " or ".join(dict.fromkeys(str(math.prod(tail)) for tail in tails))
    raise ShapeError(f"filler values: expected {wanted} numbers for the shape {array.shape} or its last axes, got {source}",
                     where=where)


def _read_npy(file: str, where: Where) -> np.ndarray:
    """The array of real numbers in a .npy file beside the config; raises FieldError where there is none."""
    try:
        path = paths.resolve(file, where.file if isinstance(where, Span) else where)
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
            raise ValueError("it does not hold one array of real numbers")
    except ConfigError as e:
        raise FieldError(f"filler values: {e.message}", where=where, hint=e.hint) from e
    except (OSError, ValueError, EOFError) as e:
        raise FieldError(f"filler values: '{file}' cannot be read as .npy: {e}", where=where) from e
    return found


def _fan(array: np.ndarray, param: Any, where: Where) -> float:
    """The n of xavier and msra."""
    fan_in, fan_out = fans(_axes(array, 1, param.type, where))
    norms = param.DESCRIPTOR.fields_by_name["variance_norm"].enum_type.values_by_number
    return {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}[norms[param.variance_norm].name]


def _axes(array: np.ndarray, least: int, name: str, where: Where) -> tuple[int, ...]:
    """The array's shape; raises ShapeError for fewer axes than ``least`` (bilinear: for other than 4)."""
    if array.ndim < least or (least == 4 and array.ndim != 4):
        axes = "4 axes" if least == 4 else "at least 1 axis"
        raise ShapeError(f"filler {name}: expected {axes}, got the shape {array.shape}", where=where)
    return array.shape
