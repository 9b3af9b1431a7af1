"""Numbers of forks inside messages that several Caffes share: what a field of a ConvolutionParameter, say, means in whose files.

``dialects.py`` has the numbers of LayerParameter. Facts from the caffe.proto files of the forks. A number that only one fork
uses, or that all forks read alike, decides itself; where two meanings are possible the rest of the net decides: the meaning of
the forks that explain most of it.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from netdef.config import forks, schema
from netdef.config.wire import BYTES, FIXED32, FIXED64, VARINT, Field

_SSD = "8 resize_param 9 noise_param 10 emit_constraint 11 crop_h 12 crop_w 13 distort_param 14 expand_param"
_BN = "1 slope_filler 2 bias_filler 3 momentum 4 eps 5 frozen 6 engine"
_CTC = "1 output_delay 2 blank_index 3 preprocess_collapse_repeated 4 ctc_merge_repeated 5 loss_calculation_t"

# Fork -> message -> "number field ...". A dash: the fork has something there that netdef has no field for, and its wire type.
_TEXT: dict[str, dict[str, str]] = {
    "ssd": {"TransformationParameter": _SSD},
    "yolo": {"TransformationParameter": _SSD},
    "nvcaffe": {"TransformationParameter": "8 -varint 9 -varint 20 -varint 21 -varint 208 resize_param 209 noise_param "
                                           "210 emit_constraint 213 distort_param 214 expand_param",
                "LossParameter": "4 label_smoothing", "DropoutParameter": "2 -varint 3 -varint",
                "BatchNormParameter": "5 scale_filler 6 bias_filler 7 scale_bias 15 -varint", "ELUParameter": "2 -fixed32",
                "DataParameter": "11 -varint 12 -varint 13 -varint 14 shuffle",
                "ConvolutionParameter": "19 -varint 20 -bytes"},
    "faster-rcnn": {"DropoutParameter": "2 scale_train"},
    "rfcn": {"DropoutParameter": "2 scale_train", "LossParameter": "4 pre_fixed_normalizer"},
    "segnet": {"DropoutParameter": "2 sample_weights_test", "LossParameter": "3 weight_by_label_freqs 4 class_weighting",
               "BNParameter": "1 scale_filler 2 shift_filler 3 bn_mode"},
    "pspnet": {"BNParameter": _BN, "BatchNormParameter": "4 -varint"},
    "tsn": {"BNParameter": _BN, "DataParameter": "10 shuffle"},
    "windows": {"BNParameter": _BN, "SoftmaxParameter": "3 -fixed32 4 -fixed32 5 -varint 6 -fixed32 7 normalize_type 8 -fixed32",
                "InnerProductParameter": "7 -varint"},
    "warpctc": {"CtcLossParameter": "1 alphabet_size 3 time_step 4 blank_label"},
    "ctc": {"CtcLossParameter": _CTC},
}
_ENUMS = {("rfcn", "LossParameter", "normalization"): {3: "PRE_FIXED", 4: "NONE"}}
_FORKS = ("BNParameter", "CtcLossParameter")
_KINDS = {"varint": VARINT, "bytes": BYTES, "fixed32": FIXED32}
_WIRE = {"message": BYTES, "string": BYTES, "bytes": BYTES, "float": FIXED32, "double": FIXED64}


class Place(NamedTuple):
    """One field of a message that several Caffes share: the message's name, the field as read, how often it stands there, and
    under which number the message itself stands in its layer."""

    message: str
    field: Field
    times: int
    outer: int


class Reading(NamedTuple):
    """What a field means: our number for it (0: the one it has), the value of an enum where it is another, and, where nothing
    decides, ``doubt``: meaning -> the forks that have it."""

    number: int = 0
    value: int | None = None
    doubt: Mapping[str, tuple[str, ...]] = {}


NUMBERS: dict[str, dict[str, dict[int, str]]] = {
    fork: {message: forks.numbered(text) for message, text in messages.items()} for fork, messages in _TEXT.items()}
"""Short name of a fork -> message -> number -> field; "-varint" and so on where netdef has no such field."""

MESSAGES = frozenset(message for messages in NUMBERS.values() for message in messages)
"""The messages whose numbers differ between Caffes."""


def owners(place: Place) -> tuple[str, ...]:
    """The forks that have a field of their own with this number and this wire type, where BVLC Caffe has none; ():
    the number says nothing, for BVLC Caffe or every fork with such a message has it."""
    claims, shared = _claims(place), _ours(place.message)
    everyone = not shared and all(place.message not in NUMBERS[fork] for fork in NUMBERS if fork not in claims)
    return () if everyone or place.field.number in shared else tuple(claims)


def read(place: Place, given: str | None, scores: Callable[[], Mapping[str, int]]) -> Reading:
    """What a field means in the files of the fork ``given``, or of the forks with most of ``scores`` (fork -> how much of the
    net it explains; asked for only where two meanings are possible)."""
    claims, values = _claims(place), _value_claims(place)
    if given is not None:
        return _reading(place, claims.get(given, ""), values.get(given, ""))
    if not claims and not values:
        return Reading()
    found = scores()
    if place.field.number not in _ours(place.message):
        candidates = [fork for fork in forks.NAMES if fork in claims]
    elif values and place.field.value not in _values(_ours(place.message)[place.field.number]).values():
        candidates = list(values)
    else:  # who has no meaning of its own reads it as BVLC's
        candidates = [fork for fork in forks.NAMES if found.get(fork)]
    best = max((found.get(fork, 0) for fork in candidates), default=0)
    chosen = [fork for fork in candidates if found.get(fork, 0) == best]
    meanings: dict[tuple[str, str], list[str]] = {}
    for fork in chosen:
        meanings.setdefault((claims.get(fork, ""), values.get(fork, "")), []).append(fork)
    if len(meanings) > 1:
        return Reading(doubt={_told(place, *meaning): tuple(forks.NAMES[f] for f in who) for meaning, who in meanings.items()})
    return _reading(place, *next(iter(meanings))) if meanings else Reading()


@cache
def _ours(message: str) -> dict[int, Any]:
    """The fields that BVLC Caffe has, by number; none of a message that only forks have."""
    return {} if message in _FORKS else {i.number: i for i in schema.fields(message).values() if i.number < 50000}


def _claims(place: Place) -> dict[str, str]:
    """Fork -> the field that it has there, as far as the wire type and the number of times fit."""
    found = {}
    for fork, messages in NUMBERS.items():
        name = messages.get(place.message, {}).get(place.field.number)
        if name is None:
            continue
        if name.startswith("-"):
            fits = _KINDS[name[1:]] == place.field.kind
        else:
            info = schema.field_info(place.message, name)
            kind = _WIRE.get(info.kind, VARINT)
            fits = (place.times == 1 or info.repeated) and (place.field.kind == kind or (
                info.repeated and place.field.kind == BYTES))
        if fits:
            found[fork] = name
    if place.message in _FORKS:  # then the number of the message tells whose it is
        own = {fork: name for fork, name in found.items() if place.outer in forks.NUMBERS[fork]}
        return own or found
    return found


def _values(info: Any) -> dict[str, int]:
    return schema.enum_values(info.type_name) if info.kind == "enum" else {}


def _value_claims(place: Place) -> dict[str, str]:
    """Fork -> the name of the enum's value, where it numbers the values of a field of BVLC Caffe in its own way."""
    info = _ours(place.message).get(place.field.number)
    if info is None or place.field.kind != VARINT:
        return {}
    return {fork: values[place.field.value] for (fork, message, name), values in _ENUMS.items()
            if (message, name) == (place.message, info.name) and place.field.value in values}


def _reading(place: Place, name: str, value: str) -> Reading:
    number = 0 if not name or name.startswith("-") else schema.field_info(place.message, name).number
    if not value:
        return Reading(number)
    return Reading(number, _values(_ours(place.message)[place.field.number])[value])


def _told(place: Place, name: str, value: str) -> str:
    """A meaning in words."""
    if value:
        return value
    if name:
        return "something else" if name.startswith("-") else name
    info = _ours(place.message).get(place.field.number)
    if info is not None and info.kind == "enum" and place.field.kind == VARINT:
        names = {number: text for text, number in _values(info).items()}
        return names.get(place.field.value, info.name)
    return info.name if info is not None else "nothing"
