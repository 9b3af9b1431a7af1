"""``netdef time``."""
import json

import pytest
from click.testing import CliRunner

from netdef.cli.main import cli

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "data" top: "label"
        dummy_data_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } shape { dim: 4 }
                           data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "score" type: "InnerProduct" bottom: "conv" top: "score"
        inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }
"""


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return lambda *options: CliRunner().invoke(cli, ["time", str(path), "-n", "2", *options])


def test_every_step_has_a_row_and_the_passes_their_means(run):
    result = run()
    assert result.exit_code == 0, result.output
    rows = {line.split("  ")[0]: line for line in result.output.splitlines()}
    assert "conv + relu" in rows and "score" in rows and "loss" in rows
    assert "Average Forward-Backward:" in result.output


def test_parts_are_timed_one_by_one(run):
    names = [line.split(" ")[0] for line in run("--parts").output.splitlines()]
    assert {"conv", "relu"} <= set(names)


def test_forward_only_has_no_backward(run):
    output = run("--forward-only").output
    assert "Backward" not in output and "Average Forward pass:" in output


def test_kernels_are_named(run):
    assert "conv_forward" in run("--kernels").output


def test_json(run):
    found = json.loads(run("--json").output)
    conv = next(layer for layer in found["layers"] if layer["name"].startswith("conv"))
    assert conv["gflops_forward"] > 0 and conv["gflops_backward"] > 0
    assert conv["forward"]["least_ms"] <= conv["forward"]["mean_ms"]
    assert "conv_backward_weights (NumPy)" in conv["kernels_backward"]
    assert not any("conv_backward_data" in k for k in conv["kernels_backward"])  # its bottom is data


def test_a_missing_file_is_an_error():
    result = CliRunner().invoke(cli, ["time", "no.prototxt"])
    assert result.exit_code == 1 and "no.prototxt" in str(result.exception)
