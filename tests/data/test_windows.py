"""Window files: how they are split, where windows are cut, and what is wrong with them."""
from __future__ import annotations

import numpy as np
import pytest

from netdef.data.windows import Cut, cut_out, place, read_windows
from netdef.errors import DataError

TEXT = """# 0
a b.jpg
3
30
40
4
7 0.9 1 2 10 12
7 0.5 3 4 5 6
2 0.1 0 0 39 29
3 0.4 1 1 2 2

# 1
c.jpg
3
10
10
0
"""


def write(tmp_path, text):
    (tmp_path / "w.txt").write_text(text)
    return f"{tmp_path}/w.txt"


def test_split(tmp_path):
    file = read_windows(write(tmp_path, TEXT), 0.5, 0.2)
    assert [(p.path, p.line) for p in file.pictures] == [("a b.jpg", 2), ("c.jpg", 13)]
    assert file.foreground.rows.tolist() == [[0, 7, 1, 2, 10, 12], [0, 7, 3, 4, 5, 6]]
    assert file.background.rows.tolist() == [[0, 0, 0, 0, 39, 29]], "class 0 whatever is written"
    assert file.foreground.lines.tolist() == [7, 8] and file.background.lines.tolist() == [9]
    assert len(read_windows(write(tmp_path, TEXT), 0.5, 0.5).background.rows) == 2


@pytest.mark.parametrize("text, message", [
    ("", ": error: the window file names no picture"),
    ("a.jpg\n3\n", ":1: error: expected '# number' of a picture, got 'a.jpg'"),
    (TEXT.replace("3\n30", "3\nx", 1), ":4: error: expected height, got 'x'"),
    (TEXT.replace("7 0.9 1 2 10 12", "7 0.9 1 2 10"), ":7: error: expected class, overlap, x1, y1, x2, y2, got '7 0.9 1 2 10'"),
    (TEXT.replace("7 0.9", "0 0.9"), ":7: error: expected a class from 1 up for a window of the foreground, got '0'"),
    ("# 0\na\n3\n9\n9\n3\n1 0 1 1 2 2\n1 0 1 1 2 2\n", ":8: error: expected class, overlap, x1, y1, x2, y2, the file ends"),
])
def test_mistakes(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_windows(path, 0.5, 0.5)
    assert str(caught.value) == path + message


def caffe(box, rows, cols, crop, pad, square, mirror):
    """The arithmetic of R-CNN's data layer, in its order."""
    x1, y1, x2, y2 = box
    scale = crop / (crop - 2.0 * pad)
    hh, hw = (y2 - y1 + 1) / 2.0, (x2 - x1 + 1) / 2.0
    cx, cy = x1 + hw, y1 + hh
    if square:
        hh = hw = max(hh, hw)
    up = lambda v: int(np.floor(v + 0.5)) if v >= 0 else -int(np.floor(-v + 0.5))  # noqa: E731
    x1, x2, y1, y2 = up(cx - hw * scale), up(cx + hw * scale), up(cy - hh * scale), up(cy + hh * scale)
    w, h = x2 - x1 + 1, y2 - y1 + 1
    px1, py1, px2, py2 = max(0, -x1), max(0, -y1), max(0, x2 - cols + 1), max(0, y2 - rows + 1)
    x1, x2, y1, y2 = x1 + px1, x2 - px2, y1 + py1, y2 - py2
    sx, sy = crop / w, crop / h
    width, height = up((x2 - x1 + 1) * sx), up((y2 - y1 + 1) * sy)
    pad_h, pad_w = up(py1 * sy), up((px2 if mirror else px1) * sx)
    return Cut(x1, y1, x2, y2, min(height, crop - pad_h), min(width, crop - pad_w), pad_h, pad_w)


@pytest.mark.parametrize("pad, square", [(16, False), (0, True), (5, True), (30, False)])
def test_places(pad, square):
    rng = np.random.default_rng(1)
    outside = 0
    for _ in range(300):
        rows, cols = rng.integers(20, 90, 2)
        x1, y1 = rng.integers(0, cols - 1), rng.integers(0, rows - 1)
        box = (int(x1), int(y1), int(rng.integers(x1, cols)), int(rng.integers(y1, rows)))
        for mirror in (False, True):
            cut = place(box, int(rows), int(cols), 67, pad, square, mirror)
            assert cut == caffe(box, int(rows), int(cols), 67, pad, square, mirror)
            assert 0 <= cut.down <= cut.down + cut.height <= 67 and 0 <= cut.right <= cut.right + cut.width <= 67
            outside += cut.height < 67 or cut.width < 67
    assert outside > 50


def test_without_context():
    assert place((1, 2, 10, 12), 30, 40, 8, 0, False, True) == Cut(1, 2, 10, 12, 8, 8, 0, 0)
    for box in ((1, 2, 40, 12), (-1, 2, 3, 4), (5, 2, 4, 4)):
        with pytest.raises(ValueError, match="does not lie in the picture of 30x40 pixels"):
            place(box, 30, 40, 8, 0, False, False)


def test_cutting():
    image = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    cut = Cut(1, 0, 2, 1, 2, 2, 0, 0)
    assert np.array_equal(cut_out(image, cut, False), image[:, 1:3].transpose(2, 0, 1))
    assert np.array_equal(cut_out(image, cut, True), image[:, 2:0:-1].transpose(2, 0, 1))
