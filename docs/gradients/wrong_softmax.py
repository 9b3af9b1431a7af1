"""Softmax and cross-entropy with a mistake in the gradient, which `netdef check` finds; see docs/gradients.md."""
import caffe
import numpy as np


class WrongSoftmax(caffe.Layer):
    """The loss is a mean over the batch; its gradient forgets to be one."""

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        scores, labels = bottom[0].data, bottom[1].data.round().astype(int)
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        self.y = np.eye(scores.shape[1])[labels]
        top[0].data[...] = -(self.y * np.log(self.p)).sum() / len(scores)

    def backward(self, top, propagate_down, bottom):
        if propagate_down[0]:
            bottom[0].diff[...] = (self.p - self.y) * top[0].diff  # right: / len(self.p) as well
