from __future__ import annotations

import re
import time

import pytest

from netdef.config.load import kind_of, load_net, load_solver, parse_text_message
from netdef.config.write import to_yaml
from netdef.errors import ConfigError, NetdefError

INPUT = "  - data: {Input: {shape: {dim: [1, 3]}}}\n"
FC = """define:
  fc:
    let: {id: , n: 10}
    layers:
      - ip${id}: {InnerProduct: {num_output: "${n}"}}
"""


def net(text):
    return parse_text_message(text, "net.yaml", "NetParameter").message


def names(text):
    return [layer.name for layer in net(text).layer]


def wrong(text, file="net.yaml"):
    with pytest.raises(NetdefError) as caught:
        parse_text_message(text, file, "NetParameter")
    return str(caught.value)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """``files(**texts)``: files ``name.yaml`` in the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text)
        return tmp_path

    return write


# -- let and ${...} -------------------------------------------------------------------------------------------


def test_values_keep_their_spelling_and_kind():
    made = net("""
let: {n: 4, rate: 1e-4, text: "7", yes: true, shape: [1, 3], filler: {type: xavier}, more: "${n + 1}"}
layers:
  - x: {Input: {shape: {dim: "${shape}"}}}
  - ip${n}: {InnerProduct: {<<: "${wf}", num_output: ${n * 2}, bias_term: "${not yes}", weight_filler: ${filler}},
             param: {lr_mult: "${rate}", name: "w${text}${more}"}}
let2:
""".replace("let2:\n", "").replace('<<: "${wf}", ', ""))
    ip = made.layer[1]
    assert ip.name == "ip4" and ip.inner_product_param.num_output == 8 and not ip.inner_product_param.bias_term
    assert ip.inner_product_param.weight_filler.type == "xavier"
    assert ip.param[0].lr_mult == pytest.approx(1e-4) and ip.param[0].name == "w75"


def test_merged_maps_give_what_is_not_written_beside_them():
    made = net("let: {a: {num_output: 3, axis: 2}, b: {bias_term: false, axis: 1}}\nlayers:\n" + INPUT
               + '  - ip: {InnerProduct: {<<: "${a}", <<: "${b}", num_output: 5}}\n')
    p = made.layer[1].inner_product_param
    assert (p.num_output, p.axis, p.bias_term) == (5, 2, False)


def test_two_dollars_are_text_and_survive_writing():
    message = net('name: "a $${x} $$${y}"\n')
    assert message.name == "a ${x} $${y}" and net(to_yaml(message)) == message


def test_files_without_templates_mean_what_they_meant():
    made = net("layers:\n  - repeat: {ReLU: {}}\n  - use: {ReLU: {}}\n  - let: {ReLU: {}}\n  - include: {phase: TEST}\n"
               "  - {name: a, type: b, include: [{phase: TEST}, {phase: TRAIN}]}\n")
    assert [m.name for m in made.layer] == ["repeat", "use", "let", "", "a"]


def test_unused_names_are_warned_of(caplog):
    net("let: {n: 1, classs: 3}\nname: x${n}\n")
    assert "net.yaml:1:13: warning: 'classs' is not used" in caplog.text and "'n'" not in caplog.text


@pytest.mark.parametrize(("text", "part"), [
    ("let: {size: 3}\nname: x${sise}\n", "net.yaml:2:7: error: no name 'sise' in ${...}; did you mean 'size'?"),
    ("name: x${n\n", "'${' has no '}'"),
    ("let: {n: [1]}\nname: x${n}\n", "is a list and cannot stand inside a text"),
    ("let: {min: 3}\n", "'min' cannot be a name: it has a meaning"),
    ("let: {if: 3}\n", "'if' cannot be a name"), ("let: {a-b: 3}\n", "cannot be a name"), ("let: 3\n", "'let' takes names"),
    ("let: {n: }\nname: ${n}\n", "'n' has no value"),
    ("let: {a: 1, b: 1}\nlayers:\n  - x: {ReLU: {}, bottom: a, ${'bottom'}: b}\n", "the key 'bottom' stands twice, first at")])
def test_mistakes_in_names(text, part):
    assert part in wrong(text)


# -- define, use, repeat, if ----------------------------------------------------------------------------------


def test_use_and_repeat():
    made = net(FC + "layers:\n" + INPUT + """
  - repeat: {i: 1..2}
    layers:
      - {use: fc, let: {id: "${i}", n: "${i * 10}"}}
      - {repeat: {k: a..b}, use: fc, let: {id: "${i}${k}"}}
