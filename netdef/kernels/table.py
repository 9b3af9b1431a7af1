"""Which kernels there are, and when a compiled one runs in place of its reference.

A compiled kernel runs where it exists, all its real arrays are float32, C-contiguous and aligned, the arrays that decide
the work have at least ``row.least`` elements, and ``NETDEF_KERNELS`` is not ``reference``. So the choice depends on shapes
and dtypes only, never on timing, and a run can be repeated bit for bit.
"""
from __future__ import annotations

import importlib
import inspect
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

log = logging.getLogger("netdef")

LEAST = 1 << 15
"""Elements from which a compiled kernel runs. Below, every NumPy twin takes well under a millisecond, while each compiled
one costs a second the first time: a tiny net starts at once even with an empty cache."""

LEAST_SWEEP = 1 << 18
"""The same for kernels that NumPy does in a few vectorised sweeps: waking threads costs 30 microseconds, which pays only
where the arrays leave the second-level cache."""

LEAST_SWEEPS = 1 << 16
"""The same for kernels that stand for several such sweeps."""

RUN = 16
"""Least places of a channel for kernels that go through (outer, channels, places) channel by channel."""

_DTYPES = frozenset(np.dtype(t) for t in (np.float32, np.bool_, np.uint8, np.int32, np.uint32))


class Row(NamedTuple):
    """One kernel as data: its name, its file, whether ``compiled/`` has a twin, and which arguments tell its size."""

    name: str
    file: str
    compiled: bool = False
    sized_by: tuple[int, ...] = (0,)
    least: int = LEAST
    axes: tuple[int, ...] | None = None
    """ranks that the compiled twin takes for its first argument; None: any"""
    run: int = 1
    """least size of the last axis of its first argument: shorter runs cost more than NumPy's sweeps"""
    doubles: tuple[int, ...] = ()
    """arguments that are float64 whatever the dtype of the others"""


ROWS = (
    Row("relu_forward", "activation", True, least=LEAST_SWEEP),
    Row("relu_backward", "activation", True),
    Row("elu_forward", "activation", True),
    Row("elu_backward", "activation", True, least=LEAST_SWEEP),
    Row("sigmoid_forward", "activation", True),
    Row("sigmoid_backward", "activation", True, least=LEAST_SWEEP),
    Row("tanh_forward", "activation", True),
    Row("tanh_backward", "activation", True, least=LEAST_SWEEP),
    Row("softmax_forward", "softmax", True, least=1 << 13),
    Row("softmax_backward", "softmax", True),
    Row("softmax_loss_forward", "softmax", True, sized_by=(1,)),
    Row("softmax_loss_backward", "softmax", True),
    Row("philox_bits", "philox", True, sized_by=(1,)),
    Row("dropout_forward", "dropout", True),
    Row("dropout_backward", "dropout", True),
    Row("max_pool_forward", "pooling", True, axes=(4,)),
    Row("max_pool_backward", "pooling", True, sized_by=(2,), axes=(4,)),
    Row("ave_pool_forward", "pooling", True, axes=(4,)),
    Row("ave_pool_backward", "pooling", True, sized_by=(4,), axes=(4,)),
    Row("stochastic_pool_draw", "stochastic_pooling"),
    Row("stochastic_pool_mean", "stochastic_pooling"),
    Row("stochastic_pool_mean_backward", "stochastic_pooling"),
    Row("roi_pool_forward", "roi_pooling", True, sized_by=(0, 3)),
    Row("roi_pool_backward", "roi_pooling", True, sized_by=(0, 3)),
    Row("decode_boxes", "boxes", True),
    Row("encode_boxes", "boxes"),
    Row("box_overlaps", "boxes", True, sized_by=(2,)),
    Row("nms", "nms", True, sized_by=(1,), least=256),
    Row("psroi_pool_forward", "psroi_pooling", True, sized_by=(0, 3)),
    Row("psroi_pool_backward", "psroi_pooling", True, sized_by=(0, 3)),
    Row("roi_align_forward", "roi_align", True, sized_by=(0, 5)),
    Row("roi_align_backward", "roi_align", True, sized_by=(0, 5)),
    Row("roi_align_corners", "roi_align", True, sized_by=(0, 1)),
    Row("interp_forward", "interp", True, sized_by=(0, 1)),
    Row("interp_backward", "interp", True, sized_by=(0, 1)),
    Row("lrn_across_forward", "lrn", True),
    Row("lrn_across_backward", "lrn", True),
    Row("lrn_within_forward", "lrn", True),
    Row("lrn_within_backward", "lrn", True),
    Row("standardize", "standardize", True, run=RUN, doubles=(4, 5)),
    Row("standardize_backward", "standardize", True, run=RUN),
    Row("shift_divide", "standardize", True, run=RUN, doubles=(1,), least=LEAST_SWEEPS),
    Row("norm_forward", "norm", True, run=RUN, doubles=(6, 7), least=LEAST_SWEEPS),
    Row("norm_backward", "norm", True, run=RUN, least=LEAST_SWEEP),
    Row("norm_stored", "norm", True, run=RUN, doubles=(1,), least=LEAST_SWEEPS),
    Row("group_mean", "standardize"),
    Row("scale_forward", "scaling", True, run=RUN, least=LEAST_SWEEP),
    Row("scale_backward", "scaling", True, sized_by=(1,), run=RUN, least=LEAST_SWEEP),
    Row("bias_forward", "scaling", True, run=RUN, least=LEAST_SWEEP),
    Row("prelu_forward", "scaling", True, run=RUN),
    Row("prelu_backward", "scaling", True, run=RUN),
    Row("add_relu_forward", "eltwise", True, least=LEAST_SWEEP),
    Row("add_relu_backward", "eltwise", True, least=LEAST_SWEEP),
    Row("larger", "eltwise", True),
    Row("larger_yet", "eltwise", True),
    Row("larger_backward", "eltwise", True),
    Row("l2_normalize_forward", "l2_normalize"),
    Row("l2_normalize_backward", "l2_normalize"),
    Row("im2col", "im2col", True, sized_by=(5,), axes=(3, 4)),
    Row("col2im", "im2col", True, axes=(4, 6)),
    Row("conv_scratch_shape", "conv"),
    Row("conv_forward", "conv", True, sized_by=(0, 1, 8), axes=(3, 4)),
    Row("conv_backward_data", "conv", True, sized_by=(0, 1, 7), axes=(3, 4)),
    Row("conv_backward_weights", "conv", True, sized_by=(0, 1, 7), axes=(3, 4)),
    Row("conv_bias_grad", "conv", True, least=LEAST_SWEEP),
    Row("ctc", "ctc", True, least=256, doubles=(0, 4, 5)),
    Row("carry", "recurrent"),
    Row("lstm_unit_forward", "recurrent"),
    Row("lstm_unit_backward", "recurrent"),
    Row("gemm", "linear", True, sized_by=(0, 1), axes=(2,)),
    Row("bias_add", "linear"),
    Row("bias_grad", "linear", True, least=LEAST_SWEEP),
    Row("axpy", "linear", True, sized_by=(1,), least=LEAST_SWEEP),
    Row("scale", "linear", True, sized_by=(1,), least=LEAST_SWEEP),
    Row("add", "linear", True, least=LEAST_SWEEP),
    Row("multiply", "linear", True, least=LEAST_SWEEP),
    Row("take_rows", "rows"),
    Row("add_rows", "rows"),
    Row("sgd_update", "update", True, least=LEAST_SWEEP),
    Row("nesterov_update", "update", True, least=LEAST_SWEEP),
    Row("adam_update", "update", True, least=LEAST_SWEEP),
    Row("l2_decay", "update", True, least=LEAST_SWEEP),
    Row("l1_decay", "update", True, least=LEAST_SWEEP),
    Row("sum_squares", "update", True, least=LEAST_SWEEP),
    Row("sum_abs", "update", True, least=LEAST_SWEEP),
)


