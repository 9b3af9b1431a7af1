from __future__ import annotations

import csv
import time

import pytest

from netdef.config import paths, schema, write
from netdef.config.load import kind_of, load_any, load_net, load_solver, parse_text_message, read_text_message
from netdef.config.located import Located
from netdef.config.upgrade import Report
from netdef.errors import Collector, ConfigError, ConfigErrors


def failure(path, load=load_net, **more) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, **more)
    return str(caught.value)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_extension_says_the_format(here):
    (here / "a.prototxt").write_text('name: "n" layer { name: "r" type: "ReLU" }')
    (here / "b.YAML").write_text("name: n\nlayers: [r: {type: ReLU, top: []}]")
    (here / "c.yml").write_text("name: n\nlayer: {name: r, type: ReLU}")
    nets = [load_net(name).message for name in ("a.prototxt", "b.YAML", here / "c.yml")]
    assert nets[0] == nets[1] == nets[2]
    assert str(load_net("a.prototxt").span_of("layer", 0)) == "a.prototxt:1:11"


def test_a_byte_order_mark_and_line_ends_of_other_systems(here):
    (here / "a.prototxt").write_bytes(b'\xef\xbb\xbfname: "n"\r\nlayer { }\r\n')
    (here / "b.yaml").write_bytes(b"\xef\xbb\xbfname: n\r\nlayers: []\r\n")
    assert load_net("a.prototxt").message.name == load_net("b.yaml").message.name == "n"


def test_comments_in_another_encoding(here):
    (here / "a.prototxt").write_bytes(b'name: "n" # \xb2\xe2\xca\xd4\n')
    assert load_net("a.prototxt").message.name == "n"
    (here / "b.prototxt").write_bytes(b'name: "\xb2\xe2" # \xca\xd4 comment\n')
    assert failure("b.prototxt") == (
        'b.prototxt:1:7: error: name: expected a string in UTF-8, got "\\udcb2\\udce2"\n'
        '  name: "\ufffd\ufffd" # \ufffd\ufffd comment\n        ^~~~')


def test_messages_and_located_ones_pass(here):
    message = schema.new("NetParameter")
    message.name = "n"
    assert load_net(message).message.name == "n"
    located = Located.bare(message)
    assert load_net(located) is located
    assert load_net(located, overrides=["name=x"]).message.name == "x" and message.name == "n"


@pytest.mark.parametrize(("name", "data", "message"), [
    ("e.prototxt", b"", "e.prototxt:1:1: error: the file is empty"),
    ("e.yaml", b"# only a comment\n", "e.yaml:1:1: error: the file is empty"),
    ("w.caffemodel", b"\n\x05lenet\x00\x01", "w.caffemodel: error: is not text; nor is it a whole .caffemodel: byte 7: "
     "expected a field number of 1 to 536870911, got 0"),
    ("w.solverstate", b"\x08\x00", "w.solverstate: error: is not text; a .solverstate goes to --snapshot"),
    ("w.dat", b"\x89HDF\r\n\x1a\n\x00", "w.dat: error: is not text; it looks like HDF5; weights go to --weights"),
    ("u.prototxt", "name".encode("utf-16"), "u.prototxt: error: is not text; it looks like UTF-16; save it as UTF-8"),
    ("g.prototxt", b"\x80\x90\xff" * 20, "g.prototxt: error: is not text; a config is a prototxt or a YAML file; "
     "weights go to --weights"),
])
def test_files_that_are_no_config(here, name, data, message):
    (here / name).write_bytes(data)
    assert failure(str(here / name)).replace(f"{here}/", "") == message


def test_missing_files_and_folders(here):
    (here / "net.prototxt").write_text("name: 'n'")
    assert failure("nett.prototxt") == (
        f"error: no file 'nett.prototxt': tried '{here}/nett.prototxt'; did you mean 'net.prototxt'?")
    assert failure(str(here)) == f"{here}: error: is a folder, not a file; it holds net.prototxt"
    (here / "sub").mkdir()
    assert load_net("net.prototxt", beside=str(here / "sub/solver.prototxt")).message.name == "n"
    (here / "sub/inner.prototxt").write_text("name: 'i'")
    assert load_net("inner.prototxt", beside="sub/solver.prototxt").file == "sub/inner.prototxt"


def test_builtin_configs(here, monkeypatch):
    home = here / "configs/lenet"
    home.mkdir(parents=True)
    (home / "net.yaml").write_text("name: LeNet\nlayers: []")
    (home / "solver.yaml").write_text("base_lr: .01\nnet: net.yaml")
    monkeypatch.setattr(paths, "_PACKAGE", here / "netdef")
    assert load_net("builtin:lenet").message.name == "LeNet"
    solver = load_solver("builtin:lenet")
    assert solver.message.base_lr == pytest.approx(0.01)
    assert load_net(solver.message.net, beside=solver.file).message.name == "LeNet"


