"""tools/gen_schema.py: the committed set is up to date, and mistakes in .proto files are refused with the reason."""
from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

pytest.importorskip("grpc_tools", reason="needs grpcio-tools (pip install netdef[dev])")

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "gen_schema.py"
SPEC = importlib.util.spec_from_file_location("gen_schema", TOOL)
gen = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gen)

TWICE = """syntax = "proto2";
package netdef;
import "common.proto";
option (layer_field) = "twice_param: 50990 TwiceParameter";
// Twice: multiplies its bottom
// by a number.
//
// Second paragraph.
message TwiceParameter {
  optional float times = 1 [default = 0.00001];  // The factor.
}
"""


@pytest.fixture
def proto(tmp_path):
    """A copy of proto/ to change."""
    return Path(shutil.copytree(ROOT / "proto", tmp_path / "proto"))


def test_the_committed_set_is_up_to_date(capsys):
    assert gen.main(["--check"]) == 0, capsys.readouterr().err


def test_check_from_a_fresh_checkout(tmp_path):
    for name in ("tools", "proto", "netdef"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.gz"))
    command = [sys.executable, str(tmp_path / "tools" / "gen_schema.py")]
    binary = tmp_path / "netdef" / "config" / "schema.binpb"
    committed = binary.read_bytes()
    binary.unlink()
    stale = subprocess.run([*command, "--check"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert stale.returncode == 1 and "is stale: run python tools/gen_schema.py" in stale.stderr
    assert not binary.exists()
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    assert binary.read_bytes() == committed


def test_check_sees_a_changed_comment(proto, tmp_path, capsys):
    out = tmp_path / "set"
    arguments = ["--proto", str(proto), "--out", str(out)]
    assert gen.main(arguments) == 0
    assert gen.main([*arguments, "--check"]) == 0
    relu = proto / "layers" / "relu.proto"
    relu.write_text(relu.read_text().replace("// ReLU: keeps", "// ReLU: retains"))
    assert gen.main([*arguments, "--check"]) == 1
    assert "is stale" in capsys.readouterr().err


def test_layout_of_the_files_does_not_matter(proto):
    before = gen.build(proto)
    relu = proto / "layers" / "relu.proto"
    relu.write_text("\n\n" + relu.read_text().replace("  optional", "\toptional"))
    assert gen.build(proto) == before


def test_a_new_file_is_enough(proto):
    (proto / "layers" / "twice.proto").write_text(TWICE)
    made = FileDescriptorSet.FromString(gen.build(proto))
    files = {f.name: f for f in made.file}
    (layer,) = (m for m in files["netdef.proto"].message_type if m.name == "LayerParameter")
    assert layer.field[-1].name == "twice_param" and layer.field[-1].number == 50990
    twice = files["layers/twice.proto"]
    assert twice.message_type[0].field[0].default_value == "1e-05"
    comments = [p.leading_comments for p in twice.source_code_info.location]
    assert sorted(comments) == ["The factor.", "Twice: multiplies its bottom by a number.\nSecond paragraph."]
    about = [p.leading_comments for p in files["netdef.proto"].source_code_info.location]
    assert "Twice: multiplies its bottom by a number." in about
    assert [f.name for f in made.file[-2:]] == ["netdef.proto", "recipe.proto"]  # what imports the other comes last


@pytest.mark.parametrize(("old", "new", "words"), [
    ("twice_param: 50990", "relu_param: 50990", "the name is taken by 'relu_param: 123 ReLUParameter'"),
    ("twice_param: 50990", "twice_param: 123", "the number is taken by 'relu_param: 123 ReLUParameter'"),
    ("twice_param: 50990", "twice_param: 150", "take one from 50000 up"),
    ("50990 TwiceParameter", "50990 Twice", "the file holds no message Twice"),
    ("twice_param: 50990", "twice_param = 50990", "expected layer_field as 'name: number Message'"),
    ("option (layer_field)", "// option (layer_field)", "expected a line such as option (layer_field)"),
    ('import "common.proto";', 'import "common.proto";\nimport "layers/relu.proto";', "imports only common.proto"),
    ("optional float", "optional flaot", "protoc failed"),
    ("message TwiceParameter", "message ReLUParameter", "protoc failed"),
])
def test_mistakes(proto, tmp_path, capsys, old, new, words):
    assert old in TWICE
    (proto / "layers" / "twice.proto").write_text(TWICE.replace(old, new))
    out = tmp_path / "set"
    assert gen.main(["--proto", str(proto), "--out", str(out)]) == 1
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_help():
    done = subprocess.run([sys.executable, str(TOOL), "--help"], capture_output=True, text=True, check=True)
    assert "--check" in done.stdout


@pytest.mark.parametrize(("text", "short"), [("0.00001", "1e-05"), ("1", "1"), ("0.999", "0.999"), ("inf", "inf"),
                                             ("0.1000000015", "0.1"), ("16777217", "16777216")])
def test_short_float(text, short):
    assert float(gen.short_float(text)) == float(short)
