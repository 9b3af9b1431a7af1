"""What `netdef field` prints and draws of one unit."""
from __future__ import annotations

from typing import Any

import click
import numpy as np

from netdef.errors import NetdefError
from netdef.probe.field import Fields, UnitField, concentration, effective
from netdef.probe.pictures import check_out, enlarged, heat_colours, side_by_side, write_picture
from netdef.probe.subject import Probe


def show(net: str, fields: Fields, text: str, out: str | None, effect: tuple[int, int, list[str], dict[str, Any]] | None) -> None:
    """Print the field of a unit, draw it to ``out``; ``effect``: samples, seed, weights and shapes for that in effect."""
    if out is not None:
        check_out(out, (".png",))
    blob, index = _unit(text)
    found = fields.of(blob, index)
    click.echo(str(found))
    drawn = [enlarged((found.places * 255).astype(np.uint8)[:, :, None])] if found.places.ndim == 2 else []
    if effect is not None:
        heat = _effective(net, found, blob, *effect)
        if heat.ndim == 2:
            drawn.append(enlarged(heat_colours(heat, False)))
    if out is not None:
        if not drawn:
            raise NetdefError(f"the input '{found.input}' is no picture, there is nothing to draw")
        write_picture(out, side_by_side(drawn))
        click.echo(f"wrote {out}")


def _unit(text: str) -> tuple[str, tuple[int, ...] | None]:
    """``conv2,3,4`` as a blob and an index. Raises click.UsageError."""
    blob, *index = (part.strip() for part in text.split(","))
    if not blob or not all(part.isdecimal() for part in index):
        raise click.UsageError(f"expected BLOB, BLOB,Y,X or BLOB,C,Y,X, got '{text}'")
    return blob, tuple(map(int, index)) or None


def _effective(net: str, found: UnitField, blob: str, samples: int, seed: int, weights: list[str],
               shapes: dict[str, Any]) -> np.ndarray:
    """The map of the field in effect, and a line about it."""
    probe = Probe(net, weights, blob, scores=False, input=found.input, shapes=shapes or None)
    inputs = np.random.default_rng(seed).standard_normal((samples, *found.mask.shape))
    heat = effective(probe, found.unit, inputs, seed)
    most, moving = concentration(heat)
    click.echo(f"in effect: {moving} of {int(found.places.sum())} places move the unit (mean of {samples} random inputs); "
               f"{most} of them make 90% of the gradient")
    return heat
