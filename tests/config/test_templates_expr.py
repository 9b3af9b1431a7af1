from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdef.config.templates_expr import BadExpression, evaluate

NAMES = {"n": 6, "x": 0.5, "id": "2a", "sizes": [64, 128], "map": {"k": 3}, "yes": True}


def value(text):
    return evaluate(text, NAMES.__getitem__)


@pytest.mark.parametrize(("text", "wanted"), [
    ("n * 2 + 1", 13), ("n / 3", 2), ("n / 4", 1.5), ("n // 4", 1), ("-n % 4", 2), ("2 ** n", 64), ("x * n", 3.0),
    ("'res' + id", "res2a"), ("sizes[1]", 128), ("map['k'] + 1", 4), ("sizes + [1]", [64, 128, 1]), ("n > 3 and x < 1", True),
    ("1 < n <= 6", True), ("not yes", False), ("n in [1, 6]", True), ("'b' if n > 6 else 'c'", "c"), ("true", True),
    ("min(n, 2)", 2), ("max(sizes)", 128), ("letter(2)", "b"), ("letter(3, 'A')", "C"), ("int(2.7)", 2), ("len(sizes)", 2),
    ("range(1, n, 2)", [1, 3, 5]), ("str(0.5)", "0.5"), ("sum(sizes)", 192), (" n ", 6), ("n == 6 or 1 / 0", True)])
def test_values(text, wanted):
    got = value(text)
    assert got == wanted and type(got) is type(wanted)


@pytest.mark.parametrize(("text", "part"), [
    ("n.__class__", "cannot stand"), ("().__class__", "cannot stand"), ("open('x')", "no function 'open'"),
    ("__import__('os')", "no function"), ("lambda: 1", "cannot stand"), ("[i for i in sizes]", "cannot stand"),
    ("n +", "is no expression"), ("", "is no expression"), ("1 / 0", "divides by zero"), ("sizes[9]", "no such element"),
    ("map['q']", "no such element"), ("'a' * 3", "cannot be calculated"), ("id + n", "cannot be calculated"),
    ("9 ** 9 ** 9", "too large"), ("2 ** 64 * 2", "too large"), ("range(10 ** 9)", "longer than"), ("n is n", "cannot stand"),
    ("(" * 300 + ")" * 300, "longer than"), ("-" * 390 + "1", ""), ("min(n, key=n)", "takes no named"),
    ("letter(27)", "letter takes"),
    ("~n", "cannot stand"), ("'%s' % n", "cannot be calculated"), ("sizes[0:1]", "cannot stand"), ("minn(n)", "no function")])
def test_refused(text, part):
    if part == "":  # deep, but within what Python reads: either way no crash
        assert value(text) in (1, -1)
        return
    with pytest.raises(BadExpression, match=part.replace("(", r"\(")):
        value(text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="nx0123456789+-*/%()[]<>=!,.'\" andorifelse_~^&|:{}@", max_size=40))
def test_anything_gives_a_value_or_a_bad_expression(text):
    def look_up(name):
        if name not in NAMES:
            raise BadExpression(f"no name {name}")
        return NAMES[name]

    with contextlib.suppress(BadExpression):
        evaluate(text, look_up)