class Entry:
    """A kernel that is called like a function; picks the compiled twin or the reference by the arguments."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.name = row.name
        self._reference: Callable[..., Any] | None = None
        self._compiled: Callable[..., Any] | None = None
        self._signature: inspect.Signature | None = None

    @property
    def reference(self) -> Callable[..., Any]:
        """The NumPy function."""
        if self._reference is None:
            self._reference = _load("reference", self.row)
        return self._reference

    @property
    def compiled(self) -> Callable[..., Any] | None:
        """The Numba function (imported when first asked for), or None."""
        if self._compiled is None and self.row.compiled:
            self._compiled = _load("compiled", self.row)
        return self._compiled

    def supports(self, args: tuple[Any, ...]) -> bool:
        """Whether the compiled twin would run for these arguments."""
        row = self.row
        if not row.compiled or max(args[i].size for i in row.sized_by) < row.least:
            return False
        if row.axes is not None and args[0].ndim not in row.axes:
            return False
        if row.run > 1 and args[0].shape[-1] < row.run:
            return False
        return all(_plain(a, i in row.doubles) for i, a in enumerate(args) if isinstance(a, np.ndarray))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            if self._signature is None:
                self._signature = inspect.signature(self.reference)
            bound = self._signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = bound.args
        if _plain_threads.here:
            return self.reference(*args)
        if _compiled_allowed and self.supports(args):
            compiled = self.compiled
            if compiled is not None:
                if _watcher is not None:
                    _watcher(self._which(args))
                return compiled(*args)
        if _watcher is not None:
            _watcher(f"{self.name} (NumPy)")
        return self.reference(*args)

    def _which(self, args: tuple[Any, ...]) -> str:
        """The kernel's name, with the algorithm where there are several."""
        which = getattr(importlib.import_module(f"netdef.kernels.compiled.{self.row.file}"), "which", None)
        found = which(self.name, args) if which is not None else ""
        return f"{self.name}: {found}" if found else self.name

    def __repr__(self) -> str:
        return f"<kernel {self.name}>"


def _load(kind: str, row: Row) -> Callable[..., Any]:
    return getattr(importlib.import_module(f"netdef.kernels.{kind}.{row.file}"), row.name)


def _plain(a: np.ndarray, double: bool) -> bool:
    flags = a.flags
    return (a.dtype == np.float64 if double else a.dtype in _DTYPES) and flags.c_contiguous and flags.aligned


TABLE: Mapping[str, Entry] = {row.name: Entry(row) for row in ROWS}

_compiled_allowed = os.environ.get("NETDEF_KERNELS", "") != "reference"
_watcher: Callable[[str], None] | None = None


class _PlainThreads(threading.local):
    """Whether the thread at hand runs NumPy kernels only."""

    here = False


_plain_threads = _PlainThreads()


def plain_thread() -> None:
    """Let the calling thread run NumPy kernels only, from now on and unwatched: the threads of the compiled ones belong to the
    thread that runs the net."""
    _plain_threads.here = True


@contextmanager
def watched(tell: Callable[[str], None]) -> Iterator[None]:
    """Inside the block ``tell(name)`` is called for every kernel that runs, in order."""
    global _watcher
    before, _watcher = _watcher, tell
    try:
        yield
    finally:
        _watcher = before


@contextmanager
def only_reference() -> Iterator[None]:
    """Inside the block no compiled kernel runs (whatever the environment says)."""
    global _compiled_allowed
    before, _compiled_allowed = _compiled_allowed, False
    try:
        yield
    finally:
        _compiled_allowed = before
