"""netdef convert --upgrade."""
from __future__ import annotations

import numpy as np

from netdef import weights
from netdef.config import schema
from netdef.config.load import load_net

OLD = """layers { name: "x" type: DUMMY_DATA top: "x" dummy_data_param { num: 1 channels: 2 height: 3 width: 4 } }
layers { name: "r" type: INNER_PRODUCT blobs_lr: 1 bottom: "x" top: "r" inner_product_param { num_output: 2 } }
"""


def test_every_change_is_listed_with_its_line(run, tmp_path):
    (tmp_path / "old.prototxt").write_text(OLD)
    ran = run("convert", "--upgrade", tmp_path / "old.prototxt", tmp_path / "new.prototxt")
    assert ran.status == 0 and ran.out == f"wrote {tmp_path}/new.prototxt\n"
    lines = [line.replace(f"{tmp_path}/", "") for line in ran.err.splitlines() if not line.startswith(" ")]
    assert lines == [
        "old.prototxt:1:1: upgrade: this net is in the V1 syntax of 2014 and is read as current",
        'old.prototxt:1:1: upgrade: layer \'x\' (DUMMY_DATA): is read as layer { type: "DummyData" }',
        'old.prototxt:2:1: upgrade: layer \'r\' (INNER_PRODUCT): is read as layer { type: "InnerProduct" }',
        "old.prototxt:2:50: upgrade: layer 'r' (INNER_PRODUCT): 'blobs_lr' is read as param { lr_mult }",
        "old.prototxt: 4 changes"]
    again = run("convert", "--upgrade", tmp_path / "new.prototxt")
    assert again.err == f"{tmp_path}/new.prototxt: nothing to upgrade\n"
    assert again.out == (tmp_path / "new.prototxt").read_text() and "layers" not in again.out
    assert load_net(str(tmp_path / "new.prototxt")).message == load_net(str(tmp_path / "old.prototxt")).message


def test_a_solver_and_yaml_keep_their_notation(run, tmp_path):
    (tmp_path / "s.yaml").write_text("base_lr: 1\nsolver_type: ADAM\n")
    ran = run("convert", "--upgrade", tmp_path / "s.yaml")
    assert "type: Adam" in ran.out and "solver_type" not in ran.out
    assert f"{tmp_path}/s.yaml:2:14: upgrade: 'solver_type' is upgraded to type: \"Adam\"" in ran.err


def test_a_caffemodel_keeps_its_params(run, tmp_path):
    old = schema.new("NetParameter")
    layer = old.layers.add(name="ip", blobs_lr=[3])
    layer.type = schema.enum_values("V1LayerParameter.LayerType")["INNER_PRODUCT"]
    layer.inner_product_param.num_output = 1
    layer.blobs.add(num=1, channels=1, height=1, width=2, data=[5, 6])
    (tmp_path / "old.caffemodel").write_bytes(old.SerializeToString())
    assert run("convert", "--upgrade", tmp_path / "old.caffemodel", tmp_path / "new.caffemodel").status == 0
    found = weights.read(tmp_path / "new.caffemodel")
    assert found.format == "V2" and found.types == {"ip": "InnerProduct"}
    np.testing.assert_array_equal(found.layers["ip"][0].ravel(), [5, 6])
    message = load_net(str(tmp_path / "new.caffemodel")).message
    assert message.layer[0].param[0].lr_mult == 3 and message.layer[0].inner_product_param.num_output == 1
    ran = run("convert", tmp_path / "new.caffemodel", tmp_path / "new.yaml")
    assert ran.status == 0 and "InnerProduct" in (tmp_path / "new.yaml").read_text()


def test_text_has_no_params(run, tmp_path):
    (tmp_path / "n.prototxt").write_text('layer { name: "r" type: "ReLU" }')
    ran = run("convert", tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    assert ran.status == 1 and "only a .caffemodel has params" in ran.err


def test_summary_of_a_caffemodel(run, shared):
    ran = run("summary", shared / "models/hyperlpr_finemapping_fp16/HorizonalFinemapping.caffemodel")
    assert ran.status == 0 and "11,754" in ran.out


TEMPLATE = """let: {n: 3}
layers:
  - x: {Input: {shape: {dim: [1, 2]}}}
  - {repeat: {i: 1..2}, layers: [{"ip${i}": {InnerProduct: {num_output: "${n}"}}}]}
"""


def test_templates_come_out_expanded(run, tmp_path):
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    assert run("convert", tmp_path / "t.yaml").out.count('type: "InnerProduct"') == 2
    expanded = run("convert", tmp_path / "t.yaml", "--as", "yaml").out
    assert expanded == ("layers:\n  - x: {Input: {shape: {dim: [1, 2]}}}\n  - ip1: {InnerProduct: {num_output: 3}}\n"
                        "  - ip2: {InnerProduct: {num_output: 3}}\n")
    assert run("convert", tmp_path / "t.yaml", tmp_path / "o.yaml", "--short").status == 0
    assert (tmp_path / "o.yaml").read_text() == expanded
    assert "inner_product_param" in run("convert", tmp_path / "t.yaml", "--as", "yaml", "--long").out


def test_deploy(run, tmp_path):
    made = run("convert", "--deploy", "builtin:lenet", tmp_path / "d.prototxt", "--batch", "4")
    assert made.status == 0 and "left out: accuracy (Accuracy): it only reports" in made.err
    text = (tmp_path / "d.prototxt").read_text()
    assert text.startswith("# Derived from builtin:lenet by netdef convert --deploy.\n"
                           "# data: 4 x 1 x 28 x 28; multiplied by 0.00390625\n")
    assert load_net(str(tmp_path / "d.prototxt")).message.layer[-1].type == "Softmax"
    assert run("summary", tmp_path / "d.prototxt", "--phase", "TEST").status == 0


def test_deploy_usage(run, tmp_path):
    assert run("convert", "builtin:lenet", "--batch", "3").status == 2
    assert run("convert", "--deploy", "builtin:lenet", "--assume", "nothing=1").status == 2
    assert run("convert", "--deploy", "--upgrade", "builtin:lenet").status == 2
    assert run("convert", "--deploy", "builtin:lenet", tmp_path / "x.caffemodel").status == 2


def test_compare_two_nets(run, tmp_path):
    (tmp_path / "t.yaml").write_text(TEMPLATE)
    (tmp_path / "u.yaml").write_text(TEMPLATE.replace("n: 3", "n: 4"))
    run("convert", tmp_path / "t.yaml", tmp_path / "t.prototxt")
    assert run("compare", tmp_path / "t.yaml", tmp_path / "t.prototxt").status == 0
    ran = run("compare", tmp_path / "t.yaml", tmp_path / "u.yaml")
    assert ran.status == 1 and "inner_product_param.num_output: 3 -> 4" in ran.out
