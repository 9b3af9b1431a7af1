"""DummyData: blobs filled by rule."""
from __future__ import annotations

from netdef import fillers
from netdef.layers.base import Inferred, Layer, LayerSpec, Shape, at_least, exactly
from netdef.layers.input import check_dims
from netdef.layers.registry import register

LEGACY = ("num", "channels", "height", "width")


@register("DummyData")
class DummyData(Layer):
    r"""Makes blobs of constants or random numbers: a stand-in for data, for timing and for tests.

    Formula: y = whatever ``data_filler`` draws (default: the constant 0).

    Shapes: no bottoms; each top has its ``shape``, or the one for all; the old spelling is ``num``, ``channels``,
    ``height`` and ``width``, each once or once a top. Fillers: none, one for all, or one a top.

    Numerical care: constants and the filler ``values`` are written in the first pass only, so that numbers put there by
    hand stay; random numbers are drawn anew in each pass, the same ones for the same seed and number of the pass.

    Source: BVLC Caffe, dummy_data_layer.

    Example::

        layer { name: "data" type: "DummyData" top: "data" top: "label"
                dummy_data_param { shape { dim: 2 dim: 3 } shape { dim: 2 }
                                   data_filler { type: "gaussian" std: 0.5 } data_filler { value: 1 } } }
    """

    options_field = "dummy_data_param"
    bottoms = exactly(0)
    tops = at_least(1)
    backward_reads = frozenset()

    def __init__(self, spec):
        super().__init__(spec)
        self.shapes = read_shapes(spec)
        given = list(self.options.data_filler)
        if len(given) not in (0, 1, spec.num_tops):
            raise spec.error(f"expected none, 1 or one a top ({spec.num_tops}), got {len(given)}", "data_filler")
        for i, filler in enumerate(given):
            fillers.check(filler, spec.span(self.options_field, "data_filler", i, "type"))
        self.fillers = given * spec.num_tops if len(given) == 1 else given
        self.filled = False

    def infer(self, bottom_shapes):
        return Inferred(tops=self.shapes)

    def forward(self, ctx, bottoms, params, tops):
        for i, top in enumerate(tops):
            filler = self.fillers[i] if self.fillers else None
            if not self.filled and filler is None:
                top.data[...] = 0
            elif filler is not None and (not self.filled or filler.type not in fillers.FIXED):
                fillers.fill(top.data, filler, ctx.rng, self.spec.option_span("data_filler"))
        self.filled = True


def read_shapes(spec: LayerSpec) -> list[Shape]:
    """One shape a top from either spelling. Raises FieldError for both, none, or a number that does not fit."""
    o, n = spec.options, spec.num_tops
    legacy = next((name for name in LEGACY if spec.has(name)), None)
    if legacy and spec.has("shape"):
        raise spec.error(f"expected either shape or {', '.join(LEGACY)}, got both", legacy, hint="remove the latter")
    if not legacy and not spec.has("shape"):
        raise spec.error("missing", "shape", hint="write one, such as dummy_data_param { shape { dim: 8 dim: 3 } }")
    expected = "once" if n == 1 else f"once, or once a top ({n})"
    for name in LEGACY if legacy else ("shape",):
        if len(getattr(o, name)) not in (1, n):
            raise spec.error(f"expected {expected}, got {len(getattr(o, name))}", name)
    if legacy:
        sizes = [list(getattr(o, name)) for name in LEGACY]
        return [tuple(s[i] if len(s) > 1 else s[0] for s in sizes) for i in range(n)]
    for i, shape in enumerate(o.shape):
        check_dims(spec, shape.dim, i)
    shapes: list[Shape] = [tuple(shape.dim) for shape in o.shape]
    return shapes * n if len(shapes) == 1 else shapes
