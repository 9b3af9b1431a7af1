"""A layer type's page, as text and as Markdown."""
from __future__ import annotations

import re

import pytest

from netdef.graph.catalogue import index_markdown, page, page_markdown, shared_markdown
from netdef.layers import registry

OWN = [name for name, cls in registry.layer_types().items() if cls.__module__.startswith("netdef.layers.")]
POOL = """\
    layer  type     tops           params  multiply-adds
    data   Input    data 2x3x6x5   -                   -
    pool1  Pooling  pool1 2x3x3x2  -                   -"""


def test_text_page():
    text = page("Pooling")
    assert text.startswith("Pooling\n=======\n\nTakes one value from each window")
    for part in ("\nFormula: MAX", "\nNumerical care and traps: ", "\nBottoms: 1\nTops: 1 to 2\n", "Agrees with: BVLC Caffe 1.0",
                 "\n  stride: uint32 = 1\n      Step of the window.", '\n    layer { name: "pool1" type: "Pooling"'):
        assert part in text
    assert text.endswith(POOL)


def test_markdown_page():
    text = page_markdown("Pooling")
    assert text.startswith("# Pooling\n\nTakes one value")
    for part in ("\n- Tops: 1 to 2\n", "\n## Formula\n\nMAX: y", "\n## Numerical care and traps\n\nMAX never",
                 "\n| `stride` | uint32 | `1` | Step of the window.", "| `pool` | MAX \\| AVE \\| STOCHASTIC | `MAX` |",
                 "`global_pooling` takes the whole image", POOL.replace("    layer", "layer", 1).split("\n")[0]):
        assert part in text
    assert "``global" not in text


def test_examples_need_nothing_of_this_machine(tmp_path, monkeypatch):
    before = page_markdown("HDF5Data")
    monkeypatch.chdir(tmp_path)
    assert page_markdown("HDF5Data") == before and "known once the files are there" in before


@pytest.mark.parametrize("name", OWN)
def test_pages_agree(name):
    """Every page builds, both say the same options, and every link to a shared message has its target."""
    text, markdown = page(name), page_markdown(name)
    options = re.findall(r"^\| `(\w+)` \|", markdown, re.MULTILINE)
    assert options == re.findall(r"^  (\w+): ", text.split("\nExample:")[0].partition("\nOptions")[2], re.MULTILINE)
    heads = {line[3:].lower() for line in shared_markdown().splitlines() if line.startswith("## ")}
    assert set(re.findall(r"shared\.md#(\w+)", markdown)) <= heads
    assert f"[{name}](layers/{name}.md)" in index_markdown()
