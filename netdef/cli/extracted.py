"""The two ways of `netdef extract`: over items that the user gives, and over the net's own data."""
from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from netdef.cli.inputs import Reader
from netdef.cli.options import assumed_shapes, assumptions_are_usage
from netdef.config.located import Located
from netdef.data.preprocessing import Preprocessing
from netdef.graph.build import build
from netdef.predict import Predictor
from netdef.predict.features import check_blobs, check_out, extract_items, extract_own
from netdef.predict.opening import open_net
from netdef.predict.rows import read_typed

Weights = Sequence[str | os.PathLike[str]]
Shapes = dict[str, tuple[int, ...]]


def from_items(net: Located, weights: Weights, blobs: list[str], pictures: tuple[str, ...], reader: Reader | None,
               preprocessing: Preprocessing, given: dict[str, Any]) -> Shapes:
    """Pictures, or the rows that ``reader`` reads, through a net with inputs."""
    check_out(given["out"])
    with assumptions_are_usage():
        predictor = Predictor(net, weights, preprocessing, task="raw", output=",".join(blobs), keep="all",
                              shapes=assumed_shapes(given["assumed"]))
    predictor.fix(**read_typed(given["fixed"], predictor.inputs))
    items = predictor.items(pictures) if reader is None else reader(predictor.inputs)
    return extract_items(predictor.net, blobs, items, given["out"], given["batch"], predictor.fixed)


def from_own(net: Located, weights: Weights, blobs: list[str], count: int, phase: str, out: str) -> Shapes:
    """The first records of the net's own data layer."""
    check_out(out)
    plan = build(net, phase)
    check_blobs(plan, blobs)
    with open_net(plan, weights, keep="all") as made:
        return extract_own(made, blobs, count, out)
