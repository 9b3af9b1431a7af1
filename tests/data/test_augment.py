"""Augmentation: each operation alone against plain arithmetic, draws of its own, and nothing in TEST but the size."""
from __future__ import annotations

import colorsys

import numpy as np
import pytest
from google.protobuf import text_format

from netdef.config import schema
from netdef.data import augment_ops as ops
from netdef.data.augment import Augment
from netdef.data.images import resize
from netdef.errors import FieldError

IMAGES = np.random.default_rng(1).integers(0, 256, (40, 3, 12, 16), dtype=np.uint8)


def made(text, train=True, **options):
    return Augment(text_format.Parse(text, schema.new("AugmentParameter")), train, name="data", **options)


def test_nothing_changes_nothing():
    assert np.array_equal(made("")(IMAGES, 1, 0), IMAGES)
    assert np.array_equal(made("affine {} flip {} cutout { count: 0 }")(IMAGES, 1, 0), IMAGES)
    assert made("color {} affine {}")(IMAGES, 1, 0) == pytest.approx(IMAGES.astype(float), abs=1e-3)


def test_flips():
    out = made("flip { horizontal: 0.5 vertical: 0.25 }")(IMAGES, 1, 0)
    kinds = [[np.array_equal(y, x[:, ::v, ::h]) for v in (1, -1) for h in (1, -1)] for x, y in zip(IMAGES, out, strict=True)]
    assert all(sum(kind) == 1 for kind in kinds)
    assert (np.sum(kinds, 0) > 0).all()


def test_draws_depend_on_seed_and_pass_and_on_no_other_operation():
    text = "flip { horizontal: 0.5 }"
    out = made(text)(IMAGES, 1, 0)
    assert np.array_equal(out, made(text)(IMAGES, 1, 0))
    assert not np.array_equal(out, made(text)(IMAGES, 1, 1)) and not np.array_equal(out, made(text)(IMAGES, 2, 0))
    assert np.array_equal(made(text + " affine { prob: 0 rotate: 9 }")(IMAGES, 1, 0), out)
    own = "flip { horizontal: 0.5 seed: 7 }"
    assert np.array_equal(made(own)(IMAGES, 1, 0), made(own)(IMAGES, 2, 0))


def test_operations_draw_apart():
    changed = [(made(f"{op} {{ prob: 0.5 {rest} }}")(IMAGES, 1, 0) != IMAGES).any((1, 2, 3)).tolist()
               for op, rest in (("affine", "rotate: 90"), ("color", "brightness: 1"), ("cutout", "size: 1"))]
    assert len({tuple(c) for c in changed}) == 3, "others are chosen by each"


def test_input_is_left_alone():
    before = IMAGES.copy()
    made("affine { rotate: 20 } resized_crop {} flip { horizontal: 1 } color { brightness: 1 } cutout {}")(IMAGES, 1, 0)
    assert np.array_equal(IMAGES, before)


def test_affine_by_whole_pixels():
    image = IMAGES[0]
    moved = ops.affine(image, 0, 2 / 16, -3 / 12, 1, 0, 9)
    assert moved[:, :9, 2:] == pytest.approx(image[:, 3:, :14].astype(float), abs=1e-3)
    assert (moved[:, 9:] == 9).all() and (moved[:, :, :2] == 9).all()
    square = image[:, :, :12]
    assert ops.affine(square, 90, 0, 0, 1, 0, 0) == pytest.approx(np.rot90(square, axes=(1, 2)).astype(float), abs=0.1)
    assert ops.affine(square, 180, 0, 0, 1, 0, 0) == pytest.approx(square[:, ::-1, ::-1].astype(float), abs=0.1)
    ramp = np.arange(15.0)[None, None].repeat(3, 1)
    assert ops.affine(ramp, 0, 0, 0, 2, 0, 0)[0, 1] == pytest.approx(7 + (np.arange(15) - 7) / 2)
    sheared = ops.affine(np.arange(15.0)[None, None].repeat(5, 1), 0, 0, 0, 1, 45, 0)[0, :, 7]
    assert sheared == pytest.approx([9, 8, 7, 6, 5])


def test_resized_crop():
    out = made("resized_crop { height: 6 width: 4 min_area: 0.3 max_area: 0.6 }")(IMAGES, 1, 0)
    assert out.shape == (40, 3, 6, 4) and out.dtype == np.uint8
    rng = np.random.default_rng(0)
    parts = [ops.crop_of((60, 80), (0.3, 0.6), (0.75, 1.5), rng.random((ops.ATTEMPTS, 4))) for _ in range(200)]
    for top, left, height, width in parts:
        assert 0 <= top <= 60 - height and 0 <= left <= 80 - width
        assert 0.27 < height * width / 4800 < 0.63 and 0.7 < width / height < 1.6
    assert len({p[:2] for p in parts}) > 150
    assert ops.crop_of((10, 100), (1, 1), (0.5, 2), rng.random((10, 4))) == (0, 40, 10, 20), "none fits: the centre"
    ragged = made("resized_crop { height: 6 width: 4 }")([IMAGES[0], IMAGES[1][:, :5, :7]], 1, 0)
    assert ragged.shape == (2, 3, 6, 4)


