"""Python: a layer that a user wrote as a class in a file, with pycaffe's methods."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netdef.blob import Blob
from netdef.errors import GraphError
from netdef.layers import python_numeric
from netdef.layers.base import Inferred, Layer, LayerSpec, ParamInit, Shape, at_least
from netdef.layers.constraints import Constraint
from netdef.layers.python_blobs import UserBlob, UserBlobs, stand_ins
from netdef.layers.python_user import Phase, UserCode, UserLayer
from netdef.layers.registry import register

__all__ = ["Python", "UserLayer"]


@dataclass
class Found:
    """What describing the net leaves for running it: the user's class, and an object of it that was set up already.

    The first net that is made of a plan takes that object over (so that setup runs once); further nets make their own.
    """

    code: UserCode
    made: Any = None

    def take(self) -> Any:
        """The object, once; then None."""
        made, self.made = self.made, None
        return made


@register("Python")
class Python(Layer):
    r"""Runs a layer that you wrote as a Python class, with the methods of pycaffe: setup, reshape, forward, backward.

    Formula: whatever ``forward`` computes; the gradient is what ``backward`` computes or, with ``numeric_gradient``,
    dx = (sum of dy * (f(x + step) - f(x - step))) / (2 step) for each value x of the bottoms and params.

    Shapes: any number of bottoms and tops; ``setup`` or ``reshape`` gives the tops their shapes, and ``forward`` may
    change them again. Params: those that ``setup`` makes with ``self.blobs.add_blob(*shape)``; what it writes into their
    data is what they begin with.

    The file: ``import caffe`` gives a small module with Layer, TRAIN and TEST (a real caffe, where there is one).
    ``setup(bottom, top)`` runs once, when the net is made; ``reshape(bottom, top)`` then and before each
    ``forward(bottom, top)``. When the net is made the bottoms hold zeros. ``backward(top, propagate_down, bottom)``
    writes bottom[i].diff and adds to self.blobs[i].diff. ``self.param_str`` (also ``param_str_``) and ``self.phase``
    are set before setup. Blobs have data, diff, shape, num, channels, height, width, count and reshape. An exception
    becomes an error at this layer that names your file and line. Where the class has ``state()`` and
    ``set_state(state)``, what the one gives (numbers, text, lists, dicts, arrays) is saved with snapshots and handed to
    the other.

    Numerical care: with ``numeric_gradient`` forward must give the same for the same bottoms, and runs in float64 on
    copies. In place is taken as you write it: whether your class can work in place, only you know.

    Source: BVLC Caffe, python_layer.

    Example::

        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "double" type: "Python" bottom: "data" top: "double"
                python_param { module: "netdef.layers.python_example" layer: "Times" param_str: "2" } }
    """

    options_field = "python_param"
    bottoms = at_least(0)
    tops = at_least(0)
    in_place = "yes"
    dynamic = True
    constraints = {"numeric_step": Constraint(low=0, low_open=True)}

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        for option, what in (("module", "module"), ("layer", "class in it")):
            if not getattr(self.options, option):
                raise spec.error(f"missing; expected the name of a {what}", option)
        if self.options.numeric_gradient:
            self.in_place = "values"  # differences are taken from what the bottoms held
        self.planning = spec.peeked is None  # this object describes the net and runs in none
        self.user: Any = spec.peeked.take() if spec.peeked is not None else None
        self.saved: Any = None  # a state that waits for the user's object
        self.top_shapes: list[Shape] = [()] * spec.num_tops  # as they were left: not every class sets them in reshape
        self._name_params()

    @classmethod
    def peek(cls, spec: LayerSpec) -> Found:
        """Import the user's module. Raises FieldError, GraphError."""
        return Found(UserCode(spec))

    # making it ------------------------------------------------------------------------------------------------

    def infer(self, bottom_shapes):
        bottom = stand_ins(list(bottom_shapes), "bottom")
        top = stand_ins(self.top_shapes, "top")
        names = self.spec.message
        for i, (one, other) in enumerate(zip(names.bottom, names.top, strict=False)):
            if one == other:  # in place: one blob, as when it runs
                top[i] = bottom[i]
        if self.user is None:
            self._set_up(bottom, top)
            if self.planning:
                self.spec.peeked.made = self.user
        self._call("reshape", bottom, top)
        self.top_shapes = [t.shape for t in top]
        params = [ParamInit(n, b.shape, np.array(b.data)) for n, b in zip(self.param_names, self.user.blobs, strict=True)]
        return Inferred(tops=self.top_shapes, params=params)

    def _set_up(self, bottom: list[UserBlob], top: list[UserBlob]) -> None:
        """Have an object of the user's class."""
        code = self.spec.peeked.code
        user = code.call("__init__", code.cls)
        user.param_str = user.param_str_ = self.options.param_str
        user.phase = Phase[self.spec.phase]
        user.blobs = UserBlobs()
        setup = getattr(user, "setup", None)
        if setup is not None:
            code.call("setup", setup, bottom, top)
        user.blobs.close()
        self.user = user
        self._name_params()
        if self.saved is not None:
            self.set_state(self.saved)

    def _name_params(self) -> None:
        """Only the user's setup knows how many there are."""
        count = len(self.user.blobs) if self.user is not None else 0
        self.param_names = tuple(f"blob{i}" for i in range(count))

    def _call(self, method: str, *args: Any) -> None:
        """A method of the user's; reshape need not be there."""
        function = getattr(self.user, method, None)
        if function is not None:
            self.spec.peeked.code.call(method, function, *args)
        elif method == "backward":
            raise self.spec.error("has no backward, and a layer below it learns", "layer",
                                  hint="write one, or python_param { numeric_gradient: true }, or propagate_down: false")

    # running it -----------------------------------------------------------------------------------------------

    def forward(self, ctx, bottoms, params, tops):
        bottom, top = _wrapped(bottoms), _wrapped(tops)
        if self.user is None:
            self._set_up(bottom, top)
        self._hold(params)
        self._call("reshape", bottom, top)
        self._call("forward", bottom, top)

    def backward(self, ctx, tops, params, bottoms, need):
        self._hold([p if needed else _apart(p) for p, needed in zip(params, need.params, strict=True)])
        if self.options.numeric_gradient:
            self._numeric(tops, params, bottoms, need)
        else:
            self._call("backward", _wrapped(tops), list(need.bottoms), _wrapped(bottoms))

    def _hold(self, params: Sequence[Blob]) -> None:
        """Put the net's own params behind the objects in ``self.blobs``."""
        for own, blob in zip(self.user.blobs, params, strict=True):
            own.blob = blob

    def state(self):
        get = getattr(self.user, "state", None)
        if not callable(get) or not callable(getattr(self.user, "set_state", None)):
            return {}
        return {"user": self.spec.peeked.code.call("state", get)}

    def set_state(self, state):
        if self.user is None:
            self.saved = state
        elif "user" in state:
            self._call("set_state", state["user"])

    def _numeric(self, tops: Sequence[Blob], params: Sequence[Blob], bottoms: Sequence[Blob], need: Any) -> None:
        """The gradients of bottoms and params by central differences."""
        values = [b.data.astype(np.float64) for b in bottoms]
        moving = [Blob(p.name, p.shape, "float64") for p in params]
        for blob, p in zip(moving, params, strict=True):
            blob.data[...] = p.data
        self._hold(moving)
        diffs = [t.diff.astype(np.float64) for t in tops]
        step, batch = self.options.numeric_step, self.options.numeric_batch
        if batch and any(need.bottoms):
            self._check_items([*values, *diffs])
        for i, needed in enumerate(need.bottoms):
            if needed and batch:
                bottoms[i].diff[...] = python_numeric.by_items(self._values, values, diffs, i, step, batch)
            elif needed:
                bottoms[i].diff[...] = python_numeric.by_whole(self._values, values, diffs, values[i], step)
        for i, needed in enumerate(need.params):
            if needed:
                params[i].diff[...] += python_numeric.by_whole(self._values, values, diffs, moving[i].data, step)

    def _values(self, arrays: list[np.ndarray], shapes: list[Shape]) -> list[np.ndarray]:
        """The tops that forward makes of these bottoms, all apart from the net's blobs and in float64.

        Raises GraphError where they have not the shapes that they should have.
        """
        bottom = stand_ins([a.shape for a in arrays], "bottom", "float64")
        for blob, array in zip(bottom, arrays, strict=True):
            blob.data[...] = array
        top = stand_ins(shapes, "top", "float64")
        self._call("reshape", bottom, top)
        self._call("forward", bottom, top)
        if [t.shape for t in top] != shapes:
            got = ", ".join(str(t.shape) for t in top)
            raise GraphError(f"{self.spec.who}: numeric_gradient: expected tops of shapes "
                             f"{', '.join(map(str, shapes))} for bottoms that differ a little, got {got}",
                             where=self.spec.option_span("numeric_gradient"))
        return [t.data for t in top]

    def _check_items(self, arrays: list[np.ndarray]) -> None:
        if len({a.shape[:1] for a in arrays}) > 1 or not arrays[0].ndim:
            raise GraphError(f"{self.spec.who}: numeric_batch: expected as many items (axis 0) in all bottoms and tops, "
                             f"got {', '.join(str(a.shape) for a in arrays)}",
                             where=self.spec.option_span("numeric_batch"),
                             hint="leave it out where items are not independent of each other")


def _wrapped(blobs: Sequence[Blob]) -> list[UserBlob]:
    return [UserBlob(b) for b in blobs]


def _apart(param: Blob) -> Blob:
    """The same data with a gradient that nobody looks at."""
    blob = Blob(param.name, param.shape, param.dtype)
    blob.share_data(param)
    return blob