def test_solvers_are_plain_fields(here):
    (here / "s.yaml").write_text("net: net.yaml\nbase_lr: 1e-2\nstepvalue: [10, 20]\nsolver_mode: CPU\n"
                                 "solver_type: ADAM\n")
    made = load_solver("s.yaml").message
    assert made.type == "Adam" and list(made.stepvalue) == [10, 20] and made.solver_mode == 0
    (here / "wrong.prototxt").write_text("base_lr: 1\nlayer {}")
    assert failure("wrong.prototxt", load_solver) == (
        "wrong.prototxt:2:1: error: no field 'layer' in the solver; is this file a net?\n  layer {}\n  ^~~~~")


def test_mistakes_in_nets_of_2014_name_the_line_of_the_old_text(here):
    (here / "v1.prototxt").write_text("nme: 1\nlayers { typ: CONVOLUTION }\n")
    assert failure("v1.prototxt") == (
        "v1.prototxt:1:1: error: no field 'nme' in the net; did you mean 'name'?\n  nme: 1\n  ^~~\n"
        "v1.prototxt:2:10: error: a layer without a name: no field 'typ' in layers; did you mean 'type'?\n"
        "  layers { typ: CONVOLUTION }\n           ^~~\n2 errors")


def test_overrides_of_old_nets_name_current_fields(here):
    (here / "v1.prototxt").write_text('layers { name: "c" type: CONVOLUTION convolution_param { num_output: 1 } }')
    made = load_net("v1.prototxt", overrides=["layer.c.convolution_param.num_output=7"]).message
    assert made.layer[0].convolution_param.num_output == 7


def test_changes_go_to_a_report(here, caplog):
    (here / "v1.prototxt").write_text('layers { name: "c" type: RELU }')
    report = Report()
    load_any("v1.prototxt", report=report)
    assert [str(c).splitlines()[0] for c in report.changes] == [
        "v1.prototxt:1:1: upgrade: this net is in the V1 syntax of 2014 and is read as current",
        "v1.prototxt:1:1: upgrade: layer 'c' (RELU): is read as layer { type: \"ReLU\" }"]
    assert not caplog.records


def test_mistakes_of_all_stages_come_together(here):
    (here / "n.prototxt").write_text('nme: 1\ninput: "a"\ninput_dim: 1\n')
    with pytest.raises(ConfigErrors) as caught:
        load_net("n.prototxt", overrides=["name=q", "x=1"])
    assert [str(e.where) for e in caught.value.errors] == ["n.prototxt:1:1", "--set:2:1", "n.prototxt:3:12"]
    errors = Collector()
    net = load_net("n.prototxt", overrides=["name=q"], errors=errors)
    assert len(errors.found) == 2 and net.message.name == "q"


def test_other_messages(here):
    (here / "m.prototxt").write_text("shape { dim: 2 } data: [1, 2]")
    assert list(read_text_message("m.prototxt", "BlobProto").message.data) == [1, 2]
    (here / "e.prototxt").write_text("")
    assert read_text_message("e.prototxt", "BlobProto").message == schema.new("BlobProto")


def test_a_net_or_a_solver(here):
    (here / "a.prototxt").write_text('name: "n" layer { }')
    (here / "b.yaml").write_text("net: a.prototxt\nmax_iter: 3")
    assert (kind_of("a.prototxt"), kind_of("b.yaml")) == ("net", "solver")
    assert kind_of(schema.new("SolverParameter")) == "solver" and kind_of(load_net("a.prototxt")) == "net"
    assert load_any("b.yaml", overrides=["max_iter=4"]).message.max_iter == 4
    assert load_any("a.prototxt", kind="net").message.name == "n"


def test_real_files_bind(shared):
    with open(shared / "prototxt/INDEX.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    column = next(c for c in rows[0] if c.startswith("parses"))
    names = [(r["file"], "SolverParameter" if r["kind"] == "solver" else "NetParameter", r["syntax"])
             for r in rows if r[column] == "yes"]
    assert len(names) > 200
    for name, kind, syntax in names:
        located = read_text_message(shared / "prototxt" / name, kind)
        assert parse_text_message(write.to_prototxt(located.message), "p", kind).message == located.message, name
        if not syntax.startswith(("V0", "V1")):
            for short in (False, True):
                text = write.to_yaml(located.message, short=short)
                assert parse_text_message(text, "y.yaml", kind).message == located.message, name
            load = load_solver if kind == "SolverParameter" else load_net
            assert load(located).message is not None


def test_a_net_of_300_layers_is_read_quickly():
    text = "".join(f'layer {{ name: "l{i}" type: "Convolution" bottom: "l{i - 1}" top: "l{i}"\n'
                   "  param { lr_mult: 1 }\n"
                   "  convolution_param { num_output: 64 kernel_size: 3 pad: 1 weight_filler { type: 'msra' } }\n}\n"
                   for i in range(300))
    net = parse_text_message(text, "f", "NetParameter")
    yaml = write.to_yaml(net.message, short=True)
    start = time.perf_counter()
    assert parse_text_message(text, "f", "NetParameter").message == net.message
    assert parse_text_message(yaml, "f.yaml", "NetParameter").message == net.message
    assert time.perf_counter() - start < 3
