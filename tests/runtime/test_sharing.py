"""Property: with shared buffers and fused steps a net computes the very bits that it computes without."""
from __future__ import annotations

import logging
from contextlib import contextmanager

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import netdef
from netdef.graph.build import build

HEAD = """force_backward: {force}
layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 4 dim: 3 dim: 3 }} }} }}
layer {{ name: "t" type: "Input" top: "t" input_param {{ shape {{ dim: 2 dim: 4 dim: 3 dim: 3 }} }} }}
"""
CONV = 'convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } }'
OPTIONS = {"Convolution": CONV, "ReLU": "", "ReLU leaky": "relu_param { negative_slope: 0.1 }", "BatchNorm": "",
           "Scale": "scale_param { bias_term: true filler { value: 0.7 } bias_filler { value: 0.1 } }",
           "Scale alone": "", "Pooling": "pooling_param { kernel_size: 3 pad: 1 }", "Sigmoid": "", "Dropout": "",
           "LRN": "", "PReLU": "",
           "BatchNorm stored": "batch_norm_param { use_global_stats: true }"}
IN_PLACE = {"ReLU", "ReLU leaky", "BatchNorm", "Scale", "Scale alone", "Dropout", "BatchNorm stored"}


class Writer:
    """A random net as text, line by line; ``ends`` are its blobs, with how many read each and what made it last."""

    def __init__(self, draw):
        self.draw = draw
        self.lines = [HEAD.format(force=str(draw(st.booleans())).lower())]
        self.used, self.maker = {"x": 0}, {"x": "Input"}

    def layer(self, kind, bottoms, top, extra=""):
        name = f"l{len(self.lines)}"
        written = "".join(f' bottom: "{b}"' for b in bottoms)
        self.lines.append(f'layer {{ name: "{name}" type: "{kind.split()[0]}"{written} top: "{top or name}" {extra} }}')
        for b in bottoms:
            self.used[b] += 1
        self.used[top or name], self.maker[top or name] = 0, kind

    def unary(self):
        kind, bottom = self.draw(st.sampled_from(sorted(OPTIONS))), self.draw(st.sampled_from(sorted(self.used)))
        # in place behind makers that do not need the blob as it was, seldom where others have read it before
        alone = not self.used[bottom] or not self.draw(st.integers(0, 3))
        may = kind in IN_PLACE and alone and self.maker[bottom] in ("Convolution", "Eltwise", "Pooling",
                                                                                   "BatchNorm", "Scale", "Scale alone")
        may = may and not (kind == "Dropout" and self.maker[bottom] == "BatchNorm stored")
        top = bottom if may and self.draw(st.integers(0, 3)) else None
        extra = OPTIONS[kind]
        if kind == "Convolution" and self.draw(st.integers(0, 2)) == 0:
            extra += ' param { name: "w" } param { name: "b" }'
        elif kind == "Convolution" and self.draw(st.integers(0, 4)) == 0:
            extra += " param { lr_mult: 0 } param { lr_mult: 0 }"
        self.layer(kind, [bottom], top, extra)

    def several(self):
        bottoms = self.draw(st.lists(st.sampled_from(sorted(self.used)), min_size=2, max_size=3))
        if self.draw(st.integers(0, 2)):
            how = self.draw(st.sampled_from(["SUM", "SUM", "MAX", "PROD"]))
            self.layer("Eltwise", bottoms, None, f"eltwise_param {{ operation: {how} }}")
        else:
            self.layer("Concat", bottoms, None)
            made = list(self.used)[-1]
            self.layer("Convolution", [made], None, CONV)
            del self.used[made]  # of another shape than the rest

    def chain(self):
        """What fuses: a convolution with BatchNorm, Scale and ReLU, or some of them."""
        self.layer("Convolution", [self.draw(st.sampled_from(sorted(self.used)))], None, CONV)
        for kind in ("BatchNorm", "Scale", self.draw(st.sampled_from(["ReLU", "ReLU leaky"]))):
            if self.draw(st.integers(0, 3)):
                blob = list(self.used)[-1]
                self.layer(kind, [blob], blob if self.draw(st.booleans()) else None, OPTIONS[kind])

    def losses(self):
        ends = [b for b, n in self.used.items() if not n and b != "x"] or ["x"]
        for k, b in enumerate(ends[-3:]):
            self.lines.append(f'layer {{ name: "loss{k}" type: "EuclideanLoss" bottom: "{b}" bottom: "t" top: "loss{k}" '
                              f'loss_weight: {0.1 * (k + 1)} }}')


@st.composite
def dags(draw):
    writer = Writer(draw)
    for _ in range(draw(st.integers(1, 4))):
        draw(st.sampled_from([writer.unary, writer.unary, writer.several, writer.chain, writer.chain]))()
    writer.losses()
    return "\n".join(writer.lines)


def run(message, dtype, phase, **options):
    """All that two passes leave: losses, params, their gradients, and the outputs."""
    net = netdef.Net(message, phase=phase, dtype=dtype, seed=5, **options)
    rng, found = np.random.default_rng(0), []
    for _ in range(2):
        x, t = rng.normal(size=(2, 2, 4, 3, 3))
        if net.memory.layout is not None:
            net.memory._block[...] = 255  # NaN: nothing may be left from the pass before
        found += [a.copy() for a in net.forward(x=x, t=t).values()]
        if phase == "TRAIN":
            net.backward()
        found += [np.float64(net.loss), *(b.diff.copy() for b in net.param_blobs), *(b.data.copy() for b in net.param_blobs)]
    return net, found


@contextmanager
def caplog_off():
    """Without the warnings of untrained BatchNorms."""
    logger = logging.getLogger("netdef")
    before, logger.disabled = logger.disabled, True
    yield
    logger.disabled = before


def parse(text):
    from netdef.config.load import parse_text_message

    return parse_text_message(text, "dag", "NetParameter")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(dags(), st.sampled_from(["float32", "float64"]), st.sampled_from(["TRAIN", "TEST"]))
def test_the_same_bits(text, dtype, phase):
    message = parse(text)
    try:
        build(message, phase)
    except netdef.errors.GraphError:
        assume(False)  # an in-place layer too many
    with np.errstate(all="ignore"), caplog_off():
        _, want = run(message, dtype, phase, fuse=False)
        for options in ({}, {"keep": "outputs", "fuse": False}, {"keep": "outputs"}, {"keep": ["x"]}):
            net, got = run(message, dtype, phase, **options)
            for a, b in zip(want, got, strict=True):
                assert a.tobytes() == b.tobytes() or np.array_equal(a, b, equal_nan=True), (options, net.executor.pieces)
