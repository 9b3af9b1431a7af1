"""Reports of loading weights, and how much of a net they cover."""
from __future__ import annotations

from netdef.runtime.load import load_files
from netdef.runtime.loadreport import LoadReport, coverage, coverage_line

NET = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 } }
layer { name: "c" type: "InnerProduct" bottom: "b" top: "c" inner_product_param { num_output: 1 bias_term: false } }
"""


def test_lines():
    report = LoadReport("f", ["a"], ["fc8"], ["fc8_new", "x"], {"fc8": [(3, 2), (3,)]}, {"fc8_new": [(5, 2)], "x": []})
    assert report.lines() == [
        "f: loaded 1 layer: a",
        "  skipped: 'fc8_new' is not in the file and keeps its values; (5, 2) in the net; did you mean 'fc8', (3, 2) and "
        "(3,) in the file?",
        "  skipped: 'x' is not in the file and keeps its values; no params in the net",
        "  skipped: 'fc8' is not in the net; (3, 2) and (3,) in the file; did you mean 'fc8_new', (5, 2) in the net?"]
    assert str(report) == "f: loaded 1 layers; not in the file, kept as filled: fc8_new, x; only in the file, ignored: fc8"


def test_coverage_counts_shared_params_once(net_of, tmp_path):
    from netdef import weights

    net = net_of(NET)
    for name in ("a", "c"):
        weights.write(tmp_path / f"{name}.npz", [(name, "InnerProduct", [b.data for b in net.params[name]])])
    reports = load_files(net, [tmp_path / "a.npz"], False)
    assert coverage(net, reports) == (12, 15)
    assert reports[0].not_in_file == ["c"], "b shares all it has"
    assert coverage_line(net, reports) == "covered: 12 of 15 values of the net's params (80.0%)"
    both = load_files(net, [tmp_path / "a.npz", tmp_path / "c.npz"], True)
    assert coverage(net, both) == (15, 15)


def test_a_net_without_params_is_covered_by_nothing(net_of):
    net = net_of('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 } } }')
    assert coverage_line(net, []) == "covered: 0 of 0 values of the net's params"