""")
    assert [(m.name, m.inner_product_param.num_output) for m in made.layer[1:]] == [
        ("ip1", 10), ("ip1a", 10), ("ip1b", 10), ("ip2", 20), ("ip2a", 10), ("ip2b", 10)]
    assert [list(m.bottom) for m in made.layer[1:4]] == [["data"], ["ip1"], ["ip1a"]]


def test_rows_columns_and_empty_ranges():
    assert names(FC + "layers:\n" + INPUT + """
  - {repeat: [{i: 1, n: 2}, {i: 3, n: 4}], use: fc, let: {id: "${i}x${n}"}}
  - {repeat: {i: [a, b], n: "${range(2)}"}, use: fc, let: {id: "${i}${n}"}}
  - {repeat: {i: "1..${0}"}, use: fc, let: {id: "never${i}"}}
""") == ["data", "ip1x2", "ip3x4", "ipa0", "ipb1"]


def test_if_else_and_local_names():
    assert names("layers:\n" + INPUT + """
  - repeat: {i: 1..2}
    let: {twice: "${2 * i}"}
    layers:
      - if: ${i > 1}
        layers: [{"big${twice}": {ReLU: {}}}]
        else: [{"small${twice}": {ReLU: {}}}]
""") == ["data", "small2", "big4"]


def test_previous_is_the_top_of_the_layer_before():
    made = net("define:\n  add:\n    let: {id: , input: \"${previous}\"}\n    layers:\n      - r${id}: {ReLU: {}}\n"
               "      - s${id}: {Eltwise: {}, bottom: [\"${input}\", \"${previous}\"]}\n"
               "layers:\n" + INPUT + "  - {repeat: {i: 1..2}, use: add, let: {id: \"${i}\"}}\n")
    assert [list(m.bottom) for m in made.layer[1:]] == [["data"], ["data", "r1"], ["s1"], ["s1", "r2"]]


def test_an_error_names_the_template_and_every_use():
    text = wrong("let: {n: abc}\n" + FC + "layers:\n" + INPUT
                 + '  - repeat: {i: 1..2}\n    layers:\n      - {use: fc, let: {id: "${i}", n: "${n}"}}\n')
    assert ("net.yaml:6:46: error: layer 'ip2' (InnerProduct): inner_product_param.num_output: expected an integer, got abc "
            "(${n} is abc, from net.yaml:11:40; in the expansion of 'fc' at net.yaml:11:10 with id=2, n=abc; "
            "in the repeat at net.yaml:9:5 with i=2)\n") in text
    assert '      - ip${id}: {InnerProduct: {num_output: "${n}"}}' in text


def test_the_place_of_a_layer_notes_its_use():
    located = parse_text_message(FC + "layers:\n" + INPUT + "  - {use: fc, let: {id: 1}}\n", "n.yaml", "NetParameter")
    span = located.span_of("layer", 1)
    assert (span.line, span.note) == (5, "in the expansion of 'fc' at n.yaml:8:6 with id=1")


def test_templates_do_not_see_the_names_at_their_use():
    text = wrong("define:\n  t: [{a: {ReLU: {}, top: \"${i}\"}}]\nlayers:\n" + INPUT + "  - {repeat: {i: 1..1}, use: t}\n")
    assert "no name 'i'" in text and "in the expansion of 't'" in text


@pytest.mark.parametrize(("entry", "part"), [
    ("{use: fcc}", "no template 'fcc'; did you mean 'fc'?"), ("{use: fc, let: {idd: 3}}", "takes no 'idd'; did you mean 'id'?"),
    ("{use: fc}", "'id' has no value"), ("{repeat: {a: [1, 2], b: [1]}, layers: []}", "numbers differ: a has 2, b has 1"),
    ("{repeat: {a: x}, layers: []}", "runs over a list or a range"), ("{repeat: 3, layers: []}", "'repeat' takes names"),
    ("{repeat: {a: 1..2}, layrs: []}", "'layrs' cannot stand beside 'repeat'; did you mean 'layers'?"),
    ("{repeat: {a: 1..2}}", "1 errors"), ("{if: maybe, layers: []}", "'if' takes true or false"),
    ("{after: data, layers: []}", "this file has none"), ("{remove: data}", "this file has none"),
    ("{repeat: {previous: 1..2}, layers: []}", "'previous' cannot be a name"),
    ("{repeat: {a: 1..2}, let: {b: 1}}", "one of use, include and layers")])
def test_mistakes_in_entries(entry, part):
    text = wrong(FC + "layers:\n" + INPUT + f"  - {entry}\n")
    assert part in text if part != "1 errors" else "repeat" in text
    assert re.match(r"net\.yaml:\d+:\d+: error", text)


def test_all_mistakes_come_together_and_once():
    text = wrong("layers:\n" + INPUT + "  - {repeat: {i: 1..5}, layers: [{\"a${j}\": {ReLU: {}}}]}\n  - {use: no}\n")
    assert text.count("no name 'j'") == 1 and "no template 'no'" in text and text.endswith("2 errors")


# -- files ----------------------------------------------------------------------------------------------------


def test_include_gives_layers_and_templates(files):
    files(block='let: {n: 4, id: }\nlayers:\n  - ip${id}: {InnerProduct: {num_output: "${n}"}}\n', lib=FC,
          net="include: lib.yaml\nlayers:\n" + INPUT + "  - {include: block.yaml, let: {id: 1}}\n"
              "  - include: {file: block.yaml, let: {id: 2, n: 9}}\n  - {use: fc, let: {id: 3}}\n")
    made = load_net("net.yaml").message
    assert [(m.name, m.inner_product_param.num_output, list(m.bottom)) for m in made.layer[1:]] == [
        ("ip1", 4, ["data"]), ("ip2", 9, ["ip1"]), ("ip3", 10, ["ip2"])]


def test_included_prototxt_is_taken_as_it_is(files):
    (files(net="layers:\n" + INPUT + "  - include: p.prototxt\n") / "p.prototxt").write_text(
        'layer { name: "${x}" type: "Eltwise" bottom: "data" bottom: "data" top: "y" }')
    last = load_net("net.yaml").message.layer[1]
    assert last.name == "${x}" and list(last.bottom) == ["data", "data"]


def test_files_that_use_one_another(files):
    files(a="base: b.yaml\n", b="base: a.yaml\n", c="layers:\n  - include: d.yaml\n", d="layers:\n  - include: c.yaml\n")
    for name, chain in (("a", "a.yaml -> b.yaml -> a.yaml"), ("c", "c.yaml -> d.yaml -> c.yaml")):
        kind_of(f"{name}.yaml")
        with pytest.raises(ConfigError, match=f"without end: {chain}"):
            load_net(f"{name}.yaml")
    assert "uses itself: t -> u -> t" in wrong("define:\n  t: [{use: u}]\n  u: [{use: t}]\nlayers: [{use: t}]\n")


def test_missing_files_name_the_places(files):
    files(net="base: nte.yaml\n")
    with pytest.raises(ConfigError, match="net.yaml:1:7: error: no file 'nte.yaml': tried .*did you mean 'net.yaml'"):
        load_net("net.yaml")


# -- limits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [
    "layers: [{repeat: {a: 1..9999}, layers: [{repeat: {b: 1..9999}, layers: [{repeat: {c: 1..9999}, layers: []}]}]}]\n",
    "layers: [{repeat: {a: 1..999999999}, layers: []}]\n",
    "let: {a: [1, 1, 1, 1, 1, 1, 1, 1], " + ", ".join(
        f"{b}: [{', '.join([f'${{{a}}}'] * 9)}]" for a, b in ("ab", "bc", "cd", "de", "ef", "fg", "gh")) + "}\n",
    "let: {a: xxxxxxxxxxxx, " + ", ".join(f'{b}: "{f"${{{a}}}" * 12}"' for a, b in ("ab", "bc", "cd", "de", "ef")) + "}\n",
    "let: {a: 7, b: \"${9 ** 9 ** 9}\"}\n"], ids=["nested", "long", "lists", "texts", "power"])
def test_hostile_input_ends_soon(text):
    begin = time.process_time()
    said = wrong(text)
    assert time.process_time() - begin < 6
    assert re.search("larger than|too long|longer than|too large", said)


# -- base -----------------------------------------------------------------------------------------------------


def test_kind_of_follows_the_base(files):
    files(s="base: builtin:lenet/solver.yaml\n", n="base: builtin:lenet\n", t="base: builtin:lenet\nmax_iter: 3\n")
    assert [kind_of(f"{x}.yaml") for x in "snt"] == ["solver", "net", "solver"]


def test_a_solver_with_a_base(files):
    folder = files(t="base: builtin:lenet\nmax_iter: 77\nrandom_seed:\nlet: {lr: 0.5}\nbase_lr: ${lr}\n")
    made, lenet = load_solver("t.yaml").message, load_solver("builtin:lenet").message
    assert made.max_iter == 77 and made.base_lr == 0.5 and made.momentum == lenet.momentum
    assert not made.HasField("random_seed") and (folder / made.net).resolve().name == "net.yaml"
    assert load_net(folder / made.net).message.name == "LeNet"
