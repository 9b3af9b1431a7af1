"""Configs that are written with templates are the nets that are written out."""
from __future__ import annotations

import re
from pathlib import Path

from netdef.config.load import load_net, parse_text_message
from netdef.graph.differences import compare_files

HERE = Path(__file__).resolve().parent
CONFIGS = HERE.parents[1] / "configs"
DOC = (HERE.parents[1] / "docs" / "templates.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", DOC, re.DOTALL)
INCEPTION = re.search(r"used as `(\{repeat.*\})`", DOC)[1]


def test_resnet50_in_under_sixty_lines():
    short, long = CONFIGS / "resnet50" / "net.yaml", HERE / "long" / "resnet50.yaml"
    assert len(short.read_text(encoding="utf-8").splitlines()) < 60
    assert load_net(short).message == load_net(long).message
    assert compare_files(str(short), str(long)).same


def test_resnet20_of_the_documentation():
    assert parse_text_message(BLOCKS[0], "doc.yaml", "NetParameter").message == load_net(CONFIGS / "resnet20/net.yaml").message


def test_inception_block_of_the_documentation():
    text = f"{BLOCKS[1]}layers:\n  - pool2/3x3_s2: {{Input: {{shape: {{dim: 1}}}}}}\n  - {INCEPTION}\n"
    made = parse_text_message(text, "doc.yaml", "NetParameter").message.layer[1:]
    wanted = [m for m in load_net(CONFIGS / "googlenet/net.yaml").message.layer if m.name.startswith("inception_3")]
    assert list(made) == wanted


def test_the_base_of_the_documentation(tmp_path):
    (tmp_path / "n.yaml").write_text(BLOCKS[2])
    made = load_net(tmp_path / "n.yaml").message
    assert made.name == "LeNet-26" and [m.name for m in made.layer][6:] == ["ip1", "drop1", "relu1", "ip2", "loss"]
    assert [m.data_param.source for m in made.layer[:2]] == ["letters/train", "builtin:mnist10k/test"]
