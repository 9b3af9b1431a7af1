"""What an exact resume needs beyond Caffe's SolverState, as JSON: seed, pass numbers, states of layers."""
from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netdef.errors import WeightsError
from netdef.runtime.net import Net

VERSION = 2
_ARRAY = "__array__"
_SINCE_2 = {"ema", "ema_digest", "monitor", "lowered", "kept"}  # absent in files of version 1


@dataclass
class ExtraState:
    """``train`` and ``tests`` are ``Net.state()`` of each net; ``type`` is the rule; ``digest`` that of the weights.

    ``ema`` is the path of the averages as written, ``ema_digest`` theirs; ``monitor`` and ``lowered`` are the monitor's
    state and the plateaus passed; ``kept`` the run's snapshots (``keep.plain``). ``version`` 0: there was nothing to read
    (a file of Caffe's).
    """

    version: int = 0
    type: str = ""
    digest: str = ""
    seed: int = 0
    train: dict[str, Any] = field(default_factory=dict)
    tests: list[dict[str, Any]] = field(default_factory=list)
    ema: str = ""
    ema_digest: str = ""
    monitor: dict[str, Any] = field(default_factory=dict)
    lowered: int = 0
    kept: list[dict[str, Any]] = field(default_factory=list)


def encode(extra: ExtraState) -> str:
    """One line of JSON; arrays inside states become base64 text."""
    return encode_plain(vars(extra))


def encode_plain(state: Any) -> str:
    """A state as one line of JSON, equal texts for equal states."""
    return json.dumps(state, default=_plain, separators=(",", ":"))


def decode_plain(text: str) -> Any:
    """What ``encode_plain`` gave. Raises ValueError."""
    return json.loads(text, object_hook=_array)


def decode(text: str, where: str | None = None) -> ExtraState:
    """What ``encode`` gave; an empty text gives an ExtraState of version 0. Raises WeightsError."""
    if not text:
        return ExtraState()
    try:
        read = decode_plain(text)
        version = int(read["version"])
        if version > VERSION:
            raise WeightsError(f"netdef's part of this state is of version {version}; this netdef reads up to "
                               f"{VERSION}", where=where, hint="a newer netdef wrote it")
        given = vars(ExtraState())
        return ExtraState(**{name: read[name] for name in given if name in read or name not in _SINCE_2})
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"netdef's part of this state is damaged: {error}", where=where) from error


def restore_nets(extra: ExtraState, train: Net, tests: list[Net]) -> None:
    """Put the nets where they were: seed, pass numbers, data positions."""
    reseed([train, *tests], extra.seed)
    train.set_state(extra.train)
    if len(tests) == len(extra.tests):
        for net, saved in zip(tests, extra.tests, strict=True):
            net.set_state(saved)


def reseed(nets: list[Net], seed: int) -> None:
    """Let the nets draw the random numbers of another seed from the next pass on."""
    for net in nets:
        net.seed = seed
        net.executor.seed = seed


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        data = base64.b64encode(little.tobytes()).decode("ascii")
        return {_ARRAY: little.dtype.str, "shape": list(value.shape), "data": data}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a state cannot hold a {type(value).__name__}")


def _array(read: dict[str, Any]) -> Any:
    if _ARRAY not in read:
        return read
    flat = np.frombuffer(base64.b64decode(read["data"]), read[_ARRAY])
    return flat.reshape(read["shape"]).copy()
