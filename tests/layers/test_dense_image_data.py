"""DenseImageData: pairs, sizes, crops that fit each other, and where errors point."""
import numpy as np
import pytest

import netdef
from netdef.config.load import parse_text_message
from netdef.errors import ConfigErrors, DataError, FieldError, NetdefError

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path):
    """Four pictures whose red is a pixel's number, with label pictures that hold the same number."""
    for i in range(4):
        levels = (np.arange(24).reshape(4, 6) + 50 * i).astype(np.uint8)
        Image.fromarray(np.stack([levels, levels * 0, levels * 0 + 9], -1)).save(tmp_path / f"{i}.png")
        Image.fromarray(levels).save(tmp_path / f"{i}_label.png")
    (tmp_path / "list.txt").write_text("\n".join(f"{i}.png {i}_label.png" for i in range(4)) + "\n\n")
    return tmp_path


def net_of(folder, options="", transform="", phase="TRAIN"):
    text = f'''layer {{ name: "d" type: "DenseImageData" top: "data" top: "label" transform_param {{ {transform} }}
                        dense_image_data_param {{ source: "list.txt" batch_size: 2 {options} }} }}'''
    return netdef.Net(parse_text_message(text, str(folder / "net.prototxt"), "NetParameter"), phase=phase, seed=1)


def test_pairs_in_order_and_round(folder):
    with net_of(folder, "", "mean_value: 1 scale: 2") as net:
        for first in (0, 2, 0):
            net.forward()
            data, label = net.blobs["data"].data, net.blobs["label"].data
            assert data.shape == (2, 3, 4, 6) and label.shape == (2, 1, 4, 6)
            assert label[:, 0, 0, 1].tolist() == [50 * first + 1, 50 * first + 51]
            np.testing.assert_array_equal(data[:, 2], 2 * (label[:, 0] - 1))  # red is the last channel
            assert (data[:, 0] == 2 * (9 - 1)).all()
        assert net.steps[0].layer.record_at(1) == 1


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_crops_and_mirroring_fit_each_other(folder, phase):
    with net_of(folder, "shuffle: true", "crop_size: 3 mirror: true", phase) as net:
        seen = set()
        for _ in range(8):
            net.forward()
            np.testing.assert_array_equal(net.blobs["data"].data[:, 2], net.blobs["label"].data[:, 0])
            seen |= {tuple(item.ravel()) for item in net.blobs["label"].data}
        assert net.blobs["label"].shape == (2, 1, 3, 3) and len(seen) > 4


def test_labels_are_resized_to_the_nearest(folder):
    with net_of(folder, "new_height: 8 new_width: 3 is_color: false") as net:
        net.forward()
        want = np.arange(24).reshape(4, 6)[np.arange(8)[:, None] // 2, np.arange(3) * 2]
        assert net.blobs["data"].shape == (2, 1, 8, 3)
        np.testing.assert_array_equal(net.blobs["label"].data[0, 0], want)


@pytest.mark.parametrize("every, rows, columns", [(2, [0, 2], [0, 2, 4]), (4, [0], [0])])
def test_fewer_labels(folder, every, rows, columns):
    with net_of(folder, f"label_divide_factor: {every}") as net:
        net.forward()
        np.testing.assert_array_equal(net.blobs["label"].data[0, 0], np.arange(24).reshape(4, 6)[np.ix_(rows, columns)])
    with pytest.raises(FieldError, match="label_divide_factor: excludes crop_size"):
        net_of(folder, "label_divide_factor: 2", "crop_size: 2")


def test_both_are_needed(folder):
    with pytest.raises(FieldError, match="expected new_height and new_width, both or none"):
        net_of(folder, "new_height: 8")


def test_errors_point_at_the_line(folder):
    (folder / "list.txt").write_text("0.png 0_label.png\n1.png\n")
    with pytest.raises(FieldError, match=r"expected the paths of a picture and of its label picture, got '1.png' .*list.txt:2"):
        net_of(folder)
    Image.new("L", (5, 4)).save(folder / "1_label.png")
    (folder / "list.txt").write_text("0.png 0_label.png\n1.png 1_label.png\n")
    with net_of(folder) as net, pytest.raises(DataError, match="record 1: expected a label picture of 4x6, the picture's size, "
                                                              "got 4x5"):
        net.forward()
    (folder / "list.txt").write_text("0.png there.png\n")
    with pytest.raises((FieldError, ConfigErrors, NetdefError), match="there.png"):
        net_of(folder)
