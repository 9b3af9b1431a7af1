"""ROIAlign: means of bilinear samples on a grid over each region of interest."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers import regions
from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.constraints import Constraint, positive
from netdef.layers.registry import register


@register("ROIAlign")
class ROIAlign(Layer):
    r"""Lays a grid over each region of a feature map and takes the mean of bilinear samples in each bin, without rounding.

    Formula: a region goes from x1 * spatial_scale to x2 * spatial_scale, less 1/2 if ``aligned``, else at least 1 wide; it is
    cut into pooled_w bins with g samples each, at start + (k + 1/2) / (g pooled_w) * width; g is ``sampling_ratio`` or, if
    that is not above 0, ceil(width / pooled_w). Rows likewise. A sample is interpolated between the four cells around it, is 0
    more than a cell off the map, and else clamped into it. y = the mean of a bin's samples;  for the features da = dy times the
    weights of the samples;  for the regions db = the sum of dy times the slope of the map at the samples, times how far each
    moves with a corner.

    Shapes: features (N, C, H, W); regions (R, 5), each (item of the batch, x1, y1, x2, y2) in pixels of the picture, also
    written (R, 5, 1, 1). Top (R, C, pooled_h, pooled_w).

    Numerical care: unlike ROIPooling it has a gradient by the corners, so that a detector can be trained jointly and exactly:
    nothing below the regions is taken as constant. The map is piecewise linear along a row: where a sample crosses a
    cell's middle the slope jumps, and the number of samples jumps where it follows the width. A region of an item that the
    batch does not have, or with a coordinate that is not finite, is an error.

    Source: He, Gkioxari, Dollar and Girshick, Mask R-CNN, ICCV 2017; the gradient by the corners: Jiang et al., Acquisition
    of Localization Confidence for Accurate Object Detection, ECCV 2018, where it is taken of a related pooling.

    Example::

        layer { name: "data" type: "Input" top: "conv5" top: "rois"
                input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } shape { dim: 4 dim: 5 } } }
        layer { name: "pool5" type: "ROIAlign" bottom: "conv5" bottom: "rois" top: "pool5"
                roi_align_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.0625 sampling_ratio: 2 aligned: true } }
    """

    options_field = "roi_align_param"
    bottoms = exactly(2)
    backward_reads = frozenset({"bottoms"})
    constraints = {"pooled_h": positive(required=True), "pooled_w": positive(required=True),
                   "spatial_scale": Constraint(low=0, low_open=True)}

    def infer(self, bottom_shapes):
        features, count = regions.check_shapes(self.spec, bottom_shapes)
        return Inferred(tops=[(count, features[1], self.options.pooled_h, self.options.pooled_w)])

    def forward(self, ctx, bottoms, params, tops):
        rois = regions.rows(self.spec, bottoms[1].data, bottoms[0].shape[0])
        K.roi_align_forward(bottoms[0].data, rois, *self._how(), tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        x, rois = bottoms[0], bottoms[1].data.reshape(-1, 5)
        if need.bottoms[0]:
            K.roi_align_backward(tops[0].diff, rois, *self._how(), x.diff)
        if need.bottoms[1]:
            K.roi_align_corners(x.data, tops[0].diff, rois, *self._how(), bottoms[1].diff.reshape(rois.shape))

    def _how(self) -> tuple[float, bool, int]:
        """Scale, alignment and samples, as the kernels take them."""
        return self.options.spatial_scale, self.options.aligned, self.options.sampling_ratio
