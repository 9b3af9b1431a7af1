"""Compile proto/ into netdef/config/schema.binpb, the descriptor set that netdef loads.

Needs grpcio-tools (for protoc), which users of netdef do not. The set is the same for every release of protoc:
positions and JSON names are left out, comments are kept as plain paragraphs, defaults are written in one way.
"""
from __future__ import annotations

import argparse
import re
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a fresh checkout has netdef not installed

from google.protobuf import message_factory  # noqa: E402
from google.protobuf.descriptor_pb2 import (  # noqa: E402
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool  # noqa: E402

from netdef.config.layer_field import NET_FILE, attach, set_comment  # noqa: E402

OUT = ROOT / "netdef" / "config" / "schema.binpb"
SHARED = "common.proto"
_DESCRIPTOR = "google/protobuf/descriptor.proto"


class GenError(Exception):
    """The .proto files cannot be made into a schema; the text says which file and why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write the set, or with --check say whether the committed one is up to date (exit status 1: it is not)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the committed set is stale")
    parser.add_argument("--proto", type=Path, default=ROOT / "proto", help="folder of .proto files (%(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, help="the descriptor set (%(default)s)")
    args = parser.parse_args(argv)
    try:
        made = build(args.proto)
    except (GenError, ValueError) as error:
        print(f"gen_schema: error: {error}", file=sys.stderr)
        return 1
    if not args.check:
        args.out.write_bytes(made)
        print(f"{args.out}: {len(made)} bytes")
        return 0
    if not args.out.exists() or args.out.read_bytes() != made:
        print(f"{args.out} is stale: run python tools/gen_schema.py and commit what it writes", file=sys.stderr)
        return 1
    return 0


def build(folder: Path) -> bytes:
    """The bytes of the set for the .proto files below ``folder``; raises GenError or ValueError."""
    compiled = {f.name: f for f in compile_protos(folder).file}
    fields = layer_fields(compiled)
    made = FileDescriptorSet()
    for name in sorted(compiled, key=lambda n: (_rank(compiled[n]), n.count("/"), n)):
        if name != _DESCRIPTOR:
            made.file.append(normalised(compiled[name]))
    files = {f.name: f for f in made.file}
    for number, field, message, name in sorted(fields):
        attach(files[NET_FILE], field, number, message, files[name], about(files[name], message))
    files[NET_FILE].dependency.sort()
    return made.SerializeToString(deterministic=True)


def _rank(file: FileDescriptorProto) -> int:
    """What the net's file imports, that file itself, and what imports it (recipes): the order in which a pool takes them."""
    return 1 if file.name == NET_FILE else 2 if NET_FILE in file.dependency else 0


def compile_protos(folder: Path) -> FileDescriptorSet:
    """What protoc makes of all files below ``folder``, with imports and comments; raises GenError with its words."""
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as work:
        out = Path(work) / "set"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={folder}", "--include_imports",
                   "--include_source_info", f"--descriptor_set_out={out}", *names]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise GenError(f"protoc failed (pip install grpcio-tools if it is missing):\n{done.stderr.strip()}")
        return FileDescriptorSet.FromString(out.read_bytes())


def layer_fields(files: dict[str, FileDescriptorProto]) -> list[tuple[int, str, str, str]]:
    """(number, field, message, file) of every layer_field line; raises GenError where a file breaks the rules."""
    pool = DescriptorPool()
    for name in sorted(files, key=lambda n: (_rank(files[n]), n != _DESCRIPTOR, n != SHARED)):
        pool.AddSerializedFile(files[name].SerializeToString())
    extension = pool.FindExtensionByName("netdef.layer_field")
    options = message_factory.GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FileOptions"))
    found = []
    for name, file in files.items():
        if not name.startswith("layers/"):
            continue
        if set(file.dependency) - {SHARED}:
            raise GenError(f"{name}: a layer's file imports only {SHARED}, got {', '.join(file.dependency)}")
        known = options.FromString(file.options.SerializeToString())
        lines: list[str] = list(known.Extensions[extension])  # type: ignore[index]
        if not lines:
            raise GenError(f'{name}: expected a line such as option (layer_field) = "relu_param: 123 ReLUParameter";')
        for line in lines:
            match = re.fullmatch(r"(\w+): (\d+) (\w+)", line)
            if match is None:
                raise GenError(f"{name}: expected layer_field as 'name: number Message', got '{line}'")
            found.append((int(match[2]), match[1], match[3], name))
    return found


def normalised(file: FileDescriptorProto) -> FileDescriptorProto:
    """A copy without what differs between protoc releases and without what only this tool reads."""
    made = FileDescriptorProto()
    made.CopyFrom(file)
    for clear in ("source_code_info", "options", "extension", "syntax"):
        made.ClearField(clear)
    made.dependency[:] = [d for d in file.dependency if d != _DESCRIPTOR]
    for message in made.message_type:
        _normalise_message(message)
    for place in file.source_code_info.location:
        set_comment(made, tuple(place.path), paragraphs(place.leading_comments or place.trailing_comments))
    return made


def _normalise_message(message: DescriptorProto) -> None:
    for field in message.field:
        field.ClearField("json_name")
        if field.type == FieldDescriptorProto.TYPE_FLOAT and field.default_value:
            field.default_value = short_float(field.default_value)
    for nested in message.nested_type:
        _normalise_message(nested)


def short_float(text: str) -> str:
    """The shortest decimal that reads as the same float32: '1e-05' and '0.00001' are one default."""
    raw = struct.pack("<f", float(text))
    (value,) = struct.unpack("<f", raw)
    return next(s for s in (f"{value:.{digits}g}" for digits in range(1, 18)) if struct.pack("<f", float(s)) == raw)


def paragraphs(comment: str) -> str:
    """A comment's text with each paragraph on one line."""
    blocks = re.split(r"\n[ \t]*\n", comment.strip())
    return "\n".join(" ".join(block.split()) for block in blocks if block.strip())


def about(file: FileDescriptorProto, message: str) -> str:
    """The first paragraph of a message's comment: it serves the field of LayerParameter too."""
    texts = {tuple(p.path): p.leading_comments for p in file.source_code_info.location}
    for index, made in enumerate(file.message_type):
        if made.name == message:
            return texts.get((4, index), "").split("\n")[0]
    return ""


if __name__ == "__main__":
    sys.exit(main())
