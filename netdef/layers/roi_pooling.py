"""ROIPooling: the largest values on a grid over each region of interest."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers import regions
from netdef.layers.base import Array, Inferred, Layer, exactly
from netdef.layers.constraints import Constraint, positive
from netdef.layers.registry import register


@register("ROIPooling")
class ROIPooling(Layer):
    r"""Lays a grid over each region of a feature map and takes the largest value in each of its bins.

    Formula: a region's corners are x = round(coordinate * spatial_scale), halves away from 0; both ends count, so it is
    max(x2 - x1 + 1, 1) wide. Bin i of ``pooled_w`` goes from floor(i * width / pooled_w) to ceil((i + 1) * width /
    pooled_w), from x1 on and clipped to the map; rows likewise. y = the largest value of the bin, 0 where it is empty;
    dy goes to the first such value in scan order, and regions that overlap add up.

    Shapes: features (N, C, H, W); regions (R, 5), each (item of the batch, x1, y1, x2, y2) in pixels of the picture,
    also written (R, 5, 1, 1). Top (R, C, pooled_h, pooled_w). Regions get no gradient.

    Numerical care: the arithmetic of the bins is done in the net's precision as in py-faster-rcnn, so that a float32
    net has its bins to the pixel. A NaN is never chosen; a bin with nothing else gives -3.4e38. A region of an item
    that the batch does not have, or with a coordinate that is not finite, is an error.

    Source: Girshick, Fast R-CNN, ICCV 2015; py-faster-rcnn (rbgirshick/caffe-fast-rcnn, branch faster-rcnn), whose
    files give its options number 8266711.

    Example::

        layer { name: "data" type: "Input" top: "conv5" top: "rois"
                input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } shape { dim: 4 dim: 5 } } }
        layer { name: "pool5" type: "ROIPooling" bottom: "conv5" bottom: "rois" top: "pool5"
                roi_pooling_param { pooled_h: 2 pooled_w: 2 spatial_scale: 0.0625 } }
    """

    options_field = "roi_pooling_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    backward_reads = frozenset({"bottoms"})
    constraints = {"pooled_h": positive(required=True), "pooled_w": positive(required=True),
                   "spatial_scale": Constraint(low=0, low_open=True)}

    def why_constant(self, bottom):
        return "ROIPooling takes the coordinates of its regions as constant"

    def infer(self, bottom_shapes):
        features, count = regions.check_shapes(self.spec, bottom_shapes)
        top = (count, features[1], self.options.pooled_h, self.options.pooled_w)
        return Inferred(tops=[top], workspace={"mask": Array(top, "int32")})

    def forward(self, ctx, bottoms, params, tops):
        rois = regions.rows(self.spec, bottoms[1].data, bottoms[0].shape[0])
        K.roi_pool_forward(bottoms[0].data, rois, self.options.spatial_scale, tops[0].data, ctx.workspace["mask"])

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            rois = bottoms[1].data.reshape(-1, 5)
            K.roi_pool_backward(tops[0].diff, ctx.workspace["mask"], rois, bottoms[0].diff)
