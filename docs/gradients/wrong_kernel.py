"""A convolution with a mistake in its kernel's gradient, which `netdef check` finds; see docs/gradients.md."""
import json

import caffe
import numpy as np


class WrongKernel(caffe.Layer):
    """One picture, one channel, one kernel; its gradient is turned by 180 degrees."""

    def setup(self, bottom, top):
        given = json.loads(self.param_str)
        kernel = np.array(given["kernel"])
        self.blobs.add_blob(1, 1, *kernel.shape)
        self.blobs[0].data[0, 0] = kernel
        self.blobs.add_blob(1)
        self.blobs[1].data[...] = given["bias"]

    def reshape(self, bottom, top):
        rows, columns = bottom[0].shape[2:]
        k, m = self.blobs[0].shape[2:]
        top[0].reshape(1, 1, rows - k + 1, columns - m + 1)

    def forward(self, bottom, top):
        top[0].data[0, 0] = correlate(bottom[0].data[0, 0], self.blobs[0].data[0, 0]) + self.blobs[1].data

    def backward(self, top, propagate_down, bottom):
        delta, kernel = top[0].diff[0, 0], self.blobs[0].data[0, 0]
        self.blobs[0].diff[0, 0] += correlate(bottom[0].data[0, 0], delta)[::-1, ::-1]  # right: without [::-1, ::-1]
        self.blobs[1].diff[...] += delta.sum()
        if propagate_down[0]:  # here the flip belongs
            border = [(n - 1, n - 1) for n in kernel.shape]
            bottom[0].diff[0, 0] = correlate(np.pad(delta, border), kernel[::-1, ::-1])


def correlate(picture, window):
    """Slide the window over the picture without turning it: one sum of products a position."""
    rows, columns = (p - w + 1 for p, w in zip(picture.shape, window.shape, strict=True))
    return np.array([[(picture[i:i + window.shape[0], j:j + window.shape[1]] * window).sum() for j in range(columns)]
                     for i in range(rows)])
