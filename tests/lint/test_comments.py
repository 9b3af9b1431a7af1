"""Comments that silence rules, in prototxt and YAML."""
from __future__ import annotations

import pytest

from netdef.lint.run import lint

XAVIER = 'weight_filler { type: "xavier" std: 0.1 }'


def test_on_the_line_and_above(net, rules_of):
    path = net(filler1=XAVIER)
    assert rules_of(path) == ["filler-field-ignored"]
    text = path.read_text()
    path.write_text(text.replace(XAVIER, XAVIER + "  # lint: ignore filler-field-ignored\n"))
    report = lint([str(path)])
    assert report.findings == [] and report.silenced == 1 and report.ok and "1 silenced" in report.summary()
    for above in ("# lint: ignore zero-weights, filler-field-ignored", "# lint: ignore filler-field-ignored\n  # as in it"):
        start = "  inner_product_param { num_output: 16"
        path.write_text(text.replace(start, f"  {above}\n{start}"))
        assert rules_of(path) == []
    path.write_text(text.replace("  inner_product_param", "  # lint: ignore filler-field-ignored\n\n  inner_product_param"))
    assert rules_of(path) == ["filler-field-ignored"]  # a blank line parts them
    path.write_text(text.replace(XAVIER, XAVIER + "  # lint: ignore zero-weights\n"))
    assert rules_of(path) == ["filler-field-ignored"]


def test_off_for_a_file(net, rules_of):
    bad = {"filler1": XAVIER, "filler2": XAVIER}
    assert rules_of(net(**bad)) == ["filler-field-ignored"] * 2
    path = net(**bad)
    path.write_text("# A net.\n\n# lint: off filler-field-ignored\n" + path.read_text())
    assert rules_of(path) == []
    path.write_text("name: \"x\"\n# lint: off filler-field-ignored\n" + path.read_text().replace("# lint: off", "#").replace(
        'name: "small"', ""))
    found = lint([str(path)]).findings
    assert [f.rule for f in found] == ["lint-comment"] + ["filler-field-ignored"] * 2
    assert "behind the first field" in found[0].what


@pytest.mark.parametrize("comment, says, do", [
    ("ignore zero-weight", "no rule 'zero-weight'", "did you mean 'zero-weights'?"),
    ("ignore", "names no rule", "--rules"), ("ignroe zero-weights", "not understood", "lint: ignore")])
def test_a_comment_that_silences_nothing(net, comment, says, do):
    found, = lint([str(net(head=f"# lint: {comment}"))]).findings
    assert found.rule == "lint-comment" and says in found.what and do in found.do and found.span.text.startswith("# lint")


def test_yaml(tmp_path, rules_of):
    text = """layers:
  - data: {Data: {source: "builtin:spiral/train", batch_size: 90}, top: [data, label]}
  - ip1: {InnerProduct: {num_output: 16, weight_filler: {type: xavier, std: 1}}, bottom: data}
  - relu: {ReLU: {}, top: ip1}
  - score: {InnerProduct: {num_output: 3, weight_filler: {type: xavier}}}
  - loss: {SoftmaxWithLoss: {}, bottom: [score, label]}
"""
    path = tmp_path / "net.yaml"
    path.write_text(text)
    found, = lint([str(path)]).findings
    assert (found.rule, found.span.line) == ("filler-field-ignored", 3)
    path.write_text(text.replace("  - ip1", "  # lint: ignore filler-field-ignored\n  - ip1"))
    assert rules_of(path) == []
    path.write_text("# lint: off filler-field-ignored\n" + text)
    assert rules_of(path) == []


def test_a_silenced_error_of_the_config(net):
    path = net(more='layer { name: "x" type: "Pelu" bottom: "score" top: "y" }')
    report = lint([str(path)])
    assert "config" in {f.rule for f in report.findings} and not report.ok
