"""Tables of text: which columns are what, labels of text, and mistakes with their line."""
from __future__ import annotations

import numpy as np
import pytest

from netdef import data
from netdef.errors import DataError

IRIS = "a,b,species\n1,2,cat\n3,4.5,ant\n\n5,6,cat\n"


@pytest.fixture
def table(tmp_path):
    def write(text, name="t.csv"):
        (tmp_path / name).write_text(text)
        return f"{tmp_path}/{name}"
    return write


def test_labels_of_text(table):
    path = table(IRIS)
    source = data.open(f"csv:{path}")
    assert source.batch(0, 3)[0].reshape(3, 2).tolist() == [[1, 2], [3, 4.5], [5, 6]]
    assert source.labels().tolist() == [1, 0, 1] and list(source.class_names) == ["ant", "cat"]
    assert data.peek(path) == data.Peek((2, 1, 1), None, True, "csv") and len(source) == 3


@pytest.mark.parametrize("options, features, labels", [
    ("label=a", [[2, 5], [4, 6]], [1, 3]),
    ("label=none", [[1, 2, 5], [3, 4, 6]], [0, 0]),
    ("label=-1,label=0", [[2], [4]], [[5, 1], [6, 3]]),
    ("ignore=b", [[1], [3]], [5, 6]),
    ("label=0,shape=1x2", [[2, 5], [4, 6]], [1, 3]),
])
def test_options(table, options, features, labels):
    source = data.open(f"csv:{table('a,b,y' + chr(10) + '1,2,5' + chr(10) + '3,4,6')},{options}")
    assert source.batch(0, 2)[0].reshape(2, -1).tolist() == features and source.labels().tolist() == labels
    assert source.has_labels == (options != "label=none")


def test_without_a_head_and_with_tabs(table):
    source = data.open(f"tsv:{table('1	2	0.5' + chr(10) + '3	4	1', 't.txt')}")
    assert source.labels().tolist() == [0.5, 1] and source.labels().dtype == np.float32
    assert len(data.open(f"csv:{table('1,2' + chr(10) + '3,4')},header=yes")) == 1


def test_the_usual_name_of_the_label(table):
    source = data.open(table("label,x,y2\n1,8,9\n"))
    assert source.record(0)[1] == 1 and source.shape == (2, 1, 1)


def test_classes_of_a_file(table):
    path, names = table(IRIS), table("dog\ncat\nant\n", "names.txt")
    assert data.open(f"csv:{path},classes={names}").labels().tolist() == [1, 2, 1]
    names = table("dog\ncat\n", "few.txt")
    with pytest.raises(DataError, match=r"t.csv: error: record 1: column 'species': 'ant' is no class of .*few.txt"):
        data.open(f"csv:{path},classes={names}")


@pytest.mark.parametrize("text, options, message", [
    ("", "", "{0}: error: the table is empty"),
    ("a,b\n", "", "{0}: error: the table has a head and no rows"),
    ("a,b,y\n1,2,0\n1,x,0\n", "",
     "{0}:3: error: record 1: column 'b': expected a number, got 'x'; ignore=b leaves the column out"),
    ("1,2,0\n\n1,,0\n", "", "{0}:3: error: record 1: column 1: expected a number, got ''; ignore=1 leaves the column out"),
    ("1,2,0\n1,2\n", "", "{0}:2: error: record 1: expected 3 columns, got 2"),
    ("a,b\n1,2\n", ",label=c", "{0}: error: label: no column 'c' in a table of 2; there are a, b"),
    ("1,2\n1,2\n", ",label=2", "{0}: error: label: no column '2' in a table of 2; without a head, columns are numbers from 0"),
    ("1\n2\n", "", "{0}: error: the table has no column beside the labels"),
    ("1,2,3\n", ",shape=3x1", "{0}: error: shape: expected sizes whose product is the number of columns, 2, got '3x1'; for "
     "example shape=1x28x28"),
    ("1,2,3\n", ",header=maybe", "csv:{0},header=maybe: error: header: expected yes or no or auto, got 'maybe'"),
])
def test_mistakes(table, text, options, message):
    path = table(text)
    with pytest.raises(DataError) as caught:
        data.open(f"csv:{path}{options}")
    assert str(caught.value) == message.format(path)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match="cannot read the table: No such file"):
        data.open(f"csv:{tmp_path}/none.csv")
