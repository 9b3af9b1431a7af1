"""Label files in their three forms."""
from __future__ import annotations

import pytest

from netdef.data.labels import check_count, read_labels, short
from netdef.errors import DataError, NetdefError


def written(folder, text, name="labels.txt"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("text, labels", [
    ("n01440764 tench, Tinca tinca\nn01443537 goldfish\n\n\n", ["n01440764 tench, Tinca tinca", "n01443537 goldfish"]),
    ("\ufeffcat\r\ndog\r\n", ["cat", "dog"]),
    ("0\n1\n2", ["0", "1", "2"]),
    ("1 dog\n0 cat", ["cat", "dog"]),
    ("0: cat\n1: dog", ["cat", "dog"]),
    ("3 blind mice\n7 dwarfs", ["3 blind mice", "7 dwarfs"]),
    ('item { name: "none" label: 0 display_name: "background" }\nitem { name: "n2" label: 2 display_name: "bus" }',
     ["background", "1", "bus"]),
])
def test_forms(tmp_path, text, labels):
    assert read_labels(written(tmp_path, text)) == labels


@pytest.mark.parametrize("text, error", [
    ("cat\n\ndog", "labels.txt:2: error: expected a label, got an empty line"),
    ("\n \n", "the file of labels is empty"),
    (b"\xff\xfe\x00", "no text in UTF-8"),
    ('item { name: "a" }', "expected item { name: ... label: ... }"),
])
def test_mistakes(tmp_path, text, error):
    with pytest.raises(NetdefError) as raised:
        read_labels(written(tmp_path, text))
    assert error in str(raised.value)


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot read the labels"):
        read_labels(tmp_path / "none.txt")


def test_count():
    check_count(["a", "b"], 2, "it")
    with pytest.raises(DataError, match="expected 3 labels, for the classes of 'prob', got 2"):
        check_count(["a", "b"], 3, "the classes of 'prob'")


def test_short():
    assert short("n02123045 tabby, tabby cat") == "tabby"
    assert short("7") == "7"
