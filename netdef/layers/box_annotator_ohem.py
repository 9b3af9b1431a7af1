"""BoxAnnotatorOHEM: the hardest regions of each image."""
from __future__ import annotations

import numpy as np

from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.constraints import positive
from netdef.layers.registry import register


@register("BoxAnnotatorOHEM")
class BoxAnnotatorOHEM(Layer):
    r"""Keeps, for each image, the regions with the largest losses, so that training is spent on what is hard (online hard
    example mining).

    Formula: regions of an image by falling loss; for the first ``roi_per_img`` label and weights are copied, the others get
    ``ignore_label`` and weights of 0. There is no gradient.

    Shapes: regions (R, 5), each (item of the batch, x1, y1, x2, y2), also written (R, 5, 1, 1); one loss a region, (R) or (R,
    1, 1, 1); labels, as many; weights of the box loss (R, ...). Tops: labels and weights, in the shapes of bottoms 2 and 3.

    Numerical care: of equal losses the earlier region is kept; a NaN counts as the smallest. The corners are not looked at.

    Source: Shrivastava, Gupta and Girshick, Training Region-based Object Detectors with Online Hard Example Mining, CVPR
    2016; R-FCN's Caffe, whose files give its options number 10000.

    Example::

        layer { name: "data" type: "Input" top: "rois" top: "loss" top: "labels" top: "weights" input_param {
                shape { dim: 4 dim: 5 } shape { dim: 4 } shape { dim: 4 } shape { dim: 4 dim: 8 } } }
        layer { name: "hard" type: "BoxAnnotatorOHEM" bottom: "rois" bottom: "loss" bottom: "labels" bottom: "weights"
                top: "hard_labels" top: "hard_weights" box_annotator_ohem_param { roi_per_img: 2 } }
    """

    options_field = "box_annotator_ohem_param"
    bottoms = exactly(4)
    tops = exactly(2)
    differentiable = False
    backward_reads = frozenset()
    constraints = {"roi_per_img": positive(required=True)}

    def infer(self, bottom_shapes):
        rois, *others = (tuple(s) for s in bottom_shapes)
        if not rois or np.prod(rois[1:]) != 5:
            raise self.spec.shape_error(f"expected regions of shape (R, 5), got {rois}", 0)
        for i, (shape, what) in enumerate(zip(others, ("loss", "label", "row of weights"), strict=True), 1):
            if not shape or shape[0] != rois[0] or (i < 3 and np.prod(shape[1:]) != 1):
                raise self.spec.shape_error(f"expected one {what} for each of the {rois[0]} regions, got {shape}", i)
        return Inferred(tops=others[1:])

    def forward(self, ctx, bottoms, params, tops):
        image = bottoms[0].data.reshape(-1, 5)[:, 0]
        loss = bottoms[1].data.reshape(-1)
        order = np.lexsort((np.where(np.isnan(loss), np.inf, -loss), image))  # stable: of equal losses the earlier region
        sorted_image = image[order]
        rank = np.arange(len(order)) - np.searchsorted(sorted_image, sorted_image)
        keep = np.zeros(len(order), bool)
        keep[order[rank < self.options.roi_per_img]] = True
        for bottom, top, instead in zip(bottoms[2:], tops, (self.options.ignore_label, 0), strict=True):
            top.data[...] = bottom.data
            top.data[~keep] = instead
