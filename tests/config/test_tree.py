from __future__ import annotations

from netdef.config.tree import Node, Source
from netdef.errors import Span

HERE = Span("f")


def test_spans_count_from_one_and_stop_at_the_line_end():
    source = Source("ab\r\ncd\re\nfgh", "f")
    assert source.span(4, 6) == Span("f", 2, 1, 2, "cd")
    assert source.span(7, 8) == Span("f", 3, 1, 1, "e")
    assert source.span(9, 99) == Span("f", 4, 1, 3, "fgh")
    assert source.span(12, 12) == Span("f", 4, 4, 1, "fgh")
    assert source.span_at(0, 1, 2, 0) == Span("f", 1, 2, 1, "ab")


def test_lines_can_be_printed_even_where_the_text_is_no_utf8():
    assert Source("a: \udcff", "f").span(0, 1).text == "a: \ufffd"


def test_values_as_errors_show_them():
    def shown(value, kind):
        return Node("x", value, HERE, HERE, kind).shown()

    assert shown("ab", "string") == '"ab"'
    assert shown("ab", "word") == "ab"
    assert shown("a\n", "quoted") == '"a\\x0a"'
    assert shown("x" * 50, "plain") == "x" * 37 + "..."
    assert shown([], "message") == "a block { ... }"
    assert shown([], "list") == "a list [ ... ]"
    assert shown("", "empty") == "nothing"


def test_find_and_values():
    one, two = Node("a", "1", HERE, HERE, "number"), Node("b", "2", HERE, HERE, "number")
    block = Node("m", [one, two], HERE, HERE, "message")
    assert block.find("b") is two
    assert block.find("c") is None
    assert list(block.values()) == [block]
    assert list(Node("l", [one, two], HERE, HERE, "list").values()) == [one, two]
    assert one.children == [] and block.text == ""
