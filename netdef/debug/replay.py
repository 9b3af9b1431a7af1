"""The smallest failing case of a check, in a file that `netdef check` replays."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from netdef.config.load import parse_text_message
from netdef.config.located import Located
from netdef.config.write import to_prototxt
from netdef.debug.layercheck import Case, Wrong, wrong_gradients
from netdef.debug.recording import save
from netdef.errors import NetdefError
from netdef.layers import registry
from netdef.layers.base import LayerSpec, Need

FORMAT = "netdef check case 1"


def write_case(path: Path, case: Case) -> None:
    """Write a case: the layer's text, its bottoms, params and the gradients from above. Raises WeightsError."""
    arrays: dict[str, Any] = {}
    for kind, group in (("bottom", case.bottoms), ("param", case.params), ("topdiff", case.top_diffs)):
        arrays.update({f"{kind}/{i}": a for i, a in enumerate(group)})
    about = {"format": FORMAT, "phase": case.phase, "seed": case.seed, "iteration": case.iteration,
             "need": [list(case.need.bottoms), list(case.need.params)], "file": case.layer.spec.located.file}
    save(path, about=np.str_(json.dumps(about)), layer=np.str_(to_prototxt(case.layer.spec.message)), **arrays)


def read_case(path: Path) -> Case:
    """The case in a file. Raises NetdefError where it is none, UnknownLayerType where its layer is not at hand."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(str(arrays.pop("about")))
        text = str(arrays.pop("layer"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}")
    except (OSError, ValueError, KeyError, EOFError, TypeError) as e:
        raise NetdefError(f"is no case written by `netdef check`: {e}", where=str(path)) from e
    groups = {kind: tuple(arrays[f"{kind}/{i}"] for i in range(sum(k.startswith(f"{kind}/") for k in arrays)))
              for kind in ("bottom", "param", "topdiff")}
    # the file's own name stays in the spans, so that modules beside the config are found again
    located = parse_text_message(text, str(about["file"]), "LayerParameter")
    return Case(_layer(located, about["phase"], len(groups["bottom"]), len(groups["topdiff"])), groups["bottom"],
                groups["param"], groups["topdiff"], Need(*(tuple(n) for n in about["need"])), about["phase"],
                about["seed"], about["iteration"], {})


def _layer(located: Located, phase: str, bottoms: int, tops: int):
    cls = registry.find(located.message.type, located.span)
    spec = LayerSpec(located, phase, cls.options_field, bottoms, tops)
    spec.peeked = cls.peek(spec)  # a Python layer finds its class there
    return cls(spec)


def replay(path: Path, samples: int = 500, tolerance: float = 1e-4) -> list[Wrong]:
    """Check the layer of a case again."""
    return wrong_gradients(read_case(path), samples, tolerance)


def is_case(source: Any) -> bool:
    """Whether a check is asked to replay a file."""
    return str(source).endswith(".npz")