def test_the_size_of_a_crop():
    assert made("resized_crop {}", crop_size=5).output_shape((3, 12, 16)) == (3, 5, 5)
    assert made("resized_crop {}").output_shape((3, 12, 16)) == (3, 12, 16)
    test = made("resized_crop { height: 6 width: 4 } flip { vertical: 1 }", train=False)
    assert np.array_equal(test(IMAGES, 1, 0)[3], resize(IMAGES[3].transpose(1, 2, 0), 6, 4).transpose(2, 0, 1))
    assert made("resized_crop {}", train=False, crop_size=5).output_shape((3, 12, 16)) == (3, 12, 16), "the centre is cut"
    assert made("cutout {}", train=False)(IMAGES, 1, 0) is IMAGES


def test_colors():
    image = IMAGES[0].astype(np.float32)  # floats are not clipped
    gray = np.tensordot(np.float32([0.114, 0.587, 0.299]), image, 1)
    assert ops.color(image, 1.5, 1, 1, 0, False) == pytest.approx(image * 1.5, rel=1e-5)
    assert ops.color(image, 1, 0.5, 1, 0, False) == pytest.approx((image - gray.mean()) / 2 + gray.mean(), rel=1e-4)
    assert ops.color(image, 1, 1, 0.25, 0, False) == pytest.approx(gray + (image - gray) / 4, rel=1e-4)
    assert ops.color(image, 1, 1, 1, 0.3, True) == pytest.approx(np.stack([gray] * 3), rel=1e-4)
    bright = ops.color(IMAGES[0], 2, 1, 1, 0, False)
    assert bright.max() == 255 and bright == pytest.approx(np.minimum(2.0 * IMAGES[0], 255))
    one = IMAGES[0, :1]
    assert ops.color(one, 1, 1, 0, 0.4, True) == pytest.approx(one.astype(float)), "grey pictures have no colour to change"


def test_the_hue_turns():
    red = np.zeros((3, 1, 1), np.float32)
    red[2] = 200
    turned = ops.color(red, 1, 1, 1, 1 / 3, False)[::-1, 0, 0].clip(0, 255) / 255
    assert colorsys.rgb_to_hsv(*turned)[0] in (pytest.approx(1 / 3, abs=0.08), pytest.approx(2 / 3, abs=0.08))
    around = red
    for _ in range(4):
        around = ops.color(around, 1, 1, 1, 0.25, False)
    assert around == pytest.approx(red, abs=0.05)


def test_cutout():
    out = made("cutout { count: 2 size: 0.5 value: 255 }")(np.zeros((60, 1, 12, 16), np.uint8), 1, 0)
    covered = (out == 255).sum((1, 2, 3))
    assert out.dtype == np.uint8 and covered.max() <= 72 and covered.min() >= 9
    whole = ops.cutout(np.ones((2, 10, 10), np.float32), np.array([[0.5, 0.5]]), 0.4, -1.5)
    assert (whole[:, 3:7, 3:7] == -1.5).all() and (whole == -1.5).sum() == 32
    assert ops.cutout(IMAGES[0], np.array([[0.5, 0.5]]), 0.4, -1.5).min() == -1.5


@pytest.mark.parametrize("text, message", [
    ("affine { rotate: 181 }", "augment: affine: rotate: expected a number in [0, 180], got 181"),
    ("affine { prob: 1.5 }", "augment: affine: prob: expected a number in [0, 1], got 1.5"),
    ("affine { scale_lower: 2 }", "augment: affine: scale_lower is larger than scale_upper"),
    ("resized_crop { min_area: 0 }", "augment: resized_crop: min_area: expected a number in [1e-06, 1], got 0"),
    ("resized_crop { height: 5 }", "augment: resized_crop: expected height and width, both or none"),
    ("color { hue: 0.6 }", "augment: color: hue: expected a number in [0, 0.5], got 0.6"),
    ("cutout { size: nan }", "augment: cutout: size: expected a number in [0, 1], got nan"),
])
def test_mistakes(text, message):
    with pytest.raises(FieldError) as caught:
        made(text, where="net.prototxt:3:4")
    assert str(caught.value) == f"net.prototxt:3:4: error: {message}"
