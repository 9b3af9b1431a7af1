"""PSROIPooling: means over a grid on each region, each bin from channels of its own."""
from __future__ import annotations

from netdef import kernels as K
from netdef.layers import regions
from netdef.layers.base import Inferred, Layer, exactly
from netdef.layers.constraints import Constraint, positive
from netdef.layers.registry import register


@register("PSROIPooling")
class PSROIPooling(Layer):
    r"""Lays a grid over each region of a map of scores, and takes the mean of each bin from channels made for that bin.

    Formula: a region goes from x1 = round(coordinate) * spatial_scale to (round(coordinate) + 1) * spatial_scale, halves away
    from 0, and is at least 0.1 wide. Bin i of g = ``group_size`` goes from floor(x1 + i * width / g) to ceil(x1 + (i + 1) *
    width / g), clipped to the map; rows likewise. y[r, d, i, j] = the mean of channel (d g + i) g + j over bin (i, j), 0 where
    it is empty; dx goes back evenly to the cells of the bin, and regions that overlap add up.

    Shapes: score maps (N, output_dim * g * g, H, W); regions (R, 5), each (item of the batch, x1, y1, x2, y2) in pixels of
    the picture, also written (R, 5, 1, 1). Top (R, output_dim, g, g). Regions get no gradient.

    Numerical care: corners are rounded before they are scaled, unlike in ROIPooling. The arithmetic of the bins is done in
    the net's precision. A region of an item that the batch does not have, or with a coordinate that is not finite, is an error.

    Source: Dai, Li, He and Sun, R-FCN: Object Detection via Region-based Fully Convolutional Networks, NIPS 2016, and its
    Caffe, whose files give its options number 10001.

    Example::

        layer { name: "data" type: "Input" top: "maps" top: "rois"
                input_param { shape { dim: 1 dim: 12 dim: 8 dim: 8 } shape { dim: 4 dim: 5 } } }
        layer { name: "pool" type: "PSROIPooling" bottom: "maps" bottom: "rois" top: "pool"
                psroi_pooling_param { spatial_scale: 0.0625 output_dim: 3 group_size: 2 } }
    """

    options_field = "psroi_pooling_param"
    bottoms = exactly(2)
    differentiable = (True, False)
    backward_reads = frozenset({"bottoms"})
    constraints = {"spatial_scale": Constraint(low=0, low_open=True, required=True), "output_dim": positive(required=True),
                   "group_size": positive(required=True)}

    def why_constant(self, bottom):
        return "PSROIPooling takes the coordinates of its regions as constant"

    def infer(self, bottom_shapes):
        maps, count = regions.check_shapes(self.spec, bottom_shapes)
        outputs, group = self.options.output_dim, self.options.group_size
        if maps[1] != outputs * group * group:
            raise self.spec.shape_error(f"expected {outputs * group * group} channels, output_dim {outputs} * group_size "
                                        f"{group} * {group}, got {maps[1]}", 0)
        return Inferred(tops=[(count, outputs, group, group)])

    def forward(self, ctx, bottoms, params, tops):
        rois = regions.rows(self.spec, bottoms[1].data, bottoms[0].shape[0])
        K.psroi_pool_forward(bottoms[0].data, rois, self.options.spatial_scale, tops[0].data)

    def backward(self, ctx, tops, params, bottoms, need):
        if need.bottoms[0]:
            rois = bottoms[1].data.reshape(-1, 5)
            K.psroi_pool_backward(tops[0].diff, rois, self.options.spatial_scale, bottoms[0].diff)
