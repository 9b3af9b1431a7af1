"""Pictures: reading, and resizing as OpenCV's INTER_LINEAR does."""
from __future__ import annotations

import io

import numpy as np
import pytest

from netdef.data.images import find_images, read_image, resize
from netdef.errors import DataError

Image = pytest.importorskip("PIL.Image")

GRAY = (np.arange(20).reshape(4, 5, 1) * 37 % 256).astype(np.uint8)
# What OpenCV 5.0 makes of GRAY (cv2.resize, INTER_LINEAR), recorded.
RESIZED = {
    (3, 7): [[31, 52, 66, 62, 88, 115, 136], [150, 171, 160, 96, 122, 93, 42], [55, 76, 102, 129, 155, 163, 160]],
    (9, 2): [[28, 120], [58, 108], [141, 77], [209, 56], [177, 110], [146, 163], [114, 167], [82, 164], [71, 163]],
    (2, 2): [[120, 85], [106, 167]],
    (4, 5): GRAY[:, :, 0].tolist(),
}


def png(array, **options):
    """The bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("size", RESIZED)
def test_resize_agrees_with_opencv_to_one_grey_level(size):
    made = resize(GRAY, *size)
    assert made.dtype == np.uint8 and made.shape == (*size, 1)
    assert np.abs(made[:, :, 0].astype(int) - RESIZED[size]).max() <= 1


def test_resize_keeps_each_channel_apart_and_floats_unrounded():
    colour = np.concatenate([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=2)
    made = resize(colour, 6, 3)
    for c in range(3):
        assert np.array_equal(made[:, :, c], resize(colour[:, :, c: c + 1], 6, 3)[:, :, 0])
    exact = resize(GRAY.astype(np.float32), 3, 7)
    assert exact.dtype == np.float32 and np.abs(exact - resize(GRAY, 3, 7)).max() <= 0.5
    assert (exact != np.rint(exact)).any()


def test_resize_refuses_empty_sizes():
    with pytest.raises(DataError, match="4x5 to 0x3"):
        resize(GRAY, 0, 3)


def test_values_of_caffe(shared):
    """ImageData with new_height and new_width, run by Caffe."""
    folder = shared / "conformance" / "data"
    with np.load(folder / "imagedata_resize.npz") as recorded:
        wanted = recorded["batch0/data"] * 2  # its scale was 0.5
    names = [line.rsplit(" ", 1)[0] for line in (folder / "list.txt").read_text().splitlines()]
    for name, image in zip(names, wanted, strict=False):
        made = resize(read_image(folder / "img" / name), *image.shape[1:]).transpose(2, 0, 1)
        assert np.abs(made - image).max() <= 1


def test_colours_come_blue_green_red(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png(np.array([[[10, 20, 30], [0, 0, 255]]], np.uint8)))
    assert read_image(path).tolist() == [[[30, 20, 10], [255, 0, 0]]]
    assert read_image(path.read_bytes()).tolist() == read_image(path).tolist()
    assert read_image(path, color=False).tolist() == [[[18], [29]]]


def test_grey_transparent_and_deep_pictures():
    assert read_image(png(np.array([[7, 9]], np.uint8))).tolist() == [[[7, 7, 7], [9, 9, 9]]]
    assert read_image(png(np.array([[[1, 2, 3, 0]]], np.uint8))).tolist() == [[[3, 2, 1]]]
    assert read_image(png(np.array([[65535, 256, 255]], np.uint16)), color=False).tolist() == [[[255], [1], [0]]]


def test_turned_as_the_camera_says():
    picture = Image.fromarray(np.array([[1, 2]], np.uint8))
    exif = picture.getexif()
    exif[0x0112] = 6  # a quarter to the right
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", exif=exif)
    assert read_image(buffer.getvalue(), color=False)[:, :, 0].tolist() == [[1], [2]]


def test_bad_files(tmp_path):
    (tmp_path / "cat.png").write_bytes(png(GRAY[:, :, 0])[:60])
    with pytest.raises(DataError, match="cannot be read") as cut:
        read_image(tmp_path / "cat.png")
    assert str(cut.value).startswith(str(tmp_path / "cat.png"))
    with pytest.raises(DataError, match="are no picture"):
        read_image(b"not at all")
    with pytest.raises(DataError, match="empty"):
        read_image(b"")
    with pytest.raises(DataError, match="did you mean 'cat.png'"):
        read_image(tmp_path / "cta.png")


def test_folders_are_listed_by_name(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert find_images([str(tmp_path)]) == [str(tmp_path / "a.JPG"), str(tmp_path / "b.png")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        find_images([str(tmp_path / "empty")])
    with pytest.raises(DataError, match="no such picture; did you mean 'b.png'"):
        find_images([str(tmp_path / "bb.png")])


def test_grey_of_a_jpeg_is_the_one_stored_in_it():
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", quality=50)
    stored = Image.open(io.BytesIO(buffer.getvalue()))
    stored.draft("YCbCr", stored.size)
    assert np.array_equal(read_image(buffer.getvalue(), color=False)[:, :, 0], np.asarray(stored)[:, :, 0])


def test_the_grey_of_a_png_is_libpngs():
    pixels = np.array([[[1, 2, 3], [200, 100, 51], [7, 7, 7]]], np.uint8)  # red, green, blue
    wanted = [int((9797 * int(r) + 19235 * int(g) + 3736 * int(b)) / 32768) for r, g, b in pixels[0]]
    assert read_image(png(pixels), color=False)[0, :, 0].tolist() == wanted == [1, 124, 7]
