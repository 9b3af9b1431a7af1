"""Bad input: a clear error, no traceback, exit status 1."""
from __future__ import annotations

import pytest

NET = '''
layer {{ name: "data" type: "Input" top: "data" top: "label" input_param {{ shape {{ dim: [2, 3, 8, 8] }} shape {{ dim: 2 }} }} }}
{0}
layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {{ num_output: 2 }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }}
'''


@pytest.mark.parametrize("content, expected", [
    (None, "no file"),
    (b"", "is empty"),
    (b"\x00\x01\x02\xff" * 100, "is not text"),
    (b"\xff\xfe\x00", "is not text"),
    (b"layer { name: \"a\"", "net.prototxt:1:"),
    (b"layer } {", "net.prototxt:1:7"),
])
def test_files(run, tmp_path, content, expected):
    path = tmp_path / "net.prototxt"
    if content is not None:
        path.write_bytes(content)
    ran = run("summary", path)
    assert ran.status == 1
    assert expected in ran.err and "error" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("layer, expected", [
    ('layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 0 kernel_size: 3 } }',
     "num_output"),
    ('layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 11 } }',
     "layer 'c' (Convolution)"),
    ('layer { name: "c" type: "Convolution" bottom: "none" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }',
     "bottom 'none' is made by no layer"),
    ('layer { name: "c" type: "ReLU" bottom: "data" top: "label" }', "top 'label' is already made by layer 'data'"),
    ('layer { name: "c" type: "Eltwise" bottom: "data" bottom: "label" top: "c" }', "made by layer 'data' (Input) at"),
])
def test_nets(run, tmp_path, layer, expected):
    path = tmp_path / "net.prototxt"
    path.write_text(NET.format(layer))
    ran = run("summary", path, "--phase", "TRAIN")
    assert ran.status == 1, ran.out
    assert expected in ran.err
    assert f"{path}:3:" in ran.err
    assert "Traceback" not in ran.err


def test_label_out_of_range(run, tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('''
layer { name: "d" type: "DummyData" top: "x" top: "t" dummy_data_param { shape { dim: 4 dim: 3 } shape { dim: 4 }
  data_filler { type: "gaussian" } data_filler { type: "constant" value: 7 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "t" top: "loss" }
''')
    ran = run("grads", path)
    assert ran.status == 1
    assert "label" in ran.err and "7" in ran.err and "loss" in ran.err
