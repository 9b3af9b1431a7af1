"""Folders laid out as PASCAL VOC's, and random crops of pictures with boxes."""
import numpy as np
import pytest

from netdef.config import schema
from netdef.config.load import parse_text_message
from netdef.data.boxes import Boxes
from netdef.data.crops import WHOLE, check_sampler, crop_boxes, cut, draw_crop
from netdef.data.voc import VocFolder
from netdef.errors import DataError, FieldError
from netdef.rng import Stream

BOX = ("<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
       "</bndbox></object>")


@pytest.fixture
def folder(tmp_path):
    """``folder(name=[boxes])``: pictures of 40 x 20 in a split ``train``."""
    def make(size="<size><width>40</width><height>20</height></size>", **pictures):
        image = pytest.importorskip("PIL.Image")
        for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (tmp_path / part).mkdir(parents=True, exist_ok=True)
        for i, (name, boxes) in enumerate(pictures.items()):
            things = "".join(BOX.format(*b) for b in boxes)
            (tmp_path / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{things}</annotation>")
            image.new("RGB", (40, 20), (10 * i, 0, 250)).save(tmp_path / "JPEGImages" / f"{name}.jpg")
        (tmp_path / "ImageSets" / "Main" / "train.txt").write_text("\n".join(pictures) + "\n")
        return tmp_path
    return make


def test_names_boxes_and_pictures(folder):
    made = VocFolder(folder(a=[("cat", 0, 4, 5, 20, 10), ("dog", 1, 0, 0, 40, 20)], b=[], c=[("dog", 0, 7, 7, 7, 9)]), "train",
                     ["cat", "dog"])
    assert (made.names, len(made), made.most, made.empty) == (["a", "b", "c"], 3, 2, 1)
    assert made.boxes[0].label.tolist() == [1, 2] and made.boxes[0].difficult.tolist() == [False, True]
    assert made.boxes[0].corners.tolist() == [[0.1, 0.25, 0.5, 0.5], [0, 0, 1, 1]]
    assert made.boxes[1].corners.shape == made.boxes[2].corners.shape == (0, 4)
    assert made.picture(2).shape == (20, 40, 3) and abs(made.picture(2)[0, 0].astype(int) - [250, 0, 20]).max() < 4


def test_what_is_missing_or_malformed_is_named(folder):
    home = folder(a=[("cat", 0, 4, 5, 20, 10)])
    with pytest.raises(DataError) as caught:
        VocFolder(home, "trian", ["cat"])
    assert str(caught.value) == (f"{home}/ImageSets/Main/trian.txt: error: cannot read the list of pictures: No such file or "
                                 "directory; did you mean 'train'?")
    with pytest.raises(DataError, match="a box has the class 'cat', which is not among class_name; known are bat"):
        VocFolder(home, "train", ["bat"])
    (home / "ImageSets/Main/train.txt").write_text("b\n")
    with pytest.raises(DataError, match=r"b.xml: error: cannot read the annotation: No such file"):
        VocFolder(home, "train", ["cat"])
    (home / "ImageSets/Main/train.txt").write_text("\n")
    with pytest.raises(DataError, match="the list of pictures is empty"):
        VocFolder(home, "train", ["cat"])
    with pytest.raises(DataError, match="expected a number as size/width of <annotation>, got ''"):
        VocFolder(folder(size="", a=[]), "train", ["cat"])
    with pytest.raises(DataError, match="expected a number as bndbox/ymin of <object>, got 'x'"):
        VocFolder(folder(a=[("cat", 0, 4, "x", 20, 10)]), "train", ["cat"])
    (home / "Annotations/a.xml").write_text("<annotation>")
    with pytest.raises(DataError, match="the annotation is no XML: no element found"):
        VocFolder(home, "train", ["cat"])
    with pytest.raises(DataError, match="the folder needs Annotations, JPEGImages, ImageSets/Main"):
        VocFolder(home / "Annotations", "train", ["cat"])


def samplers(text):
    layer = parse_text_message(f"layer {{ voc_data_param {{ {text} }} }}", "x", "NetParameter").message.layer[0]
    return layer.voc_data_param.batch_sampler


ONE = np.array([[0.4, 0.4, 0.6, 0.7]])


def test_crops_have_the_size_and_the_overlap_that_was_asked_for():
    text = """batch_sampler { max_sample: 1
      sampler { min_scale: 0.3 max_scale: 0.9 min_aspect_ratio: 0.5 max_aspect_ratio: 2 }
      sample_constraint { min_jaccard_overlap: 0.2 max_sample_coverage: 0.5 min_object_coverage: 0.9 } }"""
    found = [draw_crop(samplers(text), ONE, Stream(1, "x", i)) for i in range(50)]
    assert len(set(found)) > 40
    for crop in (c for c in found if c != WHOLE):
        x, y = np.minimum(crop[2:], ONE[0, 2:]) - np.maximum(crop[:2], ONE[0, :2])
        w, h = crop[2] - crop[0], crop[3] - crop[1]
        assert 0.3 <= np.sqrt(w * h) <= 0.9 + 1e-9 and 0.5 <= w / h <= 2
        assert min(crop) >= 0 and max(crop) <= 1
        assert x * y / (w * h + 0.06 - x * y) >= 0.2 and x * y >= 0.9 * 0.06 and x * y <= 0.5 * w * h
    assert found == [draw_crop(samplers(text), ONE, Stream(1, "x", i)) for i in range(50)]


def test_crops_that_cannot_be_found_leave_the_picture_whole():
    text = "batch_sampler { sampler { min_scale: 0.5 max_scale: 0.6 } sample_constraint { min_jaccard_overlap: 0.9 } }"
    assert draw_crop(samplers(text), ONE, Stream(1, "x")) == WHOLE
    assert draw_crop(samplers("batch_sampler { max_sample: 1 }"), np.empty((0, 4)), Stream(1, "x")) == WHOLE


@pytest.mark.parametrize(("text", "message"), [
    ("sampler { min_scale: 0 }", "expected 0 < min_scale <= max_scale <= 1, got 0 and 1"),
    ("sampler { min_aspect_ratio: 2 max_aspect_ratio: 3 }", "min_aspect_ratio above 0 and up to 1"),
    ("max_trials: 0", "expected max_trials of at least 1, got 0")])
def test_samplers_that_cannot_be(text, message):
    with pytest.raises(FieldError, match=message):
        check_sampler(samplers(f"batch_sampler {{ {text} }}")[0])


def test_boxes_in_a_crop():
    boxes = Boxes(np.array([1, 2, 3]), np.arange(3), np.array([[0.1, 0.1, 0.3, 0.3], [0.4, 0.4, 0.9, 0.6], [0.6, 0.6, 0.8, 0.8]]),
                  np.array([False, True, False]))
    seen = crop_boxes(boxes, (0, 0, 0.5, 0.5))
    assert seen.label.tolist() == [1, 2] and seen.number.tolist() == [0, 1] and seen.difficult.tolist() == [False, True]
    assert seen.corners == pytest.approx(np.array([[0.2, 0.2, 0.6, 0.6], [0.8, 0.8, 1, 1]]))
    emit = schema.new("EmitConstraint")
    assert crop_boxes(boxes, (0, 0, 0.5, 0.5), emit).label.tolist() == [1]
    emit.emit_type, emit.emit_overlap = 1, 0.05
    assert crop_boxes(boxes, (0, 0, 0.5, 0.5), emit).label.tolist() == [1, 2]


def test_cut_has_at_least_a_pixel():
    picture = np.arange(12).reshape(3, 4, 1)
    assert cut(picture, (0.25, 0, 0.75, 0.67))[..., 0].tolist() == [[1, 2], [5, 6]]
    assert cut(picture, (0.99, 0.99, 1, 1)).shape == (1, 1, 1)
