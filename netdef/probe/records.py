"""The records of a net's own data layer, as the net sees them."""
from __future__ import annotations

from typing import Any

import numpy as np

from netdef.config.load import load_net
from netdef.errors import NetdefError
from netdef.graph.build import build
from netdef.runtime.net import Net


def own_records(net: Any, count: int, phase: str = "TEST") -> tuple[np.ndarray, np.ndarray]:
    """The first ``count`` records of the data layer of ``phase``: values (count, C, H, W) and labels (count), int64.

    No other layer runs. Raises NetdefError where there is no data layer that gives a label an item, ConfigError, DataError.
    """
    located = load_net(net)
    plan = build(located, phase)
    source = next((n for n in plan.description.layers if not n.bottoms and n.type not in ("Input", "Parameter")), None)
    if source is None or len(source.tops) != 2:
        raise NetdefError("expected a data layer that gives data and labels" + ("" if source is None else f", got {source.who}"),
                          where=located.file, hint="give pictures, or the train net")
    alone = located.copy()
    alone.set("layer", [source.located], located.span)
    rows: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    with Net(alone, phase, seed=0) as made:
        data, label = (made.plan.description.value_name(t) for t in made.plan.description.layers[0].tops)
        while sum(map(len, rows)) < count:
            made.forward()
            rows.append(made.blobs[data].data.copy())
            labels.append(made.blobs[label].data.reshape(len(rows[-1]), -1)[:, 0].astype(np.int64))
    return np.concatenate(rows)[:count], np.concatenate(labels)[:count]
