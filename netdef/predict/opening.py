"""From a file to a net that is ready to answer: TEST phase, frozen, with inputs to put values in."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netdef import weights as weight_files
from netdef.config.load import load_net
from netdef.config.located import Located
from netdef.errors import log, warn
from netdef.fillers import FIXED
from netdef.graph.deploy import deploy
from netdef.graph.filter import merged_state, reason_to_drop
from netdef.graph.model import GraphPlan
from netdef.runtime.load import own_weights
from netdef.runtime.net import Net

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def files_of(net: Any, weights: Paths | None = None) -> list[str | os.PathLike[str]]:
    """The weights files as a list; none given means those in ``net``, where it is the path of a .caffemodel."""
    files = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights or ())
    own = own_weights(net) if not files else None
    return files if own is None else [own]


def with_inputs(net: Any, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Located:
    """The net, where it has Input layers in the TEST phase, else its deploy net: data layers become inputs.

    ``net`` is whatever ``load_net`` takes; ``shapes`` are of inputs whose data are not here. Raises ConfigError.
    """
    located = load_net(net)
    state = merged_state(located.message, "TEST", None, ())
    if any(x.message.type == "Input" and reason_to_drop(x, state) is None for x in located.children("layer")):
        return located
    found = deploy(located, shapes=shapes)
    log.info("%s: the net has data layers, its deploy net is taken: inputs %s", located.file,
             "; ".join(found.expects) or "none")
    for note in found.notes:
        log.info("%s: note: %s", located.file, note)
    return Located.bare(found.message, f"{located.file} (as a deploy net)")


def open_net(plan: GraphPlan, weights: Sequence[str | os.PathLike[str]] = (), keep: str = "outputs", freeze: bool = True,
             dtype: str = "float32", seed: int | None = None) -> Net:
    """The net of a plan, with weights; see Net for the rest. Layers whose params no file brings are warned of.

    Raises WeightsError.
    """
    net = Net(plan, weights=[Path(f) for f in weights], freeze=freeze, keep=keep, dtype=dtype, seed=seed)
    _warn_missing(net, weights)
    return net


def _warn_missing(net: Net, files: Sequence[str | os.PathLike[str]]) -> None:
    """Say which layers kept their first values, unless these are written down in the net."""
    kinds = {getattr(p.init.filler, "type", "constant") for p in net.plan.params}
    if kinds <= FIXED and kinds != {"constant"}:
        return
    if not files:
        warn(f"net '{net.name}' runs without weights: its params have their first values, which mean nothing",
             hint="--weights FILE")
        return
    known = {name for f in files for name, arrays in weight_files.read(Path(f)).layers.items() if len(arrays)}
    missing = [name for name, blobs in net.params.items() if name not in known and not all(net.shares(b) for b in blobs)]
    if missing:
        warn(f"no file has params for {', '.join(missing[:8])}{', ...' if len(missing) > 8 else ''}: "
             "they have their first values", os.fspath(files[-1]), "layers are matched by name")
