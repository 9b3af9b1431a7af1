"""Inputs that are no pictures."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.errors import DataError, NetdefError
from netdef.predict.rows import read_file, read_lines, typed

ONE = {"x": (2,)}
TWO = {"a": (2,), "b": ()}


def values(items):
    return [{n: v.tolist() for n, v in item.values.items()} for item in items]


def test_typed():
    assert values(typed(["x=0.5,2"], ONE)) == [{"x": [[0.5, 2]]}]
    assert values(typed(["1,2,3,4"], ONE)) == [{"x": [[1, 2]]}, {"x": [[3, 4]]}]
    assert [i.source for i in typed(["1,2,3,4"], ONE)] == ["input 1", "input 2"]
    assert values(typed(["b=1,2", "a=3,4"], TWO)) == [{"b": [1], "a": [[3, 4]]}, {"b": [2], "a": [[3, 4]]}]


def test_typed_from_a_file(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(4).reshape(2, 2))
    assert values(typed([f"x=@{tmp_path}/x.npy"], ONE)) == [{"x": [[0, 1]]}, {"x": [[2, 3]]}]


@pytest.mark.parametrize("texts, shapes, error", [
    (["y=1,2"], ONE, "no input 'y'"), (["x=1,b"], ONE, "input 'x': expected a number, value 2 is 'b'"),
    (["x=1,2,3"], ONE, "expected 2 values an item"), (["x="], ONE, "value 1 is ''"), (["1,2"], TWO, "expected NAME=VALUES"),
    (["a=1,2"], TWO, "no values for the input 'b'"), (["x=1,2", "x=3,4"], ONE, "given twice"),
    (["a=1,2,3,4", "b=1,2,3"], TWO, "expected values for 3 items, as for the others, got 2"), (["x=@no.npy"], ONE, "no.npy"),
])
def test_typed_mistakes(texts, shapes, error):
    with pytest.raises(NetdefError, match=error):
        typed(texts, shapes)


def lines(text, shapes=ONE, columns=()):
    return list(read_lines(text.splitlines(keepends=True), "f", shapes, columns))


def test_csv():
    assert values(lines("1,2\n\n# note\n3,4\n")) == [{"x": [[1, 2]]}, {"x": [[3, 4]]}]
    assert [i.source for i in lines("p,q\n1,2\n3,4\n")] == ["line 2", "line 3"]
    assert values(lines("1,2,3\n", TWO)) == [{"a": [[1, 2]], "b": [3]}]
    assert values(lines("p,label,q\n1,9,2\n", columns=["q", "p"])) == [{"x": [[2, 1]]}]


def test_json_lines():
    assert values(lines('\n{"x": [1, 2]}\n[3, 4]\n')) == [{"x": [[1, 2]]}, {"x": [[3, 4]]}]
    assert lines('{"x": [1, 2], "name": "n"}')[0].source == "n"
    assert values(lines('{"a": [[1, 2]], "b": 3}', TWO)) == [{"a": [[1, 2]], "b": [3]}]


@pytest.mark.parametrize("text, error", [
    ("1,2\n3\n", "f:2: error: expected 2 values (x has 2), got 1"),
    ("1,2\n3,x\n", "f:2: error: expected a number, value 2 is 'x'"),
    ("1,o\n", "f:1: error: expected a number, value 2 is 'o'"), ("", "f: error: expected lines of CSV or JSON, got nothing"),
    ("\n[1, 2]\n[1, \n", "f:3: error: expected JSON"),
    ('{"X": [1, 2]}', "f:1: error: no values for the input 'x'; did you mean 'X'?"),
    ('["a", "b"]', "f:1: error: input 'x': expected numbers"), ("[1]", "f:1: error: input 'x': expected 2 values, got 1"),
])
def test_mistakes_name_the_line(text, error):
    with pytest.raises(DataError) as raised:
        lines(text)
    assert error in str(raised.value)


@pytest.mark.parametrize("columns, error", [(["r"], "no column 'r'; there are p, q"), (["P", "q"], "did you mean 'p'")])
def test_columns(columns, error):
    with pytest.raises(DataError, match=error):
        lines("p,q\n1,2\n", columns=columns)


def test_columns_need_names():
    with pytest.raises(DataError, match="expected a first row with the names"):
        lines("1,2\n", columns=["p"])


def test_archives(tmp_path):
    np.savez(tmp_path / "two.npz", a=np.arange(4).reshape(2, 2), b=[5, 6])
    assert values(read_file(tmp_path / "two.npz", TWO)) == [{"a": [[0, 1]], "b": [5]}, {"a": [[2, 3]], "b": [6]}]
    np.savez(tmp_path / "any.npz", whatever=[[1, 2]])
    assert values(read_file(tmp_path / "any.npz", ONE)) == [{"x": [[1, 2]]}]
    (tmp_path / "cut.npz").write_bytes((tmp_path / "two.npz").read_bytes()[:80])
    (tmp_path / "text.csv").write_bytes(b"\xff\xfe1,2")
    np.savez(tmp_path / "counts.npz", a=np.zeros((3, 2)), b=[1])
    for name, shapes, error in (("any.npz", TWO, "no array 'a'.*there are whatever"), ("cut.npz", ONE, "cut off"),
                                ("text.csv", ONE, "text in UTF-8"), ("no.csv", ONE, "No such file"),
                                ("counts.npz", TWO, "different numbers of items")):
        with pytest.raises(DataError, match=error):
            list(read_file(tmp_path / name, shapes))
