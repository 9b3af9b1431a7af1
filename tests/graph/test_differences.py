from __future__ import annotations

import pytest

from netdef.errors import ConfigError
from netdef.graph.differences import compare_files

NET = """name: n
layers:
  - x: {Input: {shape: {dim: [2, 3]}}}
  - a: {InnerProduct: {num_output: 4}, bottom: x}
  - r: {ReLU: {}, top: a}
  - b: {InnerProduct: {num_output: 5}, bottom: x}
  - c: {Concat: {}, bottom: [a, b]}
"""
LINES = NET.splitlines(keepends=True)


@pytest.fixture
def compared(tmp_path, monkeypatch):
    """``compared(a, b)``: the differences of two texts, as a.yaml and b.yaml (or with the endings given)."""
    monkeypatch.chdir(tmp_path)

    def make(a, b, ends=("yaml", "yaml")):
        for name, text, end in zip("ab", (a, b), ends, strict=True):
            (tmp_path / f"{name}.{end}").write_text(text)
        return compare_files(f"a.{ends[0]}", f"b.{ends[1]}")

    return make


def test_order_that_does_not_matter(compared):
    found = compared(NET, "".join([*LINES[:3], LINES[5], LINES[3], LINES[4], LINES[6]]))
    assert found.same and found.render() == "a.yaml and b.yaml: the same in meaning (nets)"


def test_order_that_does(compared):
    """The same text but for two lines: c reads a before the ReLU changes it."""
    tail = "  - d: {InnerProduct: {num_output: 1}, bottom: a}\n"
    found = compared("".join([*LINES[:5], tail]), "".join([*LINES[:4], tail, LINES[4]]))
    assert not found.same
    assert "bottom: a of 'r' -> a of 'a'" in found.render()


def test_old_syntax_and_prototxt(compared):
    old = """name: "n" input: "x" input_shape { dim: 2 dim: 3 }
        layers { name: "a" type: INNER_PRODUCT bottom: "x" top: "a" inner_product_param { num_output: 4 bias_term: true } }
        layers { name: "r" type: RELU bottom: "a" top: "a" }
        layers { name: "b" type: INNER_PRODUCT blobs_lr: 1 bottom: "x" top: "b" inner_product_param { num_output: 5 } }
        layers { name: "c" type: CONCAT bottom: "a" bottom: "b" top: "c" }"""
    found = compared(NET.replace("- x: {Input", "- input: {Input").replace("[2, 3]}}", "[2, 3]}}, top: x"), old,
                     ("yaml", "prototxt"))
    assert found.only_a == found.only_b == found.fields == found.layers == [] and found.shapes == []


def test_a_changed_option_and_what_follows(compared):
    found = compared(NET, NET.replace("num_output: 5", "num_output: 6"))
    assert not found.same
    ((who, (field,)),) = found.layers
    assert who == "layer 'b' (InnerProduct)"
    assert str(field) == "inner_product_param.num_output: 5 -> 6  [a.yaml:6:36 -> b.yaml:6:36]"
    assert found.shapes == ["TRAIN: 36 params -> 40", "TRAIN: 'b' of layer 'b' (InnerProduct): 2x5 -> 2x6",
                            "TRAIN: 'c' of layer 'c' (Concat): 2x9 -> 2x10", "TEST: 36 params -> 40",
                            "TEST: 'b' of layer 'b' (InnerProduct): 2x5 -> 2x6", "TEST: 'c' of layer 'c' (Concat): 2x9 -> 2x10"]


def test_renamed_layers_and_blobs(compared):
    found = compared(NET, NET.replace("- a:", "- first:").replace("top: a", "top: first").replace("[a,", "[first,"))
    assert not found.same and not (found.layers or found.only_a or found.only_b or found.shapes)
    assert found.renamed == ["layer 'a' (InnerProduct) at a.yaml:4:5 is layer 'first' (InnerProduct) at b.yaml:4:5",
                             "top 0 of layer 'a' (InnerProduct): 'a' at a.yaml:4:5 is 'first' at b.yaml:4:5"]


def test_added_and_removed_layers(compared):
    found = compared(NET, NET.replace("  - r: {ReLU: {}, top: a}\n", "") + "  - s: {Softmax: {}}\n")
    assert found.only_a == ["layer 'r' (ReLU) at a.yaml:5:5"] and found.only_b == ["layer 's' (Softmax) at b.yaml:7:5"]
    ((who, (field,)),) = found.layers
    assert who == "layer 'c' (Concat)" and field.path == "bottom"


def test_layers_of_one_name_in_two_phases(compared):
    two = "".join(f"  - x: {{Input: {{shape: {{dim: [{n}, 3]}}}}, include: {{phase: {p}}}}}\n"
                  for n, p in ((2, "TRAIN"), (7, "TEST")))
    found = compared("layers:\n" + two, "layers:\n" + "".join(reversed(two.replace("[2,", "[3,").splitlines(keepends=True))))
    assert [f.path for _, fields in found.layers for f in fields] == ["input_param.shape[0].dim"]
    assert found.shapes == ["TRAIN: 'x' of layer 'x' (Input): 2x3 -> 3x3"]


def test_solvers_and_their_nets(compared, tmp_path):
    (tmp_path / "n.yaml").write_text(NET)
    (tmp_path / "m.yaml").write_text(NET)
    base = "net: n.yaml\nbase_lr: 0.1\nmax_iter: 5\n"
    assert compared(base, base.replace("n.yaml", "m.yaml") + "type: SGD\n").same
    (tmp_path / "m.yaml").write_text(NET.replace("num_output: 4", "num_output: 3"))
    found = compared(base, base.replace("n.yaml", "m.yaml").replace("0.1", "0.2"))
    assert [str(f) for f in found.fields] == ["base_lr: 0.1 -> 0.2  [a.yaml:2:10 -> b.yaml:2:10]"]
    assert len(found.nets) == 1 and not found.nets[0].same and "num_output: 4 -> 3" in found.render()


def test_a_net_that_is_not_here(compared):
    found = compared("net: gone.yaml\nmax_iter: 1\n", "net: gone.yaml\nmax_iter: 1\n")
    assert found.same and "gone.yaml" in found.notes[0]
    assert not compared("net: gone.yaml\n", "net: lost.yaml\n").same


def test_a_net_and_a_solver(compared):
    with pytest.raises(ConfigError, match="a net cannot be compared with a solver"):
        compared(NET, "max_iter: 3\n")


def test_data_that_are_not_here(compared):
    text = "layers:\n  - d: {Data: {source: nowhere, batch_size: 2, backend: LMDB}}\n  - r: {ReLU: {}}\n"
    found = compared(text, text)
    assert found.same and any("not known" in note for note in found.notes)


def test_caffenet_and_alexnet(shared):
    names = [str(shared / f"prototxt/BVLC+caffe__models__{n}__train_val.prototxt")
             for n in ("bvlc_reference_caffenet", "bvlc_alexnet")]
    found = compare_files(*names)
    assert {who for who, fields in found.layers if any(f.path == "bottom" for f in fields)} == {
        f"layer '{n}' ({t})" for n, t in (("pool1", "Pooling"), ("norm1", "LRN"), ("pool2", "Pooling"), ("norm2", "LRN"),
                                          ("conv2", "Convolution"), ("conv3", "Convolution"))}
