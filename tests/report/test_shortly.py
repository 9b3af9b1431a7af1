"""Options in a few words."""
from __future__ import annotations

import pytest

IN = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 9 dim: 9 } } }\n'


@pytest.mark.parametrize("layer, said", [
    ('type: "Convolution" convolution_param { num_output: 8 kernel_size: 3 }', "3x3, 8"),
    ('type: "Convolution" convolution_param { num_output: 8 kernel_h: 1 kernel_w: 5 pad_w: 2 group: 2 }',
     "1x5 pad 0x2, group 2, 8"),
    ('type: "Convolution" convolution_param { num_output: 8 kernel_size: 3 stride: 2 dilation: 2 pad: 1 }',
     "3x3/2 pad 1 dilation 2, 8"),
    ('type: "Pooling" pooling_param { kernel_size: 3 stride: 2 }', "max 3x3/2"),
    ('type: "Pooling" pooling_param { pool: AVE global_pooling: true }', "ave global"),
    ('type: "InnerProduct" inner_product_param { num_output: 10 weight_filler { type: "xavier" } }', "10"),
    ('type: "Dropout" dropout_param { dropout_ratio: 0.5 }', "0.5"),
    ('type: "ReLU" relu_param { negative_slope: 0.1 }', "negative_slope 0.1"),
    ('type: "ReLU"', ""),
    ('type: "Eltwise" eltwise_param { operation: MAX }', "max"),
    ('type: "Permute" permute_param { order: 0 order: 2 order: 3 order: 1 }', "order 0,2,3,1"),
    ('type: "Python" python_param { module: "roi.data" layer: "Proposals" }', "roi.data.Proposals"),
])
def test_options(graph, layer, said):
    assert graph(f'{IN}layer {{ name: "l" bottom: "x" top: "y" {layer} }}').boxes[1].parts[0].options == said
