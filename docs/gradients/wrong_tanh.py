"""1.7159 tanh(2x/3) with a mistake in its derivative, which `netdef check` finds; see docs/gradients.md."""
import caffe
import numpy as np


class WrongTanh(caffe.Layer):
    """The derivative is printed without its square."""

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):
        top[0].data[...] = 1.7159 * np.tanh(2 / 3 * bottom[0].data)

    def backward(self, top, propagate_down, bottom):
        t = np.tanh(2 / 3 * bottom[0].data)
        bottom[0].diff[...] = top[0].diff * 1.7159 * 2 / 3 * (1 - t)  # right: 1 - t**2
