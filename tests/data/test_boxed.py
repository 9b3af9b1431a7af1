"""What SSD does to a picture with boxes: sizes, frames, crops, and boxes that stay on their things."""
import numpy as np
import pytest

from netdef.config.load import parse_text_message
from netdef.data.boxed import BoxedTransform
from netdef.data.boxes import Boxes
from netdef.errors import FieldError
from netdef.rng import Stream

CORNERS = np.array([[0.25, 0.25, 0.5, 0.75]])
ONE = Boxes(np.array([2]), np.array([1]), CORNERS, np.array([False]))


def transform(text="", samplers="", train=True, mean=None):
    layer = parse_text_message(f"layer {{ transform_param {{ {text} }} annotated_data_param {{ {samplers} }} }}", "x",
                               "NetParameter").message.layer[0]
    return BoxedTransform(layer.transform_param, layer.annotated_data_param.batch_sampler, train, mean)


def picture(height=80, width=120):
    """Black, the box white."""
    made = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = (CORNERS[0] * (width, height, width, height)).astype(int)
    made[top:bottom, left:right] = 255
    return made


def covered(made, boxes):
    """Share of the white pixels in the box, and of the box that is white."""
    height, width = made.shape[:2]
    x1, y1, x2, y2 = np.rint(boxes.corners[0] * (width, height, width, height)).astype(int)
    white = made[..., 0] > 128
    return white[y1:y2, x1:x2].sum() / max(1, white.sum()), white[y1:y2, x1:x2].mean()


@pytest.mark.parametrize(("text", "size"), [
    ("", (80, 120)),
    ("resize_param { height: 50 width: 40 }", (50, 40)),
    ("resize_param { height: 50 width: 40 interp_mode: AREA interp_mode: CUBIC interp_mode: LANCZOS4 }", (50, 40)),
    ("resize_param { height: 60 width: 60 resize_mode: FIT_LARGE_SIZE_AND_PAD }", (60, 60)),
    ("resize_param { height: 60 width: 200 resize_mode: FIT_LARGE_SIZE_AND_PAD pad_mode: REPEAT_NEAREST }", (60, 200)),
    ("resize_param { height: 40 width: 40 resize_mode: FIT_SMALL_SIZE }", (40, 60)),
    ("resize_param { height: 40 width: 90 resize_mode: FIT_SMALL_SIZE }", (60, 90)),
    ("mirror: true", (80, 120)),
    ("mirror: true resize_param { height: 100 width: 100 } crop_size: 90", (90, 90)),
    ("crop_h: 78 crop_w: 100", (78, 100)),
    ("expand_param { max_expand_ratio: 3 } resize_param { height: 200 width: 200 }", (200, 200)),
])
def test_boxes_stay_on_their_things(text, size):
    t = transform(text)
    assert t.output_shape((3, 80, 120)) == (3, *size)
    seen = set()
    for i in range(12):
        made, boxes = t(picture(), ONE, Stream(1, "x", i))
        assert made.shape == (*size, 3) and len(boxes.label) == 1 and boxes.number.tolist() == [1]
        inside, white = covered(made, boxes)
        assert inside > 0.9 and white > 0.9
        seen.add(tuple(boxes.corners[0].round(3)))
    assert len(seen) > 1 if any(word in text for word in ("mirror", "crop", "expand")) else len(seen) == 1


def test_samplers_crop_first():
    sampler = ("batch_sampler { max_sample: 1 sampler { min_scale: 0.5 max_scale: 0.6 } "
               "sample_constraint { min_object_coverage: 1 } }")
    for train in (True, False):  # in both phases, as in SSD
        made, boxes = transform("resize_param { height: 60 width: 60 }", sampler, train)(picture(), ONE, Stream(1, "x"))
        assert (boxes.corners[0, 2:] - boxes.corners[0, :2] > CORNERS[0, 2:] - CORNERS[0, :2]).all()
        assert min(covered(made, boxes)) > 0.9


def test_a_box_leaves_with_its_centre():
    t = transform("crop_size: 40 emit_constraint { emit_type: CENTER }")
    counts = {len(t(picture(), ONE, Stream(1, "x", i))[1].label) for i in range(30)}
    assert counts == {0, 1}


def test_crops_at_the_centre_in_test():
    made, boxes = transform("crop_size: 40", train=False)(picture(), ONE, Stream(1, "x"))
    assert np.array_equal(made, picture()[20:60, 40:80]) and boxes.corners[0] == pytest.approx([0, 0, 0.5, 1])


def test_the_frame_and_the_canvas_have_the_colours_asked_for():
    t = transform("resize_param { height: 60 width: 60 resize_mode: FIT_LARGE_SIZE_AND_PAD pad_value: 1 pad_value: 2 "
                  "pad_value: 3 }")
    assert t(picture(), ONE, Stream(1, "x"))[0][0, 0].tolist() == [1, 2, 3]
    expand = "expand_param { max_expand_ratio: 4 }"
    for made in (transform(f"{expand} mean_value: 104 mean_value: 117 mean_value: 123"), transform(
            expand, mean=np.array([103.6, 117.2, 122.8], np.float32).reshape(3, 1, 1))):
        canvas = made(np.full((8, 9, 3), 255, np.uint8), ONE, Stream(1, "x", 3))[0]
        assert {tuple(c) for c in canvas.reshape(-1, 3).tolist()} == {(104, 117, 123), (255, 255, 255)}


def test_height_scale():
    """FIT_SMALL_SIZE with a crop: corners in units of width_scale and height_scale."""
    t = transform("resize_param { height: 80 width: 80 resize_mode: FIT_SMALL_SIZE height_scale: 40 width_scale: 60 } "
                  "crop_size: 80", train=False)
    made, boxes = t(picture(), ONE, Stream(1, "x"))
    assert made.shape == (80, 80, 3) and boxes.corners[0] == pytest.approx([10 / 60, 20 / 40, 40 / 60, 60 / 40])


@pytest.mark.parametrize(("text", "message"), [
    ("resize_param { height: 3 }", "resize_param: expected a height and a width of at least 1"),
    ("crop_h: 3", "crop_h and crop_w: expected both or none"),
    ("distort_param { hue_prob: 2 }", "distort_param: hue_prob: expected a number from 0 to 1"),
    ("expand_param { max_expand_ratio: 0 }", "expand_param: max_expand_ratio: expected"),
    ("noise_param { convert_to_lab: true }", "noise_param: convert_to_lab")])
def test_numbers_that_cannot_be(text, message):
    with pytest.raises(FieldError, match=message):
        transform(text)


def test_pictures_that_do_not_fit():
    with pytest.raises(FieldError, match="expected a crop of at most 80x120 .the picture., got 90x90"):
        transform("crop_size: 90").output_shape((3, 80, 120))
    with pytest.raises(ValueError, match="distort_param needs 3 channels, the picture has 1"):
        transform("distort_param { brightness_prob: 1 }")(picture()[:, :, :1], ONE, Stream(1, "x"))
    with pytest.raises(ValueError, match="expected 1 or 3 pad_value, got 2"):
        transform("resize_param { height: 9 width: 9 resize_mode: FIT_LARGE_SIZE_AND_PAD pad_value: 1 pad_value: 2 }")(
            picture(), ONE, Stream(1, "x"))
