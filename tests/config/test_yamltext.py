from __future__ import annotations

import time

import pytest

from netdef.config import yamltext
from netdef.config.tree import Node
from netdef.errors import ConfigSyntaxError


def plain(node: Node):
    """A tree as tuples (name, kind, value), without places."""
    value = node.value if isinstance(node.value, str) else [plain(n) for n in node.value]
    return node.name, node.kind, value


def fields(text: str):
    return [plain(n) for n in yamltext.read(text, "f").children]


@pytest.mark.parametrize(("text", "expected"), [
    ("", []), ("# nothing\n", []), ("---\n", []), ("{}", []),
    ("a: 1\nb: No\nc: 1e3", [("a", "plain", "1"), ("b", "plain", "No"), ("c", "plain", "1e3")]),
    ("a: 'x'\nb: \"y\\n\"\nc: |\n  text\n", [("a", "quoted", "x"), ("b", "quoted", "y\n"), ("c", "quoted", "text\n")]),
    ("a:\nb: ~\nc: ''", [("a", "empty", ""), ("b", "plain", "~"), ("c", "quoted", "")]),
    ("a: [1, {b: 2}]", [("a", "list", [("a", "plain", "1"), ("a", "message", [("b", "plain", "2")])])]),
    ("a: !!str 3", [("a", "plain", "3")]),
    ("1: x\n\"q\": y", [("1", "plain", "x"), ("q", "plain", "y")]),
    ("a: &x 1\nb: *x", [("a", "plain", "1"), ("b", "plain", "1")]),
    ("base: &x {p: 1, q: 2}\nb: {<<: *x, q: 3, r: 4}", [
        ("base", "message", [("p", "plain", "1"), ("q", "plain", "2")]),
        ("b", "message", [("q", "plain", "3"), ("r", "plain", "4"), ("p", "plain", "1")])]),
    ("a: {<<: [{p: 1}, {p: 2, q: 3}]}", [("a", "message", [("p", "plain", "1"), ("q", "plain", "3")])]),
    ("\"<<\": 3", [("<<", "plain", "3")]),
])
def test_reads(text, expected):
    assert fields(text) == expected


def test_places():
    root = yamltext.read("name: x\nlayers:\n  - conv1: {A: {b: [1,\n     22]}}\n", "net.yaml")
    name, layers = root.children
    assert (str(name.span), name.span.length) == ("net.yaml:1:1", 4)
    assert (str(name.value_span), name.value_span.length) == ("net.yaml:1:7", 1)
    b = layers.children[0].children[0].children[0].children[0]
    assert str(b.span) == "net.yaml:3:17"
    assert [str(n.span) for n in b.children] == ["net.yaml:3:21", "net.yaml:4:6"]
    assert b.children[1].value_span.text == "     22]}}" and b.children[1].value_span.length == 2


def test_a_value_through_an_alias_names_the_use_and_the_anchor():
    root = yamltext.read("a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n", "f")
    a, b, c = root.children
    assert a.children[0].span.note == ""
    assert str(b.children[0].value_span) == "f:1:11"
    assert b.children[0].value_span.note == "through the alias *x at 2:4, anchored in line 1"
    assert str(b.span) == "f:2:1" and b.span.note == ""
    assert c.children[0].span.note == "through the merge of *x at 4:7, anchored in line 1"


def test_an_alias_inside_an_alias_names_both():
    root = yamltext.read("a: &x 1\nb: &y {p: *x}\nc: *y\n", "f")
    assert root.children[2].children[0].value_span.note == (
        "through the alias *y at 3:4, anchored in line 2; through the alias *x at 2:11, anchored in line 1")


@pytest.mark.parametrize(("text", "message"), [
    ("a: 1\na: 2", "f:2:1: error: the key 'a' stands twice, first in line 1; "
     "a field with several values is a list: [a, b]\n  a: 2\n  ^"),
    ("- a", "f:1:1: error: expected 'field: value' lines, got a list\n  - a\n  ^"),
    ("hello", "f:1:1: error: expected 'field: value' lines, got 'hello'\n  hello\n  ^~~~~"),
    ("a: *x", "f:1:4: error: no anchor &x stands before this alias\n  a: *x\n     ^~"),
    ("a: &x [*x]", "f:1:8: error: the alias *x stands inside its own anchor\n  a: &x [*x]\n         ^~"),
    ("a: &x\n  <<: *x", "f:2:7: error: the alias *x stands inside its own anchor\n    <<: *x\n        ^~"),
    ("a: !foo 1", "f:1:4: error: the tag '!foo' means nothing here\n  a: !foo 1\n     ^~~~~~"),
    ("a: 1\n---\nb: 2", "f:2:1: error: a second document begins here; a config is one document\n  ---\n  ^~~"),
    ("[a]: 1", "f:1:1: error: expected the name of a field before ':'\n  [a]: 1\n  ^"),
    ("a:\n\tb: 1", "f:2:1: error: a tab cannot indent YAML; indent with spaces\n  \tb: 1\n  ^"),
    ("a: b: c", "f:1:5: error: a ':' cannot stand here; is the line before indented right, or a text with ':' not in "
     "quotes?\n  a: b: c\n      ^"),
    ("a: [1, 2\nb: 3", "f:2:2: error: expected ',' or ']', but got ':' (while parsing a flow sequence that begins in "
     "line 1)\n  b: 3\n   ^"),
    ("<<: 3", "f:1:5: error: '<<' takes a mapping, or a list of mappings\n  <<: 3\n      ^"),
    ("a: \"\udcff\"", "f:1:5: error: the byte 0xff is not UTF-8\n  a: \"\ufffd\"\n      ^"),
    ("a: \u0001", "f:1:4: error: the character U+0001 cannot stand in YAML\n  a: \u0001\n     ^"),
])
def test_syntax_errors_say_where(text, message):
    with pytest.raises(ConfigSyntaxError) as caught:
        yamltext.read(text, "f")
    assert str(caught.value) == message


@pytest.mark.parametrize("text", [
    "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)),
    "a0: &a0 {}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 30)),
])
def test_aliases_that_blow_up_are_refused(text):
    start = time.perf_counter()
    with pytest.raises(ConfigSyntaxError, match="aliases make this file larger than 100000 values"):
        yamltext.read(text, "f")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("text", [
    "a: " + "[" * 5000, "a: " + "{b: " * 5000, "".join(" " * i + "a:\n" for i in range(500)),
    "a0: &a0 x\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 500)),
])
def test_nesting_has_a_limit(text):
    with pytest.raises(ConfigSyntaxError, match="nested more than 100 deep|stands inside its own anchor"):
        yamltext.read(text, "f")


def test_the_slow_parser_gives_the_same_tree(monkeypatch):
    text = "name: \u00e4\nl:\n- c: {A: {b: [1, 'x']}, t: \"q\\n\"}\n- &k {p: 1}\n- *k\nlast:\n"
    fast = yamltext.read(text, "f")
    monkeypatch.setattr(yamltext, "_FAST", None)
    assert yamltext.read(text, "f") == fast


def test_read_value():
    assert plain(yamltext.read_value("[1, x]", "f", "n")) == ("n", "list", [("n", "plain", "1"), ("n", "plain", "x")])
    assert plain(yamltext.read_value("", "f", "n")) == ("n", "empty", "")
