from __future__ import annotations

import time

import pytest

from netdef.config import prototxt
from netdef.config.tree import MAX_DEPTH, Node
from netdef.errors import ConfigSyntaxError


def plain(node: Node):
    """A tree as tuples (name, kind, value), without places."""
    value = node.value if isinstance(node.value, str) else [plain(n) for n in node.value]
    return node.name, node.kind, value


def fields(text: str):
    return [plain(n) for n in prototxt.read(text, "f").children]


@pytest.mark.parametrize(("text", "expected"), [
    ("a: 1 b:2", [("a", "number", "1"), ("b", "number", "2")]),
    ("a: 1; b: 2, c: 3", [("a", "number", "1"), ("b", "number", "2"), ("c", "number", "3")]),
    ("a { b: x } c: { } d <e: y> f: <>", [
        ("a", "message", [("b", "word", "x")]), ("c", "message", []), ("d", "message", [("e", "word", "y")]),
        ("f", "message", [])]),
    ("a: [1, -2 ,0x1F] b: []", [("a", "list", [("a", "number", "1"), ("a", "number", "-2"), ("a", "number", "0x1F")]),
                                ("b", "list", [])]),
    ("a: [{b: 1}, <b: 2>]", [("a", "list", [("a", "message", [("b", "number", "1")]),
                                            ("a", "message", [("b", "number", "2")])])]),
    ("# first\na: 1 # last\n# end", [("a", "number", "1")]),
    ("a: 1#x\rb: 2", [("a", "number", "1"), ("b", "number", "2")]),
    ("a: 1.5f b: .5 c: 1e-4 d: -inf e: - 3 f: 1.e+5F", [
        ("a", "number", "1.5f"), ("b", "number", ".5"), ("c", "number", "1e-4"), ("d", "word", "-inf"),
        ("e", "number", "-3"), ("f", "number", "1.e+5F")]),
    ("a: 'x' \"y\" # then\n 'z'", [("a", "string", "xyz")]),
    (r'''a: "\n\t\\\"\'\?\101\x41\u00e4\U0001F600\0"''', [("a", "string", "\n\t\\\"'?AA\u00e4\U0001F600\0")]),
    ("a: \"it's\" b: 'say \"x\"'", [("a", "string", "it's"), ("b", "string", 'say "x"')]),
    (r'a: "\303\244"', [("a", "string", "\u00e4")]),
    (r'a: "\xff"', [("a", "string", "\udcff")]),
    ("[a.b/c]: 1", [("[a.b/c]", "number", "1")]),
    ("", []),
    (" \t\n# nothing\n", []),
    ("a: 64x", [("a", "number", "64x")]),
])
def test_reads(text, expected):
    assert fields(text) == expected


def test_places():
    root = prototxt.read('layer {\n\tname: "a" "b"\n  x: [10,\n 20]\n}', "net.prototxt")
    layer = root.children[0]
    assert (layer.span.line, layer.span.column, layer.span.length) == (1, 1, 5)
    name, x = layer.children
    assert (str(name.span), name.span.length) == ("net.prototxt:2:2", 4)
    assert (str(name.value_span), name.value_span.length) == ("net.prototxt:2:8", 7)
    assert name.span.text == '\tname: "a" "b"'
    assert [str(n.span) for n in x.children] == ["net.prototxt:3:7", "net.prototxt:4:2"]
    assert x.children[0].span.length == 2


@pytest.mark.parametrize(("text", "message"), [
    ("layer {\n  a: 1\n", "f:1:7: error: this '{' is never closed\n  layer {\n        ^"),
    ("layer {\n a {\n }\nlayer {\n}\n", "f:1:7: error: this '{' is never closed\n  layer {\n        ^"),
    ("a: 1 }", "f:1:6: error: '}' closes nothing\n  a: 1 }\n       ^"),
    ("a {\n >", "f:2:2: error: expected '}' to close the '{' of line 1, got '>'\n   >\n   ^"),
    ('name "x"', "f:1:6: error: expected ':' or '{' after 'name', got \"x\"; a value follows its name after ':', "
     "a block after '{'\n  name \"x\"\n       ^~~"),
    ("a: }", "f:1:4: error: expected a value for 'a', got '}'\n  a: }\n     ^"),
    ("a: - }", "f:1:6: error: expected a number after '-', got '}'\n  a: - }\n       ^"),
    ("a:", "f:1:3: error: expected a value for 'a', got the end of the file\n  a:\n    ^"),
    ("1: 2", "f:1:1: error: expected the name of a field, got '1'\n  1: 2\n  ^"),
    ("a: /x", "f:1:4: error: unexpected character '/'; a string stands in quotes\n  a: /x\n     ^"),
    ('a: "x\nb: 1', 'f:1:4: error: this string has no closing quote on its line\n  a: "x\n     ^~'),
    (r'a: "b\qc"', "f:1:6: error: '\\q' is no escape; a backslash itself is written \\\\\n  a: \"b\\qc\"\n       ^~"),
    (r'a: "\777"', "f:1:5: error: '\\7' is no escape; a backslash itself is written \\\\\n  a: \"\\777\"\n      ^~"),
    (r'a: "\ud800"', "f:1:5: error: '\\u' is no escape; a backslash itself is written \\\\\n"
     "  a: \"\\ud800\"\n      ^~"),
    ("a: [1 2]", "f:1:7: error: expected ',' or ']' in the list of line 1, got '2'\n  a: [1 2]\n        ^"),
    ("a: [1,]", "f:1:7: error: expected a value for 'a', got ']'\n  a: [1,]\n        ^"),
    ("a: [", "f:1:4: error: this '[' is never closed\n  a: [\n     ^"),
    ("a: 1;;", "f:1:6: error: expected the name of a field, got ';'\n  a: 1;;\n       ^"),
    ("[a", "f:1:1: error: expected [the.name.of.an.extension]\n  [a\n  ^"),
    ("a: \u00e4", "f:1:4: error: unexpected character '\u00e4'\n  a: \u00e4\n     ^"),
])
def test_syntax_errors_say_where(text, message):
    with pytest.raises(ConfigSyntaxError) as caught:
        prototxt.read(text, "f")
    assert str(caught.value) == message


def test_nesting_has_a_limit():
    prototxt.read("a {" * MAX_DEPTH + "}" * MAX_DEPTH, "f")
    for opening in ("a {", "a: [{", "a: <"):
        with pytest.raises(ConfigSyntaxError, match="nested more than 100 deep"):
            prototxt.read(opening * 50_000, "f")


def test_time_is_linear():
    def seconds(n: int) -> float:
        text = 'layer { name: "x" # comment\n  p { a: [1, 2] b: -0.5 } }\n' * n
        start = time.perf_counter()
        prototxt.read(text, "f")
        return time.perf_counter() - start

    seconds(100)
    small, large = min(seconds(500) for _ in range(3)), seconds(5000)
    assert large < 60 * small  # ten times the text; a quadratic reader takes a hundred times as long
