"""A Python layer as a user writes it, for the docs and the tests; in a file of yours begin with ``import caffe``."""
from __future__ import annotations

from netdef.layers.python_user import UserLayer  # what ``caffe.Layer`` is in a file of yours


class Times(UserLayer):
    """Multiplies its bottom by the number in param_str."""

    def setup(self, bottom, top):
        if len(bottom) != 1 or len(top) != 1:
            raise ValueError(f"expected one bottom and one top, got {len(bottom)} and {len(top)}")
        self.factor = float(self.param_str)

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = self.factor * top[0].diff
